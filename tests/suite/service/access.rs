//! Who is answered, and who is not.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::support::{Place, reply};

const FORM: &str = "application/x-www-form-urlencoded";
const KEYS: [(&str, &str); 1] =
    [("LLMLAB_API_KEYS", "grafana:read:look-but-do-not-touch,ci:run:run-whatever-you-like")];

#[tokio::test(flavor = "multi_thread")]
async fn health_and_documents_need_no_key_and_everything_else_does() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    let (status, health) = reply(service.bare(Method::GET, "/api/health")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["services"]["api"], "healthy");
    assert_eq!(health["services"]["claude_auth"], "missing");
    assert_eq!(reply(service.bare(Method::GET, "/healthz")).await.1, json!({"message": "success"}));
    for path in ["/readyz", "/api/docs/", "/api/openapi.json"] {
        assert_eq!(reply(service.bare(Method::GET, path)).await.0, StatusCode::OK, "{path}");
    }
    let (_, document) = reply(service.bare(Method::GET, "/api/openapi.json")).await;
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let is_open = operation.get("security").is_none();
            let asked = path.replace("{filename}", "a.json").replace(['{', '}'], "");
            let (status, body) = reply(service.bare(method.clone(), &asked)).await;
            assert_eq!(status == StatusCode::UNAUTHORIZED, !is_open, "{method} {path}: {status} {body}");
        }
    }
    assert!(paths.len() >= 15, "{paths:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_403_and_a_missing_one_401_or_422_where_that_is_expected() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    let wrong = service.bare(Method::GET, "/api/jobs").header("x-api-key", "wrong");
    assert_eq!(reply(wrong).await, (StatusCode::FORBIDDEN, json!({"detail": "Invalid API key"})));
    assert_eq!(reply(service.bare(Method::GET, "/api/jobs")).await.0, StatusCode::UNAUTHORIZED);
    let bearer = service.bare(Method::GET, "/api/jobs").bearer_auth(&service.key);
    assert_eq!(reply(bearer).await.0, StatusCode::OK);
    drop(service);
    let service = place.serve(&["--schedule", "off", "--compat"]);
    let (status, body) = reply(service.bare(Method::GET, "/api/v1/benchmarks/rankings")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(body["detail"][0]["loc"], json!(["header", "x-api-key"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_read_starts_and_cancels_nothing_and_no_key_is_in_the_log() {
    let place = Place::sqlite();
    let service = place.serve_with(&["--schedule", "off"], &KEYS);
    let with = |method: Method, path: &str, key: &str| {
        service.bare(method, path).header("x-api-key", key.to_owned())
    };
    let (read, run) = ("look-but-do-not-touch", "run-whatever-you-like");
    assert_eq!(reply(with(Method::GET, "/api/jobs", read)).await.0, StatusCode::OK);
    let refused = reply(with(Method::POST, "/api/benchmarks/streaming/run", read)).await;
    assert_eq!(refused, (StatusCode::FORBIDDEN, json!({"detail": "This key may only read"})));
    assert_eq!(reply(with(Method::DELETE, "/api/jobs/x", read)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(reply(with(Method::DELETE, "/api/jobs/x", run)).await.0, StatusCode::NOT_FOUND);
    let said = service.said();
    assert!(!said.contains(read) && !said.contains(run), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_lets_in_whoever_is_on_this_machine_and_nobodys_page_from_elsewhere() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    let page = service.bare(Method::GET, "/").send().await.expect("a page");
    let cookie = page.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let policy = page.headers()["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let asked = || service.bare(Method::GET, "/api/jobs").header("cookie", &cookie);
    assert_eq!(reply(asked()).await.0, StatusCode::OK);
    assert_eq!(reply(asked().header("origin", "http://evil.example")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(reply(asked().header("sec-fetch-site", "cross-site")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(reply(asked().header("host", "evil.example")).await.0, StatusCode::MISDIRECTED_REQUEST);
    let form =
        service.bare(Method::POST, "/").header("cookie", &cookie).header("origin", "http://evil.example");
    let (status, _) = reply(form.header("content-type", FORM).body("benchmark=streaming&runs=5")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(service.get("/api/jobs").await.1["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_configured_key_the_pages_ask_for_it() {
    let place = Place::sqlite();
    let service = place.serve_with(&["--schedule", "off"], &KEYS);
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let page = client.get(&service.url).send().await.expect("an answer");
    assert_eq!(
        (page.status(), page.headers()["location"].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/login")
    );
    let login = |key: &str| {
        client
            .post(format!("{}/login", service.url))
            .header("content-type", FORM)
            .body(format!("key={key}"))
            .send()
    };
    let refused = login("wrong").await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.unwrap().contains("Invalid API key"));
    let let_in = login("look-but-do-not-touch").await.expect("an answer");
    assert_eq!(let_in.status(), StatusCode::SEE_OTHER);
    let cookie = let_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = client.get(&service.url).header("cookie", &cookie).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    let run = client.post(&service.url).header("cookie", &cookie).header("content-type", FORM);
    let run = run.body("benchmark=streaming&runs=5").send().await.expect("an answer");
    assert_eq!(run.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_signed_out_with_the_key_that_it_showed() {
    let place = Place::sqlite();
    let serve = |keys: &str| place.serve_with(&["--schedule", "off"], &[("LLMLAB_API_KEYS", keys)]);
    let service = serve("ci:run:run-whatever-you-like");
    let login =
        service.bare(Method::POST, "/login").header("content-type", FORM).body("key=run-whatever-you-like");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let let_in = client.execute(login.build().unwrap()).await.unwrap();
    let cookie = let_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let status = async |service: &super::support::Service, method: Method| {
        reply(service.bare(method, "/api/jobs/00000000").header("cookie", &cookie)).await.0
    };
    assert_eq!(status(&service, Method::DELETE).await, StatusCode::NOT_FOUND);
    drop(service);
    // The same key by the same name may less now
    let service = serve("ci:read:run-whatever-you-like");
    assert_eq!(status(&service, Method::GET).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&service, Method::DELETE).await, StatusCode::FORBIDDEN);
    drop(service);
    // Another key by the same name, and none by it
    for keys in ["ci:run:another-key-altogether", "other:run:run-whatever-you-like"] {
        assert_eq!(status(&serve(keys), Method::GET).await, StatusCode::UNAUTHORIZED, "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_allowed_are_told_when_to_come_again() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off", "--rate", "5"]);
    let asked = (0..40).map(|_| service.request(Method::GET, "/api/jobs/none").send());
    let answers = futures::future::join_all(asked).await;
    let refused =
        answers.into_iter().flatten().find(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.expect("40 requests at once were all answered").headers().contains_key("retry-after"));
}

#[test]
fn other_machines_are_not_served_without_a_key_that_cannot_be_guessed() {
    let place = Place::sqlite();
    for (settings, names) in [(vec![], "LLMLAB_API_KEYS"), (vec![("API_KEY", "1234")], "`default`")] {
        let output =
            place.command(&["serve", "--host", "0.0.0.0", "--port", "0"]).envs(settings).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(names) && said.contains("--host") && !said.contains("1234"), "{said}");
    }
}

#[test]
fn what_it_cannot_start_with_is_named_and_no_password_is_shown() {
    let place = Place::sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases: [(&[&str], &str); 6] = [
        (&["--port", &port], "--port"),
        (&["--database-url", "mysql://u:secret@h/db"], "sqlite:FILE"),
        (&["--redis-url", "redis://:secret@127.0.0.1:1"], "Redis"),
        (&["--schedule", "measure", "--measure", "warp"], "--measure warp"),
        (&["--every", "soon"], "--every"),
        (&["--target", "nowhere"], "--target"),
    ];
    for (args, names) in cases {
        let output = place.command(&["serve"]).args(["--rankings-port", "0"]).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(names) && !said.contains("secret"), "{args:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_gets_text_or_native_histograms() {
    let place = Place::sqlite();
    let service = place.serve(&["--schedule", "off"]);
    let job = service.submit("streaming", &json!({"quick": true, "filter": "^streaming/on/50$"})).await;
    service.ended(&job).await;
    let text = service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let line = |start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"))
    };
    // 4 rounds, of which one warms up: both arms are asked, and one of them is streamed
    assert!(
        line("llmlab_ttft_seconds_count").ends_with(" 4")
            && line("llmlab_ttft_seconds_count").contains(r#"mode="simulated""#)
    );
    assert!(line("llmlab_jobs{state=\"completed\"}").ends_with(" 1"));
    assert!(line("llmlab_requests_total").contains(r#"outcome="ok""#));
    let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let response = service.request(Method::GET, "/metrics").header("accept", accept).send().await.unwrap();
    assert!(
        response.headers()["content-type"].to_str().unwrap().starts_with("application/vnd.google.protobuf")
    );
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.windows(19).any(|window| window == b"llmlab_ttft_seconds"));
}
