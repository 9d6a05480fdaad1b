#!/usr/bin/env bash
# A sample Jira for the tests, on loopback: jira820, a mock of Data Center 8.20 with a project of a few hundred issues.
#
#   tests/jira/server.sh start DIR     installs it into DIR/venv if need be, starts it; its address is then in DIR/url
#   tests/jira/server.sh stop DIR      stops it
#
# The tests find it by DAYBRIEF_JIRA_URL.
set -euo pipefail
action=${1:?start or stop}
dir=${2:?a folder}

stop() {
  if [ -f "$dir/pid" ]; then
    kill "$(cat "$dir/pid")" 2>/dev/null || true
    rm -f "$dir/pid" "$dir/url"
  fi
}

if [ "$action" = stop ]; then
  stop
  exit 0
fi
[ "$action" = start ] || { echo "server.sh: start or stop, not $action" >&2; exit 2; }
mkdir -p "$dir"
stop
if ! [ -x "$dir/venv/bin/jira820" ]; then
  python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" install -q jira820
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
JIRA820_PORT="$port" "$dir/venv/bin/jira820" > "$dir/log" 2>&1 &
echo $! > "$dir/pid"
for _ in $(seq 150); do
  if python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/rest/api/2/serverInfo', timeout=5).read()" 2>/dev/null; then
    echo "http://127.0.0.1:$port" > "$dir/url"
    exit 0
  fi
  kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
  sleep 0.2
done
echo "server.sh: the sample Jira did not start" >&2
cat "$dir/log" >&2
exit 1
