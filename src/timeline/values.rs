//! From stamps to metrics. Formulas and edge rules follow NVIDIA AIPerf and MLPerf Inference; where those
//! disagree or say 0 for "not defined", the rule is stated at the function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::metric::Metric;
use crate::stats;
use crate::wire::{BlockKind, ContentKind, Event};

use super::{Stamped, Timeline, TokenCount};

/// A gap shorter than this is never a stall, in nanoseconds.
const STALL_FLOOR: f64 = 250e6;
/// A stall is at least this many times the median gap.
const STALL_FACTOR: f64 = 10.0;

impl Timeline {
    /// Every metric of [`Metric`] that this exchange defines, in the metric's unit.
    ///
    /// Only a streamed answer has first-token times and gaps. [`Metric::TOTAL`] and
    /// [`Metric::RESPONSE_TIME`] run to the last content event of a streamed answer, so that a streamed
    /// answer without content has neither, and to the complete body of one that was not streamed.
    /// [`Metric::TTST`] and [`Metric::MAX_GAP`] are 0 when the events came in one read: the reader did get
    /// them at once. The speed of decoding cannot be known then, so [`Metric::TPOT`] is absent.
    pub fn values(&self, tokens: &TokenCount) -> BTreeMap<Metric, f64> {
        let first = self.streamed_at(self.first_content());
        let visible = self.streamed_at(self.first_visible());
        let perceived = if self.streamed { visible } else { Some(self.end) };
        let finished = self.answered();
        let gaps = self.gaps();
        let values = [
            (Metric::TTFB, self.headers.and_then(|at| self.since_send(at))),
            (Metric::TTFT, first.and_then(|at| self.since_send(at))),
            (Metric::TTFOT, visible.and_then(|at| self.since_send(at))),
            (Metric::TTF_TOOL, self.streamed_at(self.first_tool()).and_then(|at| self.since_send(at))),
            (Metric::TTST, gaps.first().copied()),
            (Metric::TOTAL, finished.and_then(|at| self.since_send(at))),
            (Metric::STREAM_CLOSE, self.since_send(self.end)),
            (Metric::RESPONSE_TIME, finished.and_then(|at| nanoseconds(self.intended, at))),
            (Metric::TTFT_RESPONSE, first.and_then(|at| nanoseconds(self.intended, at))),
            (Metric::SEND_LAG, nanoseconds(self.intended, self.send)),
            (Metric::PERCEIVED, perceived.and_then(|at| self.since_send(at))),
            (Metric::TPOT, self.tpot(tokens)),
            (Metric::MAX_GAP, gaps.iter().copied().reduce(f64::max)),
        ];
        values.into_iter().filter_map(|(metric, value)| Some((metric, value?))).collect()
    }

    /// The first content event of any kind, thinking included. Pings, role-only deltas, signatures, empty
    /// pieces, usage and terminal events are not content.
    pub fn first_content(&self) -> Option<&Stamped> {
        self.content().next()
    }

    /// The first content event that a user sees: text, a refusal or a part of a tool call, not thinking.
    pub fn first_visible(&self) -> Option<&Stamped> {
        self.events.iter().find(|stamped| stamped.event.is_visible())
    }

    /// The last content event; what follows it (usage, terminal event) is not waited for by a reader.
    pub fn last_content(&self) -> Option<&Stamped> {
        self.content().last()
    }

    /// The gaps between one content event and the next, in nanoseconds. Events of one read are 0 apart.
    /// These are gaps between chunks, not between tokens: a chunk may hold several.
    pub fn gaps(&self) -> Vec<f64> {
        let stamps: Vec<Instant> = self.content().map(|stamped| stamped.at).collect();
        stamps.windows(2).filter_map(|pair| nanoseconds(pair[0], pair[1])).collect()
    }

    /// How many gaps are stalls: longer than ten times the median gap and longer than 250 ms.
    pub fn stalls(&self) -> usize {
        let gaps = stats::sorted(&self.gaps());
        let limit = stats::quantile(&gaps, 0.5).map_or(STALL_FLOOR, |m| STALL_FLOOR.max(STALL_FACTOR * m));
        gaps.into_iter().filter(|&gap| gap > limit).count()
    }

    /// How many content events share their read with an earlier content event. Their stamps are upper
    /// bounds of when they were sent.
    pub fn coalesced(&self) -> usize {
        let reads: Vec<u32> = self.content().map(|stamped| stamped.read).collect();
        reads.windows(2).filter(|pair| pair[0] == pair[1]).count()
    }

