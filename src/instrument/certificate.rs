//! What a result says of the instrument that measured it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::bounds::{CPU_SHARE, RESULT, SEND_LAG, SEND_LAG_SHARE, milliseconds, past};
use super::check::{Beside, CheckError, Turns, beside};
use super::raw::{Asking, Keep};
use super::{Errors, Plan, Spread, TruthServer, timer};

/// What the check before a result asks: some 0.4 s.
const PLAN: Plan = Plan::paced(Duration::from_millis(20), Duration::from_millis(5), 16);
const STREAMS: usize = 8;
const ANSWERS: usize = 4;
const WAITS: u32 = 16;

/// What a result says of the instrument that measured it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whether the instrument was within its bounds.
    pub valid: bool,
    /// Every bound that was missed, in words.
    pub reasons: Vec<String>,
    /// The error against a server that knows the truth. Absent when that was not asked.
    pub truth: Option<TruthCheck>,
    /// Why it was not asked.
    pub truth_not_checked: Option<String>,
    /// What this process itself took from when a request was to be sent to its first written byte, its place in a
    /// limited load and its connection excepted. Absent where none was sent.
    pub send_lag: Option<Spread>,
    /// Answers of this result that the process looked at more than 5 ms after they were there.
    pub late_answers: u64,
    /// The share of its cores that this process used while it measured, or of one core where one thread measures and that
    /// is more. Absent where the system does not say.
    pub cpu_share: Option<f64>,
    /// The most memory that this process has held, in bytes. Absent where the system does not say.
    pub peak_memory_bytes: Option<u64>,
}

/// The error against a server that knows the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TruthCheck {
    /// The lab's client.
    pub client: TruthErrors,
    /// The raw reader beside it, at the same time.
    pub raw: TruthErrors,
    /// How late the timer rings that schedules go by.
    pub timer: Spread,
}

/// The errors of one reader.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TruthErrors {
    /// Of the time to first token, beyond the truth.
    pub ttft: Spread,
    /// Of the gaps between tokens, in either direction.
    pub gap: Spread,
}

/// What came of the check, once for a process.
static CHECKED: OnceCell<Result<TruthCheck, String>> = OnceCell::const_new();

/// Checks the instrument against known truth, once in this process: what is asked for again is what was found then.
/// It takes some 0.4 s, and nothing else should be measured meanwhile.
///
/// # Errors
/// Why it cannot be done, in words.
pub async fn truth() -> Result<TruthCheck, String> {
    let check = async || Box::pin(check()).await.map_err(|error| format!("failed to {error}"));
    CHECKED.get_or_init(check).await.clone()
}

/// As [`truth`], against a server of one's own.
async fn check() -> Result<TruthCheck, CheckError> {
    let server = TruthServer::start(&PLAN)?;
    TruthCheck::against(&server).await
}

impl TruthCheck {
    /// Checks the instrument against `server`.
    ///
    /// # Errors
    /// When an answer fails or lacks an event.
    pub async fn against(server: &TruthServer) -> Result<Self, CheckError> {
        let asking = Asking {
            requests: ANSWERS,
            over: server.plan().answer(),
            keep: Keep::All,
            ..Asking::new(server.address(), STREAMS)
        };
        let Beside { client, raw } = beside(server, &asking, Turns::Both).await?;
        let timer = timer::schedule(WAITS).await.ok_or(CheckError::Nothing)?;
        let errors = |errors: &Errors| {
            Some(TruthErrors { ttft: Spread::of(&errors.first)?, gap: Spread::of(&errors.gaps)? })
        };
        let errors = |of: &Errors| errors(of).ok_or(CheckError::Nothing);
        Ok(Self { client: errors(&client.errors)?, raw: errors(&raw.errors)?, timer })
    }
}

/// What the instrument did while it measured a result.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conduct {
    /// What this process took to send each request.
    pub send_lag: Option<Spread>,
    /// Answers that it looked at late.
    pub late_answers: u64,
    /// The share of its cores that it used.
    pub cpu_share: Option<f64>,
    /// The most memory that it has held, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// The median time to first token in milliseconds, where requests were to be sent at times of their own: in an open
    /// loop, what is sent late is a load that was not asked for. Absent in others, and where it is not known.
    pub open_ttft_ms: Option<f64>,
}

