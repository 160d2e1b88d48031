//! Reports on exported results: files in, a process's output and exit code out.

use std::path::{Path, PathBuf};
use std::process::Command;

use llmlab::report::exported::Exported;
use llmlab::report::figure::Figure;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder of results, and the command that reports on them.
struct Results(TempDir);

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Results {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &Value) {
        std::fs::write(self.path(name), content.to_string()).expect("the folder is writable");
    }

    /// Runs the command in the folder.
    fn llmlab(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        let output = command.args(args).current_dir(self.0.path()).output().expect("the command runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command that is meant to fail and returns what it says.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let ran = self.llmlab(args);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        ran.stderr
    }

    /// Ten results, a day apart, that are a fifth slower from the sixth on.
    fn with_a_step() -> Self {
        let results = Self::new();
        for day in 1..=10 {
            let scale = if day < 6 { 1.0 } else { 1.2 } + f64::from(day * 7 % 5) / 200.0;
            // The names are in another order than the days
            let name = format!("run-{}.json", 20 - day);
            results.write(&name, &run(day, "simulated", "gpt-4o", &[("on/50", values(scale, 40))]));
        }
        results
    }
}

/// `n` latencies around 100 ms times `scale`.
fn values(scale: f64, n: usize) -> Vec<f64> {
    (0..n).map(|index| scale * (100.0 + (index * 37 % n) as f64)).collect()
}

/// The result of a run on the given day of January.
fn run(day: u32, mode: &str, model: &str, configurations: &[(&str, Vec<f64>)]) -> Value {
    let timing = |(round, ms): (usize, &f64)| json!({"round": round + 1, "latency_ms": ms, "ttft_ms": ms / 5.0, "cost_usd": null, "later_field": [1]});
    let result = |(name, values): &(&str, Vec<f64>)| {
        let timings: Vec<_> = values.iter().enumerate().map(timing).collect();
        json!({"config": {"name": name, "model": model}, "timing_results": timings, "stats": {"count": values.len()}})
    };
    json!({
        "schema_version": 1,
        "name": "streaming",
        "timestamp": format!("2026-01-{day:02}T03:00:00Z"),
        "interrupted": false,
        "provenance": {"mode": mode, "profile": "fast", "model": model, "target": "mock"},
        "results": configurations.iter().map(result).collect::<Vec<_>>(),
        "verdicts": [],
        "summary": [{"name": "streaming", "rounds": 20}],
    })
}

/// What the latency profiler exports.
fn profile(p95: f64) -> Value {
    let measurement = |id: u32| {
        let success = id != 3;
        json!({"request_id": id, "model": "llama3.1:8b", "provider": "ollama", "total_ms": 870 + id, "ttfb_ms": 240,
            "network_ms": 600, "tokens_generated": 45, "success": success, "error": null})
    };
    let summary = json!({"total_requests": 10, "successful": 9, "failed": 1, "success_rate": 90.0,
        "mean_latency_ms": 875.5, "median_latency_ms": 870.0, "p95_latency_ms": p95});
    json!({"measurements": (0..10).map(measurement).collect::<Vec<_>>(), "summary": summary})
}

