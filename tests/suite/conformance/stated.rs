//! What a case states of its times, and whether an exchange agrees.
//!
//! A time is stated as the number of the piece whose bytes complete what is timed: 0 is the head, 1 the first piece
//! of the body. The server notes when it began to write each piece, on the clock of the client. A stamp before its
//! piece was written is wrong. A stamp after the next piece was written may be a machine that was busy, and the
//! exchange is tried again with longer pauses.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use llmlab::client::{Answer, ErrorClass, Exchange};
use llmlab::metric::Metric;
use llmlab::timeline::{Timeline, TokenCount, TokenSource};
use llmlab::wire::{Event, StopReason};
use serde::Deserialize;
use serde_json::json;

use super::corpus::{Fixture, line, summary_of};

/// `metrics.json`; the README of the corpus explains every key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stated {
    /// Offsets at which the body is cut into pieces; absent for a piece an event.
    pub(crate) cuts: Option<Vec<usize>>,
    /// The piece before which the server stalls for 300 ms.
    pub(crate) stall_before: Option<usize>,
    /// How many pieces the body has.
    pub(crate) pieces: usize,
    /// The class of the failure that the exchange ends in.
    pub(crate) error: Option<ErrorClass>,
    /// The figures of the answer, if it is one.
    pub(crate) answer: Option<Figures>,
}

/// The right answer for every metric.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    pub(crate) content: Vec<usize>,
    pub(crate) ttfb: usize,
    pub(crate) ttft: Option<usize>,
    pub(crate) ttfot: Option<usize>,
    pub(crate) ttf_tool: Option<usize>,
    pub(crate) ttst: Option<[usize; 2]>,
    pub(crate) total: Option<usize>,
    pub(crate) max_gap: Option<[usize; 2]>,
    pub(crate) tpot: Option<Rate>,
    pub(crate) gaps: usize,
    pub(crate) coalesced: usize,
    pub(crate) stalls: usize,
    pub(crate) single_read: bool,
    pub(crate) reasoning_hidden: bool,
    pub(crate) tokens: Option<u64>,
    pub(crate) token_source: Option<TokenSource>,
    pub(crate) cached_share: Option<f64>,
    pub(crate) stop: Option<StopReason>,
}

/// The time between two pieces over a number of tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) tokens: u64,
}

/// How an exchange does not agree with its case.
#[derive(Debug)]
pub(crate) enum Disagreement {
    /// No busy machine explains it.
    Wrong(String),
    /// Something was read late, or together with what came after it.
    Late(String),
}

use Disagreement::{Late, Wrong};

type Agreed = Result<(), Disagreement>;

/// An exchange as client and server saw it.
pub(crate) struct Seen<'a> {
    pub(crate) exchange: &'a Exchange,
    /// The events that were shown while they came, if somebody watched.
    pub(crate) watched: Option<&'a [Event]>,
    /// When the server began to write each piece, the head first.
    pub(crate) written: &'a [Instant],
    /// Whether the server wrote each byte for itself.
    pub(crate) one_byte_reads: bool,
}

impl Seen<'_> {
    /// Every event in a line; absent where nobody saw them.
    fn events(&self) -> Option<Vec<String>> {
        let answer = self.exchange.outcome.as_ref().ok();
        let answered = answer.map(|answer| answer.timeline.events.iter().map(|stamped| line(&stamped.event)));
        self.watched
            .map(|events| events.iter().map(line).collect())
            .or_else(|| answered.map(Iterator::collect))
    }
}

impl Stated {
    /// The same answer in one read.
    pub(crate) fn in_one_read(&self) -> Self {
        let answer = self.answer.clone().map(|figures| Figures {
            content: vec![0; figures.content.len()],
            ttft: figures.ttft.and(Some(0)),
            ttfot: figures.ttfot.and(Some(0)),
            ttf_tool: figures.ttf_tool.and(Some(0)),
            ttst: figures.ttst.and(Some([0, 0])),
            total: figures.total.and(Some(0)),
            max_gap: figures.max_gap.and(Some([0, 0])),
            tpot: None,
            coalesced: figures.gaps,
            stalls: 0,
            single_read: !figures.content.is_empty(),
            ..figures
        });
        Self { answer, ..self.clone() }
    }

    /// The same answer in reads of one byte: no two events share one, and the last byte of an event comes too long
    /// after its first for a stall to show.
    pub(crate) fn byte_by_byte(&self) -> Self {
        let answer = self.answer.clone().map(|figures| Figures { stalls: 0, ..figures });
        Self { answer, stall_before: None, ..self.clone() }
    }

    /// Whether `seen` is what this says of `case`.
    pub(crate) fn check(&self, case: &Fixture, seen: &Seen<'_>) -> Agreed {
        // What came before a failure is known to those alone who watched.
        if case.streamed
            && let Some(events) = seen.events()
            && json!(events) != case.expected["events"]
        {
            let events = events.join("; ").chars().take(500).collect::<String>();
            let why = seen.exchange.outcome.as_ref().err();
            return Err(Wrong(format!("not the events that are expected: [{events}], {why:?}")));
        }
        same("status", &seen.exchange.status, &Some(200)).map_err(Wrong)?;
        let class = seen.exchange.outcome.as_ref().err().map(|failure| failure.class);
        same("error", &class, &self.error)
            .map_err(|text| Wrong(format!("{text}: {:?}", seen.exchange.outcome.as_ref().err())))?;
        match (&seen.exchange.outcome, &self.answer) {
            (Ok(answer), Some(figures)) => figures.check(case, answer, seen),
            (Err(_), None) => Ok(()),
            _ => Err(Wrong("a case states an error or an answer".into())),
        }
    }
}

