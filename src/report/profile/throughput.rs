//! A throughput profile for the console.

use super::{NARROW, advice, errors, hints, source, title, whole};
use crate::profile::{Level, Scaling, ThroughputFound, ThroughputPlan, ThroughputStep};
use crate::provenance::Provenance;
use crate::session::Session;

/// Requests under way that are so far from the concurrency make the level another one than was asked for.
const IDLE: f64 = 0.1;

/// What will be asked.
pub fn header(session: &Session, plan: &ThroughputPlan) -> String {
    let mut lines = vec![format!("   Model: {}", plan.model)];
    if plan.sweep {
        lines.insert(0, "🔬 Concurrency Sweep".into());
        lines.push(format!("   Requests per level: {}", plan.requests));
        lines.push(format!("   Concurrency levels: {:?}", plan.levels));
    } else {
        lines.insert(0, "🚀 Throughput Test".into());
        lines.push(format!("   Total requests: {}", plan.requests));
        lines.push(format!("   Concurrency: {}", plan.levels[0]));
    }
    lines.push(source(session, &plan.asking));
    lines.join("\n")
}

/// What just happened; absent where there is nothing to show.
pub fn step(step: &ThroughputStep<'_>, plan: &ThroughputPlan) -> String {
    match step {
        ThroughputStep::Level(concurrency) if plan.sweep => {
            format!(
                "\n🚀 Throughput Test\n   Total requests: {}\n   Concurrency: {concurrency}\n",
                plan.requests
            )
        }
        ThroughputStep::Level(_) => String::new(),
        ThroughputStep::Progress { done, of, success_rate, rps } => {
            format!("   Progress: {done:>4}/{of} ({success_rate:5.1}% success, {rps:6.2} req/s)")
        }
        ThroughputStep::Done(level) => results(level),
    }
}

/// One level.
pub fn results(level: &Level) -> String {
    let share = |count: usize| count as f64 / level.requests as f64 * 100.0;
    let ms = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.0} ms"));
    let mut lines = vec![
        title("📊 THROUGHPUT RESULTS", NARROW),
        "\nRequests:".into(),
        format!("   Total:      {}", level.requests),
        format!("   Successful: {} ({:.1}%)", level.successful, share(level.successful)),
        format!("   Failed:     {} ({:.1}%)", level.failed, share(level.failed)),
        "\nThroughput:".into(),
        format!("   Duration:   {:.2} seconds", level.duration_s),
        format!("   RPS:        {:.2} requests/second", level.rps),
        format!("   Goodput:    {:.2} answers/second (failed requests are none)", level.goodput_rps),
    ];
    lines.extend(level.tokens_per_second.map(|speed| format!("   Tokens:     {speed:.1} tokens/second")));
    lines.extend([
        "\nLatency:".into(),
        format!("   Mean:       {}", ms(level.mean_latency_ms)),
        format!("   Median:     {}", ms(level.median_latency_ms)),
        format!("   P95:        {}", ms(level.p95_latency_ms)),
        format!("   TTFT P50:   {}", ms(level.ttft_p50_ms)),
    ]);
    lines.extend(errors(&level.errors));
    lines.join("\n")
}

/// What was found: the table of a sweep, and what to look at next.
pub fn text(found: &ThroughputFound, provenance: &Provenance) -> String {
    let requests = found.levels.iter().flat_map(|level| &level.measurements);
    let sweep = found.scaling.as_ref().map(|scaling| sweep(&found.levels, scaling));
    // One that was stopped in the middle has not been shown.
    let partial =
        found.levels.last().filter(|level| level.requests < found.plan.requests as usize).map(results);
    let nothing = found.levels.is_empty().then(|| "\nNo request has ended.".to_owned());
    let mut hints: Vec<String> = found.levels.iter().filter_map(idle).collect();
    hints.extend(hints::of_requests(requests, provenance));
    let lines = nothing.into_iter().chain(partial).chain(sweep).chain(advice(&hints));
    lines.collect::<Vec<_>>().join("\n")
}

