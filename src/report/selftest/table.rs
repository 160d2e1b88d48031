//! The tables of a self-test.

use comfy_table::{CellAlignment, Table, presets};

use crate::instrument::selftest::{Capacity, Level, Rate, Side};
use crate::instrument::{Spread, Timers};
use crate::stats::marked_below;

const LEVELS: [&str; 11] = [
    "streams",
    "reader",
    "n",
    "TTFT p50",
    "p99",
    "chunk gap p50",
    "p99",
    "mean gap",
    "300 ms stall",
    "CPU s/M events",
    "CPU idle, memory",
];

/// The errors by number of streams: the lab's client, and the raw reader below it.
pub(super) fn levels(levels: &[Level]) -> String {
    let mut table = table(&LEVELS);
    for level in levels {
        let idle = level.cpu_headroom.map_or_else(unknown, |share| format!("{:.0}%", share * 100.0));
        let memory = level.peak_memory_bytes.map_or_else(unknown, mebibytes);
        let client = side(&level.client, format!("{idle}, {memory}"));
        table.add_row([level.streams.to_string(), "lab".into()].into_iter().chain(client));
        table.add_row([String::new(), "raw".into()].into_iter().chain(side(&level.raw, String::new())));
    }
    let lag = |level: &Level| {
        let lag = &level.send_lag;
        format!("{} streams {}{} (n = {})", level.streams, ms(lag.p99_ms), star(lag), lag.n)
    };
    let lags: Vec<_> = levels.iter().map(lag).collect();
    format!("{}\nRequests were sent late at p99 by: {}", lines(&table), lags.join(", "))
}

fn side(side: &Side, last: String) -> [String; 9] {
    let (ttft, gap, stall) = (&side.ttft_error, &side.gap_error, &side.stall_error);
    [
        ttft.n.to_string(),
        ms(ttft.p50_ms),
        format!("{}{}", ms(ttft.p99_ms), star(ttft)),
        ms(gap.p50_ms),
        format!("{}{}", ms(gap.p99_ms), star(gap)),
        format!("{:.3}%", side.mean_gap_error * 100.0),
        format!("{}{}", ms(stall.p99_ms), star(stall)),
        number(side.cpu_s_per_million_events),
        last,
    ]
}

/// What one process can do.
pub(super) fn capacity(capacity: &Capacity) -> String {
    let (flat, one) = (&capacity.flat_out, &capacity.one_token);
    let mut table = table(&["one process", "n", "reader", "a second", "CPU s a million"]);
    let rows = [
        ("events, as fast as they come", flat.events, flat.client, flat.raw),
        ("requests of one token", one.requests, one.client, one.raw),
    ];
    for (what, n, client, raw) in rows {
        table.add_row([what.to_owned(), n.to_string(), "lab".into()].into_iter().chain(rate(&client)));
        table.add_row([String::new(), String::new(), "raw".into()].into_iter().chain(rate(&raw)));
    }
    lines(&table)
}

fn rate(rate: &Rate) -> [String; 2] {
    [format!("{:.0}", rate.per_second), number(rate.cpu_s_per_million)]
}

/// How late timers ring.
pub(super) fn timers(timers: &Timers) -> String {
    let late = |timer: &Spread| format!("{} at p50 and {} at p99", ms(timer.p50_ms), ms(timer.p99_ms));
    let (runtime, schedule) = (late(&timers.runtime), late(&timers.schedule));
    format!("Timers ring late: the runtime's {runtime}, a schedule's {schedule} (n = {}).", timers.schedule.n)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    for (column, name) in table.column_iter_mut().zip(header) {
        let text = ["reader", "one process"].contains(name);
        column.set_cell_alignment(if text { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

fn lines(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn ms(milliseconds: f64) -> String {
    format!("{milliseconds:.2} ms")
}

/// The mark of a 99th percentile of few values.
fn star(spread: &Spread) -> &'static str {
    if marked_below(0.99).is_some_and(|least| spread.n < least) { "*" } else { "" }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(unknown, |value| format!("{value:.2}"))
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

fn unknown() -> String {
    "–".into()
}