impl Figures {
    fn check(&self, case: &Fixture, answer: &Answer, seen: &Seen<'_>) -> Agreed {
        let timeline = &answer.timeline;
        self.check_counts(case, answer).map_err(Wrong)?;
        let content = timeline.events.iter().filter(|stamped| stamped.event.is_content());
        let mut stamps = vec![None; seen.written.len()];
        for (stamped, &piece) in content.zip(&self.content) {
            seen.in_piece("a content event", stamped.at, piece)?;
            stamps[piece] = Some(stamped.at);
        }
        self.check_times(timeline, &values(answer), seen)?;
        // Events that a piece holds together come apart where each byte is read for itself.
        if seen.one_byte_reads && case.stated.cuts.is_some() {
            return Ok(());
        }
        self.check_reads(timeline).map_err(Late)?;
        self.check_differences(&values(answer), &stamps).map_err(Late)
    }

    /// What no clock has a part in.
    fn check_counts(&self, case: &Fixture, answer: &Answer) -> Result<(), String> {
        let (timeline, reply) = (&answer.timeline, &answer.reply);
        let mut summary = summary_of(reply, None);
        if case.streamed {
            summary["events"] = case.expected["events"].clone();
        }
        same("reply", &format!("{summary:#}"), &format!("{:#}", case.expected))?;
        same("streamed", &timeline.streamed, &case.streamed)?;
        let content = timeline.events.iter().filter(|stamped| stamped.event.is_content()).count();
        same("content events", &content, &self.content.len())?;
        same("gaps", &timeline.gaps().len(), &self.gaps)?;
        same("reasoning_hidden", &timeline.reasoning_hidden(), &self.reasoning_hidden)?;
        let tokens = tokens(answer);
        same("tokens", &tokens.output, &self.tokens)?;
        same("token_source", &tokens.source, &self.token_source)?;
        same("cached_share", &reply.usage.cache_hit_share(), &self.cached_share)?;
        same("stop", &reply.stop, &self.stop)
    }

    fn check_reads(&self, timeline: &Timeline) -> Result<(), String> {
        same("coalesced", &timeline.coalesced(), &self.coalesced)?;
        same("stalls", &timeline.stalls(), &self.stalls)?;
        same("single_read", &timeline.single_read(), &self.single_read)
    }

    /// Each time of the timeline against the piece that it is stated to end with.
    fn check_times(&self, timeline: &Timeline, values: &BTreeMap<Metric, f64>, seen: &Seen<'_>) -> Agreed {
        let (intended, send) = (timeline.intended, timeline.send);
        let until = [
            (Metric::TTFB, send, Some(self.ttfb)),
            (Metric::TTFT, send, self.ttft),
            (Metric::TTFOT, send, self.ttfot),
            (Metric::TTF_TOOL, send, self.ttf_tool),
            (Metric::TOTAL, send, self.total),
            (Metric::PERCEIVED, send, if timeline.streamed { self.ttfot } else { self.total }),
            (Metric::TTFT_RESPONSE, intended, self.ttft),
            (Metric::RESPONSE_TIME, intended, self.total),
        ];
        for (metric, from, piece) in until {
            match (values.get(&metric), piece) {
                (None, None) => {}
                (Some(&value), Some(piece)) => {
                    seen.in_piece(metric.name(), from + Duration::from_nanos(value as u64), piece)?;
                }
                other => return Err(Wrong(format!("{} is not {other:?}", metric.name()))),
            }
        }
        // Whatever follows the answer, its stream is not closed before it.
        let (close, total) = (values.get(&Metric::STREAM_CLOSE), values.get(&Metric::TOTAL));
        same("stream_close after total", &(close >= total), &true).map_err(Wrong)
    }

    /// What lies between two stamps, which are known to be those of their pieces.
    fn check_differences(
        &self,
        values: &BTreeMap<Metric, f64>,
        stamps: &[Option<Instant>],
    ) -> Result<(), String> {
        let stamp = |piece: usize| stamps.get(piece).copied().flatten();
        let between = |[from, to]: [usize; 2]| Some((stamp(to)? - stamp(from)?).as_nanos() as f64);
        let tpot = self.tpot.and_then(|rate| Some(between([rate.from, rate.to])? / rate.tokens as f64));
        for (metric, stated) in [
            (Metric::TTST, self.ttst.and_then(between)),
            (Metric::MAX_GAP, self.max_gap.and_then(between)),
            (Metric::TPOT, tpot),
        ] {
            same(metric.name(), &values.get(&metric).copied(), &stated)?;
        }
        Ok(())
    }
}

fn values(answer: &Answer) -> BTreeMap<Metric, f64> {
    answer.timeline.values(&tokens(answer))
}

fn tokens(answer: &Answer) -> TokenCount {
    TokenCount::of(&answer.reply.usage, &answer.timeline).or_guessed(&answer.timeline, &answer.reply.text())
}

impl Seen<'_> {
    /// Whether `at` lies between the write of this piece and that of the next.
    fn in_piece(&self, what: &str, at: Instant, piece: usize) -> Agreed {
        let found = self.written.iter().filter(|written| **written <= at).count();
        match (found.checked_sub(1), piece) {
            (Some(found), piece) if found == piece => Ok(()),
            (Some(found), piece) if found > piece => {
                Err(Late(format!("{what} came with piece {found}, not {piece}")))
            }
            (found, piece) => Err(Wrong(format!(
                "{what} is stamped before its piece {piece} was written, with piece {found:?}"
            ))),
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, stated: &T) -> Result<(), String> {
    if found == stated { Ok(()) } else { Err(format!("{what}: found {found:?}, stated {stated:?}")) }
}
