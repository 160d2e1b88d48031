//! Processes that end half-way, and several at once: nothing that was said to be saved is lost, and nothing is done
//! twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::support::{Place, places};

/// A job of about half a second.
fn short() -> Value {
    json!({"runs": 3, "filter": "^streaming/on/50$"})
}

/// How often the process is killed on each backend.
const KILLS: u64 = 25;

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn kill_after_kill_no_saved_result_is_lost_and_no_half_ranking_is_served() {
    for place in places().await {
        let args = ["--every", "1s", "--lease", "1s"];
        let (mut saved, mut known) = (BTreeMap::<String, Value>::new(), BTreeSet::new());
        for kill in 0..KILLS {
            let service = place.serve(&args);
            // What was there before the kill is there after it
            for (name, result) in &saved {
                assert_eq!(
                    service.get(&format!("/api/results/{name}")).await.1,
                    *result,
                    "after kill {kill}"
                );
            }
            for job_id in &known {
                assert_eq!(
                    service.get(&format!("/api/jobs/{job_id}")).await.0,
                    StatusCode::OK,
                    "after kill {kill}"
                );
            }
            let (_, rankings) = service.get("/api/v1/benchmarks/rankings?source=simulated").await;
            let boards =
                rankings["data"].as_array().unwrap_or_else(|| panic!("after kill {kill}: {rankings}"));
            let models = boards.iter().flat_map(|board| board.as_object().unwrap().values());
            assert!(models.map(|models| models.as_array().unwrap().len()).eq([3; 4]), "{rankings}");
            known.insert(service.submit("streaming", &short()).await);
            // Killed somewhere in a run, or in making rankings anew
            let until = Duration::from_millis(100 + kill * 977 % 1200);
            let deadline = tokio::time::Instant::now() + until;
            while tokio::time::Instant::now() < deadline {
                let (_, listed) = service.get("/api/jobs").await;
                let done =
                    listed["jobs"].as_array().unwrap().iter().filter(|job| job["state"] == "completed");
                for job in done {
                    let (_, job) =
                        service.get(&format!("/api/jobs/{}", job["job_id"].as_str().unwrap())).await;
                    let name = job["result_file"].as_str().expect("a completed job has its result");
                    if !saved.contains_key(name) {
                        saved.insert(name.into(), service.get(&format!("/api/results/{name}")).await.1);
                    }
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            service.end("-KILL");
        }
        // In the end every job is done, or is said to be interrupted
        let service = place.serve(&args);
        let mut states = BTreeMap::new();
        for job_id in &known {
            let job = service.ended(job_id).await;
            assert!(job["state"] == "completed" || job["interrupted"] == true, "{job}");
            *states.entry(job["state"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        assert_eq!(states.values().sum::<usize>(), KILLS as usize);
        assert!(states.contains_key("completed") && !saved.is_empty(), "{states:?}");
        // The schedule goes on
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (_, schedule) = service.get("/api/schedule").await;
        let latest: Vec<_> =
            schedule["runs"].as_array().unwrap().iter().take(2).map(|run| &run["state"]).collect();
        assert!(latest.iter().any(|state| **state == "done"), "{schedule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_run_each_job_once() {
    for place in places().await {
        let serve = |out: &'static str| place.serve(&["--schedule", "off", "--output-dir", out]);
        let services = [serve("a"), serve("b")];
        let mut jobs = Vec::new();
        for number in 0..10 {
            jobs.push(services[number % 2].submit("streaming", &short()).await);
        }
        for job_id in &jobs {
            let job = services[0].ended(job_id).await;
            assert_eq!(
                (&job["state"], job["result_files"].as_array().map(Vec::len)),
                (&json!("completed"), Some(1)),
                "{job}"
            );
        }
        // Each was run by one of them: as many runs were journalled as there were jobs
        let journals = ["a", "b"].map(|out| {
            let folders =
                std::fs::read_dir(place.folder.path().join(out).join("jobs")).into_iter().flatten().flatten();
            let files =
                folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
            files.filter(|file| file.path().extension().is_some_and(|extension| extension == "jsonl")).count()
        });
        assert_eq!(journals.iter().sum::<usize>(), jobs.len(), "{journals:?}");
        assert!(journals.iter().all(|count| *count > 0), "one of them did nothing: {journals:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_stopped_puts_its_job_back_and_the_next_one_does_it() {
    for place in places().await {
        let service = place.serve(&["--schedule", "off"]);
        let job_id =
            service.submit("streaming", &json!({"runs": 6, "filter": "^streaming/on/(50|500)$"})).await;
        service.job_when(&job_id, |job| job["progress"]["current_run"].as_u64() >= Some(1)).await;
        let ended = service.end("-TERM");
        assert_eq!(ended.code(), Some(0));
        let service = place.serve(&["--schedule", "off"]);
        let job = service.ended(&job_id).await;
        assert_eq!((&job["state"], &job["interrupted"]), (&json!("completed"), &json!(false)), "{job}");
        // What was measured before the stop is kept beside the whole result
        assert_eq!(job["result_files"].as_array().unwrap().len(), 2, "{job}");
        let whole = service.get(&format!("/api/results/{}", job["result_file"].as_str().unwrap())).await.1;
        assert_eq!(whole["ending"], "all_rounds");
        assert_eq!(service.end("-INT").code(), Some(130));
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_asleep_for_too_long_does_not_end_what_is_not_its_any_more() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off", "--lease", "1s", "--output-dir", "a"]);
    let job_id = service.submit("streaming", &json!({"runs": 20, "filter": "^streaming/on/50$"})).await;
    service.job_when(&job_id, |job| job["progress"]["current_run"].as_u64() >= Some(2)).await;
    // Given a process that stands still for longer than its lease, and another one that notices
    service.signal("-STOP");
    let other = place.serve(&["--schedule", "off", "--lease", "1s", "--output-dir", "b"]);
    let job = other.ended(&job_id).await;
    assert_eq!((&job["state"], &job["interrupted"]), (&json!("failed"), &json!(true)));
    // When it wakes
    service.signal("-CONT");
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Then it has stopped, and the job is what the other one said
    assert_eq!(other.get(&format!("/api/jobs/{job_id}")).await.1["state"], "failed");
    assert!(service.said().contains("it is not this process's any more"), "{}", service.said());
}