fn parse(name: &str, content: &Value) -> Result<Exported, String> {
    Exported::parse(Path::new(name), &content.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_trend_names_the_sixth_of_ten_results_as_the_change() {
    let results = Results::with_a_step();
    let ran = results.llmlab(&["trend", ".", "--svg", "trend.svg"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains("Change at #6 (2026-01-06"), "{}", ran.stdout);
    insta::assert_snapshot!(ran.stdout);
    let svg = std::fs::read_to_string(results.path("trend.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("p95 (ms)") && svg.contains("#6 2026-01-06"), "{svg}");
}

#[test]
fn a_trend_as_json_holds_the_points_and_the_change() {
    let ran =
        Results::with_a_step().llmlab(&["trend", ".", "--metric", "ttft_p50", "--config", "on/50", "--json"]);
    let trend: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&trend["schema_version"], &trend["metric"]), (&json!(1), &json!("ttft_p50")));
    let series = &trend["series"][0];
    assert_eq!((&series["configuration"], &series["mode"]), (&json!("on/50"), &json!("simulated")));
    assert_eq!(series["points"].as_array().unwrap().len(), 10);
    assert_eq!(series["changes"][0]["number"], 6);
    assert_eq!(series["changes"][0]["file"], "run-14.json");
    assert!(series["points"][0]["change_percent"].is_null(), "{series}");
}

#[test]
fn results_of_another_mode_or_model_are_another_series() {
    let results = Results::new();
    for (day, mode, model) in [(1, "simulated", "a"), (2, "live", "a"), (3, "live", "b"), (4, "live", "b")] {
        results.write(&format!("{day}.json"), &run(day, mode, model, &[("on", values(1.0, 5))]));
    }
    let ran = results.llmlab(&["trend", ".", "--json"]);
    let trend: Value = serde_json::from_str(&ran.stdout).unwrap();
    let lengths: Vec<_> =
        trend["series"].as_array().unwrap().iter().map(|s| s["points"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [1, 1, 2]);
}

#[test]
fn profiles_are_dated_by_their_names_and_failed_requests_are_left_out() {
    let results = Results::new();
    for day in 1..=3 {
        results.write(&format!("latency-2026-02-0{day}.json"), &profile(945.0));
    }
    let ran = results.llmlab(&["trend", "."]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn a_hole_in_the_series_is_named_after_the_rest_is_shown() {
    let results = Results::with_a_step();
    std::fs::write(results.path("broken.json"), "{").unwrap();
    results.write("undated.json", &profile(945.0));
    let ran = results.llmlab(&["trend", "."]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("Change at #6"), "{}", ran.stdout);
    assert!(ran.stderr.contains("broken.json is no exported result: EOF"), "{}", ran.stderr);
    assert!(ran.stderr.contains("undated.json: timestamp is missing"), "{}", ran.stderr);
}

#[test]
fn a_trend_of_nothing_is_an_error_that_names_what_was_asked() {
    let results = Results::new();
    assert!(results.refused(&["trend", "."]).contains(". holds no .json file"));
    assert!(results.refused(&["trend", "nowhere"]).contains("error: nowhere: No such file"));
    results.write("a.json", &run(1, "live", "m", &[("on", values(1.0, 3))]));
    let unknown = results.refused(&["trend", ".", "--config", "off"]);
    assert!(unknown.contains("--config \"off\": no result holds it; there are on"), "{unknown}");
    assert!(results.refused(&["trend", ".", "--metric", "mean"]).contains("expected p50, p90, p95, p99"));
    let unstreamed = Results::new();
    unstreamed.write("latency-2026-01-01.json", &profile(945.0));
    let without = unstreamed.refused(&["trend", ".", "--metric", "ttft_p50"]);
    assert!(without.contains("--metric ttft_p50: no result holds it"), "{without}");
}

#[test]
fn a_comparison_states_its_sign_and_its_doubt() {
    let results = Results::new();
    let before = [("off/50", values(1.0, 100)), ("on/50", values(1.0, 20)), ("gone", values(1.0, 9))];
    results.write("before.json", &run(1, "simulated", "gpt-4o", &before));
    let after = [("off/50", values(0.75, 100)), ("on/50", values(1.02, 20))];
    results.write("after.json", &run(2, "live", "gpt-4o", &after));
    let ran = results.llmlab(&["report", "compare", "before.json", "after.json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    // No colour where nobody sees it
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn several_results_are_each_compared_with_the_first() {
    let results = Results::new();
    for (name, scale) in [("a.json", 1.0), ("b.json", 0.9), ("c.json", 1.1)] {
        results.write(name, &run(1, "live", "m", &[("on", values(scale, 30))]));
    }
    let ran = results.llmlab(&["report", "compare", "a.json", "b.json", "c.json", "--no-color"]);
    let titles: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("Improvement")).collect();
    assert_eq!(titles.len(), 2, "{}", ran.stdout);
    assert!(titles[1].starts_with("Improvement of c.json against a.json: positive = faster"), "{titles:?}");
    assert!(ran.stdout.contains("+10.0%") && ran.stdout.contains("−10.0%"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let results = Results::new();
    results.write("a.json", &run(1, "live", "m", &[("on", values(1.0, 3))]));
    results.write("b.json", &run(1, "live", "m", &[("off", values(1.0, 3))]));
    let apart = results.refused(&["report", "compare", "a.json", "b.json"]);
    assert!(
        apart.contains("b.json and a.json have no configuration in common: off there, on here"),
        "{apart}"
    );
    assert!(results.refused(&["report", "compare", "a.json"]).contains("<LATER>"));
    assert!(results.refused(&["report", "compare", "a.json", "c.json"]).contains("c.json: No such file"));
    assert!(results.refused(&["report", "paint", "a.json"]).contains("unrecognized subcommand"));
}

#[test]
fn charts_are_three_files_that_say_what_they_show() {
    let results = Results::new();
    results.write(
        "x.json",
        &run(1, "simulated", "gpt-4o", &[("off", values(1.5, 60)), ("on", values(1.0, 40))]),
    );
    let ran = results.llmlab(&["report", "charts", "x.json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let names =
        ["x-histogram.svg", "x-percentiles.svg", "x-ttft.svg"].map(|name| format!("results/charts/{name}"));
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), names);
    for name in names {
        let svg = std::fs::read_to_string(results.path(&name)).unwrap();
        for text in ["<svg", "(ms)", "simulated (profile fast)", "gpt-4o", "n = 60", "n = 40"] {
            assert!(svg.contains(text), "{name} without {text:?}");
        }
    }
}

#[test]
fn charts_of_answers_that_were_not_streamed_say_so() {
    let results = Results::new();
    results.write("p.json", &profile(945.0));
    let ran = results.llmlab(&["report", "charts", "p.json", "--output-dir", "out"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let svg = std::fs::read_to_string(results.path("out/p-ttft.svg")).unwrap();
    assert!(svg.contains("not streamed") && svg.contains("unlabelled"), "{svg}");
}

#[test]
fn the_help_teaches_with_examples() {
    let results = Results::new();
    for args in [&["trend", "--help"][..], &["report", "compare", "--help"], &["report", "charts", "--help"]]
    {
        let ran = results.llmlab(args);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("Examples:\n  llmlab "), "{}", ran.stdout);
    }
}

#[test]
fn a_profile_reads_as_one_configuration_without_its_failures() {
    let profile = parse("latency.json", &profile(945.0)).unwrap();
    let [llama] = &profile.configurations[..] else { panic!("one configuration: {profile:?}") };
    assert_eq!((llama.name.as_str(), llama.n()), ("llama3.1:8b", Some(9)));
    // The first byte is not the first token
    assert!(llama.ttft().is_empty());
    assert_eq!(profile.timestamp, None);
}

#[test]
fn a_summary_alone_keeps_its_figures_and_its_count() {
    let summary = json!({"summary": {"successful": 10, "median_latency_ms": 870.0, "p95_latency_ms": 945.0}});
    let latency = parse("s.json", &summary).unwrap().configurations.remove(0);
    assert_eq!(latency.figure(Figure::P95), Some(945.0));
    assert_eq!((latency.figure(Figure::P99), latency.n()), (None, Some(10)));
    let providers = json!({"results": [
        {"provider": "vLLM", "model": "q", "successful": 10, "median_latency_ms": 570.0, "p95_latency_ms": 620.0, "errors": []},
    ], "timestamp": 1_769_828_400.5});
    let providers = parse("c.json", &providers).unwrap();
    assert_eq!(providers.configurations[0].figure(Figure::P50), Some(570.0));
    assert_eq!(providers.timestamp.unwrap().to_string(), "2026-01-31T03:00:00.5Z");
}

#[test]
fn what_is_no_result_is_named_with_its_field() {
    let error = |content: Value| parse("x.json", &content).unwrap_err();
    let no_values = json!({"results": [{"config": {"name": "on"}}]});
    assert_eq!(error(no_values), "x.json is no exported result: results[0].timing_results is missing");
    let no_name = json!({"results": [{"config": {}, "timing_results": []}]});
    assert_eq!(error(no_name), "x.json is no exported result: results[0].config.name is missing");
    let no_latency = json!({"results": [{"config": {"name": "on"}, "timing_results": [{"round": 1}]}]});
    assert_eq!(
        error(no_latency),
        "x.json is no exported result: results[0].timing_results[0].latency_ms is missing"
    );
    let zero = json!({"measurements": [{"total_ms": 0.0, "success": true}]});
    assert_eq!(error(zero), "x.json: measurements[0].latency_ms is 0, and a latency is above 0");
    assert_eq!(
        error(json!({"summary": {}})),
        "x.json is no exported result: summary.p95_latency_ms is missing"
    );
    let nothing = error(json!({"bench": "streaming"}));
    assert_eq!(nothing, "x.json is no exported result: results (or measurements, or summary) is missing");
    let failed = json!({"measurements": [{"total_ms": 9.0, "success": false}], "summary": {"successful": 0}});
    assert_eq!(error(failed), "x.json holds no latency: no request succeeded");
    let newer = json!({"schema_version": 2, "results": []});
    assert_eq!(error(newer), "x.json: schema_version is 2, and only 1 is understood");
    let wrong = json!({"results": [{"config": {"name": 7}}]});
    assert!(error(wrong).contains("invalid type"), "a field of another type");
}
