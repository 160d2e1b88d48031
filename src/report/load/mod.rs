//! A load for people: what is asked before it starts, and what was found.

mod live;
mod result;

pub use live::Live;
pub use result::{LOAD_SCHEMA_VERSION, LoadResult};

use std::time::Duration;

use super::instrument;
use crate::client::ErrorClass;
use crate::instrument::Certificate;
use crate::load::{Arrivals, CONCURRENCY, Ending, Findings, Latency, Load, MAX_TOKENS, Options, Third};
use crate::metric::Metric;
use crate::stats::{self, Percentiles};
use crate::timeline::TokenSource;

const RULE: &str = "============================================================";

/// What is about to be asked.
pub fn settings(load: &Load, options: &Options) -> String {
    let provenance = load.provenance();
    let requests = load.plan().requests().map_or_else(
        || format!("as many as {} s allow", options.duration_s.unwrap_or_default()),
        |requests| requests.to_string(),
    );
    let mut lines = vec![
        format!("LLM load · {} · {}", provenance.truth, provenance.model),
        row("Endpoint", &format!("{} ({})", load.session().asked_url(load.dialect()), load.dialect())),
        row("Requests", &requests),
        row("Concurrency", &concurrency(options)),
    ];
    lines.extend(pace(load, options).map(|pace| row("Arrivals", &pace)));
    if options.ramp_s > 0.0 {
        let what = if options.rate.is_some() { "the rate grows" } else { "workers join" };
        lines.push(row("Ramp", &format!("{what} over {} s", options.ramp_s)));
    }
    lines.push(row("Max tokens", &max_tokens(options)));
    lines.push(row("Repeat ratio", &prompts(options)));
    lines.push(row("Warm-up", &format!("{} requests, discarded", load.plan().warm_up)));
    if options.percentile == Percentiles::Floor {
        lines.push(row("Percentiles", "the value at index floor(n p)"));
    }
    lines.push(row("Seed", &provenance.seed.to_string()));
    lines.join("\n")
}

fn concurrency(options: &Options) -> String {
    match options.concurrency {
        Some(most) if options.is_open() => format!("{most} at most"),
        Some(workers) => workers.to_string(),
        None if options.is_open() => "as many as come".into(),
        None => CONCURRENCY.to_string(),
    }
}

fn pace(load: &Load, options: &Options) -> Option<String> {
    match (load.plan().rate, &options.trace) {
        (Some(rate), _) => {
            let kind = match options.arrivals {
                Arrivals::Constant => "evenly",
                Arrivals::Poisson => "as a Poisson process",
            };
            Some(format!("{rate} a second, {kind}"))
        }
        (None, Some(path)) => {
            Some(format!("as in {}, its times multiplied by {}", path.display(), options.time_scale))
        }
        (None, None) => None,
    }
}

fn max_tokens(options: &Options) -> String {
    match (options.max_tokens, &options.trace) {
        (Some(most), Some(_)) => format!("as in the trace, {most} at most"),
        (None, Some(_)) => "as in the trace".into(),
        (most, None) => most.unwrap_or(MAX_TOKENS).to_string(),
    }
}

fn prompts(options: &Options) -> String {
    match (&options.prompts, &options.trace, options.zipf) {
        (Some(path), ..) => format!("as in {}", path.display()),
        (_, Some(_), _) => "as in the trace".into(),
        (_, _, Some(s)) => format!("{}, Zipf with exponent {s}", percent(options.repeat_ratio)),
        _ => percent(options.repeat_ratio),
    }
}

fn row(name: &str, value: &str) -> String {
    format!("  {:<23}{value}", format!("{name}:"))
}

/// What was found.
pub fn findings(found: &Findings, load: &Load, certificate: &Certificate) -> String {
    let mut lines = vec![String::new(), RULE.into(), "BENCHMARK RESULTS".into(), RULE.into(), String::new()];
    let mut section = |title: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(rows);
            lines.push(String::new());
        }
    };
    section("Request Summary", requests(found));
    section("Latency Metrics", latencies(found));
    section("Throughput", throughput(found));
    section("Cache Performance", cache(found));
    section("Service Levels", service_levels(found, load));
    section("Errors", errors(found));
    lines.push(RULE.into());
    lines.extend(found.saturation.sentences.iter().cloned());
    lines.extend(instrument::lines(certificate));
    let provenance = load.provenance();
    lines.push(format!(
        "{} · n = {} · {} at {} · seed {}",
        provenance.truth, found.answered, provenance.model, provenance.base_url, provenance.seed
    ));
    lines.join("\n")
}

