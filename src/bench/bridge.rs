//! What Criterion is told: its settings, its groups, and one value for each sample.

use std::time::{Duration, Instant};

use criterion::{
    AxisScale, Bencher, BenchmarkGroup, BenchmarkId, Criterion, PlotConfiguration, PlottingBackend,
    SamplingMode,
};
use regex::Regex;

use super::Cost;
use super::command_line::CommandLine;
use crate::baseline::BenchmarkInfo;
use crate::experiment::{Arm, Group};
use crate::metric::Metric;
use crate::settings::Settings;

/// Criterion cuts directory names at this many bytes, and two names cut alike would overwrite each other.
pub(super) const MAX_NAME: usize = 64;
/// Resamples of Criterion's bootstrap: its default of 100,000 takes seven seconds a benchmark.
const RESAMPLES: usize = 10_000;
/// With what [`spin`] takes, fifty nominal iterations a sample.
const PLANNED_FOR_EACH_SAMPLE: Duration = Duration::from_millis(5);

/// Tells Criterion which benchmarks there are, for modes that measure nothing.
pub(super) fn declare(group: &Group, line: &CommandLine, pattern: Option<&Regex>) {
    for metric in &group.metrics {
        let mut criterion = criterion(metric, Settings::DEFAULT_RUNS);
        let mut benchmarks = criterion.benchmark_group(group_id(group, metric));
        for arm in group.arms.iter().filter(|arm| group.has(arm, metric)) {
            if line.selects(pattern, &benchmark_id(group, metric, arm)) {
                add(&mut benchmarks, arm, &mut |bencher| bencher.iter_custom(|iterations| iterations as f64));
            }
        }
        benchmarks.finish();
    }
}

pub(super) fn group_id(group: &Group, metric: &Metric) -> String {
    format!("{}/{metric}", group.name)
}

pub(super) fn benchmark_id(group: &Group, metric: &Metric, arm: &Arm) -> String {
    format!("{}/{}", group_id(group, metric), arm.label())
}

/// What a benchmark is of, for those who read it later.
pub(super) fn describe(group: &Group, metric: &Metric, arm: &Arm) -> BenchmarkInfo {
    let control = group.control_of(arm).map(|control| &group.arms[control]);
    BenchmarkInfo {
        group: group.name.clone(),
        arm: arm.name.clone(),
        x: arm.x,
        metric: metric.name().into(),
        unit: metric.unit(),
        primary: group.primary() == Some(metric),
        control: control
            .filter(|control| group.has(control, metric))
            .map(|control| benchmark_id(group, metric, control)),
    }
}

/// A Criterion for one metric. Never two at once: under cargo-criterion each holds the one connection.
pub(super) fn criterion(metric: &Metric, samples: usize) -> Criterion<Cost> {
    Criterion::default()
        .plotting_backend(PlottingBackend::Plotters)
        // Here and not on the group, so that the command line wins.
        .sample_size(samples)
        .nresamples(RESAMPLES)
        .with_measurement(Cost(metric.clone()))
        .configure_from_args()
        // After the command line: another plan would ask for rounds without end.
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(PLANNED_FOR_EACH_SAMPLE * samples as u32)
}

pub(super) fn add(
    group: &mut BenchmarkGroup<'_, Cost>,
    arm: &Arm,
    sample: &mut dyn FnMut(&mut Bencher<'_, Cost>),
) {
    match arm.x {
        Some(x) => group.bench_function(BenchmarkId::new(&arm.name, x), sample),
        None => group.bench_function(&*arm.name, sample),
    };
}

/// A Criterion group: one metric of several arms.
pub(super) fn group<'a>(
    criterion: &'a mut Criterion<Cost>,
    group: &Group,
    metric: &Metric,
) -> BenchmarkGroup<'a, Cost> {
    let mut benchmarks = criterion.benchmark_group(group_id(group, metric));
    benchmarks.sampling_mode(SamplingMode::Flat);
    if group.is_swept_widely() {
        // The question is mostly decided at the short end.
        benchmarks.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    }
    if let Some(throughput) = Cost(metric.clone()).throughput().filter(|_| !group.is_swept()) {
        benchmarks.throughput(throughput);
    }
    benchmarks
}

/// Gives Criterion the value of one sample.
pub(super) fn give(bencher: &mut Bencher<'_, Cost>, value: f64) {
    bencher.iter_custom(|iterations| {
        spin();
        value * iterations as f64
    });
}

/// What one iteration seems to cost. It keeps Criterion's plan at one warm-up call and fifty nominal
/// iterations a sample; had it planned a single one, it would warn that it cannot finish in time.
fn spin() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(100) {
        std::hint::spin_loop();
    }
}
