#!/usr/bin/env bash
# How often does the gate err on real runs of the simulator? Runs of one small bench whose first token takes
# more than 100 ms: RUNS unchanged ones and RUNS with the mock 3% slower to its first token, each gated at
# --max-regress 1% against a baseline that is made anew every ten runs. Takes some 15 minutes; part of no CI,
# because what it measures is the machine as well.
#
#   tests/campaigns/simulated.sh [RUNS=100] [DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-100}
directory=${2:-$(mktemp -d)}
mkdir -p "$directory"
export CRITERION_HOME=$directory/criterion
bench() { cargo bench --quiet --bench caching -- --noplot --sample-size 20 '^caching/ttft/uncached/32000$' >>"$directory/bench.log" 2>&1; }
gate() { cargo run --release --quiet -- gate --baseline campaign --dir "$directory/baselines" --max-regress 1% >>"$directory/gate.log" 2>&1; }

declare -A ended
count() {
  local truth=$1 code=0
  gate || code=$?
  ended[$truth,$code]=$((${ended[$truth,$code]:-0} + 1))
}

for run in $(seq 0 $((runs - 1))); do
  if [ $((run % 10)) = 0 ]; then
    bench
    cargo run --release --quiet -- baseline save campaign --dir "$directory/baselines" >>"$directory/gate.log"
  fi
  bench && count unchanged
  LLMLAB_MOCK_SLOWDOWN=1.03 bench && count slower
  printf '\r%d of %d' $((run + 1)) "$runs" >&2
done
printf '\nof %d unchanged runs: %d passed, %d alarms, %d inconclusive, %d errors\n' "$runs" \
  "${ended[unchanged,0]:-0}" "${ended[unchanged,1]:-0}" "${ended[unchanged,3]:-0}" "${ended[unchanged,2]:-0}"
printf 'of %d runs 3%% slower: %d caught, %d passed, %d inconclusive, %d errors\n' "$runs" \
  "${ended[slower,1]:-0}" "${ended[slower,0]:-0}" "${ended[slower,3]:-0}" "${ended[slower,2]:-0}"
echo "every gate's findings: $directory/gate.log"
