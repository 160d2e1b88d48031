//! The schedule: every slot once, whoever does it, and what was missed is said.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Place, Service, places, reply};

async fn runs(service: &Service) -> Vec<Value> {
    service.get("/api/schedule").await.1["runs"].as_array().expect("runs").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_slots_and_each_is_done_once() {
    for place in places().await {
        let args = ["--every", "2s", "--lease", "5s"];
        let (a, b) = (place.serve(&args), place.serve(&args));
        let began = Instant::now();
        let done = |seen: &[Value]| seen.iter().filter(|run| run["state"] == "done").count();
        let mut seen = runs(&a).await;
        while done(&seen) < 4 {
            assert!(began.elapsed() < Duration::from_secs(60), "{seen:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
            seen = runs(&a).await;
        }
        let (seen, said) = (runs(&a).await, a.said() + &b.said());
        assert!(seen.iter().all(|run| run["state"] != "failed"), "{seen:?}");
        // As often as it is noted it was done: what is said, and what is noted, may come in between
        let (noted, times) = (done(&seen), said.matches("rankings updated").count());
        assert!(times.abs_diff(noted) <= 1, "{times} of {noted}: {said}");
        assert!(said.contains("next at"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_in_which_no_process_ran_are_said_to_be_missed() {
    let place = Place::sqlite();
    let args = ["--every", "1s", "--lease", "1s"];
    drop(place.serve(&args));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let service = place.serve(&args);
    let seen = runs(&service).await;
    let mut states = BTreeMap::new();
    for run in &seen {
        *states.entry(run["state"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert!(states["missed"] >= 2 && states["done"] >= 2, "{states:?}");
    let missed = seen.iter().find(|run| run["state"] == "missed").unwrap();
    assert_eq!(missed["attempts"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_measured_at_an_interval_and_a_failure_is_tried_again_and_said() {
    let place = Place::sqlite();
    std::fs::write(
        place.folder.path().join("llmlab.toml"),
        "[targets.gone]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\nmodel = \"m\"\n",
    )
    .unwrap();
    let args = [
        "--schedule",
        "measure",
        "--every",
        "10m",
        "--measure",
        "streaming",
        "--measure-runs",
        "1",
        "--measure-target",
        "gone",
        "--measure-target",
        "mock",
        "--max-retries",
        "1",
        "--retry-delay",
        "1s",
    ];
    let service = place.serve(&args);
    let began = Instant::now();
    let run = loop {
        let seen = runs(&service).await;
        if let Some(run) = seen.first().filter(|run| run["state"] != "running") {
            break run.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{seen:?} {}", service.said());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // The one that is gone was tried twice, and kept the other from nothing
    assert_eq!((&run["state"], &run["attempts"]), (&json!("failed"), &json!(2)), "{run}");
    assert!(run["detail"].as_str().unwrap().contains("gone: "), "{run}");
    let (_, jobs) = service.get("/api/jobs").await;
    let states: Vec<_> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["completed", "failed", "failed"], "{jobs}");
    assert!(service.said().contains("attempt 1 failed"), "{}", service.said());
    let (_, page) = reply(service.bare(Method::GET, "/schedule")).await;
    assert!(page.as_str().unwrap().contains("gone: "));
}