fn requests(found: &Findings) -> Vec<String> {
    let ended = match found.ending {
        Ending::Complete => None,
        Ending::Interrupted => Some("interrupted: this is what was measured until then"),
        Ending::Budget => Some("stopped, because the budget is spent (--max-requests, --max-usd)"),
        Ending::Gone => Some("stopped, because the server takes no connection any more"),
    };
    let given_up =
        (found.given_up > 0).then(|| format!("{} were under way, and count nowhere", found.given_up));
    let cold = (found.cold > 0).then(|| row("Warm-up", &format!("{} of its requests failed", found.cold)));
    let numbers = [
        row("Total requests", &found.requests.to_string()),
        row("Successful", &found.answered.to_string()),
        row("Failed", &found.failed.to_string()),
        row("Total time", &format!("{:.2} s", found.took.as_secs_f64())),
    ];
    let cost = found.cost.filter(|cost| cost.0 > 0.0).map(|cost| row("Cost", &cost.to_string()));
    let ended = ended.map(|ended| row("Ended", ended));
    let given_up = given_up.map(|given_up| row("Given up", &given_up));
    numbers.into_iter().chain(cost).chain(cold).chain(ended).chain(given_up).collect()
}

fn latencies(found: &Findings) -> Vec<String> {
    let (name, first) = if found.streamed { ("TTFT", Metric::TTFT) } else { ("TTFB", Metric::TTFB) };
    let mark = |n: usize| if stats::marked_below(0.99).is_some_and(|least| n < least) { "*" } else { "" };
    let show = |metric: &Metric, value: &dyn Fn(&Latency) -> f64, mark: &str| {
        found.latency(metric).map_or_else(unknown, |known| format!("{}{mark}", metric.show(value(known))))
    };
    let marked = found.latency(&first).map_or("", |known| mark(known.n));
    let mut rows = vec![
        row(&format!("{name} P50"), &show(&first, &|known| known.p50, "")),
        row(&format!("{name} P95"), &show(&first, &|known| known.p95, "")),
        row(&format!("{name} P99"), &show(&first, &|known| known.p99, marked)),
        row("TPOT (avg)", &show(&Metric::TPOT, &|known| known.mean, "")),
        row("Avg latency", &show(&Metric::TOTAL, &|known| known.mean, "")),
    ];
    rows.extend([("Response time", Metric::RESPONSE_TIME), ("Service time", Metric::TOTAL)].map(
        |(name, metric)| {
            let known = found.latency(&metric).map(|known| {
                let [p50, p95, p99, max] =
                    [known.p50, known.p95, known.p99, known.max].map(|value| metric.show(value));
                format!("p50 {p50}, p95 {p95}, p99 {p99}{}, max {max}", mark(known.n))
            });
            row(name, &known.unwrap_or_else(unknown))
        },
    ));
    rows.extend(found.offered.and(of_thirds(&found.thirds)));
    rows.push(
        "  Response time runs from when a request was meant to start, service time from when it was sent."
            .into(),
    );
    if !found.streamed {
        rows.push("  TTFB: the answers were not streamed, so that there is no time to first token.".into());
    }
    if !marked.is_empty() {
        rows.push("  * fewer than 100 answers: this p99 is little more than the largest of them".into());
    }
    rows
}

/// How the medians went from third to third.
fn of_thirds(thirds: &[Third]) -> Option<String> {
    let medians = |median: &dyn Fn(&Third) -> Option<f64>| {
        let shown: Option<Vec<_>> =
            thirds.iter().map(|third| median(third).map(|value| Metric::TOTAL.show(value))).collect();
        shown.filter(|shown| !shown.is_empty()).map(|shown| shown.join(" → "))
    };
    let response = medians(&|third| third.response_p50)?;
    let service = medians(&|third| third.service_p50)?;
    Some(row("By thirds", &format!("median response time {response}, service time {service}")))
}

