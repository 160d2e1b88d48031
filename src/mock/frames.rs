//! A schedule as bytes: which frame goes out when, faults included.

use std::iter::Peekable;
use std::time::Duration;
use std::vec::IntoIter;

use bytes::Bytes;

use crate::wire::{Dialect, Event, EventEncoder};

use super::faults::{self, FaultKind};

const GARBAGE: &str = "data: {\"this is\": no JSON\n\n";

/// A step of a streamed answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// Bytes, due at this offset. Events of one moment share a frame.
    Send { at: Duration, bytes: Bytes },
    /// The connection breaks.
    Cut,
}

/// The frames of a streamed answer. Encodes as it goes, because an answer may be long.
#[derive(Debug)]
pub(crate) struct Frames {
    events: Peekable<IntoIter<(Duration, Event)>>,
    dialect: Dialect,
    encoder: EventEncoder,
    fault: Option<FaultKind>,
    sent: usize,
    delay: Duration,
}

impl Frames {
    pub(crate) fn new(
        events: Vec<(Duration, Event)>,
        dialect: Dialect,
        include_usage: bool,
        fault: Option<FaultKind>,
    ) -> Self {
        let encoder = dialect.event_encoder(include_usage);
        let events = events.into_iter().peekable();
        Self { events, dialect, encoder, fault, sent: 0, delay: Duration::ZERO }
    }

    fn fault_is_due(&mut self) -> bool {
        let after = match self.fault {
            Some(
                FaultKind::Cut { after_events }
                | FaultKind::Error { after_events }
                | FaultKind::Stall { after_events, .. }
                | FaultKind::Garbage { after_events },
            ) => after_events,
            _ => return false,
        };
        // A fault beyond the end hits the terminal event, so that it is never silently lost.
        self.sent >= after || matches!(self.events.peek(), Some((_, Event::Done)))
    }

    /// What the fault sends in place of, or before, the event at `at`.
    fn fail(&mut self, at: Duration) -> Option<Frame> {
        let fault = self.fault.take()?;
        if matches!(fault, FaultKind::Cut { .. } | FaultKind::Error { .. }) {
            self.events = Vec::new().into_iter().peekable();
        }
        match fault {
            FaultKind::Cut { .. } => Some(Frame::Cut),
            FaultKind::Error { .. } => {
                let text = self.dialect.encode_stream_error(&faults::error_of(529));
                Some(Frame::Send { at, bytes: text.into() })
            }
            FaultKind::Garbage { .. } => Some(Frame::Send { at, bytes: GARBAGE.into() }),
            FaultKind::Stall { ms, .. } => {
                self.delay += Duration::from_millis(ms);
                None
            }
            FaultKind::Status { .. } | FaultKind::SlowHeaders { .. } | FaultKind::Close => None,
        }
    }
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let mut text = String::new();
        let mut moment = Duration::ZERO;
        while let Some(&(offset, _)) = self.events.peek() {
            if !text.is_empty() && (offset != moment || self.fault_is_due()) {
                break;
            }
            moment = offset;
            if self.fault_is_due()
                && let Some(frame) = self.fail(offset + self.delay)
            {
                return Some(frame);
            }
            let Some((_, event)) = self.events.next() else { break };
            text.push_str(&self.encoder.encode(&event));
            self.sent += 1;
        }
        (!text.is_empty()).then(|| Frame::Send { at: moment + self.delay, bytes: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ContentKind;

    fn frames(fault: Option<FaultKind>) -> Vec<Frame> {
        let delta = |text: &str| Event::Delta { index: 0, kind: ContentKind::Text, text: text.into() };
        let ms = Duration::from_millis;
        let start = Event::Start { id: "m".to_owned(), model: "x".to_owned() };
        let events = vec![(ms(5), start), (ms(5), delta("a")), (ms(6), delta("b")), (ms(6), Event::Done)];
        Frames::new(events, Dialect::OpenAi, false, fault).collect()
    }

    fn times(frames: &[Frame]) -> Vec<Option<u128>> {
        let time = |frame: &Frame| match frame {
            Frame::Send { at, .. } => Some(at.as_millis()),
            Frame::Cut => None,
        };
        frames.iter().map(time).collect()
    }

    #[test]
    fn events_of_one_moment_share_a_frame() {
        assert_eq!(times(&frames(None)), [Some(5), Some(6)]);
    }

    #[test]
    fn a_cut_comes_after_the_events_before_it() {
        assert_eq!(times(&frames(Some(FaultKind::Cut { after_events: 3 }))), [Some(5), Some(6), None]);
        assert_eq!(times(&frames(Some(FaultKind::Cut { after_events: 0 }))), [None]);
        assert_eq!(times(&frames(Some(FaultKind::Cut { after_events: 99 }))), [Some(5), Some(6), None]);
    }

    #[test]
    fn a_stall_delays_all_that_follows() {
        assert_eq!(times(&frames(Some(FaultKind::Stall { after_events: 2, ms: 100 }))), [Some(5), Some(106)]);
        assert_eq!(
            times(&frames(Some(FaultKind::Stall { after_events: 0, ms: 100 }))),
            [Some(105), Some(106)]
        );
    }

    #[test]
    fn an_error_ends_the_stream_and_garbage_does_not() {
        let text = |fault| {
            let bytes = frames(Some(fault)).into_iter().filter_map(|frame| match frame {
                Frame::Send { bytes, .. } => Some(String::from_utf8(bytes.to_vec()).unwrap()),
                Frame::Cut => None,
            });
            bytes.collect::<String>()
        };
        let error = text(FaultKind::Error { after_events: 2 });
        assert!(error.contains("overloaded_error") && !error.contains("[DONE]"), "{error}");
        let garbage = text(FaultKind::Garbage { after_events: 2 });
        assert!(garbage.contains(GARBAGE) && garbage.ends_with("[DONE]\n\n"), "{garbage}");
    }
}
