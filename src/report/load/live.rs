//! How a load goes, while it goes: a few lines on a terminal, one every few seconds elsewhere.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::load::UnderWay;
use crate::metric::Metric;
use crate::report::say;
use crate::session::{Observer, Outcome, RequestRecord, SessionEvent};
use crate::stats;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often the lines of a terminal are drawn again at most.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Seconds that the little chart of the throughput shows.
const SECONDS: usize = 40;
/// The answers whose times are shown: the last ones.
const LAST: usize = 1_000;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// An observer that shows how a load goes, on standard error.
#[derive(Debug)]
pub struct Live {
    under_way: UnderWay,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    view: Option<View>,
    start: Instant,
    drawn: Instant,
    planned: Option<u32>,
    answered: u64,
    failed: u64,
    /// Answers in each second so far.
    seconds: Vec<u64>,
    ttft: VecDeque<f64>,
    total: VecDeque<f64>,
}

/// The lines on a terminal.
#[derive(Debug)]
struct View {
    lines: MultiProgress,
    bar: ProgressBar,
    times: ProgressBar,
    chart: ProgressBar,
}

impl Live {
    /// A view of a load of so many requests, if that is known, that starts now.
    pub fn new(planned: Option<u32>, under_way: UnderWay) -> Self {
        let view = std::io::stderr().is_terminal().then(|| View::new(planned));
        let state = State {
            view,
            start: Instant::now(),
            drawn: Instant::now(),
            planned,
            answered: 0,
            failed: 0,
            seconds: Vec::new(),
            ttft: VecDeque::new(),
            total: VecDeque::new(),
        };
        Self { under_way, state: Mutex::new(state) }
    }
}

impl View {
    fn new(planned: Option<u32>) -> Self {
        let lines = MultiProgress::new();
        let line = |template: &str| {
            let bar = lines.add(ProgressBar::new(planned.unwrap_or_default().into()));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        };
        let bar = match planned {
            Some(_) => line("{bar:30} {pos}/{len} · {elapsed} · {msg}"),
            None => line("{spinner} {pos} · {elapsed} · {msg}"),
        };
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, times: line("{msg}"), chart: line("{msg}"), lines }
    }
}

impl Observer for Live {
    fn on(&self, event: &SessionEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SessionEvent::Exchange(record) => {
                state.note(record);
                state.show(self.under_way.now());
            }
            SessionEvent::Notice(sentence) => match &state.view {
                Some(view) => view.lines.suspend(|| say(&format!("[llmlab] {sentence}"))),
                None => say(&format!("[llmlab] {sentence}")),
            },
            SessionEvent::GroupDone => {
                let lines = state.view.iter().flat_map(|view| [&view.bar, &view.times, &view.chart]);
                lines.for_each(ProgressBar::finish_and_clear);
            }
            SessionEvent::Round { .. }
            | SessionEvent::Turn(_)
            | SessionEvent::TurnDone { .. }
            | SessionEvent::ToolCall(_) => {}
        }
    }
}

impl State {
    fn note(&mut self, record: &RequestRecord) {
        if record.outcome != Outcome::Ok {
            self.failed += 1;
            return;
        }
        self.answered += 1;
        let second = self.start.elapsed().as_secs() as usize;
        self.seconds.resize(self.seconds.len().max(second + 1), 0);
        self.seconds[second] += 1;
        for (metric, last) in [(Metric::TTFT, &mut self.ttft), (Metric::TOTAL, &mut self.total)] {
            if let Some(value) = record.values.get(metric.name()) {
                if last.len() == LAST {
                    last.pop_front();
                }
                last.push_back(*value);
            }
        }
    }

    fn show(&mut self, under_way: usize) {
        let every = if self.view.is_some() { DRAW_EVERY } else { LINE_EVERY };
        if self.drawn.elapsed() < every {
            return;
        }
        self.drawn = Instant::now();
        let (numbers, times) = (self.numbers(under_way), self.times());
        let Some(view) = &self.view else {
            let of = self.planned.map(|planned| format!(" of {planned}")).unwrap_or_default();
            let ended = self.answered + self.failed;
            say(&format!("[llmlab] {ended}{of} requests · {numbers} · {times}"));
            return;
        };
        view.bar.set_position(self.answered + self.failed);
        view.bar.set_message(numbers);
        view.times.set_message(times);
        view.chart.set_message(chart(&self.seconds));
    }

    fn numbers(&self, under_way: usize) -> String {
        let rate = self.answered as f64 / self.start.elapsed().as_secs_f64();
        format!("{rate:.1} answers/s · {under_way} under way · {} failed", self.failed)
    }

    fn times(&self) -> String {
        let times = [("TTFT", &self.ttft), ("total", &self.total)].map(|(name, last)| {
            let sorted = stats::sorted(&last.iter().copied().collect::<Vec<_>>());
            let quantile = |q| stats::quantile(&sorted, q).map(|value| Metric::TOTAL.show(value));
            let both = quantile(0.5).zip(quantile(0.95));
            both.map(|(p50, p95)| format!("{name} p50 {p50}, p95 {p95}"))
        });
        times.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// The answers of the last seconds as a row of bars, the current one left out.
fn chart(seconds: &[u64]) -> String {
    let past = &seconds[..seconds.len().saturating_sub(1)];
    let shown = &past[past.len().saturating_sub(SECONDS)..];
    let most = shown.iter().copied().max().unwrap_or_default().max(1);
    let bar = |&count: &u64| BARS[(count * (BARS.len() as u64 - 1)).div_ceil(most) as usize];
    let bars: String = shown.iter().map(bar).collect();
    if bars.is_empty() { bars } else { format!("{bars} answers/s, {most} at most") }
}
