#!/usr/bin/env bash
# Executes one flow run from end to end: builds the worker, starts a Prefect server and the worker, deploys hello.py.
# Prints the log and the final state of the run. The exit status is 0 only if the run has completed. In the archive of a
# release, the script uses the archive's program and builds nothing.
#
# WORKER_COMMAND  another worker instead of .build/debug/prefect-worker, as a command that takes
#                 `start --pool NAME --name NAME`; the script then builds nothing
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
WORK="$ROOT/.quickstart"
VENV="$WORK/venv"
PACKAGES=(prefect==3.8.8 fastapi==0.139.0)
RUN_SECONDS=120
exec </dev/null
mkdir -p "$WORK"

say() { echo "==> $*"; }

# fail MESSAGE [LOG]: ends the script with the message and the last lines of the log.
fail() {
  echo "quickstart: $1" >&2
  if [[ -n "${2:-}" && -s "$2" ]]; then
    echo "--- the end of $2" >&2
    tail -n 30 "$2" >&2
  fi
  exit 1
}

# quietly LOG COMMAND...: shows the output only if the command fails.
quietly() {
  local log="$WORK/$1.log"
  shift
  "$@" >"$log" 2>&1 || fail "this failed: $*" "$log"
}

# with_progress LOG COMMAND...: like `quietly`, and prints the last line of the log every few seconds.
with_progress() {
  local log="$WORK/$1.log" begun=$SECONDS pid
  shift
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in {1..50}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -0 "$pid" 2>/dev/null || break
    printf '    %4d s  %s\n' $((SECONDS - begun)) "$(tail -c 2000 "$log" | tr '\r' '\n' | grep -a -v '^ *$' | tail -n 1 | cut -c 1-100)"
  done
  wait "$pid" || fail "this failed: $*" "$log"
}

# Each process leads a process group of its own, so that `stop_all` can end its child processes too.
started=()
start() {
  local log="$WORK/$1.log"
  shift
  setsid "$@" >"$log" 2>&1 &
  started+=($!)
  # So that bash prints nothing when the process ends.
  disown
}

