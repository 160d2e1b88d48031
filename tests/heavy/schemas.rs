//! The written formats, held to their published schemas.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{BenchRun, MockCommand, command, root};

fn schema(name: &str) -> Value {
    let path = root().join("fixtures/schemas").join(name);
    serde_json::from_str(&fs::read_to_string(path).expect("the schema's file")).expect("JSON")
}

static RECORD: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema("record.v1.json")).expect("a schema"));
static SUMMARY: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema("summary.v1.json")).expect("a schema"));
static RESULTS: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema("results.v1.json")).expect("a schema"));

/// What `llmlab run` writes with these arguments.
fn comparison(args: &[&str]) -> Value {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let run = command("llmlab")
        .arg("run")
        .args(args)
        .arg("--json")
        .arg("--output-dir")
        .arg(directory.path())
        .output();
    let run = run.expect("the command runs");
    let printed: Value = serde_json::from_slice(&run.stdout).expect("JSON on standard output");
    let files =
        fs::read_dir(directory.path()).expect("the output directory").flatten().map(|file| file.path());
    let written = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "json"));
    let written = fs::read_to_string(written.expect("a result")).expect("a result is text");
    assert_eq!(printed, serde_json::from_str::<Value>(&written).expect("JSON"));
    printed
}

static BASELINE: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema("baseline.v1.json")).expect("a schema"));

/// The benchmarks of two groups, one explicit and one automatic cache, at the shortest prefix.
static RUN: LazyLock<BenchRun> =
    LazyLock::new(|| BenchRun::of("^caching/(ttft|total|automatic/ttft)/.*/(512|1500)$", &["--noplot"], &[]));

