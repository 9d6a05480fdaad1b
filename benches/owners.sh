#!/usr/bin/env bash
# Measures owner suggestions of the release binary on the two development trackers, one predictions file each, and fails when
# a figure falls below its floor (0.01 under what was measured), or a time or the memory twice its limit.
#   benches/owners.sh [fieldtrip] [titanium]      both without an argument; titanium takes some minutes
set -euo pipefail
cd "$(dirname "$0")/.."
shared="${DAYBRIEF_SHARED:-$PWD/../shared}"
[ -d "$shared/data/assignee" ] || { echo "owners: $shared/data/assignee is missing; set DAYBRIEF_SHARED"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for set in "${@:-fieldtrip titanium}"; do for name in $set; do
  data="$shared/data/assignee/$name"
  python3 - "$name" ./target/release/daybrief backtest owners --json --time --history "$data/history.jsonl.zst" \
    --inputs "$data/heldout_inputs.jsonl.zst" --truth "$data/heldout_truth.jsonl.zst" \
    --out "$work/$name.jsonl" --plot "$work/$name.svg" <<'PY'
import json, os, resource, subprocess, sys, time
name, *command = sys.argv[1:]
start = time.monotonic()
done = subprocess.run(command, stdout=subprocess.PIPE)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode:
    sys.exit(done.returncode)
wall, told = time.monotonic() - start, json.loads(done.stdout)
print(f"{name}: {wall:.0f} s ({usage.ru_utime:.0f} s of processor time), load {os.getloadavg()[0]:.1f}")
failed = False
# Twice the limit: the machine may be busy with something else.
for what, value, limit in [
    ("a suggestion, ms", told["suggestion_ms"], 20), ("a fit, s", told["fit_secs"], 60),
    ("the backtest, s of processor time", usage.ru_utime, 300), ("memory, MB", usage.ru_maxrss / 1024, 500),
]:
    failed |= value > 2 * limit
    print(f"{'ok  ' if value <= limit else 'over'} {name} {what}: {value:.1f} (<= {limit})")
sys.exit(failed)
PY
  python3 "$shared/data/assignee/score.py" "$data" "$work/$name.jsonl" > "$work/$name.json"
  python3 - "$name" "$work/$name.json" "$work/$name.jsonl" <<'PY'
import json, sys
name, score, predictions = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3]
floors = {
    "fieldtrip": {"all": .536, "not_self": .459, "top3": .862, "ece": .069, "recall": None},
    "titanium": {"all": .663, "not_self": .571, "top3": .841, "ece": .037, "recall": (.458, .664, .696)},
}[name]
all_, other = score["assignee"]["all"], score["assignee"]["not_self"]
failed = False
def goal(what, value, least=None, most=None):
    global failed
    ok = (least is None or value >= least) and (most is None or value <= most)
    failed |= not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name} {what}: {value} ({'>=' if most is None else '<='} {least if most is None else most})")
goal("all, first", all_["top1"], least=floors["all"])
goal("all, among three", all_["top3"], least=floors["top3"])
goal("not the reporter's, first", other["top1"], least=floors["not_self"])
goal("calibration error", all_["ece15"], most=floors["ece"])
if floors["recall"]:
    for k, floor in zip((1, 5, 10), floors["recall"]):
        goal(f"repeats found among {k}", score["duplicates"][f"recall{k}"], least=floor)
short = sum(len(json.loads(line)["suggestions"]) == 0 for line in open(predictions))
goal("tickets without any candidate", short, most=0)
sys.exit(failed)
PY
done; done
