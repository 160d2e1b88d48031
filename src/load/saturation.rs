//! Whether more was offered than was served, and what stood in the way.

use std::time::Duration;

use serde::Serialize;

use super::findings::{Third, values};
use super::{Plan, Schedule};
use crate::metric::Metric;
use crate::session::{Outcome, RequestRecord};
use crate::stats;

/// With fewer answers than this in a third of the load, a median says little.
const LEAST: u64 = 5;
/// The median response time of the last third over that of the first, from which on a queue grows...
const GROWS: f64 = 1.5;
/// ...where at most this share of the offered rate was answered.
const SHORTFALL: f64 = 0.9;
/// More failures than this share are no accident.
const FAILS: f64 = 0.05;
/// The median service time of the last third over that of the first, from which on the target itself slows down.
const SLOWS: f64 = 1.2;
/// Twice the workers bring at least so many times the throughput, or they bring nothing.
const BRINGS: f64 = 1.2;
/// This process may start so many nanoseconds after its time...
const LATE: f64 = 5e6;
/// ...or, where that is more, so large a share of the median time to first token...
const LATE_OF_FIRST: f64 = 0.05;
/// ...and may look late at this share of the answers.
const LATE_ANSWERS: f64 = 0.01;

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The target serves less than it was offered.
    Target,
    /// More workers of a closed loop bring nothing.
    Workers,
    /// This process could not send when it meant to, or read when it was answered.
    Client,
}

/// Whether more was offered than was served.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Saturation {
    /// Whether the load could show it at all.
    pub judged: bool,
    /// What stood in the way; nothing where all was served.
    pub limits: Vec<Limit>,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

/// The median times of a third, in nanoseconds.
#[derive(Clone, Copy)]
struct Waits {
    response: f64,
    service: f64,
}

/// What a load shows of it.
pub(super) struct Evidence<'a> {
    pub(super) plan: &'a Plan,
    pub(super) records: &'a [RequestRecord],
    pub(super) thirds: &'a [Third],
    pub(super) offered: Option<f64>,
    pub(super) took: Duration,
    pub(super) client_late_p99: Option<f64>,
    pub(super) late_answers: u64,
}

pub(super) fn judge(evidence: &Evidence<'_>) -> Saturation {
    let of_target = match (&evidence.plan.schedule, evidence.offered) {
        (Schedule::Joining { workers, over, .. }, _) => evidence.of_workers(*workers, *over),
        (_, Some(offered)) => evidence.of_target(offered),
        _ => Err(
            "A closed loop of one size cannot show whether the target is saturated: --ramp or --rate can."
                .into(),
        ),
    };
    let client = evidence.of_client().map(|sentence| (Some(Limit::Client), sentence));
    let judged = of_target.is_ok();
    // What a load cannot show is said last: it is the least of its findings.
    let (first, last) = match of_target {
        Ok((Some(limit), sentence)) => (Some((Some(limit), sentence)), None),
        Ok((None, sentence)) | Err(sentence) => (None, Some((None, sentence))),
    };
    let (limits, sentences): (Vec<_>, Vec<_>) = first.into_iter().chain(client).chain(last).unzip();
    Saturation { judged, limits: limits.into_iter().flatten().collect(), sentences }
}

/// What stood in the way, if anything did, in a sentence; or why that cannot be told.
type Judged = Result<(Option<Limit>, String), String>;