fn sweep(levels: &[Level], scaling: &Scaling) -> String {
    let header = " Concurrency |      RPS |  Median Latency |  Success Rate |  Goodput |      P95";
    let rows = levels.iter().map(row);
    [title("📈 CONCURRENCY SWEEP SUMMARY", NARROW), String::new(), header.into(), "-".repeat(NARROW)]
        .into_iter()
        .chain(rows)
        .chain([format!("\n{}", optimal(scaling))])
        .chain(scales(scaling))
        .collect::<Vec<_>>()
        .join("\n")
}

fn row(level: &Level) -> String {
    format!(
        "{:>12} | {:>8.2} | {} ms | {:>12.1}% | {:>8.2} | {} ms",
        level.concurrency,
        level.rps,
        whole(level.median_latency_ms, 12),
        level.success_rate,
        level.goodput_rps,
        whole(level.p95_latency_ms, 5)
    )
}

fn optimal(scaling: &Scaling) -> String {
    let bound =
        scaling.slo_p95_ms.map(|bound| format!(" and a P95 of at most {bound} ms")).unwrap_or_default();
    let terms = format!("{}% success{bound}", scaling.least_success_rate);
    match scaling.optimal {
        Some(best) => {
            format!(
                "🎯 Optimal concurrency: ~{} ({:.2} req/s)\n   The highest goodput with at least {terms}.",
                best.concurrency, best.goodput_rps
            )
        }
        None => format!("🎯 Optimal concurrency: none of these levels has at least {terms}."),
    }
}

fn scales(scaling: &Scaling) -> Vec<String> {
    let knee = scaling
        .knee
        .map(|n| format!("📐 Knee: {n} reaches 95% of the highest goodput; more only waits longer."));
    let degraded = scaling
        .degraded_from
        .map(|n| format!("📉 Degraded from {n} on: P95 is more than twice that of the lowest level."));
    let law = scaling.law.map(|law| {
        let peak = match scaling.law_peak {
            Some(peak) => format!("it peaks at {peak:.0} with {:.1} req/s", law.throughput(peak)),
            None => "no peak near these levels".into(),
        };
        format!(
            "📚 Universal scalability law: λ {:.2} req/s, σ {:.3}, κ {:.4}; {peak} (R² {:.2}).",
            law.lambda, law.sigma, law.kappa, law.r_squared
        )
    });
    knee.into_iter().chain(degraded).chain(law).collect()
}

/// A level that was not the one asked for, by Little's law.
fn idle(level: &Level) -> Option<String> {
    let off = level.idle();
    (off.abs() > IDLE).then(|| {
        format!(
            "Little's law: {:.1} requests were under way on average instead of {}: {} requests are too few for so many \
             workers, or this client is busy.",
            level.under_way, level.concurrency, level.requests
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_has_the_row_that_earlier_profilers_gave_it_and_two_columns_more() {
        let level = Level {
            concurrency: 20,
            rps: 45.3,
            median_latency_ms: Some(440.2),
            success_rate: 94.0,
            goodput_rps: 42.582,
            p95_latency_ms: Some(890.0),
            ..Level::default()
        };
        let earlier = "          20 |    45.30 |          440 ms |         94.0%";
        assert_eq!(row(&level), format!("{earlier} |    42.58 |   890 ms"));
    }

    #[test]
    fn the_best_level_has_its_sentence() {
        let point = |concurrency, goodput_rps| crate::profile::Point {
            concurrency,
            goodput_rps,
            success_rate: 100.0,
            p95_ms: Some(100.0),
        };
        let points = [point(10, 38.2), point(20, 45.3)];
        let best = optimal(&Scaling::of(&points, None));
        assert!(best.starts_with("🎯 Optimal concurrency: ~20 (45.30 req/s)\n"), "{best}");
        let none = optimal(&Scaling::of(&points, Some(50.0)));
        assert!(none.ends_with("at least 99% success and a P95 of at most 50 ms."), "{none}");
    }
}
