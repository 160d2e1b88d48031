//! A metric as a Criterion measurement.

use std::time::{Duration, Instant};

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

use crate::metric::{Metric, Unit, time_unit};

/// A metric in Criterion's eyes: a number in the metric's unit, of which less is better.
#[derive(Debug, Clone)]
pub struct Cost(pub Metric);

impl Cost {
    /// What Criterion may show the other way round: tokens each second. It takes the place of the sweep in
    /// the line chart, so it is for groups without one.
    pub(super) fn throughput(&self) -> Option<Throughput> {
        (self.0.unit() == Unit::NanosecondsPerToken).then_some(Throughput::Elements(1))
    }

    fn scale(&self, typical: f64, values: &mut [f64]) -> &'static str {
        let (divisor, _) = time_unit(typical);
        let (divisor, name) = match self.0.unit() {
            Unit::Nanoseconds => (divisor, ["ns", "µs", "ms", "s"]),
            Unit::NanosecondsPerToken => (divisor, ["ns/token", "µs/token", "ms/token", "s/token"]),
            Unit::Count => return "",
        };
        for value in values {
            *value /= divisor;
        }
        name[(divisor.log10() / 3.0).round() as usize]
    }
}

impl Measurement for Cost {
    type Intermediate = Instant;
    type Value = f64;

    // Start and end are never used: every sample is given to `iter_custom`.
    fn start(&self) -> Instant {
        Instant::now()
    }

    fn end(&self, start: Instant) -> f64 {
        start.elapsed().as_nanos() as f64
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Cost {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        self.scale(typical, values)
    }

    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        if let Throughput::Elements(elements) = throughput {
            for value in values {
                *value = *elements as f64 * Duration::from_secs(1).as_nanos() as f64 / *value;
            }
        }
        "tokens/s"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        match self.0.unit() {
            Unit::Nanoseconds => "ns",
            Unit::NanosecondsPerToken => "ns/token",
            Unit::Count => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_scale_to_the_unit_that_reads_best() {
        let shown = |metric: Metric, value: f64| {
            let mut values = [value];
            let unit = Cost(metric).scale_values(value, &mut values);
            (values[0], unit)
        };
        assert_eq!(shown(Metric::TTFT, 2.5e6), (2.5, "ms"));
        assert_eq!(shown(Metric::TTFT, 2.5e9), (2.5, "s"));
        assert_eq!(shown(Metric::TPOT, 999.0e3), (999.0, "µs/token"));
    }

    #[test]
    fn time_per_token_is_shown_as_tokens_per_second() {
        let cost = Cost(Metric::TPOT);
        let mut values = [20e6];
        let throughput = cost.throughput().unwrap();
        assert_eq!((cost.scale_throughputs(20e6, &throughput, &mut values), values[0]), ("tokens/s", 50.0));
        assert!(Cost(Metric::TTFT).throughput().is_none());
    }
}