impl Evidence<'_> {
    /// In an open loop: a queue that grows, and fewer answers than requests; or requests that fail.
    fn of_target(&self, offered: f64) -> Judged {
        let failed = self.records.len() - self.answers().count();
        if failed as f64 > FAILS * self.records.len() as f64 {
            return Ok((
                Some(Limit::Target),
                format!(
                    "The target does not serve what it is offered: {failed} of {} requests failed. The latencies are \
                     those of the others.",
                    self.records.len()
                ),
            ));
        }
        let too_few = || "Too few requests were answered to show whether the target is saturated.".to_owned();
        let [first, _, last] = self.thirds else { return Err(too_few()) };
        let waits = |third: &Third| {
            let times = third.response_p50.zip(third.service_p50).filter(|_| third.answered >= LEAST);
            times.map(|(response, service)| Waits { response, service })
        };
        let (first, last) = waits(first).zip(waits(last)).ok_or_else(too_few)?;
        // The last answers take their time however few were offered.
        let seconds = (self.took.as_secs_f64() - first.service / 1e9).max(f64::MIN_POSITIVE);
        let served = self.answers().count() as f64 / seconds;
        if last.response < GROWS * first.response || served > SHORTFALL * offered {
            return Ok((None, "Not saturated: what was offered was served.".into()));
        }
        let at_once = self.plan.cap.map(|cap| format!(" at {cap} requests at once")).unwrap_or_default();
        let sentence = format!(
            "The target is saturated{at_once}: {offered:.1} req/s were offered and {served:.1} served. {}",
            self.where_they_wait(first, last)
        );
        Ok((Some(Limit::Target), sentence))
    }

    /// Where requests wait is told by whether the time from the actual send grows too.
    fn where_they_wait(&self, first: Waits, last: Waits) -> String {
        let went =
            |from: f64, to: f64| format!("from {} to {}", Metric::TOTAL.show(from), Metric::TOTAL.show(to));
        let service = went(first.service, last.service);
        let queue = match (last.service < SLOWS * first.service, self.plan.cap) {
            (true, Some(cap)) => format!(
                "requests wait longer and longer for one of the {cap} places, and once sent take as long as before: \
                 the median service time went {service}. A higher --concurrency shows whether more at once would be \
                 served"
            ),
            (true, None) => {
                format!("requests wait before they are sent: the median service time went {service}")
            }
            (false, _) => format!("requests queue there once sent: the median service time went {service}"),
        };
        let response = went(first.response, last.response);
        format!("From the first third to the last the median response time went {response}: {queue}.")
    }

    /// While workers join: the answers a second around half of them against those with all.
    fn of_workers(&self, workers: u32, over: Duration) -> Judged {
        let over = over.as_secs_f64();
        let ends: Vec<f64> = self.ends();
        let rate = |from: f64, to: f64| {
            let count = ends.iter().filter(|&&end| (from..to).contains(&end)).count();
            (count as u64 >= LEAST && to > from).then(|| count as f64 / (to - from))
        };
        // What ends when nobody asks any more is no throughput of all workers.
        let last_start = self.starts().fold(0.0, f64::max);
        let both = rate(0.35 * over, 0.65 * over).zip(rate(over, last_start));
        let (half, all) = both.ok_or(
            "Too few requests were answered with half of the workers, or after all had joined, to show whether more \
             workers bring more.",
        )?;
        let (limit, finding) = if all < BRINGS * half {
            (Some(Limit::Workers), "More workers bring nothing")
        } else {
            (None, "Not saturated: more workers brought more")
        };
        let half_of_them = workers.div_ceil(2);
        let sentence = format!(
            "{finding}: {half:.1} answers a second with about {half_of_them} of them, {all:.1} with all {workers}."
        );
        Ok((limit, sentence))
    }

    fn of_client(&self) -> Option<String> {
        let answers: Vec<_> = self.answers().collect();
        let median = |metric| stats::median(&stats::sorted(&values(&answers, &metric)));
        let first = median(Metric::TTFT).or_else(|| median(Metric::TOTAL)).unwrap_or_default();
        let allowed = LATE.max(LATE_OF_FIRST * first);
        let show = |nanoseconds: f64| Metric::SEND_LAG.show(nanoseconds);
        if let Some(late) = self.client_late_p99.filter(|&late| late > allowed) {
            return Some(format!(
                "The client itself was late: 1% of the requests started {} or more after their time, {} are allowed. \
                 The load was not the one asked for: lower the rate, or keep the machine free.",
                show(late),
                show(allowed)
            ));
        }
        let late = self.late_answers as f64 > LATE_ANSWERS * answers.len() as f64;
        late.then(|| {
            format!(
                "The client itself was late: it looked at {} of {} answers more than 5 ms after they were there.",
                self.late_answers,
                answers.len()
            )
        })
    }

    fn answers(&self) -> impl Iterator<Item = &RequestRecord> {
        self.records.iter().filter(|record| record.outcome == Outcome::Ok)
    }

    /// When requests were sent, in seconds after the first.
    fn starts(&self) -> impl Iterator<Item = f64> {
        let first = self.first_sent();
        self.records.iter().filter_map(|record| record.sent_ns).map(move |sent| (sent - first) as f64 / 1e9)
    }

    /// When answers were complete, in seconds after the first request.
    fn ends(&self) -> Vec<f64> {
        let first = self.first_sent();
        let end = |record: &RequestRecord| {
            let total = record.values.get(Metric::TOTAL.name())?;
            Some(((record.sent_ns? - first) as f64 + total) / 1e9)
        };
        self.answers().filter_map(end).collect()
    }

    fn first_sent(&self) -> u64 {
        self.records.iter().filter_map(|record| record.sent_ns).min().unwrap_or_default()
    }
}
