//! Does tracing cost the requests that it watches anything? The same requests with traces and without, in turn.
//!
//! `cargo bench --bench tracing --features otel` compares the times to first token in pairs, one stream at a time and
//! sixteen at once; the mock takes 200 ms to a first token, and a collector on this machine takes every span. It fails
//! where the 95% interval of the ratio does not lie within ±1%. A smoke run (`-- --test`) makes three pairs and judges
//! nothing.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use futures::future::{BoxFuture, try_join_all};
use llmlab::catalog::Profile;
use llmlab::experiment::{Arm, Draw, Group, Observation, Rounds, RunError, Workload};
use llmlab::instrument::serve_if_asked;
use llmlab::metric::Metric;
use llmlab::report::say;
use llmlab::session::{Demand, Session};
use llmlab::settings::{Settings, TargetKind};
use llmlab::stats::Paired;
use llmlab::telemetry::{Tracing, TracingConfig};
use llmlab::wire::Ask;

/// What the mock takes to a first token.
const TTFT: Duration = Duration::from_millis(200);
const TOKENS: u32 = 32;
/// The share by which tracing may move a time to first token.
const BOUND: f64 = 0.01;
const STREAMS: [usize; 2] = [1, 16];

fn main() -> ExitCode {
    serve_if_asked();
    let is_smoke =
        !std::env::args().any(|arg| arg == "--bench") || std::env::args().any(|arg| arg == "--test");
    let pairs = if is_smoke { 3 } else { 100 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime needs nothing but threads");
    let endpoint = runtime.block_on(collector());
    let mut is_free = true;
    for streams in STREAMS {
        let (found, summary) = runtime.block_on(Box::pin(compare(streams, pairs, &endpoint)));
        let ratio = found.ratio;
        let is_within = ratio.low >= 1.0 - BOUND && ratio.high <= 1.0 + BOUND;
        is_free &= is_within;
        say(&format!(
            "{streams} at once: TTFT with traces over without {:.5}, 95% interval {:.5} to {:.5}, {} pairs: {} ±{}%; {summary}",
            ratio.estimate,
            ratio.low,
            ratio.high,
            found.n,
            if is_within { "within" } else { "NOT within" },
            BOUND * 100.0,
        ));
    }
    if is_free || is_smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A collector that takes everything; its address.
async fn collector() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let taking = Router::new().route("/v1/traces", post(async |_: axum::body::Bytes| {}));
    tokio::spawn(async move { axum::serve(listener, taking).await });
    format!("http://{address}/v1/traces")
}

/// Asks in turn with traces and without; which comes first changes from pair to pair.
async fn compare(streams: usize, pairs: usize, endpoint: &str) -> (Paired, String) {
    let config = TracingConfig {
        enable_console_export: false,
        otlp_endpoint: Some(endpoint.into()),
        ..TracingConfig::default()
    };
    let tracing = Tracing::with(&config).expect("the address is one");
    let plain = Session::start(settings()).await.expect("the mock starts");
    let mut traced = Session::start(settings()).await.expect("the mock starts");
    tracing.attach(&mut traced, "cargo bench --bench tracing").expect("a thread starts");
    let rounds = |session| Rounds::new(Arc::new(session), Arc::new(group(streams)), vec![0]);
    let mut both = [rounds(plain), rounds(traced)];
    let mut times = [Vec::new(), Vec::new()];
    for pair in 0..=pairs {
        for which in [pair % 2, 1 - pair % 2] {
            let round = both[which].next().await.expect("the mock answers");
            let seen = round.observations[0].as_ref().expect("it was asked");
            // The first round opens connections.
            if pair > 0 {
                times[which].push(seen.values[&Metric::TTFT]);
            }
        }
    }
    let summary = tokio::task::spawn_blocking(move || tracing.finish()).await.expect("it ends");
    let found = Paired::of(&times[0], &times[1]).expect("times are above 0");
    (found, summary.expect("it was traced").to_string())
}

fn settings() -> Settings {
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { unreachable!("it is simulated") };
    mock.profile = Profile {
        overhead: TTFT,
        prefill: Duration::ZERO,
        decode: Duration::from_millis(1),
        slots: 64,
        ..Profile::default().without_noise()
    };
    settings
}

fn group(streams: usize) -> Group {
    Group {
        name: "tracing".into(),
        question: "Does tracing cost anything?".into(),
        control: "asked".into(),
        arms: vec![Arm::new("asked", AtOnce(streams))],
        metrics: vec![Metric::TTFT],
        ..Group::default()
    }
}

/// So many streams at once, of which the mean time to first token counts.
struct AtOnce(usize);

impl Workload for AtOnce {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let branches: Vec<_> = (0..self.0).map(|number| draw.branch(number)).collect();
            let ask = Ask { stream: true, ..Ask::question("Count to thirty.", TOKENS) };
            let answers = try_join_all(branches.iter().map(|branch| branch.ask(&ask))).await?;
            let sum: f64 = answers.iter().map(|answer| answer.values[&Metric::TTFT]).sum();
            Ok(Observation::value(Metric::TTFT, sum / self.0 as f64))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        Demand::uncached(8, TOKENS.into())
    }
}