fn records(run: &BenchRun) -> Vec<Value> {
    let lines = run.file(".jsonl");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn summary(run: &BenchRun) -> Value {
    serde_json::from_str(&run.file(".summary.json")).expect("JSON")
}

#[track_caller]
fn assert_valid(validator: &Validator, value: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {value:#}");
}

#[test]
fn every_record_of_a_run_fits_its_schema() {
    // Given a run of two groups
    let records = records(&RUN);
    // Then each record fits, and there are those of both
    for record in &records {
        assert_valid(&RECORD, record);
    }
    for group in ["caching", "caching/automatic"] {
        assert!(records.iter().any(|record| record["group"] == group), "{group}");
    }
}

#[test]
fn the_summary_of_a_run_fits_its_schema() {
    let summary = summary(&RUN);
    assert_valid(&SUMMARY, &summary);
    assert_eq!(summary["groups"].as_array().map(Vec::len), Some(2));
    assert_eq!(summary["provenance"]["mode"], "simulated");
}

#[test]
fn a_failed_attempt_and_its_retry_fit_the_schema() {
    // Given a mock that refuses the first request
    let mock = MockCommand::start(&[]);
    assert!(mock.post("/_mock/faults", r#"[{"kind": "status", "status": 529}]"#).starts_with("HTTP/1.1 200"));
    // When a bench asks it
    let target = format!("anthropic+{}", mock.url());
    let settings = [("LLMLAB_TARGET", target.as_str()), ("LLMLAB_MODEL", "claude-sonnet-4-6")];
    let run = BenchRun::of("^caching/ttft/uncached/(512|1500)$", &["--noplot"], &settings);
    // Then both attempts are recorded as what they are
    let records = records(&run);
    for record in &records {
        assert_valid(&RECORD, record);
    }
    assert_eq!(records[0]["outcome"], json!({"failed": "overloaded"}));
    assert_eq!((&records[1]["outcome"], &records[1]["attempt"]), (&json!("ok"), &json!(2)));
    assert_valid(&SUMMARY, &summary(&run));
}

#[test]
fn a_record_with_anything_wrong_is_refused() {
    let record = records(&RUN).swap_remove(0);
    let changes: [(&str, Value); 7] = [
        ("schema_version", json!(2)),
        ("elapsed_ns", json!("12 ms")),
        ("mode", json!("real")),
        ("values", json!({"ttft": null})),
        ("usage", json!({"input_tokens": 5})),
        // A failure has a message and no latencies.
        ("outcome", json!({"failed": "timeout"})),
        ("latency", json!(5)),
    ];
    for (field, value) in changes {
        let mut wrong = record.clone();
        wrong[field] = value;
        assert!(!RECORD.is_valid(&wrong), "{field}: {}", wrong[field]);
    }
    for field in schema("record.v1.json")["required"].as_array().expect("a list") {
        let mut wrong = record.clone();
        wrong.as_object_mut().expect("an object").remove(field.as_str().expect("a name"));
        assert!(!RECORD.is_valid(&wrong), "without {field}");
    }
}

#[test]
fn a_summary_with_anything_wrong_is_refused() {
    let summary = summary(&RUN);
    for (pointer, value) in [
        ("/provenance/mode", json!("live")),
        ("/provenance/machine/cores", json!(0)),
        ("/groups/0/arms/0/cache/hit_share", json!(1.5)),
        ("/groups/0/arms/0/metrics/ttft/mean", Value::Null),
        ("/machine_class", json!("")),
        ("/benchmarks/0/sample_hash", json!("0")),
        ("/totals", json!({})),
    ] {
        let mut wrong = summary.clone();
        *wrong.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {summary:#}")) = value;
        assert!(!SUMMARY.is_valid(&wrong), "{pointer}");
    }
}

/// The manifest of a baseline made of the run.
fn manifest(run: &BenchRun) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let saved = command("llmlab")
        .args(["baseline", "save", "main"])
        .arg("--dir")
        .arg(directory.path())
        .arg("--criterion-home")
        .arg(run.home())
        .output()
        .expect("llmlab starts");
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    let text = fs::read_to_string(directory.path().join("main/manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_manifest_of_a_baseline_fits_its_schema_and_nothing_else_does() {
    let manifest = manifest(&RUN);
    assert_valid(&BASELINE, &manifest);
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/benches/caching/fits/mode", json!("live")),
        ("/benches/caching/fits/seed", json!(-1)),
        ("/benches/caching/runs", json!([])),
        ("/benches/caching/benchmarks/0/unit", json!("ms")),
        ("/benches/caching/benchmarks/0/files/0/sample", json!("none")),
    ] {
        let mut wrong = manifest.clone();
        *wrong.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {manifest:#}")) = value;
        assert!(!BASELINE.is_valid(&wrong), "{pointer}");
    }
}

/// What a gate says of the run as if another one were its baseline.
fn findings(run: &BenchRun) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let llmlab = |args: &[&str]| {
        let mut command = command("llmlab");
        command.args(args).arg("--dir").arg(directory.path()).arg("--criterion-home").arg(run.home());
        command.output().expect("llmlab starts")
    };
    assert!(llmlab(&["baseline", "save", "main"]).status.success());
    let path = directory.path().join("main/manifest.json");
    let mut manifest: Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("a manifest")).expect("JSON");
    manifest["benches"]["caching"]["runs"][0]["run_id"] = "20260101T000000Z-00000000".into();
    fs::write(&path, manifest.to_string()).expect("the manifest is written");
    let gated = llmlab(&["gate", "--baseline", "main", "--format", "json"]);
    serde_json::from_slice(&gated.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&gated.stderr)))
}

#[test]
fn the_findings_of_a_gate_fit_their_schema() {
    let gate = jsonschema::validator_for(&schema("gate.v1.json")).expect("a schema");
    let findings = findings(&RUN);
    assert_valid(&gate, &findings);
    assert_eq!(findings["outcome"], "pass", "a run does not differ from itself");
    for (pointer, value) in [
        ("/outcome", json!("fine")),
        ("/benches/0/benchmarks/0/decision", json!("slower")),
        ("/benches/0/benchmarks/0/p", json!(2)),
        ("/benches/0/baseline_runs", json!([])),
    ] {
        let mut wrong = findings.clone();
        *wrong.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {findings:#}")) = value;
        assert!(!gate.is_valid(&wrong), "{pointer}");
    }
}

#[test]
fn the_result_of_a_run_fits_its_schema_whether_it_decides_or_not() {
    let smoke = comparison(&["caching", "--quick"]);
    assert_valid(&RESULTS, &smoke);
    assert_eq!(
        (&smoke["smoke"], &smoke["verdicts"][0]["verdict"]),
        (&json!(true), &json!("not_enough_data"))
    );
    let decided = comparison(&["streaming", "--filter", "on/50$"]);
    assert_valid(&RESULTS, &decided);
    assert_eq!(decided["ending"], "decided");
}

#[test]
fn a_result_with_anything_wrong_is_refused() {
    let result = comparison(&["streaming", "--quick", "--filter", "on/50$"]);
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/ending", json!("tired")),
        ("/results/0/success_rate", json!(101)),
        ("/results/0/stats/avg_cache_hit_rate", json!(99.0)),
        ("/results/0/timing_results/0/latency_ms", json!("62ms")),
        ("/verdicts/0/verdict", json!("better")),
        ("/provenance/machine/cores", json!(0)),
    ] {
        let mut wrong = result.clone();
        *wrong.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {result:#}")) = value;
        assert!(!RESULTS.is_valid(&wrong), "{pointer}");
    }
}

static CASSETTE: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema("cassette.v1.json")).expect("a schema"));

/// The recordings of a directory.
fn recordings(directory: &Path) -> Vec<Value> {
    let files = fs::read_dir(directory).expect("a cassette").flatten().map(|file| file.path());
    let text = |path| fs::read_to_string(path).expect("a recording is text");
    files.map(|path| serde_json::from_str(&text(path)).expect("JSON")).collect()
}

#[test]
fn recordings_that_ship_and_those_of_a_run_fit_their_schema() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let tape = directory.path().join("tape");
    let run = command("llmlab")
        .args(["record", "--prompt", "What is it?", "--out"])
        .arg(&tape)
        .output()
        .expect("the command runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let shipped = root().join("fixtures/cassettes");
    let names = ["smollm2-anthropic", "smollm2-openai"].map(|name| shipped.join(name));
    let all: Vec<_> = names.iter().chain([&tape]).flat_map(|directory| recordings(directory)).collect();
    assert_eq!(all.len(), 18);
    for recording in &all {
        assert_valid(&CASSETTE, recording);
    }
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/hash", json!("short")),
        ("/recorded/mode", json!("real")),
        ("/request/dialect", json!("klingon")),
        ("/response/chunks/0", json!({"at_ns": 1})),
        ("/response/chunks/0", json!({"at_ns": 1, "text": "a", "base64": "YQ=="})),
        ("/response/ending", json!("sad")),
    ] {
        let mut wrong = all[0].clone();
        *wrong.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        assert!(!CASSETTE.is_valid(&wrong), "{pointer}");
    }
}

