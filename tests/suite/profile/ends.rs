//! How a profile ends, well or not.

use std::time::{Duration, Instant};

use serde_json::Value;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Lab, mock, wait_until};
use crate::support::{Ran, RawServer, Step};

#[test]
fn a_dead_port_is_named_at_once_with_what_to_do() {
    // Given an address at which nothing listens any more
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let begun = Instant::now();
    let ran = Lab::new().run(&["profile", "latency", "--url", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    for said in [url.as_str(), "Connection refused", "--url", &format!("curl {url}/health")] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_well_is_asked_all_the_same_and_one_that_is_well_is_not_bothered() {
    let says = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let profile = async |alive: u16, health: u16, asked: u64| {
        // Given a server with a cheap health page and one that asks every model behind it
        let server = MockServer::start().await;
        let get = |page: &str, status| {
            Mock::given(method("GET")).and(path(page)).respond_with(ResponseTemplate::new(status))
        };
        get("/health/liveliness", alive).expect(1).mount(&server).await;
        get("/health", health).expect(asked).mount(&server).await;
        let answer = ResponseTemplate::new(200).set_body_raw(says, "text/event-stream");
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        // When it is profiled
        let url = server.uri();
        let args = ["profile", "latency", "--iterations", "2", "--warmup", "0", "--url"];
        let run = move || Lab::new().run(&[&args[..], &[&url]].concat());
        let ran = tokio::task::spawn_blocking(run).await.unwrap();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr.contains("/health answers 503; asking all the same")
    };
    assert!(!profile(200, 503, 0).await, "the cheap page is enough");
    assert!(profile(404, 503, 1).await, "without it the other says that the server is loading, say");
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_sent() {
    let (lab, mock) = (Lab::new(), mock());
    std::fs::write(lab.path("file"), "").unwrap();
    for flag in ["--export", "--raw"] {
        let ran = lab.profile(&mock, &["latency", flag, "file/l.json"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(flag) && ran.stderr.contains("file/l.json"), "{}", ran.stderr);
    }
    let ran = lab.profile(&mock, &["latency", "--export", "l.json", "--raw", "l.json"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("the same file"), "{}", ran.stderr);
    assert_eq!(mock.requests().len(), 0);
}

#[test]
fn what_takes_too_long_has_failed_in_one_way_and_says_what_helps() {
    // Given a server that never answers
    let server = RawServer::start(|_| vec![Step::Silence]);
    let lab = Lab::new();
    let common = [
        "profile",
        "latency",
        "--url",
        &server.url(),
        "--iterations",
        "2",
        "--warmup",
        "0",
        "--timeout",
        "0.5",
    ];
    let ran = lab.run(&[&common[..], &["--export", "l.json"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.contains("   2 x the whole exchange took longer than 500ms"), "{}", ran.stdout);
    assert!(ran.stdout.contains("wait longer (--timeout)"), "{}", ran.stdout);
    assert_eq!(lab.json("l.json")["measurements"][0]["error_class"], "timeout");
}

#[test]
fn a_wrong_flag_is_named() {
    let lab = Lab::new();
    for (args, word) in [
        (&["latency", "--url", "localhost:4000"][..], "http://"),
        (&["latency", "--iterations", "0"], "--iterations"),
        (&["latency", "--timeout", "-1"], "--timeout"),
        (&["latency", "--target", "nowhere"], "nowhere"),
        (&["latency", "--target", "mock", "--max-requests", "3"], "--max-requests"),
        (&["latency", "--dialect", "latin"], "--dialect"),
        (&["throughput", "--sweep", "1,0"], "--sweep"),
        (&["throughput", "--pause", "soon"], "--pause"),
        (&["throughput", "--slo-p95", "100"], "--sweep"),
        (&["compare", "--provider", "llama"], "MODEL=NAME"),
    ] {
        let ran = lab.run(&[&["profile"], args].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn json_is_alone_on_standard_output_and_is_the_export() {
    let (lab, mock) = (Lab::new(), mock());
    let ran = lab.profile(&mock, &["latency", "--iterations", "2", "--json", "--export", "l.json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let printed: Value = serde_json::from_str(&ran.stdout).expect("JSON alone");
    assert_eq!(printed, lab.json("l.json"));
    assert_eq!((&printed["schema_version"], &printed["provenance"]["seed"]), (&1.into(), &20.into()));
    assert!(ran.stderr.contains("📈 STATISTICS"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn ctrl_c_shows_and_exports_what_was_measured() {
    for (args, measured) in [
        (&["latency", "--iterations", "10000"][..], "/measurements"),
        (&["throughput", "--requests", "100000"], "/levels/0/measurements"),
        (&["compare", "--iterations", "10000"], "/results/0/measurements"),
    ] {
        // Given a profile that would take long, When Ctrl-C is pressed in the middle
        let (lab, mock) = (Lab::new(), mock());
        let files = ["--export", "e.json", "--raw", "r.jsonl"];
        let child = lab.begin(&mock.url(), &[args, &files].concat());
        wait_until(|| lab.lines("r.jsonl").len() >= 20);
        let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.expect("kill is everywhere").success());
        let ran = Ran::of(child.wait_with_output().expect("it ends"));
        // Then the figures so far are shown and exported as what they are
        assert_eq!(ran.code, Some(130), "{}", ran.stderr);
        assert!(
            ran.stdout.contains("STATISTICS")
                || ran.stdout.contains("THROUGHPUT RESULTS")
                || ran.stdout.contains("PROVIDER COMPARISON"),
            "{}",
            ran.stdout
        );
        let export = lab.json("e.json");
        assert_eq!(export["interrupted"], true);
        let measured = export.pointer(measured).and_then(Value::as_array).map_or(0, Vec::len);
        assert!((5..10_000).contains(&measured), "{measured}");
    }
}

#[cfg(unix)]
#[test]
fn a_killed_profile_leaves_the_record_of_every_request_that_ended() {
    let (lab, mock) = (Lab::new(), mock());
    let mut child = lab.begin(&mock.url(), &["latency", "--iterations", "10000", "--raw", "r.jsonl"]);
    wait_until(|| lab.lines("r.jsonl").len() >= 5);
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lab.lines("r.jsonl") {
        let record: Value = serde_json::from_str(&line).expect("whole lines");
        assert_eq!((&record["outcome"], &record["group"]), (&"ok".into(), &"profile/latency".into()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_nobody_from_reading_the_figures() {
    let (lab, mock) = (Lab::new(), mock());
    for flag in ["--raw", "--export"] {
        let ran = lab.profile(&mock, &["latency", "--iterations", "2", flag, "/dev/full"]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stdout.contains("Success rate: 2/2"), "{}", ran.stdout);
        assert!(ran.stderr.contains(flag) && ran.stderr.contains("No space left"), "{}", ran.stderr);
    }
    // And the device is still one
    assert!(!std::fs::metadata("/dev/full").unwrap().is_file());
}