    /// Whether all content came in one read, as behind a proxy that buffers: then the first token was not
    /// seen before the last, and the answer shows no decode speed. False without content.
    pub fn single_read(&self) -> bool {
        match (self.first_content(), self.last_content()) {
            (Some(first), Some(last)) => first.read == last.read,
            _ => false,
        }
    }

    /// Whether the model thought but the wire showed no thinking text: a thinking block, a signature or
    /// reasoning tokens in the usage, without a thinking piece. The first token is then the first visible
    /// one, and thinking tokens do not count as delivered.
    pub fn reasoning_hidden(&self) -> bool {
        let hint = |event: &Event| match event {
            Event::BlockStart { block, .. } => *block == BlockKind::Thinking,
            Event::Signature { .. } => true,
            Event::Usage(usage) => usage.reasoning.is_some_and(|tokens| tokens > 0),
            _ => false,
        };
        self.events.iter().any(|stamped| hint(&stamped.event)) && !self.shows_thinking()
    }

    /// Tokens per second after the first token: `(output - 1) / (last - first content)`, the inverse of
    /// [`Metric::TPOT`]. Absent where that is.
    pub fn decode_tps(&self, tokens: &TokenCount) -> Option<f64> {
        self.tpot(tokens).map(|nanoseconds| 1e9 / nanoseconds)
    }

    /// Tokens per second over the whole wait: `output / total`, time to first token included. Defined for
    /// unstreamed answers too. Absent when the output tokens are not known or none.
    pub fn e2e_tps(&self, tokens: &TokenCount) -> Option<f64> {
        let output = tokens.output.filter(|&output| output > 0)?;
        let total = self.since_send(self.answered()?).filter(|&total| total > 0.0)?;
        Some(output as f64 * 1e9 / total)
    }

    /// Whether the answer came to its own end: a reason to stop or the terminal event was seen, or it was
    /// one body. A cut answer's token counts are not final.
    pub fn finished(&self) -> bool {
        let is_end = |event: &Event| matches!(event, Event::Finish(_) | Event::Done);
        !self.streamed || self.events.iter().any(|stamped| is_end(&stamped.event))
    }

    /// Content events in order.
    pub(super) fn content(&self) -> impl Iterator<Item = &Stamped> {
        self.events.iter().filter(|stamped| stamped.event.is_content())
    }

    /// Whether a piece of thinking was shown.
    pub(super) fn shows_thinking(&self) -> bool {
        let is_thinking = |event: &Event| matches!(event, Event::Delta { kind: ContentKind::Thinking, .. });
        self.content().any(|stamped| is_thinking(&stamped.event))
    }

    /// `(last - first content) / (output - 1)` in nanoseconds per token, after MLPerf Inference and vLLM.
    /// Absent for one token (vLLM's goodput takes 0 there), for content of one read, and where the clock saw
    /// no time between the two.
    fn tpot(&self, tokens: &TokenCount) -> Option<f64> {
        if !self.streamed || self.single_read() {
            return None;
        }
        let output = tokens.output.filter(|&output| output > 1)?;
        let span = nanoseconds(self.first_content()?.at, self.last_content()?.at)?;
        (span > 0.0).then(|| span / (output - 1) as f64)
    }

    /// The end of the first tool call: from then on the tool can be run. Where calls come interleaved, a call whose
    /// block ended and went on was not complete at that end.
    fn first_tool(&self) -> Option<&Stamped> {
        let mut open = BTreeSet::new();
        let mut ends = BTreeMap::new();
        for stamped in &self.events {
            match &stamped.event {
                Event::BlockStart { index, block: BlockKind::Tool { .. } }
                | Event::Delta { index, kind: ContentKind::ToolName | ContentKind::ToolArguments, .. } => {
                    open.insert(*index);
                    ends.remove(index);
                }
                Event::BlockStop { index } if open.contains(index) => {
                    ends.entry(*index).or_insert(stamped);
                }
                _ => {}
            }
        }
        ends.into_values().min_by_key(|stamped| stamped.at)
    }

    /// When the reader had the whole answer.
    fn answered(&self) -> Option<Instant> {
        if self.streamed { self.last_content().map(|stamped| stamped.at) } else { Some(self.end) }
    }

    fn streamed_at(&self, stamped: Option<&Stamped>) -> Option<Instant> {
        stamped.filter(|_| self.streamed).map(|stamped| stamped.at)
    }

    fn since_send(&self, at: Instant) -> Option<f64> {
        nanoseconds(self.send, at)
    }
}

/// The time from `start` to `end` in nanoseconds; absent when the order is wrong.
fn nanoseconds(start: Instant, end: Instant) -> Option<f64> {
    end.checked_duration_since(start).map(|duration| duration.as_nanos() as f64)
}