/// What `llmlab load` finds with these arguments, and its records.
fn load(args: &[&str]) -> (Value, Vec<Value>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let raw = directory.path().join("raw.jsonl");
    let run = command("llmlab").args(["load", "--json"]).args(args).arg("--raw").arg(&raw).output();
    let run = run.expect("the command runs");
    let result = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    let lines = fs::read_to_string(raw).expect("the records are text");
    (result, lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect())
}

#[test]
fn the_result_of_a_load_fits_its_schema_and_nothing_else_does() {
    let validator = jsonschema::validator_for(&schema("load.v1.json")).expect("a schema");
    let closed = ["--target", "mock", "--requests", "10", "--slo-ttft", "1s", "--slo-p95", "10s"];
    let open = ["--target", "mock", "--dialect", "generate", "--rate", "100", "--requests", "12"];
    for args in [&closed[..], &open] {
        let (result, records) = load(args);
        assert_valid(&validator, &result);
        records.iter().for_each(|record| assert_valid(&RECORD, record));
    }
    let (result, _) = load(&closed);
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/ttft_p50_ms", json!("12 ms")),
        ("/cache_hit_rate", json!(28)),
        ("/ending", json!("tired")),
        ("/latencies_ms/ttft/p99", Value::Null),
        ("/saturation/limits", json!(["moon"])),
        ("/settings/arrivals", json!("now and then")),
        ("/provenance/machine/cores", json!(0)),
    ] {
        let mut wrong = result.clone();
        *wrong.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {result:#}")) = value;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
}

#[test]
fn every_field_of_the_schemas_is_explained_and_every_object_is_closed() {
    for name in [
        "record.v1.json",
        "summary.v1.json",
        "baseline.v1.json",
        "results.v1.json",
        "gate.v1.json",
        "cassette.v1.json",
        "load.v1.json",
        "selftest.v1.json",
    ] {
        let schema = schema(name);
        jsonschema::meta::validate(&schema).expect("a JSON Schema 2020-12");
        explained(name, &schema);
    }
}

fn explained(at: &str, schema: &Value) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object)
        && schema["type"] == "object"
    {
        assert!(schema.get("additionalProperties").is_some(), "{at} is open");
        for (name, property) in properties {
            assert!(property["title"].is_string() && property["description"].is_string(), "{at}: {name}");
        }
    }
    let children: Vec<(String, &Value)> = match schema {
        Value::Object(map) => map.iter().map(|(name, value)| (format!("{at}/{name}"), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (format!("{at}/{i}"), value)).collect()
        }
        _ => Vec::new(),
    };
    for (at, child) in children {
        explained(&at, child);
    }
}

#[test]
fn a_selftest_fits_its_schema() {
    let schema = jsonschema::validator_for(&schema("selftest.v1.json")).expect("a schema");
    let args = ["selftest", "--streams", "1,4", "--requests", "1", "--runs", "2", "--quick", "--json"];
    let ran = command("llmlab").args(args).output().expect("llmlab runs");
    // Whether this machine keeps the bounds does not matter here
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&ran.stderr));
    let found = serde_json::from_slice(&ran.stdout).expect("JSON on standard output");
    assert_valid(&schema, &found);
    let mut wrong: Value = found;
    wrong["levels"][0]["client"]["ttft_error"].as_object_mut().expect("an object").remove("n");
    assert!(!schema.is_valid(&wrong), "a figure without its n");
}

#[test]
fn targets_listed_and_checked_fit_their_schema() {
    // Given a mock that is well, and a port where nobody listens
    let schema = jsonschema::validator_for(&schema("targets.v1.json")).expect("a schema");
    let mock = MockCommand::start(&[]);
    let (well, dead) = (format!("generate+{}", mock.url()), "openai+http://127.0.0.1:9");
    // When targets are listed, checked and asked, then what is printed fits
    for args in [&[][..], &["--check", &well, "anthropic", dead], &["--ask", &well, "mock"]] {
        let ran = command("llmlab").arg("targets").args(args).arg("--json").output().expect("llmlab runs");
        assert_valid(&schema, &serde_json::from_slice(&ran.stdout).expect("JSON on standard output"));
    }
}