stop_all() {
  local status=$? index pid
  trap - EXIT INT TERM HUP
  # Stops the worker first, while its server still answers.
  for ((index = ${#started[@]} - 1; index >= 0; index--)); do
    pid=${started[index]}
    kill -TERM -- "-$pid" 2>/dev/null || continue
    for _ in {1..50}; do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  done
  exit "$status"
}
trap stop_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# api METHOD PATH [JSON]: calls the server's API, and retries. The API answers 503 while its SQLite file is busy.
# The answer goes through a file, so that the answer of a failed attempt is not printed.
api() {
  local attempt answer="$WORK/answer.$BASHPID"
  for attempt in {1..10}; do
    if curl -sS --fail-with-body --max-time 30 -o "$answer" \
      -X "$1" -H 'Content-Type: application/json' ${3+--data "$3"} "$PREFECT_API_URL$2" 2>"$answer.error"; then
      cat "$answer"
      rm -f "$answer" "$answer.error"
      return 0
    fi
    sleep 1
  done
  cat "$answer.error" >&2
  return 1
}

# member PATH: prints a member of the JSON object on standard input, or an empty line. A dot separates levels.
member() {
  "$VENV/bin/python" -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    value = (value or {}).get(key)
print("" if value is None else value)' "$1"
}

# again SECONDS COMMAND...: repeats the command until it succeeds, for at most SECONDS.
again() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

# The Prefect settings of the caller belong to another server.
for name in "${!PREFECT_@}"; do unset "$name"; done

if [[ -n "${WORKER_COMMAND:-}" ]]; then
  read -r -a worker <<<"$WORKER_COMMAND"
elif [[ -x "$ROOT/bin/prefect-worker" ]]; then
  worker=("$ROOT/bin/prefect-worker")
else
  say "Building the worker (debug build; the first one takes some minutes)"
  with_progress build swift build --package-path "$ROOT" --product prefect-worker
  worker=("$ROOT/.build/debug/prefect-worker")
fi

if ! "$VENV/bin/python" -c 'import prefect' 2>/dev/null || [[ "$(cat "$VENV/packages" 2>/dev/null)" != "${PACKAGES[*]}" ]]; then
  say "Installing ${PACKAGES[*]} into .quickstart/venv"
  rm -rf "$VENV"
  quietly venv python3 -m venv "$VENV"
  with_progress pip "$VENV/bin/pip" install --progress-bar off --disable-pip-version-check "${PACKAGES[@]}"
  echo "${PACKAGES[*]}" >"$VENV/packages"
fi
export PATH="$VENV/bin:$PATH"

rm -rf "$WORK/home"
export PREFECT_HOME="$WORK/home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
# The server is on loopback, where no proxy can reach it.
export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}"
port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
say "Starting a Prefect server on http://127.0.0.1:$port"
start server prefect server start --host 127.0.0.1 --port "$port"
server=${started[-1]}
export PREFECT_API_URL="http://127.0.0.1:$port/api"
server_is_up() {
  kill -0 "$server" 2>/dev/null || fail "the server ended" "$WORK/server.log"
  curl -sf --max-time 2 -o "$WORK/health" "$PREFECT_API_URL/health"
}
again 120 server_is_up || fail "the server did not start in 120 seconds" "$WORK/server.log"

say "Creating the work pool and the deployment"
create_pool() { prefect --no-prompt work-pool create quickstart --type process --overwrite >"$WORK/pool.log" 2>&1; }
again 30 create_pool || fail "the work pool could not be created" "$WORK/pool.log"
deploy() (
  cd "$ROOT/examples/quickstart"
  prefect --no-prompt deploy hello.py:hello --name quickstart --pool quickstart >"$WORK/deploy.log" 2>&1
)
again 30 deploy || fail "the deployment could not be created" "$WORK/deploy.log"

say "Starting the worker: ${worker[*]} start --pool quickstart --name quickstart"
start worker "${worker[@]}" start --pool quickstart --name quickstart

deployment="$(api GET /deployments/name/hello/quickstart | member id)"
run="$(api POST "/deployments/$deployment/create_flow_run" \
  '{"parameters": {"name": "quickstart"}, "idempotency_key": "quickstart"}' | member id)"
say "Waiting for flow run $run"
run_has_ended() {
  kill -0 "${started[-1]}" 2>/dev/null || fail "the worker ended" "$WORK/worker.log"
  state="$(api GET "/flow_runs/$run" | member state.type)"
  case "$state" in COMPLETED | FAILED | CRASHED | CANCELLED) ;; *) return 1 ;; esac
}
state=""
again "$RUN_SECONDS" run_has_ended || fail "the run is still ${state:-unknown} after $RUN_SECONDS seconds" "$WORK/worker.log"

# The log arrives in batches. The last batch may arrive after the state.
print_log() {
  api POST /logs/filter "{\"logs\": {\"flow_run_id\": {\"any_\": [\"$run\"]}}, \"sort\": \"TIMESTAMP_ASC\"}" |
    "$VENV/bin/python" -c '
import json, sys
names = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
for entry in json.load(sys.stdin):
    level = names.get(entry["level"], str(entry["level"]))
    print(entry["timestamp"][11:23], "|", level.ljust(7), "|", entry["message"])'
}
log_is_whole() {
  print_log >"$WORK/run.log"
  # One line for each of the two tasks, and one for the flow.
  (($(grep -c 'Finished in state' "$WORK/run.log") == 3))
}
again 10 log_is_whole || true
cat "$WORK/run.log"
say "Final state: $(api GET "/flow_runs/$run" | member state.name)"
[[ "$state" == COMPLETED ]] || fail "the flow run has not completed" "$WORK/worker.log"
