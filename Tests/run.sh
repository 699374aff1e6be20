#!/usr/bin/env bash
# Runs the tests that have been built, one target after the other. The tests of one target run in parallel, and many
# depend on time. Passes arguments to `swift test`. The last line has the number of all tests.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Quick targets come first, those with Prefect flows last. Tests with a high load of processor or memory run separately:
# searches, models, long outages.
TARGETS=(NotationTests JSONTests ConcurrencyTests JobTemplatesTests PrefectClientTests HTTPTransportTests WebSocketTests
  RESTClientTests WorkerLoggingTests
  WorkerMetricsTests WorkerTelemetryTests SystemdTests HealthServerTests WorkerTests SupportTests BackendKitTests ProcessBackendTests DockerBackendTests
  KubernetesBackendTests SystemdBackendTests CloudGoldensTests AWSTests GoogleTests AzureTests EndToEndTests)
HEAVY='Fuzz|OutageTests|ModelTests'
# Each of these measures the memory of its whole process, so each runs in a process of its own.
MEASURED=(BodyLimitTests BoundsTests)
# These use clouds, which need variables of their own: proxies, certificate authorities, credentials. TEST_CLOUDS names a
# script that sets them.
CLOUDS='^EndToEndTests\.(ECS|Cloud|VertexAI|ContainerInstances)'
APART="$HEAVY|$CLOUDS$(printf '|%s' "${MEASURED[@]}")"

# The time, in seconds since 1970, at which all tests must have ended. Then a test that hangs is named, and its target
# ends.
UNTIL="${TEST_UNTIL:-$(($(date +%s) + 7200))}"

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
# Ends only the process of the tests, so that SwiftPM still writes their output. Needs no child process, which would
# outlive it.
end_when_late() {
  local silence process left=$((UNTIL - $(date +%s)))
  exec {silence}<> <(:)
  if (( left > 0 )); then read -r -t "$left" -u "$silence"; fi
  for process in /proc/[0-9]*; do
    if [[ "$(readlink "$process/exe")" == "$PWD/.build/"*PackageTests* ]]; then kill -KILL "${process#/proc/}"; fi
  done
}
passed=0 failed=0 skipped=0 status=0
for target in "${TARGETS[@]}" clouds heavy "${MEASURED[@]/#/measured }"; do
  echo "== $target"
  case $target in
    clouds) which=(--filter "$CLOUDS") ;;
    heavy) which=(--filter "$HEAVY") ;;
    "measured "*) which=(--filter "${target#measured }") ;;
    *) which=(--filter "^$target\\." --skip "$APART") ;;
  esac
  started=$SECONDS
  end_when_late >/dev/null 2>&1 &
  watchdog=$!
  (
    if [[ $target == clouds && -n "${TEST_CLOUDS:-}" ]]; then . "$TEST_CLOUDS"; fi
    exec swift test --skip-build "$@" "${which[@]}"
  ) >"$log" 2>&1 || status=1
  kill "$watchdog" 2>/dev/null; wait "$watchdog" 2>/dev/null
  # Prints each failed test with its messages, and only the number of the others.
  awk '/^(✘|➜|error|Fatal)/ { said = !/Test run with/; lines = 0 } /^(✔|◇|↳)/ { said = 0 }
    said && lines++ < 30' "$log" | cut -c1-1000
  if (( $(date +%s) >= UNTIL )); then
    echo "$target had not ended when the time was up. Tests that had begun and not ended:"
    comm -23 <(sed -nE '/^◇ Test case/d; s/^◇ Test (.*) started\.$/\1/p' "$log" | sort -u) \
      <(sed -nE 's/^[✔✘➜] Test (.*) (passed|failed|skipped)[ :].*$/\1/p' "$log" | sort -u)
  fi
  grep -E '^. Test run with' "$log" | tail -n 1
  echo "$target took $((SECONDS - started)) s"
  total="$(sed -nE 's/.*Test run with ([0-9]+) tests?.*/\1/p' "$log" | tail -n 1)"
  [[ "${total:-0}" -gt 0 ]] || { echo "$target ran no test:"; tail -n 20 "$log"; status=1; }
  bad="$(grep -E '^✘ Test .* failed after' "$log" | grep -cv 'Test run with')"
  left="$(grep -cE '^➜ Test [^ ].* skipped' "$log")"
  failed=$((failed + bad)) skipped=$((skipped + left)) passed=$((passed + ${total:-0} - bad - left))
done
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
