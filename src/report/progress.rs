//! How far a run is: a bar on a terminal, a line every few seconds elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::say;
use crate::session::{Observer, Outcome, SessionEvent};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// An observer that shows how far a run is, on standard error.
#[derive(Debug)]
pub struct Progress {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bar: ProgressBar,
    terminal: bool,
    group: String,
    round: u32,
    planned: Option<u32>,
    requests: u64,
    failures: u64,
    last_line: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        let bar = ProgressBar::hidden();
        let style = ProgressStyle::with_template("{prefix} {bar:24} round {pos}/{len} · {msg} · {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self {
            state: Mutex::new(State {
                bar,
                terminal: std::io::stderr().is_terminal(),
                group: String::new(),
                round: 0,
                planned: None,
                requests: 0,
                failures: 0,
                last_line: Instant::now(),
            }),
        }
    }
}

impl Observer for Progress {
    fn on(&self, event: &SessionEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SessionEvent::Round { group, round, planned } => state.round(group, *round, *planned),
            SessionEvent::Exchange(record) => {
                state.requests += 1;
                state.failures += u64::from(record.outcome != Outcome::Ok);
                state.show();
            }
            SessionEvent::Turn(_) | SessionEvent::TurnDone { .. } | SessionEvent::ToolCall(_) => {}
            SessionEvent::GroupDone => state.bar.finish_and_clear(),
            SessionEvent::Notice(sentence) => state.bar.suspend(|| say(&format!("[llmlab] {sentence}"))),
        }
    }
}

impl State {
    fn round(&mut self, group: &str, round: u32, planned: Option<u32>) {
        if self.group != group {
            group.clone_into(&mut self.group);
            self.bar.reset();
            self.bar.set_prefix(group.to_owned());
            if self.terminal {
                self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            }
        }
        (self.round, self.planned) = (round, planned);
        self.bar.set_length(planned.unwrap_or(round + 1).into());
        self.bar.set_position(round.into());
    }

    fn show(&mut self) {
        let failed = if self.failures > 0 { format!(", {} failed", self.failures) } else { String::new() };
        let message = format!("{} requests{failed}", self.requests);
        if self.terminal {
            self.bar.set_message(message);
        // Before a group has begun there is nothing to say how far it is.
        } else if !self.group.is_empty() && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let of = self.planned.map(|planned| format!(" of {planned}")).unwrap_or_default();
            say(&format!("[llmlab] {}: round {}{of}, {message}", self.group, self.round + 1));
        }
    }
}
