//! Models side by side, for the console.

use super::{advice, errors, hints, mark, prompt, source, title};
use crate::profile::{Compared, ComparisonFound, ComparisonPlan, ENOUGH_SUCCESS, Measurement};
use crate::provenance::Provenance;
use crate::session::Session;

/// The width of the table.
const WIDE: usize = 120;

/// What will be asked.
pub fn header(session: &Session, plan: &ComparisonPlan) -> String {
    let turns = if plan.sequential { "one model after the other" } else { "all models in every round" };
    let lines = [
        "🏁 Provider Comparison".into(),
        format!("   Models: {}", plan.models.join(", ")),
        prompt(&plan.asking),
        format!("   Iterations per model: {} (+ {} warmup), {turns}", plan.iterations, plan.warmup),
        source(session, &plan.asking),
    ];
    lines.join("\n")
}

/// What was found.
pub fn text(found: &ComparisonFound, provenance: &Provenance) -> String {
    let blocks = found.plan.models.iter().filter_map(|model| found.result(model)).map(requests);
    let all = found.results.iter().flat_map(|result| &result.measurements);
    let failed = found.errors();
    blocks
        .chain([table(&found.results), summary(found)])
        .chain(errors(failed.iter().map(|(error, count)| (error, count))))
        .chain(advice(&hints::of_requests(all, provenance)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn requests(result: &Compared) -> String {
    let lines = result.measurements.iter().map(request);
    let heading = format!("\n🔬 Benchmarking: {}", result.model);
    std::iter::once(heading).chain(lines).collect::<Vec<_>>().join("\n")
}

fn request(measurement: &Measurement) -> String {
    let start = format!("   Request {:2}:", measurement.request_id);
    let Some(total) = measurement.total_ms else {
        return format!("{start} {}", mark(measurement.error.as_deref()));
    };
    let speed = measurement.tokens_generated.zip(measurement.tokens_per_second);
    let speed =
        speed.map(|(tokens, speed)| format!(" ({tokens} tokens, {speed:.1} t/s)")).unwrap_or_default();
    format!("{start} {total:5.0}ms{speed} {}", mark(None))
}

fn table(results: &[Compared]) -> String {
    let header = format!(
        "{:<12} | {:<25} | {:>7} | {:>11} | {:>8} | {:>8} | {:>12}",
        "Provider", "Model", "Success", "Median (ms)", "P95 (ms)", "Tokens/s", "Total Tokens"
    );
    let rows = results.iter().map(row);
    [title("📊 PROVIDER COMPARISON", WIDE), String::new(), header, "-".repeat(WIDE)]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn row(result: &Compared) -> String {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".into(), |value| format!("{value:.digits$}"))
    };
    format!(
        "{:<12} | {:<25} | {:>6.1}% | {:>11} | {:>8} | {:>8} | {:>12}",
        result.provider,
        result.model,
        result.success_rate,
        number(result.median_latency_ms, 0),
        number(result.p95_latency_ms, 0),
        number(result.mean_tokens_per_second, 1),
        result.total_tokens
    )
}

fn summary(found: &ComparisonFound) -> String {
    let mut lines = vec![title("📈 SUMMARY", WIDE), String::new()];
    lines.extend(winners(found));
    let not_ranked = &found.summary.not_ranked;
    if !not_ranked.is_empty() {
        lines.push(format!(
            "   Not ranked, with less than {ENOUGH_SUCCESS}% success: {}",
            not_ranked.join(", ")
        ));
    }
    lines.extend(against_fastest(found));
    let averages = &found.summary.provider_mean_of_medians_ms;
    lines.push("\n📋 Provider Averages:".into());
    lines.extend(
        averages.iter().map(|(provider, ms)| format!("   {provider:<12}: {ms:6.0} ms (mean of medians)")),
    );
    lines.push("\n📉 Latency Variance:".into());
    lines.extend(found.results.iter().filter_map(variance));
    lines.join("\n")
}

fn winners(found: &ComparisonFound) -> Vec<String> {
    let named = |model: &Option<String>| model.as_deref().and_then(|model| found.result(model));
    let summary = &found.summary;
    let place = |words: &str, model: &Option<String>| {
        let result = named(model)?;
        Some(format!("{words} (median latency): {} ({:.0}ms)", result.model, result.median_latency_ms?))
    };
    let generation = named(&summary.fastest_generation).and_then(|result| {
        let speed = result.mean_tokens_per_second?;
        Some(format!("🚀 Fastest generation: {} ({speed:.1} tokens/s)", result.model))
    });
    let speedup = summary.speedup.map(|times| format!("\n📊 Speedup (fastest vs slowest): {times:.2}x"));
    let nobody = || Some("🏆 Fastest (median latency): none".into());
    [
        place("🏆 Fastest", &summary.fastest).or_else(nobody),
        place("🐌 Slowest", &summary.slowest),
        generation,
        speedup,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Each model against the fastest, round by round.
fn against_fastest(found: &ComparisonFound) -> Vec<String> {
    let Some(fastest) = &found.summary.fastest else { return Vec::new() };
    let line = |result: &Compared| {
        let versus = result.versus_fastest?;
        let doubt = if versus.contains(1.0) { ": no clear difference" } else { "" };
        Some(format!(
            "   {} takes {:.2}x [{:.2}, {:.2}] the time of {fastest}{doubt}",
            result.model, versus.estimate, versus.low, versus.high
        ))
    };
    let lines: Vec<_> = found.results.iter().filter_map(line).collect();
    let heading = (!lines.is_empty()).then(|| "   Paired by round, with the 95% interval:".to_owned());
    heading.into_iter().chain(lines).collect()
}

fn variance(result: &Compared) -> Option<String> {
    let cv = result.cv.map_or_else(|| "–".into(), |cv| format!("{:.1}%", cv * 100.0));
    Some(format!("   {}: CV {cv}, IQR {:.0} ms, n = {}", result.model, result.iqr_ms?, result.successful))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_row_that_earlier_profilers_gave_it() {
        let result = Compared {
            provider: "vLLM".into(),
            model: "qwen-coder-vllm".into(),
            success_rate: 100.0,
            median_latency_ms: Some(570.0),
            p95_latency_ms: Some(620.0),
            mean_tokens_per_second: Some(88.5),
            total_tokens: 510,
            ..Compared::default()
        };
        let expected = "vLLM         | qwen-coder-vllm           |  100.0% |         570 |      620 |     88.5 |          510";
        assert_eq!(row(&result), expected);
    }

    #[test]
    fn a_request_has_the_line_that_earlier_profilers_gave_it() {
        let answered = Measurement {
            request_id: 1,
            total_ms: Some(920.0),
            tokens_generated: Some(45),
            tokens_per_second: Some(48.9),
            ..Measurement::default()
        };
        assert_eq!(request(&answered), "   Request  1:   920ms (45 tokens, 48.9 t/s) ✅");
    }
}
