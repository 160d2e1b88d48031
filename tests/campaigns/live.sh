#!/usr/bin/env bash
# How often does the gate cry wolf on a real engine? A baseline of four runs and RUNS further ones of the same
# thing, with PAUSE seconds between them, each gated with --confirm. The environment names the target:
#
#   LLMLAB_TARGET=openai+http://127.0.0.1:8080 LLMLAB_MODEL=smollm2-135m tests/campaigns/live.sh [RUNS=20] [PAUSE=60] [DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${LLMLAB_TARGET:?names the engine, such as openai+http://127.0.0.1:8080}"
runs=${1:-20}
pause=${2:-60}
directory=${3:-$(mktemp -d)}
mkdir -p "$directory"
export CRITERION_HOME=$directory/criterion
filter=${FILTER:-^caching/ttft/(un)?cached/512\$}
bench() { cargo bench --quiet --bench caching -- --noplot --sample-size "${SAMPLES:-20}" "$filter" >>"$directory/bench.log" 2>&1; }
llmlab() { cargo run --release --quiet -- "$@" --dir "$directory/baselines"; }

for run in 1 2 3 4; do
  bench
  llmlab baseline save campaign $([ "$run" = 1 ] || echo --add) >>"$directory/gate.log"
  sleep "$pause"
done
declare -A ended
for run in $(seq "$runs"); do
  bench
  code=0
  llmlab gate --baseline campaign --confirm --all >>"$directory/gate.log" 2>&1 || code=$?
  ended[$code]=$((${ended[$code]:-0} + 1))
  printf '\r%d of %d' "$run" "$runs" >&2
  sleep "$pause"
done
printf '\nof %d unchanged runs: %d passed, %d alarms, %d inconclusive, %d errors\n' "$runs" \
  "${ended[0]:-0}" "${ended[1]:-0}" "${ended[3]:-0}" "${ended[2]:-0}"
echo "every gate's findings: $directory/gate.log"
