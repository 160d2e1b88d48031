//! Results: kept, listed, and never a way to other files.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::support::{Place, places, reply};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_ran_is_listed_and_what_is_no_result_is_called_unknown() {
    for place in places().await {
        let service = place.serve(&["--schedule", "off"]);
        assert_eq!(service.get("/api/results").await.1, json!([]));
        let run = place
            .command(&["run", "streaming", "--runs", "3", "--filter", "^streaming/on/50$"])
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        std::fs::write(place.folder.path().join("results/notes.json"), "{\"no\": \"result\"}").unwrap();
        let (_, listed) = service.get("/api/results").await;
        let listed = listed.as_array().unwrap();
        assert_eq!(listed.len(), 2, "{listed:?}");
        let result = listed.iter().find(|row| row["filename"] != "notes.json").unwrap();
        assert_eq!(
            (&result["benchmark_type"], &result["model"]),
            (&json!("streaming"), &json!("claude-sonnet-4-6"))
        );
        assert_eq!((&result["stats"]["on/50"]["count"], &result["mode"]), (&json!(3), &json!("simulated")));
        let unknown = listed.iter().find(|row| row["filename"] == "notes.json").unwrap();
        assert_eq!((&unknown["benchmark_type"], &unknown["stats"]), (&json!("unknown"), &json!(null)));
        // Its charts are drawn
        let name = result["filename"].as_str().unwrap();
        for chart in ["histogram", "percentiles", "ttft"] {
            let response = service
                .request(Method::GET, &format!("/api/results/{name}/charts/{chart}"))
                .send()
                .await
                .unwrap();
            assert_eq!(response.headers()["content-type"], "image/svg+xml", "{chart}");
            assert!(response.text().await.unwrap().starts_with("<svg"));
        }
        let download =
            service.request(Method::GET, &format!("/api/results/{name}/download")).send().await.unwrap();
        assert_eq!(
            download.headers()["content-disposition"].to_str().unwrap(),
            format!("attachment; filename=\"{name}\"")
        );
        // And its page has verdicts and pictures
        let page = service
            .bare(Method::GET, &format!("/results/{name}"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(
            page.contains("faster")
                && page.contains("<svg class=\"forest\"")
                && page.contains("charts/histogram"),
            "{page}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_out_of_the_results_and_none_tells_what_is_there() {
    let place = Place::sqlite();
    std::fs::write(place.folder.path().join("secret.json"), "{}").unwrap();
    let service = place.serve(&["--schedule", "off"]);
    let missing = service.get("/api/results/missing.json").await;
    assert_eq!(missing, (StatusCode::NOT_FOUND, json!({"detail": "Result not found"})));
    let mut replies = Vec::new();
    for name in [
        "..%2fsecret.json",
        "..%2f..%2fetc%2fpasswd",
        "..%2fmissing.json",
        "%2e%2e%2fsecret.json",
        "..%5csecret.json",
        "secret.json%00.json",
    ] {
        let (status, reply) = service.get(&format!("/api/results/{name}")).await;
        assert!(
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND),
            "{name}: {status} {reply}"
        );
        replies.push((status, reply));
    }
    replies.dedup();
    assert_eq!(replies.len(), 1, "{replies:?}");
    for path in ["/criterion/..%2f..%2fsecret.json", "/criterion/%2e%2e/secret.json"] {
        let (status, _) = reply(service.bare(Method::GET, path)).await;
        assert!(status.is_client_error(), "{path}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_from_elsewhere_is_kept_once_and_only_if_it_is_one() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    let put = |name: &str, body: &'static str| {
        service.request(Method::PUT, &format!("/api/results/{name}")).body(body)
    };
    let result = r#"{"name": "streaming", "timestamp": "2026-01-02T03:04:05Z", "results": [
        {"config": {"name": "on/50", "model": "m"}, "timing_results": [{"latency_ms": 5.0, "ttft_ms": 1.0}]}]}"#;
    assert_eq!(reply(put("a.json", result)).await.0, StatusCode::CREATED);
    assert_eq!(reply(put("a.json", result)).await.0, StatusCode::CONFLICT);
    assert_eq!(reply(put("b.json", "{}")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reply(put("b.json", "[")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reply(put("b.txt", result)).await.0, StatusCode::BAD_REQUEST);
    let (_, listed) = service.get("/api/results").await;
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["created_at"]),
        (1, &json!("2026-01-02T03:04:05.000Z"))
    );
}
