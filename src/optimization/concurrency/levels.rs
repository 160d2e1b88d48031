//! The closed loop: so many requests under way at once, over the sweep.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{SLOTS, ask, demand, needs, report, service, slo};
use crate::experiment::{Arm, Draw, Group, Observation, Predict, Prediction, RunError, Workload, under_load};
use crate::load::Schedule;
use crate::metric::Metric;
use crate::session::Demand;

/// Requests at a level, at least: for a percentile...
const REQUESTS: u32 = 12;
/// ...for each worker...
const EACH: u32 = 2;
/// ...and for each slot, so that the last wave weighs little.
const WAVES: u32 = 5;

const CONTROL: &str = "one_by_one";

/// One request after another (the control) against so many workers, each of which asks again when it was answered.
pub fn levels(workers: &[u32]) -> Group {
    let of =
        |workers: u32| Arm { needs: needs(), ..Arm::new("workers", Level { workers }).at(workers.into()) };
    let control = Arm { needs: needs(), ..Arm::new(CONTROL, Level { workers: 1 }) };
    Group {
        name: "concurrency".into(),
        question: "How much more is answered when more is asked at once, and what does each request pay?"
            .into(),
        x_label: Some("workers".into()),
        control: CONTROL.into(),
        arms: std::iter::once(control).chain(workers.iter().copied().map(of)).collect(),
        metrics: vec![Metric::TIME_PER_REQUEST, Metric::TOTAL_P95],
        predict: Some(predict()),
        conclude: Some(Arc::new(|_, summary| report::of_levels(summary))),
        ..Group::default()
    }
}

/// Requests at a level: as many for each worker.
fn requests(workers: u32) -> u32 {
    REQUESTS.max(EACH * workers).max(WAVES * workers.min(SLOTS)).next_multiple_of(workers)
}

struct Level {
    workers: u32,
}

impl Workload for Level {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let schedule = Schedule::closed(self.workers, requests(self.workers));
            let ask = ask();
            let loaded = under_load(draw, &schedule, &|_, _| ask.clone()).await?;
            Ok(loaded.observation(Some(slo(draw.session()))))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        demand(requests(self.workers))
    }
}

/// Equal requests are served in waves, as many at a time as there are workers and slots for; by a real engine, whose
/// slots are not known, as many as it was seen to serve as if each were alone.
fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let service = service(known)?;
        let workers = arm.x? as u32;
        let all = requests(workers);
        let waves = |together: u32| f64::from(together.div_ceil(workers.min(SLOTS)));
        let (each, last, source) = match known.capacity {
            None => (waves(all) / f64::from(all), waves(workers), format!("{SLOTS} slots")),
            Some(capacity) => (
                1.0 / capacity.min(workers.into()),
                (f64::from(workers) / capacity).max(1.0),
                format!("{capacity:.2} at once as if each were alone"),
            ),
        };
        let expected = match metric {
            metric if *metric == Metric::TIME_PER_REQUEST => service * each,
            metric if *metric == Metric::TOTAL_P95 => service * last,
            _ => return None,
        };
        let source = format!("{:.1} ms for an answer, {source}", service / 1e6);
        Some(Prediction { saving: service - expected, source: source.into() })
    })
}
