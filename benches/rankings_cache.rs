//! What does the service's cache save a reader of the rankings?
//!
//! A service on SQLite and memory runs in this process; one reader asks it over one connection that stays open. `off` asks
//! for what the database holds now, `on` takes what the cache has. Both are authenticated; opening a connection is in
//! neither.

use std::future::pending;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use llmlab::ranking::Simulation;
use llmlab::service::{Application, Capacity, Keys, Schedule, ServiceSettings, Task};
use llmlab::settings::Environment;
use tokio::runtime::Runtime;

const KEY: &str = "a-key-of-this-bench-alone";

fn settings(folder: &std::path::Path) -> ServiceSettings {
    ServiceSettings {
        host: std::net::Ipv4Addr::LOCALHOST.into(),
        port: 0,
        rankings_port: None,
        database_url: format!("sqlite:{}", folder.join("lab.db").display()),
        redis_url: None,
        output_dir: folder.join("results"),
        criterion_dir: folder.join("criterion"),
        keys: Keys::new(None, Some(KEY)).expect("one key"),
        capacity: Capacity { at_once: 1, waiting: 1, lease: Duration::from_secs(15) },
        rate: 0,
        compat: false,
        schedule: Schedule {
            task: Task::Simulate(Simulation::default()),
            every: Duration::from_secs(3600),
            max_retries: 0,
            retry_delay: Duration::from_secs(1),
        },
        environment: Environment::default(),
    }
}

fn rankings(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let service = runtime.block_on(Application::build(settings(folder.path()))).expect("it starts");
    let url = format!("http://{}/api/v1/benchmarks/rankings", service.addresses()[0]);
    runtime.spawn(service.run_until_stopped(pending()));
    // Whoever was there before has chosen one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let ask = async |control: &str| {
        let request = client.get(&url).header("x-api-key", KEY).header("cache-control", control);
        let reply = request.send().await.and_then(reqwest::Response::error_for_status).expect("an answer");
        assert!(reply.bytes().await.expect("a body").starts_with(b"{\"data\":"));
    };
    let mut group = criterion.benchmark_group("rankings_cache");
    for (name, control) in [("off", "no-cache"), ("on", "max-age=1")] {
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(ask(control))));
    }
    group.finish();
}

criterion_group!(benches, rankings);
criterion_main!(benches);
