#!/usr/bin/env bash
# Asks the judged sets with the release binary and prints nDCG@10 and Recall@100; fails when a figure is below its floor, which
# is .01 under what the set had last.
set -euo pipefail
cd "$(dirname "$0")/.."
shared="${DAYBRIEF_SHARED:-$PWD/../shared}"
sets="$shared/data/search"
[ -d "$sets" ] || { echo "search: $sets is missing; set DAYBRIEF_SHARED"; exit 1; }
names="jira-titanium jira-hadoop forum-qatar stackfaq slack-racket meetings-qmsum cranfield cjk-title-body vscode-multilingual"
out=$(mktemp)
short=$(mktemp)
trap 'rm -f "$out" "$short"' EXIT
paths=()
for name in $names; do paths+=("$sets/$name"); done
./target/release/daybrief --json eval search "${paths[@]}" > "$out"
./target/release/daybrief --json eval search --short "${paths[@]:0:3}" > "$short"
python3 - "$out" "$short" <<'PY'
import json, sys
floors = {  # set: (nDCG@10, Recall@100 or nothing)
    "jira-titanium": (.657, .927), "jira-hadoop": (.701, .936), "forum-qatar": (.695, None), "stackfaq": (.680, None),
    "slack-racket": (.546, None), "meetings-qmsum": (.293, None), "cranfield": (.415, None), "cjk-title-body": (.591, None),
    "vscode-multilingual": (.528, None),
}
short_floors = {"jira-titanium": .558, "jira-hadoop": .612, "forum-qatar": .665}
failed = False
def goal(name, value, least):
    global failed
    failed |= value < least
    print(f"{'ok  ' if value >= least else 'FAIL'} {name}: {value:.4f} (>= {least})")
read = lambda path: {line["set"]: line for line in map(json.loads, open(path))}
found, short = read(sys.argv[1]), read(sys.argv[2])
for name, (ndcg, recall) in floors.items():
    goal(f"{name} nDCG@10", found[name]["ndcg_10"], ndcg)
    if recall:
        goal(f"{name} recall@100", found[name]["recall_100"], recall)
for name, ndcg in short_floors.items():
    goal(f"{name} by its short questions", short[name]["ndcg_10"], ndcg)
six = list(floors)[:6]
goal("mean of six", sum(found[name]["ndcg_10"] for name in six) / 6, .595)
goal("mean of six by short questions", sum((short.get(name) or found[name])["ndcg_10"] for name in six) / 6, .56)
sys.exit(failed)
PY
