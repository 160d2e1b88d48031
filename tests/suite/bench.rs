//! The bench binary as Criterion's users know it: every flag does what it says, and asks no more than it must.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Bench, SMALL};

#[test]
fn every_metric_is_read_from_the_same_requests() {
    let bench = Bench::new();
    let ran = bench.measure(&[]);
    // Two arms, ten samples and one warm-up: never once more for each metric
    ran.assert_requests(22);
    assert_eq!(bench.records().len(), 22);
    assert!(ran.stderr.contains("simulated (mock, profile fast)"), "{}", ran.stderr);
    assert!(bench.has("streaming_perceived/on/50/new/sample.json"));
    assert!(bench.has("streaming_total/off/50/new/estimates.json"));
}

#[test]
fn a_list_asks_nothing_and_prints_ids_alone() {
    let bench = Bench::new();
    for args in [&["--bench", "--list"][..], &["--bench", "--list", "--format", "terse"]] {
        let ran = bench.run(args);
        ran.assert_silent_success();
        assert!(
            ran.stdout
                .lines()
                .all(|line| line.is_empty() || line.ends_with(": benchmark") || line.ends_with("bench")),
            "{}",
            ran.stdout
        );
        assert!(ran.stdout.contains("streaming/perceived/on/1000"));
    }
}

#[test]
fn a_filter_that_matches_nothing_asks_nothing() {
    let bench = Bench::new();
    bench.run(&["--bench", "no-such-benchmark"]).assert_silent_success();
    bench.run(&["--bench", "--ignored"]).assert_silent_success();
}

#[test]
fn a_filter_asks_the_matching_arms_alone() {
    let bench = Bench::new();
    let quick = ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot"];
    bench.run(&[&quick[..], &["perceived/on/50$"]].concat()).assert_requests(11);
    bench.run(&[&quick[..], &["--exact", "streaming/total/off/50"]].concat()).assert_requests(11);
}

