//! One question until it is answered or given up, and every attempt recorded.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

use super::{BudgetError, Place, Request, RequestRecord, Session, SessionEvent};
use crate::client::control::Control;
use crate::client::{Answer, Client, Failure, Road, Wait, Watch};
use crate::provenance::Truth;
use crate::seed::{DRAW_HEADER, DrawId};
use crate::wire::{Ask, Dialect, SCRIPT_HEADER, SERVING_HEADER, Serving};

/// An answer that waited longer than this until whoever asked went on was looked at late.
const LATE: Duration = Duration::from_millis(5);

/// Why a question got no answer that counts.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// The last attempt failed.
    #[error("{attempts} {} failed, the last one: {failure}", if *.attempts == 1 { "attempt" } else { "attempts" })]
    Failed {
        /// Exchanges tried.
        attempts: usize,
        /// Why the last one failed.
        failure: Failure,
    },
    /// The budget does not allow another request.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The target does not speak the dialect.
    #[error("the target does not speak the {0} dialect")]
    Dialect(Dialect),
    /// The lab's mock answers behind a target that did not say so when it was looked at.
    #[error("the lab's mock answers behind this live target: its figures are simulated, not live")]
    Mislabelled,
    /// The road cannot be taken.
    #[error("could not take that road to the target: {0}")]
    Road(String),
    /// The mock's clock could not be moved.
    #[error("could not move the mock's clock: {0}")]
    Clock(String),
}

impl Session {
    /// The client that asks in `dialect` over `road`.
    fn client(&self, dialect: Dialect, road: &Road) -> Result<Client, AskError> {
        let ordinary = self.clients.get(dialect.name()).ok_or(AskError::Dialect(dialect))?;
        let simulator = self.mock.as_ref().filter(|_| self.is_simulated() && self.recorder.is_none());
        let client = self.roads.client(road, ordinary, simulator, self.settings.timeouts);
        client.map_err(|error| AskError::Road(error.to_string()))
    }

    /// Opens a connection of `road` before it is needed.
    pub(crate) async fn connect(&self, dialect: Dialect, road: &Road) -> Result<(), AskError> {
        let opened = self.client(dialect, road)?.connect().await;
        opened.map_err(|failure| AskError::Failed { attempts: 1, failure })
    }

    /// Moves the clock of the mock's caches, as if this much time had passed.
    pub(crate) async fn pass_time(&self, dialect: Dialect, time: Duration) -> Result<(), AskError> {
        let client = self.clients.get(dialect.name()).ok_or(AskError::Dialect(dialect))?;
        let control = Control::new(client.target()).map_err(|error| AskError::Clock(error.to_string()))?;
        let body = serde_json::json!({ "advance_s": time.as_secs_f64() });
        control.post("/_mock/clock", &body).await.map_err(|error| AskError::Clock(error.to_string()))
    }

    /// Asks, and asks again as the plan allows. Every attempt is recorded; the answer is the last one's.
    pub(crate) async fn ask(
        &self,
        dialect: Dialect,
        place: &Place,
        ask: &Ask,
        intended: Instant,
        mut watch: Option<&mut Watch<'_>>,
    ) -> Result<(Answer, Vec<RequestRecord>), (AskError, Vec<RequestRecord>)> {
        let client = self.client(dialect, &place.road).map_err(|error| (error, Vec::new()))?;
        let headers = self.mock_headers(&place.draw, ask);
        let model = if ask.model.is_empty() { client.target().model() } else { &ask.model };
        let pricing = self.pricing_of(model);
        let mut records = Vec::with_capacity(1);
        let mut waited = Duration::ZERO;
        loop {
            if let Err(refused) = self.budget.take_request() {
                return Err((refused.into(), records));
            }
            // What is tried again starts anew.
            let intended = if records.is_empty() { intended } else { Instant::now() };
            let exchange = match &mut watch {
                Some(watch) => Box::pin(client.send_watched(ask, intended, &headers, watch)).await,
                None => Box::pin(client.send(ask, intended, &headers)).await,
            };
            let attempt = records.len() as u32 + 1;
            if attempt == 1 {
                self.watched.sent(&exchange, place);
            }
            let record = RequestRecord {
                request: Request::of(self, dialect, model, ask, &exchange),
                ..RequestRecord::of(self, model, place, attempt, &exchange, pricing.as_ref())
            };
            self.budget.spent(record.cost_usd);
            self.publish(&SessionEvent::Exchange(&record));
            records.push(record);
            if exchange.mock.is_some() && self.provenance.truth == Truth::Live {
                return Err((AskError::Mislabelled, records));
            }
            match exchange.outcome {
                Ok(answer) => {
                    // Who works on each event is late for the next on purpose.
                    if watch.is_none() {
                        self.note_lag(answer.client_lag);
                    }
                    return Ok((answer, records));
                }
                Err(failure) => {
                    let wait = self.settings.retries.after(&failure, attempt, waited);
                    match wait {
                        Wait::For(pause) if !(place.once && failure.class.was_seen()) => {
                            waited += pause;
                            tokio::time::sleep(pause).await;
                        }
                        _ => return Err((AskError::Failed { attempts: records.len(), failure }, records)),
                    }
                }
            }
        }
    }

    fn note_lag(&self, lag: Duration) {
        let nanoseconds = u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX);
        self.longest_lag.fetch_max(nanoseconds, Ordering::Relaxed);
        if lag > LATE {
            self.late_answers.fetch_add(1, Ordering::Relaxed);
            self.watched.late();
        }
    }

    /// Tells the mock which draw a request is, so that its noise never depends on the order of requests, what its
    /// model says, and how it serves; and a recorder which draw it records. A live target is told nothing.
    fn mock_headers(&self, draw: &DrawId, ask: &Ask) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.mock.is_none() && self.recorder.is_none() {
            return headers;
        }
        let draw = Some((DRAW_HEADER, draw.to_string()));
        let script = ask.script.as_ref().map(|script| (SCRIPT_HEADER, script.to_header()));
        let serving = Some(ask.serving).filter(|serving| *serving != Serving::default());
        let serving = serving.map(|serving| (SERVING_HEADER, serving.to_header()));
        for (name, value) in draw.into_iter().chain(script).chain(serving) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        headers
    }
}
