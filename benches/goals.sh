#!/usr/bin/env bash
# Measures the release binary on the development data and compares with the goals; prints one line a figure.
# Quality figures fail the run when they fall below their floor; times are only printed.
set -euo pipefail
cd "$(dirname "$0")/.."
shared="${DAYBRIEF_SHARED:-$PWD/../shared}"
world="$shared/data/team-world"
[ -d "$world" ] || { echo "goals: $world is missing; set DAYBRIEF_SHARED"; exit 1; }
bin=./target/release/daybrief
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
brief() { "$bin" --config "$world/daybrief.toml" --data-dir "$work/data" "$@"; }

timed() { # timed NAME OUT COMMAND…: time on the wall, of the processor, and peak memory
  python3 - "$@" <<'PY'
import resource, subprocess, sys, time
name, out, *command = sys.argv[1:]
start = time.monotonic()
code = subprocess.call(command, stdout=open(out, "w"))
wall = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
busy, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
print(f"{name}: {wall:.2f} s ({busy:.2f} s of processor), peak {peak:.0f} MB")
sys.exit(code)
PY
}

timed "the demo, from start to last line" "$work/demo.txt" "$bin" demo
timed "import and index team-world" "$work/sync.txt" "$bin" --config "$world/daybrief.toml" --data-dir "$work/data" sync
brief sync | tee "$work/again.txt"
if grep -q "new event" "$work/again.txt"; then echo "goals: a second sync stored something"; exit 1; fi
timed "one briefing" "$work/one.txt" "$bin" --config "$world/daybrief.toml" --data-dir "$work/data" brief dann --at 2026-11-16T09:00
timed "one morning of all 48 members" "$work/day.jsonl" "$bin" --config "$world/daybrief.toml" --data-dir "$work/data" replay --from 2026-11-16 --to 2026-11-16
timed "two weeks of all 48 members" "$work/replay.jsonl" "$bin" --config "$world/daybrief.toml" --data-dir "$work/data" replay --from 2026-11-10 --to 2026-11-20
brief replay --from 2026-11-10 --to 2026-11-20 > "$work/again.jsonl"
cmp "$work/replay.jsonl" "$work/again.jsonl" || { echo "goals: the same log replayed twice gave other bytes"; exit 1; }
python3 "$shared/eval/score_briefings.py" "$world" "$work/replay.jsonl" > "$work/score.json"
"$bin" eval asks "$shared/data/labels/messages.jsonl" --out "$work/asks.jsonl" > /dev/null
python3 "$shared/eval/score_labels.py" "$shared/data/labels/messages.jsonl" "$work/asks.jsonl" > "$work/labels.json"
timed "what the checks of a model's words catch" "$work/words.json" "$bin" --json eval words "$shared/data/threads"
python3 - "$work/score.json" "$work/labels.json" "$work/words.json" <<'PY'
import json, sys
score, labels, words = (json.load(open(path)) for path in sys.argv[1:])
failed = False
def goal(name, value, least=None, most=None):
    global failed
    ok = (least is None or value >= least) and (most is None or value <= most)
    failed |= not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {value} ({'>= ' + str(least) if least is not None else '<= ' + str(most)})")
for name in ("missing", "double", "items_outside_window", "items_without_citation", "invented_citations", "quotes_not_in_source", "too_many_carried"):
    goal(name, score[name], most=0)
goal("listed", score["listed"], least=.99)
goal("shown", score["shown"], least=.92)
goal("acted@9", score["acted@9"], least=.70)
goal("acted@5", score["acted@5"], least=.60)
goal("share of calm mornings with more than 4 lines", round(score["calm_but_more_than_4_lines"] / max(1, score["calm_mornings"]), 3), most=.05)
goal("words p50", score["words_p50"], most=110)
goal("words p95", score["words_p95"], most=160)
goal("asks P", labels["ask"]["P"], least=.90)
goal("asks R", labels["ask"]["R"], least=.80)
goal("addressee", labels["addressee"]["right"], least=.85)
goal("answered", labels["answered"]["right"], least=.85)
goal("decisions P", labels["decision"]["P"], least=.85)
goal("decisions R", labels["decision"]["R"], least=.50)
rows = {row["sentences"]: row for row in words["rows"]}
goal("words: numbers caught", rows["number changed or date added"]["number"], least=.85)
goal("words: foreign names caught", rows["name from another thread"]["name"], least=.95)
goal("words: states caught", rows["state added"]["state"], least=.78)
goal("words: foreign sentences caught", rows["sentence of another thread"]["hard_with_names"], least=.80)
goal("words: false alarms, hard", rows["true"]["hard"], most=.02)
goal("words: false alarms with names", rows["true"]["hard_with_names"], most=.08)
goal("words: citation found from the answer, any of three", round(words["citation_by_answer"]["any_of_three"], 3), least=.91)
goal("words: citation found from the question, any of three", round(words["citation_by_question"]["any_of_three"], 3), least=.70)
sys.exit(failed)
PY
