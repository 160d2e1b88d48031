//! Jobs: from their request to their end.

use std::time::Duration;

use llmlab::mock::{Mock, MockConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Place, places, reply};

/// How many questions a mock has had.
fn asked(mock: &Mock) -> u64 {
    mock.state().requests.values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_run_is_listed_with_the_documented_keys() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    let (_, listed) = service.get("/api/benchmarks").await;
    let listed = listed.as_array().expect("a list");
    for kind in ["streaming", "caching", "parallel", "routing", "topology", "all"] {
        let found = listed.iter().find(|known| known["type"] == kind).unwrap_or_else(|| panic!("no {kind}"));
        let mut keys: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["description", "expected_duration", "metrics", "name", "type"]);
    }
    assert_eq!(service.get("/api/benchmarks/streaming").await.1["type"], "streaming");
    assert_eq!(service.get("/api/benchmarks/warp").await.0, StatusCode::NOT_FOUND);
    assert_eq!(service.post("/api/benchmarks/warp/run", &json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_fit_is_refused_by_its_field_and_not_queued() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    for (body, field) in [
        (json!({"runs": 51}), "runs"),
        (json!({"runs": 1.5}), "runs"),
        (json!({"max_tokens": 4097}), "max_tokens"),
        (json!({"target": "anthropic"}), "target"),
        (json!({"target": "openai+http://127.0.0.1:1"}), "target"),
    ] {
        let (status, reply) = service.post("/api/benchmarks/streaming/run", &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {reply}");
        assert_eq!(reply["detail"][0]["loc"], json!(["body", field]), "{body}: {reply}");
    }
    let long = service.request(Method::POST, "/api/benchmarks/streaming/run").body(vec![b' '; 300_000]);
    assert_eq!(reply(long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.get("/api/jobs").await.1, json!({"jobs": [], "total": 0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_tells_every_run_and_its_result_is_kept() {
    for place in places().await {
        let service = place.serve(&["--schedule", "off"]);
        let asked = json!({"runs": 4, "filter": "^streaming/on/50$"});
        let job_id = service.submit("streaming", &asked).await;
        assert!(job_id.len() == 8 && job_id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{job_id}");
        // Its progress goes from run to run, with figures, and the socket closes at the end
        let (messages, code) = service.follow(&job_id, "?all=true").await;
        assert_eq!(code, Some(1000), "{messages:?}");
        let runs: Vec<_> = messages
            .iter()
            .filter(|message| !message["metrics"].as_object().unwrap().is_empty())
            .map(|message| {
                (message["current_run"].as_u64().unwrap(), message["total_runs"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(runs, [(1, 4), (2, 4), (3, 4), (4, 4)], "{messages:?}");
        let of_run = messages.iter().find(|message| message["current_run"] == 2).unwrap();
        assert!(of_run["metrics"]["on/50"]["ttft_ms"].as_f64().unwrap() > 0.0, "{of_run}");
        assert!(of_run["metrics"]["off/50"].get("ttft_ms").is_none(), "{of_run}");
        let last = messages.last().unwrap();
        assert_eq!((&last["state"], &last["job_id"]), (&json!("completed"), &json!(job_id)));
        // Its status has everything
        let job = service.ended(&job_id).await;
        assert_eq!((&job["state"], &job["error"]), (&json!("completed"), &Value::Null));
        assert_eq!((&job["request"]["runs"], &job["benchmark_type"]), (&json!(4), &json!("streaming")));
        let times =
            ["created_at", "started_at", "completed_at"].map(|name| job[name].as_str().unwrap().to_owned());
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(job["results"]["streaming"]["on/50"]["count"], 4);
        // And its result is whole
        let name = job["result_file"].as_str().expect("a result");
        let (_, result) = service.get(&format!("/api/results/{name}")).await;
        assert_eq!((&result["ending"], &result["smoke"]), (&json!("all_rounds"), &json!(false)));
        assert_eq!(result["results"][0]["timing_results"].as_array().unwrap().len(), 4);
        // Once more, after a restart
        drop(service);
        let service = place.serve(&["--schedule", "off"]);
        assert_eq!(service.get(&format!("/api/jobs/{job_id}")).await.1["state"], "completed");
        assert_eq!(service.get(&format!("/api/results/{name}")).await.1, result);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_no_job_closes_with_4004_and_one_of_an_ended_job_after_its_last_word() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    assert_eq!(service.follow("00000000", "").await, (vec![], Some(4004)));
    let job_id = service.submit("streaming", &json!({"quick": true, "filter": "^streaming/on/50$"})).await;
    assert_eq!(service.ping(&job_id).await, "pong");
    service.ended(&job_id).await;
    let (messages, code) = service.follow(&job_id, "").await;
    assert_eq!((messages.len(), code), (1, Some(1000)));
    assert_eq!(messages[0]["state"], "completed");
    assert_eq!(service.get(&format!("/api/ws/{job_id}")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        service.get("/api/jobs/nope").await,
        (StatusCode::NOT_FOUND, json!({"detail": "Job not found"}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_every_benchmark_can_be_kept_and_ranked() {
    for place in places().await {
        let service = place.serve(&["--schedule", "off"]);
        // Given a result of each, those included whose arms share a name
        let run = place.command(&["run", "all", "--quick", "--output-dir", "elsewhere"]).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let baseline =
            place.command(&["run", "baseline", "--quick", "--output-dir", "elsewhere"]).output().unwrap();
        assert!(baseline.status.success(), "{}", String::from_utf8_lossy(&baseline.stderr));
        let files = std::fs::read_dir(place.folder.path().join("elsewhere"))
            .unwrap()
            .flatten()
            .map(|file| file.path());
        let results: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
        assert_eq!(results.len(), 11, "{results:?}");
        for path in &results {
            // When it is kept as one that decides something
            let text = std::fs::read_to_string(path).unwrap().replace("\"smoke\": true", "\"smoke\": false");
            let name = path.file_name().unwrap().to_str().unwrap();
            let (status, kept) =
                reply(service.request(Method::PUT, &format!("/api/results/{name}")).body(text)).await;
            // Then it is, as what it is
            assert_eq!(status, StatusCode::CREATED, "{name}: {kept}");
            assert_ne!(kept["benchmark_type"], "unknown", "{kept}");
        }
        assert_eq!(service.get("/api/results").await.1.as_array().unwrap().len(), 11);
        assert!(service.get("/api/v1/benchmarks/workloads").await.1.as_array().unwrap().len() > 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_stays_so_and_sends_nothing_more() {
    for place in places().await {
        // Given a server that counts its requests
        let mock = Mock::start(MockConfig::default()).expect("a free port");
        let target = format!("anthropic+http://{}", mock.addr());
        let service = place.serve_with(&["--schedule", "off", "--target", &target], &[]);
        let job_id = service.submit("streaming", &json!({"runs": 50})).await;
        service.job_when(&job_id, |job| job["progress"]["current_run"].as_u64() >= Some(1)).await;
        // When its job is cancelled
        let (status, job) = reply(service.request(Method::DELETE, &format!("/api/jobs/{job_id}"))).await;
        assert_eq!((status, &job["state"]), (StatusCode::OK, &json!("cancelled")));
        // Then nothing more is asked once the request under way has ended
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let before = asked(&mock);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(asked(&mock), before);
        assert_eq!(service.ended(&job_id).await["state"], "cancelled");
        // What it measured until then is kept
        let (_, results) = service.get("/api/results").await;
        assert_eq!(results[0]["job_id"], json!(job_id), "{results}");
        // And asking again is no mistake, while a job that came to its end cannot be cancelled
        let again = reply(service.request(Method::DELETE, &format!("/api/jobs/{job_id}"))).await;
        assert_eq!(again.0, StatusCode::OK);
        let done = service.submit("streaming", &json!({"quick": true, "filter": "^streaming/on/50$"})).await;
        service.ended(&done).await;
        let late = reply(service.request(Method::DELETE, &format!("/api/jobs/{done}"))).await;
        assert_eq!(late.0, StatusCode::CONFLICT, "{}", late.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_says_why_and_can_be_run_again() {
    let place = Place::sqlite();
    // Given a target that goes away after the service has started
    let mock = Mock::start(MockConfig::default()).expect("a free port");
    let target = format!("anthropic+http://{}", mock.addr());
    let service = place.serve(&["--schedule", "off", "--target", &target]);
    drop(mock);
    let job_id = service.submit("streaming", &json!({"quick": true})).await;
    let job = service.ended(&job_id).await;
    assert_eq!(job["state"], "failed");
    assert!(job["error"].as_str().unwrap().contains("does not answer"), "{job}");
    let (status, again) = service.post(&format!("/api/jobs/{job_id}/retry"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{again}");
    assert_eq!(service.ended(again["job_id"].as_str().unwrap()).await["request"]["quick"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_jobs_wait_than_may() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off", "--queue", "2"]);
    let mut refused = 0;
    for _ in 0..6 {
        let (status, _) = service.post("/api/benchmarks/streaming/run", &json!({"runs": 20})).await;
        refused += u32::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 3, "{refused} of 6 were refused");
}
