//! Rankings: their documented bytes, and that nobody ever sees half of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Place, Service, places, reply};

const PATH: &str = "/api/v1/benchmarks/rankings";

fn names(reply: &Value, metric: usize, name: &str) -> Vec<String> {
    let board = reply["data"][metric][name].as_array().expect("a board");
    board.iter().map(|model| model["llm_name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn seed_20_gives_the_documented_rankings_to_the_last_byte_on_both_ports() {
    let golden = std::fs::read_to_string("fixtures/golden/rankings_seed20.json").unwrap();
    for place in places().await {
        let service = place.serve_with(&["--every", "60"], &[("SEED", "20")]);
        for url in [&service.url, &service.rankings_url] {
            let request =
                reqwest::Client::new().get(format!("{url}{PATH}")).header("x-api-key", &service.key);
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["x-llmlab-source"], "simulated; simulated");
            assert_eq!(response.text().await.unwrap(), golden.trim_end());
        }
        // The same from the cache and past it
        let fresh = service.request(Method::GET, PATH).header("cache-control", "no-cache");
        assert_eq!(fresh.send().await.unwrap().text().await.unwrap(), golden.trim_end());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_can_be_had_alone_in_both_shapes_and_orders_and_with_what_is_behind_it() {
    let place = Place::sqlite();
    let service = place.serve(&["--every", "60"]);
    let get = async |query: &str| service.get(&format!("{PATH}{query}")).await.1;
    let alone = get("/ttft").await;
    assert_eq!(names(&alone, 0, "ttft"), ["GPT-4o", "Claude 3.5 Sonnet", "Llama 3.1 70B"]);
    assert_eq!(alone["data"].as_array().unwrap().len(), 1);
    assert_eq!(names(&get("?order=best").await, 0, "ttft")[0], "Llama 3.1 70B");
    assert_eq!(names(&get("?order=best").await, 1, "tps")[0], "GPT-4o");
    assert_eq!(get("/ttft?shape=object").await["data"]["ttft"][0]["mean_value"], 1.07);
    let full = get("/e2e_latency?stats=full").await;
    let first = &full["data"][0]["e2e_latency"][0];
    assert_eq!((&full["source"], &first["stats"]["n"]), (&json!("simulated"), &json!(1000)));
    // All three draw from one range: no rank is told apart
    assert_eq!((&first["rank"], &first["tied"], &first["unit"]), (&json!(1), &json!(true), &json!("s")));
    let unknown = service.get(&format!("{PATH}/warp")).await;
    assert_eq!(unknown, (StatusCode::NOT_FOUND, json!({"detail": "Metric not found"})));
    for query in ["?order=worst", "?warp=1", "?source=guessed"] {
        assert_eq!(
            service.get(&format!("{PATH}{query}")).await.0,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{query}"
        );
    }
    assert_eq!(service.get(&format!("{PATH}?source=measured")).await.0, StatusCode::NOT_FOUND);
}

/// Runs the pair of arms on a model that is so many times slower, and gives the result to the service.
async fn measure(place: &Place, service: &Service, model: &str, slowdown: &str) {
    let out = format!("out-{model}");
    let run = [
        "run",
        "streaming",
        "--runs",
        "12",
        "--filter",
        "^streaming/on/50$",
        "--model",
        model,
        "--output-dir",
        &out,
    ];
    let output = place.command(&run).env("LLMLAB_MOCK_SLOWDOWN", slowdown).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = std::fs::read_dir(place.folder.path().join(&out))
        .expect("results")
        .flatten()
        .map(|entry| entry.path());
    let file = files
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
        .expect("a result");
    let put = service.request(Method::PUT, &format!("/api/results/{model}.json"));
    let (status, kept) = reply(put.body(std::fs::read(file).expect("a file"))).await;
    assert_eq!(status, StatusCode::CREATED, "{kept}");
    assert_eq!((&kept["model"], &kept["mode"]), (&json!(model), &json!("simulated")));
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_ranked_by_what_was_measured_once_anything_was() {
    for place in places().await {
        let service = place.serve(&["--every", "60"]);
        let before = service.get(PATH).await.1;
        assert_eq!(names(&before, 0, "ttft").len(), 3);
        // Given two models of which one is three times as slow
        measure(&place, &service, "claude-sonnet-4-6", "1").await;
        measure(&place, &service, "claude-haiku-4-5", "3").await;
        // Then the fast one is first, and shown to be
        let query = format!("{PATH}?order=best&stats=full&workload=streaming%20on/50");
        let (status, ranked) = service.get(&query).await;
        assert_eq!(status, StatusCode::OK, "{ranked}");
        assert_eq!(ranked["source"], "measured");
        for (index, name) in [(0, "ttft"), (1, "tps"), (2, "e2e_latency")] {
            assert_eq!(names(&ranked, index, name), ["claude-sonnet-4-6", "claude-haiku-4-5"], "{name}");
            let board = &ranked["data"][index][name];
            assert_eq!(
                (&board[0]["rank"], &board[1]["rank"], &board[1]["stats"]["n"]),
                (&json!(1), &json!(2), &json!(12))
            );
        }
        assert_eq!(ranked["data"][3]["rps"], json!([]), "nobody measured it, so it is not 0");
        // By default too, and the simulated ones are there for who asks
        let response = service.request(Method::GET, PATH).send().await.unwrap();
        assert_eq!(response.headers()["x-llmlab-source"], "measured; simulated");
        let simulated = service.get(&format!("{PATH}?source=simulated")).await.1;
        assert_eq!(simulated, before);
        let (_, workloads) = service.get("/api/v1/benchmarks/workloads").await;
        assert!(
            workloads
                .as_array()
                .unwrap()
                .iter()
                .any(|known| known["workload"] == "streaming on/50" && known["models"] == 2)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_rankings_of_one_seed_or_the_other_whole_and_soon_the_new_ones() {
    for place in places().await {
        let service = place.serve(&["--every", "60"]);
        // Given the replies to two seeds
        let seeds = ["20", "21"];
        let mut known = Vec::new();
        for seed in seeds {
            let output = place.command(&["simulate", "--json", "--seed", seed]).output().unwrap();
            known.push(serde_json::from_slice::<Value>(&output.stdout).unwrap());
        }
        // When another process makes them anew again and again while readers read, from the cache and past it
        let written = AtomicBool::new(false);
        let writer = async {
            for round in 0..8 {
                let mut command = place.command(&["simulate", "--once", "--seed", seeds[(round + 1) % 2]]);
                command.args(["--database-url", &place.database_url]);
                let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            written.store(true, Ordering::Relaxed);
        };
        let reader = async |control: &'static str| {
            let mut seen = [0_u32; 2];
            while !written.load(Ordering::Relaxed) {
                let request = service.request(Method::GET, PATH).header("cache-control", control);
                let (status, read) = reply(request).await;
                assert_eq!(status, StatusCode::OK);
                let which = known.iter().position(|known| *known == read);
                seen[which.unwrap_or_else(|| panic!("neither the one nor the other: {read}"))] += 1;
            }
            seen
        };
        let ((), fresh, _cached) = tokio::join!(writer, reader("no-cache"), reader("max-age=60"));
        assert!(fresh[0] > 0 && fresh[1] > 0, "{fresh:?}");
        // Then the last one is what everybody gets in the end
        let last = &known[0];
        let began = Instant::now();
        while service.get(PATH).await.1 != *last {
            assert!(began.elapsed() < Duration::from_secs(15), "the cache still has the old rankings");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[test]
fn measured_results_are_taken_in_by_a_command_and_shown() {
    let place = Place::sqlite();
    let run = place
        .command(&["run", "streaming", "--runs", "3", "--filter", "^streaming/on/50$"])
        .output()
        .unwrap();
    assert!(run.status.success());
    let files: Vec<_> = std::fs::read_dir(place.folder.path().join("results")).unwrap().flatten().collect();
    let file = files
        .iter()
        .map(std::fs::DirEntry::path)
        .find(|path| path.extension().is_some_and(|e| e == "json"))
        .unwrap();
    let ingest = place.command(&["rankings", "ingest", file.to_str().unwrap()]).output().unwrap();
    assert!(ingest.status.success(), "{}", String::from_utf8_lossy(&ingest.stderr));
    let show = place.command(&["rankings", "show", "--workload", "streaming on/50"]).output().unwrap();
    let shown = String::from_utf8_lossy(&show.stdout).into_owned();
    assert!(
        shown.contains("measured, simulated")
            && shown.contains("claude-sonnet-4-6")
            && shown.contains("ttft"),
        "{shown}"
    );
    // What is no result, and what decides nothing, is refused by its name
    std::fs::write(place.folder.path().join("no.json"), "{}").unwrap();
    let refused = place.command(&["rankings", "ingest", "no.json"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("no.json"), "{said}");
}