#[test]
fn the_sample_size_decides_the_rounds() {
    let ran =
        Bench::new().run(&["--bench", "--sample-size", "12", "--noplot", "--nresamples", "1001", SMALL]);
    ran.assert_requests(26);
    let refused = Bench::new().run(&["--bench", "--sample-size", "5"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--sample-size"), "{}", refused.stderr);
}

#[test]
fn the_environment_sets_the_samples_and_the_command_line_wins() {
    let quick = ["--bench", "--noplot", "--nresamples", "1001", SMALL];
    Bench::new().run_in(&quick, &[("LLMLAB_RUNS", "11")]).assert_requests(24);
    let both = [&quick[..], &["--sample-size", "10"]].concat();
    Bench::new().run_in(&both, &[("LLMLAB_RUNS", "11")]).assert_requests(22);
}

#[test]
fn a_smoke_run_asks_once_and_leaves_no_file() {
    let bench = Bench::new();
    for args in [&["--test", SMALL][..], &["--bench", "--test", SMALL], &[SMALL]] {
        let ran = bench.run(args);
        ran.assert_requests(2);
        assert!(ran.stdout.contains("Success"), "{}", ran.stdout);
    }
    assert_eq!(std::fs::read_dir(bench.home()).unwrap().count(), 0);
}

#[test]
fn output_flags_change_the_output_alone() {
    let bench = Bench::new();
    for args in [&["--verbose"][..], &["--quiet"], &["--color", "never"]] {
        bench.measure(args).assert_requests(22);
    }
    bench.run(&["--bench", "--sample-size", "10", "--nresamples", "1001", "-n", SMALL]).assert_requests(22);
    let bencher = bench.measure(&["--output-format", "bencher"]);
    bencher.assert_requests(22);
    assert!(bencher.stdout.contains("ns/iter (+/-"), "{}", bencher.stdout);
}

#[test]
fn a_slower_engine_is_reported_as_a_regression() {
    let bench = Bench::new();
    let common = ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot", SMALL];
    bench.run_alone(&[&common[..], &["--save-baseline", "before"]].concat(), &[]).assert_requests(22);
    assert!(bench.has("streaming_total/on/50/before/sample.json"));
    let compared = [&common[..], &["--baseline", "before"]].concat();
    let slowed = bench.run_alone(&compared, &[("LLMLAB_MOCK_SLOWDOWN", "4")]);
    slowed.assert_requests(22);
    assert_eq!(slowed.stdout.matches("Performance has regressed").count(), 4, "{}", slowed.stdout);
    assert!(slowed.stderr.contains("slowed 4x"), "{}", slowed.stderr);
}

#[test]
fn other_baseline_flags_do_what_criterion_says() {
    let bench = Bench::new();
    bench.measure(&["--save-baseline", "a"]).assert_requests(22);
    bench.measure(&["--save-baseline", "b"]).assert_requests(22);
    bench.measure(&["--baseline-lenient", "missing"]).assert_requests(22);
    bench.measure(&["--discard-baseline"]).assert_requests(22);
    let loaded = bench.measure(&["--load-baseline", "a", "--baseline", "b"]);
    loaded.assert_silent_success();
    assert!(loaded.stdout.contains("change:"), "{}", loaded.stdout);
}

#[test]
fn a_missing_baseline_fails_before_anything_is_asked() {
    let bench = Bench::new();
    let ran = bench.measure(&["--baseline", "missing"]);
    assert_eq!(ran.code, Some(101));
    assert!(ran.stderr.contains("missing"), "{}", ran.stderr);
    assert_eq!(bench.records().len(), 0);
}

#[test]
fn contradictory_and_unknown_flags_are_refused() {
    let bench = Bench::new();
    for args in
        [&["--save-baseline", "x", "--baseline", "y"][..], &["--no-such-flag"], &["--load-baseline", "x"]]
    {
        let ran = bench.measure(args);
        assert_eq!((ran.code, ran.requests()), (Some(2), None), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(bench.records().len(), 0);
}

#[test]
fn flags_that_would_ask_without_bound_are_refused_by_name() {
    let bench = Bench::new();
    for (args, flag) in
        [(&["--bench", "--quick"][..], "--quick"), (&["--bench", "--profile-time", "1"], "--profile-time")]
    {
        let ran = bench.run(args);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains(flag) && ran.stderr.contains("--sample-size"), "{}", ran.stderr);
    }
}

#[test]
fn a_plan_of_criterions_own_asks_for_no_more() {
    Bench::new().measure(&["--warm-up-time", "3", "--measurement-time", "9"]).assert_requests(22);
}

#[test]
fn help_teaches_the_settings_before_criterions_flags() {
    let ran = Bench::new().run(&["--help"]);
    ran.assert_silent_success();
    assert!(ran.stderr.contains("LLMLAB_TARGET") && ran.stdout.contains("--save-baseline"), "{}", ran.stdout);
}

#[test]
fn a_target_without_its_key_fails_before_the_first_request() {
    let bench = Bench::new();
    let ran = bench.run_in(&["--bench"], &[("LLMLAB_TARGET", "anthropic")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("ANTHROPIC_API_KEY"), "{}", ran.stderr);
    assert_eq!(bench.records().len(), 0);
}

#[test]
fn a_misspelt_setting_is_refused() {
    let ran = Bench::new().run_in(&["--bench"], &[("LLMLAB_SEEED", "1")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("LLMLAB_SEED"), "{}", ran.stderr);
}

#[test]
fn a_dead_target_is_named_with_what_to_do() {
    let target = ("LLMLAB_TARGET", "openai+http://127.0.0.1:1");
    let ran = Bench::new().run_in(&["--bench"], &[target]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("127.0.0.1:1") && ran.stderr.contains("start it"), "{}", ran.stderr);
}

#[test]
fn a_smoke_run_never_asks_a_live_target_unless_told_to() {
    let mock = llmlab::mock::Mock::start(llmlab::mock::MockConfig::default()).unwrap();
    let target = format!("openai+{}", mock.url());
    let bench = Bench::new();
    let refused = bench.run_in(&["--test", SMALL], &[("LLMLAB_TARGET", &target)]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("LLMLAB_TEST_LIVE"), "{}", refused.stderr);
    bench
        .run_in(&["--test", SMALL], &[("LLMLAB_TARGET", &target), ("LLMLAB_TEST_LIVE", "1")])
        .assert_requests(2);
}

#[test]
fn a_live_run_says_what_it_costs_and_keeps_within_the_budget() {
    // Given a target with a price, behind which the mock answers
    let mock = llmlab::mock::Mock::start(llmlab::mock::MockConfig::default()).unwrap();
    let url = mock.url();
    let target = [
        ("LLMLAB_TARGET", "anthropic"),
        ("LLMLAB_BASE_URL", url.as_str()),
        ("LLMLAB_MODEL", "claude-opus-5"),
        ("ANTHROPIC_API_KEY", "none"),
    ];
    let args = [
        "--bench",
        "--sample-size",
        "50",
        "--noplot",
        "--nresamples",
        "1001",
        "streaming/total/(off|on)/1000$",
    ];
    // When the plan costs more than 2 dollars, it is refused before the first request
    let bench = Bench::new();
    let refused = bench.run_in(&args, &target);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("will send 102 requests") && refused.stderr.contains("LLMLAB_MAX_USD"),
        "{}",
        refused.stderr
    );
    assert_eq!(bench.records().len(), 0);
    // And allowed, it runs; a budget of requests stops it with what was measured
    let small = ["--bench", "--sample-size", "10", "--noplot", "--nresamples", "1001", SMALL];
    let allowed = [&target[..], &[("LLMLAB_MAX_USD", "5")]].concat();
    bench.run_in(&small, &allowed).assert_requests(22);
    let few = [&target[..], &[("LLMLAB_MAX_REQUESTS", "5")]].concat();
    let stopped = bench.run_in(&small, &few);
    assert_eq!(stopped.code, Some(2));
    assert!(stopped.stderr.contains("LLMLAB_MAX_REQUESTS"), "{}", stopped.stderr);
}

#[test]
fn a_killed_run_keeps_what_it_measured() {
    let bench = Bench::new();
    let mut child = bench
        .command(&["--bench", "--noplot", "streaming/total/on/500$"], &[("LLMLAB_RUNS", "100")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the bench starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    while bench.records().len() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    let records = bench.records();
    assert!(
        records.len() >= 3 && records.iter().all(|record| record["outcome"] == "ok"),
        "{}",
        records.len()
    );
}