fn throughput(found: &Findings) -> Vec<String> {
    let per_second = |count: Option<u64>| count.and_then(|count| found.per_second(count));
    let show = |rate: Option<f64>| rate.map_or_else(unknown, |rate| format!("{rate:.1}"));
    let source = match found.token_sources.as_slice() {
        [] | [TokenSource::Usage] => "",
        [TokenSource::Characters] => " (guessed: four characters a token)",
        [TokenSource::Events] => " (content events: the server gave no count)",
        _ => " (counted by the server for some answers only)",
    };
    let failures = found.failed > 0;
    let all = failures.then(|| row("Requests/sec", &show(found.per_second(found.requests))));
    let offered = found.offered.map(|offered| row("Offered requests/sec", &show(Some(offered))));
    [row("Tokens/sec", &format!("{}{source}", show(per_second(found.output_tokens))))]
        .into_iter()
        .chain([row("Answers/sec", &show(found.per_second(found.answered)))])
        .chain(all)
        .chain(offered)
        .collect()
}

fn cache(found: &Findings) -> Vec<String> {
    let cache = &found.cache;
    let of = if cache.counted == "answers" { "of answers" } else { "of prompt tokens" };
    let measured = cache.hit_rate.map_or_else(
        || "not known: the server does not say".to_owned(),
        |rate| format!("{} {of}", percent(rate)),
    );
    let knew_more =
        |ideal: f64| cache.counted == "answers" && cache.hit_rate.is_some_and(|rate| rate > ideal);
    let ideal = cache.ideal.map(|ideal| {
        let before = if knew_more(ideal) { "; the server knew some from before" } else { "" };
        row("Ideal cache", &format!("{} of requests repeat an earlier prompt{before}", percent(ideal)))
    });
    let blocks = cache.ideal_blocks.map(|blocks| {
        row("Ideal prefix cache", &format!("{} of the trace's blocks were sent before", percent(blocks)))
    });
    [row("Cache hit rate", &measured)].into_iter().chain(ideal).chain(blocks).collect()
}

fn service_levels(found: &Findings, load: &Load) -> Vec<String> {
    let Some(slo) = &found.slo else { return Vec::new() };
    let bounds = &load.plan().bounds;
    let named = [("TTFT", bounds.ttft), ("TPOT", bounds.tpot), ("response time", bounds.response)];
    let named: Vec<_> =
        named.into_iter().filter_map(|(name, bound)| Some(format!("{name} ≤ {}", show(bound?)))).collect();
    let good = slo.good.map(|good| {
        let share = percent(good as f64 / found.requests.max(1) as f64);
        let rate = found.per_second(good).map_or_else(unknown, |rate| format!("{rate:.1}"));
        let of = format!("{rate} good answers/sec: {good} of {} requests ({share})", found.requests);
        row("Goodput", &format!("{of} with {}", named.join(", ")))
    });
    let p95 = slo.p95_bound.map(|bound| {
        let word = match slo.p95_met {
            Some(true) => "kept",
            Some(false) => "MISSED",
            None => "not known",
        };
        row("p95", &format!("response time ≤ {}: {word}", show(bound)))
    });
    good.into_iter().chain(p95).collect()
}

fn show(bound: Duration) -> String {
    Metric::TOTAL.show(bound.as_nanos() as f64)
}

fn errors(found: &Findings) -> Vec<String> {
    let counts = found.errors.iter().map(|(class, count)| row(class, &format!("{count}{}", advice(class))));
    counts.chain(found.first_error.as_ref().map(|error| row("First", error))).collect()
}

/// What helps against failures of a class, where something usually does.
fn advice(class: &str) -> &'static str {
    let of = |classes: &[ErrorClass]| classes.iter().any(|known| known.name() == class);
    if of(&[ErrorClass::Timeout]) {
        " (lower --concurrency or --rate, or raise --timeout)"
    } else if of(&[ErrorClass::RateLimited, ErrorClass::Overloaded]) {
        " (lower --concurrency or --rate)"
    } else if of(&[ErrorClass::Http4xx, ErrorClass::Parse]) {
        " (check the endpoint's path, and --dialect)"
    } else {
        ""
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn unknown() -> String {
    "–".into()
}
