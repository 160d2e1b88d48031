"""The analysis scripts that people have, unchanged, on the exports of `llmlab profile latency`.

python profile_exports.py results-latency.json, in the folder that holds it.
"""

import json
import sys

# Analyze latency results
with open('results-latency.json') as f:
    data = json.load(f)
    measurements = data['measurements']
    summary = data['summary']

    print(f"Mean latency: {summary['mean_latency_ms']:.0f}ms")
    print(f"P95 latency: {summary['p95_latency_ms']:.0f}ms")

# Compare with baseline
baseline_p95 = 850  # ms
current_p95 = summary['p95_latency_ms']
regression = (current_p95 - baseline_p95) / baseline_p95 * 100

if regression > 10:
    print(f"⚠️ Performance regression: {regression:.1f}% slower")

with open(sys.argv[1]) as f:
    data = json.load(f)

measurements = data['measurements']

# Find slowest requests
slow_requests = [m for m in measurements if m['total_ms'] > 2000]
print(f"Slow requests (>2s): {len(slow_requests)}")

# Analyze TTFB correlation
ttfb_values = [m['ttfb_ms'] for m in measurements if m['success']]
total_values = [m['total_ms'] for m in measurements if m['success']]

import statistics
correlation = statistics.correlation(ttfb_values, total_values)
print(f"TTFB correlation with total latency: {correlation:.2f}")
