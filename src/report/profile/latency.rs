//! A latency profile for the console.

use super::{NARROW, about_percentiles, advice, block, errors, hints, mark, prompt, source, title, whole};
use crate::profile::{self, LatencyFound, LatencyPlan, LatencyStep, Measurement, TokenSweep};
use crate::provenance::Provenance;
use crate::session::Session;
use crate::stats::Interval;

/// What will be asked.
pub fn header(session: &Session, plan: &LatencyPlan) -> String {
    let iterations = match plan.sweep_tokens.as_slice() {
        [] => plan.iterations.to_string(),
        limits => format!("{} at each of {limits:?} tokens", plan.iterations),
    };
    let lines = [
        "🔥 Latency Profiler".into(),
        format!("   Model: {}", plan.model),
        prompt(&plan.asking),
        format!("   Iterations: {iterations} (+ {} warmup)", plan.warmup),
        source(session, &plan.asking),
    ];
    lines.join("\n")
}

/// What just happened.
pub fn step(step: &LatencyStep<'_>, plan: &LatencyPlan) -> String {
    match step {
        LatencyStep::WarmUp => format!("\n🏃 Warmup phase ({} requests)...", plan.warmup),
        LatencyStep::WarmedUp(number, measurement) => {
            let total = measurement.total_ms.map(|total| format!("{total:.0}ms ")).unwrap_or_default();
            format!("   Warmup {number}: {total}{}", mark(measurement.error.as_deref()))
        }
        LatencyStep::Profiling => format!("\n📊 Profiling ({} requests)...", plan.measured()),
        LatencyStep::Measured(measurement) => request(measurement, plan.measured()),
    }
}

fn request(measurement: &Measurement, of: u32) -> String {
    let start = format!("   Request {:2}/{of}:", measurement.request_id);
    match &measurement.error {
        Some(_) => format!("{start} {}", mark(measurement.error.as_deref())),
        None => {
            let tokens = measurement.tokens_generated.map(|tokens| tokens as f64);
            let speed =
                measurement.tokens_per_second.map_or_else(|| "    –".into(), |speed| format!("{speed:5.1}"));
            format!(
                "{start} {}ms (TTFB: {}ms, Tokens: {}, Speed: {speed} t/s) {}",
                whole(measurement.total_ms, 5),
                whole(measurement.ttfb_ms, 4),
                whole(tokens, 3),
                mark(None)
            )
        }
    }
}

/// What was found.
pub fn text(found: &LatencyFound, provenance: &Provenance) -> String {
    let total = found.summary.total_requests;
    let succeeded = found.summary.succeeded.as_ref().map_or(0, |summary| summary.successful);
    let blocks = [
        ("⏱️  Total Latency", &found.total_ms),
        ("⚡ Time to First Byte (TTFB)", &found.ttfb_ms),
        ("✨ Time to First Token (TTFT)", &found.ttft_ms),
        ("🚀 Generation Speed (tokens/second)", &found.tokens_per_second),
        ("🧮 Decode Speed (tokens/second after the first)", &found.decode_tps),
    ];
    let few = found.total_ms.as_ref().is_some_and(|total| total.n < 100);
    let failed = profile::errors(&found.measurements);
    let rate = format!("\nSuccess rate: {succeeded}/{total} ({:.1}%)", found.summary.success_rate);
    [title("📈 STATISTICS", NARROW), rate]
        .into_iter()
        .chain(blocks.into_iter().filter_map(|(heading, numbers)| Some(block(heading, numbers.as_ref()?))))
        .chain(about_percentiles(found.plan.percentiles, few))
        .chain(found.token_sweep.as_ref().map(sweep))
        .chain(errors(failed.iter().map(|(error, count)| (error, count))))
        .chain(advice(&hints::of_latency(found, provenance)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What the limits on the output tokens show.
fn sweep(sweep: &TokenSweep) -> String {
    let rows = sweep.levels.iter().map(|level| {
        format!(
            "{:>12} | {:>4} | {} | {} ms | {} ms",
            level.max_tokens,
            level.n,
            whole(level.median_tokens, 13),
            whole(level.median_total_ms, 11),
            whole(level.median_ttft_ms, 10)
        )
    });
    let header = format!(
        "{:>12} | {:>4} | {:>13} | {:>14} | {:>13}",
        "Max Tokens", "n", "Median Tokens", "Median Latency", "Median TTFT"
    );
    let law = match &sweep.line {
        None => "No line: the answers have less than two lengths.".into(),
        Some(line) => {
            let (start, each) = (line.intercept, line.slope);
            format!(
                "Latency = {} ms to the first token + {} ms for each further one ({:.1} tokens/s); n = {}, R² = {:.3}.",
                with_interval(start),
                with_interval(each),
                1e3 / each.estimate,
                line.n,
                line.r_squared
            )
        }
    };
    [title("📏 LATENCY OVER OUTPUT TOKENS", NARROW), String::new(), header, "-".repeat(NARROW)]
        .into_iter()
        .chain(rows)
        .chain([String::new(), law])
        .collect::<Vec<_>>()
        .join("\n")
}

fn with_interval(value: Interval) -> String {
    format!("{:.2} [{:.2}, {:.2}]", value.estimate, value.low, value.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_line_that_earlier_profilers_gave_it() {
        let answered = Measurement {
            request_id: 1,
            total_ms: Some(920.4),
            ttfb_ms: Some(250.0),
            tokens_generated: Some(45),
            tokens_per_second: Some(48.91),
            success: true,
            ..Measurement::default()
        };
        let line = "   Request  1/10:   920ms (TTFB:  250ms, Tokens:  45, Speed:  48.9 t/s) ✅";
        assert_eq!(request(&answered, 10), line);
        let uncounted = Measurement { tokens_generated: None, tokens_per_second: None, ..answered };
        let line = "   Request  1/10:   920ms (TTFB:  250ms, Tokens:   –, Speed:     – t/s) ✅";
        assert_eq!(request(&uncounted, 10), line);
        let failed = Measurement { request_id: 2, error: Some("HTTP 500".into()), ..Measurement::default() };
        assert_eq!(request(&failed, 10), "   Request  2/10: ❌ HTTP 500");
    }
}
