//! Recordings, and how well they are replayed, as text.

use comfy_table::{CellAlignment, Table, presets};

use crate::cassette::{Cassette, Ending, Recording};
use crate::recorder::{Deviation, Fidelity, RecorderReport};

/// Nanoseconds as milliseconds with two decimals.
fn ms(ns: f64) -> String {
    format!("{:.2} ms", ns / 1e6)
}

/// What a cassette holds, a line for each recording.
pub fn contents(cassette: &Cassette) -> String {
    let header = ["", "dialect", "model", "answer", "status", "chunks", "TTFT", "total", "recorded"];
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for (number, recording) in (1..).zip(cassette.recordings()) {
        table.add_row(row(number, recording));
    }
    for column in [4, 5, 6, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

fn row(number: usize, recording: &Recording) -> [String; 9] {
    let (request, response) = (&recording.request, &recording.response);
    let cut = if response.ending == Ending::Cut { ", cut" } else { "" };
    let streamed = if request.stream { "streamed" } else { "whole" };
    let dash = || "–".to_owned();
    [
        number.to_string(),
        request.dialect.to_string(),
        request.model.clone(),
        format!("{streamed}{cut}"),
        response.status.to_string(),
        response.chunks.len().to_string(),
        recording.ttft_ns().map_or_else(dash, |at| ms(at as f64)),
        ms(response.end_ns as f64),
        format!("{} {}", recording.recorded.mode, recording.recorded.at),
    ]
}

/// `1 exchange`, `2 exchanges`.
pub fn exchanges(count: u64) -> String {
    format!("{count} {}", if count == 1 { "exchange" } else { "exchanges" })
}

/// What a recorder did, in a sentence.
pub fn recorded(report: &RecorderReport, directory: &std::path::Path) -> String {
    let mut text = format!("[llmlab] {} recorded in {}", exchanges(report.recorded), directory.display());
    for (count, what) in [
        (report.cut, "of them cut short by the server"),
        (report.passed, "of other paths passed on"),
        (report.unanswered, "got no answer"),
        (report.abandoned, "not waited for, and not recorded"),
    ] {
        if count > 0 {
            text += &format!("; {count} {what}");
        }
    }
    text
}

/// How well recordings were replayed, run by run.
pub fn fidelity(fidelity: &Fidelity) -> String {
    let Fidelity { cassette, recordings, chunks, slowdown, runs } = fidelity;
    let slowed = if *slowdown == 1.0 { String::new() } else { format!(" · slowed {slowdown}x") };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["run", "p50", "p99", "max", "first token, max"]);
    let or_dash = |value: Option<f64>| value.map_or_else(|| "–".into(), ms);
    for (number, run) in (1..).zip(runs) {
        let cells =
            [number.to_string(), ms(run.p50_ns), ms(run.p99_ns), ms(run.max_ns), or_dash(run.ttft_ns)];
        table.add_row(cells);
    }
    let median = |figure: fn(&Deviation) -> Option<f64>| or_dash(fidelity.median(figure));
    table.add_row([
        "median".into(),
        median(|run| Some(run.p50_ns)),
        median(|run| Some(run.p99_ns)),
        median(|run| Some(run.max_ns)),
        median(|run| run.ttft_ns),
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let verdict = if fidelity.is_acceptable() { "within" } else { "NOT within" };
    format!(
        "replayed ({cassette}){slowed} · {recordings} recordings, {chunks} chunks, {} runs\n\
         How far is each chunk from its recorded offset?\n{table}\n\
         {verdict} {} at p99, and {} at the first token",
        runs.len(),
        ms(Fidelity::MOST_P99_NS),
        ms(Fidelity::MOST_TTFT_NS),
    )
}
