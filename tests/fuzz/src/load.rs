//! Traces and prompts from files, and the loads that are planned from them.

use std::path::PathBuf;
use std::time::Duration;

use llmlab::load::{Arrivals, Bounds, Options, Plan, Row, Schedule, TraceFormat, read_trace};
use llmlab::stats::Percentiles;
use tempfile::TempDir;

use crate::pieces::Numbers;

/// The longest that times since the first one may be, written anew.
const LONGEST: Duration = Duration::from_secs(10_000_000_000);

/// A trace, or a file of prompts.
pub fn plan(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        let formats = [TraceFormat::Mooncake, TraceFormat::Azure, TraceFormat::BurstGpt];
        formats.into_iter().filter_map(|format| read_trace(text, format).ok()).for_each(|rows| trace(&rows));
    }
    thread_local! {
        static PLACE: (TempDir, PathBuf) = {
            let place = tempfile::tempdir().expect("a temporary directory");
            let path = place.path().join("file");
            (place, path)
        };
    }
    PLACE.with(|(_, path)| {
        std::fs::write(path, input).expect("a file");
        let mut options = options(&mut Numbers::of(input));
        planned(&Options { trace: Some(path.clone()), ..options.clone() });
        options.prompts = Some(path.clone());
        planned(&options);
    });
}

/// Rows come in order, the first one at once, and are the same once written in the one format that says all of a row.
fn trace(rows: &[Row]) {
    assert!(rows.is_sorted_by_key(|row| row.at), "rows come in order");
    assert!(rows.iter().all(|row| row.input > 0 && row.output > 0), "a row asks and is answered");
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
    if last.at - first.at >= LONGEST {
        return;
    }
    let text: String = rows
        .iter()
        .map(|row| {
            let (at, blocks) = ((row.at - first.at).as_secs_f64() * 1e3, &row.blocks);
            format!(
                "{{\"timestamp\":{at:?},\"input_length\":{},\"output_length\":{},\"hash_ids\":{blocks:?}}}\n",
                row.input, row.output
            )
        })
        .collect();
    let again = read_trace(&text, TraceFormat::Mooncake).unwrap_or_else(|bad| panic!("{bad:?}: {text}"));
    assert_eq!(rows.len(), again.len());
    // Milliseconds of some three hundred years are exact to the microsecond in a float.
    let near = |one: Duration, other: Duration| one.abs_diff(other) < Duration::from_micros(10);
    for (row, again) in rows.iter().zip(&again) {
        assert!(near(row.at - first.at, again.at), "{row:?} is {again:?} once written");
    }
    let lengths = |rows: &[Row]| {
        let mut lengths: Vec<_> =
            rows.iter().map(|row| (row.input, row.output, row.blocks.clone())).collect();
        lengths.sort();
        lengths
    };
    assert_eq!(lengths(rows), lengths(&again));
}

/// Options within the bounds that the flags have.
fn options(numbers: &mut Numbers) -> Options {
    let mut of = |values: &[f64]| values[numbers.below(values.len())];
    let scales = [1.0, 0.1, 1e-9, 999_999.0];
    let times = [0.0, 0.0, 1e-9, 30.0, 3e9];
    Options {
        requests: Some(of(&[1.0, 50.0, 1e6]) as u32),
        duration_s: Some(of(&times)).filter(|seconds| *seconds > 0.0),
        concurrency: None,
        rate: None,
        arrivals: Arrivals::Poisson,
        ramp_s: of(&times),
        max_tokens: Some(of(&[0.0, 1.0, 4e9]) as u32).filter(|tokens| *tokens > 0),
        repeat_ratio: 0.3,
        zipf: None,
        compat: false,
        warmup: 2,
        warm_cache: false,
        prompts: None,
        trace: None,
        trace_format: None,
        time_scale: of(&scales),
        timeout_s: 60.0,
        percentile: Percentiles::default(),
    }
}

/// A plan sends what it says, in order, and what it asks of a target can be added up.
fn planned(options: &Options) {
    let Ok(plan) = Plan::new(options, Bounds::default(), 20) else { return };
    if let Schedule::Open(times) = &plan.schedule {
        assert!(times.is_sorted() && !times.is_empty());
        assert_eq!(plan.requests(), Some(times.len() as u32));
    }
    for demand in plan.demands().into_iter().flatten().take(4) {
        let _ = format!("{demand:?}");
    }
    for number in 0..2 {
        let prompt = plan.prompts.get(number);
        assert!(prompt.max_tokens > 0 || options.prompts.is_some());
    }
}