impl Certificate {
    /// The certificate of a result, by the check of the instrument and its conduct meanwhile.
    pub fn new(truth: Result<TruthCheck, String>, conduct: Conduct) -> Self {
        let mut reasons = Vec::new();
        if let Ok(TruthCheck { client, raw, .. }) = &truth {
            reasons.extend(past("TTFT error against the truth server, ", RESULT, &client.ttft, &raw.ttft));
        }
        reasons.extend(conduct.faults());
        let (truth, truth_not_checked) = match truth {
            Ok(truth) => (Some(truth), None),
            Err(why) => (None, Some(why)),
        };
        let Conduct { send_lag, late_answers, cpu_share, peak_memory_bytes, .. } = conduct;
        Self {
            valid: reasons.is_empty(),
            reasons,
            truth,
            truth_not_checked,
            send_lag,
            late_answers,
            cpu_share,
            peak_memory_bytes,
        }
    }
}

impl Conduct {
    fn faults(&self) -> Vec<String> {
        let late = self.send_lag.zip(self.open_ttft_ms).and_then(|(lag, ttft)| {
            let allowed = milliseconds(SEND_LAG).max(SEND_LAG_SHARE * ttft);
            (lag.p99_ms > allowed).then(|| {
                format!(
                    "requests were sent {:.1} ms late at p99, more than {allowed:.1} ms: the load was not the one that was asked for",
                    lag.p99_ms
                )
            })
        });
        let busy = self.cpu_share.filter(|&share| share >= CPU_SHARE).map(|share| {
            format!(
                "this process used {:.0}% of its cores, and from {:.0}% on times hold the wait for a core",
                share * 100.0,
                CPU_SHARE * 100.0
            )
        });
        late.into_iter().chain(busy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(p50_ms: f64, p99_ms: f64) -> Spread {
        Spread { n: 32, p50_ms, p99_ms, max_ms: p99_ms }
    }

    fn truth(p50: f64, p99: f64) -> Result<TruthCheck, String> {
        let of = |ttft| TruthErrors { ttft, gap: spread(0.0, 0.1) };
        Ok(TruthCheck { client: of(spread(p50, p99)), raw: of(spread(0.1, 0.2)), timer: spread(0.1, 0.2) })
    }

    #[test]
    fn what_is_within_its_bounds_is_valid_and_says_no_reason() {
        let conduct = Conduct {
            send_lag: Some(spread(0.1, 4.0)),
            cpu_share: Some(0.5),
            open_ttft_ms: Some(20.0),
            ..Conduct::default()
        };
        let certificate = Certificate::new(truth(0.2, 3.0), conduct);
        assert!(certificate.valid && certificate.reasons.is_empty(), "{certificate:?}");
    }

    #[test]
    fn a_process_that_cannot_see_the_truth_is_invalid() {
        let certificate = Certificate::new(truth(1.2, 30.0), Conduct::default());
        assert_eq!((certificate.valid, certificate.reasons.len()), (false, 2));
        assert!(certificate.reasons[0].contains("is 1.20 ms, more than 1 ms"), "{certificate:?}");
    }

    #[test]
    fn a_process_without_a_core_to_spare_is_invalid() {
        let conduct = Conduct { cpu_share: Some(0.9), ..Conduct::default() };
        let certificate = Certificate::new(truth(0.1, 0.2), conduct);
        assert!(!certificate.valid && certificate.reasons[0].contains("90% of its cores"), "{certificate:?}");
    }

    #[test]
    fn an_open_load_that_was_sent_late_is_invalid_and_a_closed_one_is_not() {
        let conduct =
            |ttft| Conduct { send_lag: Some(spread(1.0, 9.0)), open_ttft_ms: ttft, ..Conduct::default() };
        let valid = |ttft| Certificate::new(truth(0.1, 0.2), conduct(ttft)).valid;
        assert_eq!([valid(None), valid(Some(20.0)), valid(Some(200.0))], [true, false, true]);
    }

    #[test]
    fn what_was_not_checked_says_why() {
        let certificate = Certificate::new(Err("LLMLAB_SELFTEST=off".into()), Conduct::default());
        assert!(certificate.valid && certificate.truth.is_none());
        assert_eq!(certificate.truth_not_checked.as_deref(), Some("LLMLAB_SELFTEST=off"));
    }
}
