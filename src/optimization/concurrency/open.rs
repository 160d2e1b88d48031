//! The open loop: requests that come at their own rate, whether the engine keeps up or not.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{SLOTS, ask, demand, input_tokens, needs, output_tokens, report, service, slo};
use crate::experiment::{
    Arm, Draw, Group, Needs, Observation, Predict, Prediction, RunError, Workload, under_load,
};
use crate::load::{Arrivals, Extent, Schedule, arrivals, responses};
use crate::metric::Metric;
use crate::session::Demand;
use crate::stats;

/// Requests below the capacity, where few wait...
const BELOW: u32 = 32;
/// ...and beyond it, where each waits longer than the one before.
const BEYOND: u32 = 96;

const CONTROL: &str = "closed";

/// As many workers as a rate keeps busy, by Little's law (the control), against requests that come at that rate, over
/// rates around the capacity. Only the second shows what users wait when there are more than are served.
pub fn open(loads: &[f64]) -> Group {
    Group {
        name: "concurrency/open".into(),
        question: "What do users wait who come at their own rate, whether the engine keeps up or not?".into(),
        x_label: Some("of capacity".into()),
        control: CONTROL.into(),
        arms: loads.iter().flat_map(|&load| [arm(load, false), arm(load, true)]).collect(),
        metrics: vec![Metric::RESPONSE_P95, Metric::TOTAL_P95],
        predict: Some(predict()),
        conclude: Some(Arc::new(|_, summary| report::of_rates(summary))),
        ..Group::default()
    }
}

fn arm(load: f64, open: bool) -> Arm {
    let simulator = Some("its rates are shares of a capacity that only the simulator states");
    let name = if open { "open" } else { CONTROL };
    Arm { needs: Needs { simulator, ..needs() }, ..Arm::new(name, Rate { load, open }).at(load) }
}

fn workers(load: f64) -> u32 {
    (load * f64::from(SLOTS)).round().max(1.0) as u32
}

fn requests(load: f64) -> u32 {
    if load > 1.0 { BEYOND } else { BELOW }
}

/// When requests come at this share of the capacity: as a Poisson process does, in the same sequence every round, so
/// that the engine alone makes the difference between rounds.
fn times(load: f64, service: Duration) -> Vec<Duration> {
    let rate = load * f64::from(SLOTS) / service.as_secs_f64();
    let mut same = ChaCha8Rng::seed_from_u64(1);
    arrivals(Arrivals::Poisson, rate, Extent::Requests(requests(load)), &mut same)
}

struct Rate {
    load: f64,
    open: bool,
}

impl Workload for Rate {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let (engine, slowdown) = draw
                .session()
                .engine()
                .ok_or_else(|| RunError::Workload("the capacity of a live target is not known".into()))?;
            let service = engine.answer_time(input_tokens() as f64, output_tokens() as f64).mul_f64(slowdown);
            let schedule = if self.open {
                Schedule::Open(times(self.load, service))
            } else {
                Schedule::closed(workers(self.load), requests(self.load))
            };
            let ask = ask();
            let loaded = under_load(draw, &schedule, &|_, _| ask.clone()).await?;
            Ok(loaded.observation(Some(slo(draw.session()))))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        demand(requests(self.load))
    }
}

/// The queue of `c` slots, arrival by arrival, against workers that find one free. Beyond the capacity there is none:
/// there each wait is a small difference of two rates, and doubles with a few percent of the answer's time.
fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let load = arm.x.filter(|load| *load < 1.0 && *metric == Metric::RESPONSE_P95)?;
        let service = service(known)?;
        let each = Duration::from_nanos(service as u64);
        let responses = responses(&times(load, each), each, SLOTS as usize);
        let responses: Vec<f64> = responses.iter().map(|time| time.as_nanos() as f64).collect();
        let expected = stats::quantile(&stats::sorted(&responses), 0.95)?;
        let source = format!("{:.1} ms for an answer, {SLOTS} slots, Poisson arrivals", service / 1e6);
        Some(Prediction { saving: service - expected, source: source.into() })
    })
}
