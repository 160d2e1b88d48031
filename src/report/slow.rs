//! The slow requests of an exported result, and what makes them slow.

use std::time::Duration;

use super::exported::{Configuration, Exported, Timing};
use crate::stats;

/// The most requests that are listed.
const LISTED: usize = 20;

/// The requests that took longer than `over`, the slowest first, and how the time to first byte goes with the total,
/// configuration by configuration.
pub fn text(result: &Exported, over: Duration) -> String {
    let blocks: Vec<_> = result.configurations.iter().map(|one| block(one, over)).collect();
    format!("{} · {}\n{}", result.file_name(), result.source.label(), blocks.join("\n"))
}

fn block(configuration: &Configuration, over: Duration) -> String {
    let mut slow: Vec<_> = (1..)
        .zip(&configuration.timings)
        .filter(|(_, timing)| timing.latency_ms > over.as_secs_f64() * 1e3)
        .collect();
    slow.sort_by(|(_, a), (_, b)| b.latency_ms.total_cmp(&a.latency_ms));
    let all = configuration.timings.len();
    let title = format!(
        "\n{}\nSlow requests (>{}s): {} of {all}",
        configuration.name,
        over.as_secs_f64(),
        slow.len()
    );
    let more =
        slow.len().checked_sub(LISTED).filter(|more| *more > 0).map(|more| format!("   and {more} more"));
    let listed = slow.iter().take(LISTED).map(|(number, timing)| line(*number, timing));
    let related = [
        ("TTFB", pairs(configuration, |timing| timing.ttfb_ms)),
        ("TTFT", pairs(configuration, |timing| timing.ttft_ms)),
    ];
    let related = related.iter().filter_map(|(name, pairs)| {
        let r = stats::correlation(pairs)?;
        Some(format!(
            "{name} correlation with total latency: {} (n = {})",
            format!("{r:.2}").replace('-', "−"),
            pairs.len()
        ))
    });
    std::iter::once(title).chain(listed).chain(more).chain(related).collect::<Vec<_>>().join("\n")
}

fn line(number: usize, timing: &Timing) -> String {
    let first = [("TTFB", timing.ttfb_ms), ("TTFT", timing.ttft_ms)];
    let first = first.iter().filter_map(|(name, value)| Some(format!(", {name} {:.0} ms", (*value)?)));
    format!("   answer {number}: {:.0} ms{}", timing.latency_ms, first.collect::<String>())
}

fn pairs(configuration: &Configuration, of: impl Fn(&Timing) -> Option<f64>) -> Vec<(f64, f64)> {
    configuration.timings.iter().filter_map(|timing| Some((of(timing)?, timing.latency_ms))).collect()
}
