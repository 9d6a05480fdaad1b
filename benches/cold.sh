#!/usr/bin/env bash
# How long `daybrief search` takes from the shell, process and all: the median of ten, on made-up tickets.
#
#   benches/cold.sh [PASSAGES [DIR]]      100000 in a temporary folder; a folder that is named is kept and asked again
#
# Fails when the median is over 60 ms, or over 150 ms beyond two hundred thousand passages.
set -euo pipefail
cd "$(dirname "$0")/.."
passages=${1:-100000}
if [ $# -ge 2 ]; then dir=$2; mkdir -p "$dir"; else dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; fi
python3 - "$PWD/target/release/daybrief" "$passages" "$dir" <<'PY'
import json, os, random, statistics, subprocess, sys, time
program, passages, folder = os.environ.get("DAYBRIEF", sys.argv[1]), int(sys.argv[2]), sys.argv[3]
config = os.path.join(folder, "daybrief.toml")
dice = random.Random(7)
syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "ol", "us")]
word = lambda n: "".join(syllables[n // len(syllables) ** i % len(syllables)] for i in range(2 if n < 15_000 else 3))
# Few words are frequent and most are rare, as in any language.
line = lambda count: " ".join(word(int(20_000 * dice.random() ** 3)) for _ in range(count))
if not os.path.exists(config):
    with open(os.path.join(folder, "t.jsonl"), "w") as out:
        for n in range(passages):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_600_000_000 + n * 60))
            print(json.dumps({"id": f"A-{n}", "created_at": at, "title": line(6), "body": line(120), "reporter": f"p{n % 50}"}), file=out)
    with open(config, "w") as out:
        out.write('[connectors.tracker]\ntype = "tickets"\npath = "t.jsonl"\n[members.ana]\nhandles = { tracker = "p1" }\n')
    begun = time.perf_counter()
    subprocess.run([program, "--config", config, "sync"], check=True, stdout=subprocess.DEVNULL)
    print(f"{passages} passages stored and indexed in {time.perf_counter() - begun:.0f} s")
def once():
    begun = time.perf_counter()
    found = subprocess.run([program, "--config", config, "search", "--as", "ana", "--json", line(3)], check=True, capture_output=True).stdout
    taken = (time.perf_counter() - begun) * 1e3
    assert found.count(b"\n") > 0, "nothing was found"
    return taken
first = once()
times = sorted(once() for _ in range(10))
middle, goal = statistics.median(times), 60 if passages <= 200_000 else 150
print(f"{'ok  ' if middle <= goal else 'FAIL'} daybrief search, {passages} passages: median {middle:.0f} ms of ten, slowest {times[-1]:.0f} ms, the very first {first:.0f} ms (<= {goal})")
sys.exit(middle > goal)
PY
