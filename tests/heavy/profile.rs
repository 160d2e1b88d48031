//! What `llmlab profile` exports, held to its schema and to the scripts that read such files.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::support::{MockCommand, command, root, switched_on};

static PROFILE: LazyLock<Validator> = LazyLock::new(|| {
    let text =
        fs::read_to_string(root().join("fixtures/schemas/profile.v1.json")).expect("the schema's file");
    jsonschema::validator_for(&serde_json::from_str(&text).expect("JSON")).expect("a schema")
});

/// Profiles with these arguments into a file in `directory`, and returns what it wrote.
fn export(directory: &Path, name: &str, args: &[&str]) -> Value {
    let path = directory.join(name);
    let run = command("llmlab").arg("profile").args(args).arg("--export").arg(&path).output();
    let run = run.expect("the command runs");
    let text =
        fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    serde_json::from_str(&text).expect("JSON")
}

#[track_caller]
fn assert_valid(value: &Value) {
    // Of the three kinds, the one that it says it is
    let errors: Vec<_> = PROFILE.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn every_export_of_a_profile_fits_the_schema() {
    let directory = tempfile::tempdir().expect("a directory");
    let mock = ["--target", "mock"];
    let kinds: [&[&str]; 6] = [
        &["latency", "--iterations", "3"],
        &["latency", "--iterations", "2", "--no-stream", "--compat-percentile", "floor"],
        &["latency", "--iterations", "2", "--sweep-tokens", "2,5"],
        &["throughput", "--requests", "5"],
        &["throughput", "--requests", "5", "--sweep", "--pause", "0s"],
        &["compare", "--iterations", "2"],
    ];
    for args in kinds {
        assert_valid(&export(directory.path(), "e.json", &[args, &mock].concat()));
    }
    // Failures, too, and nothing but failures
    let mock = MockCommand::start(&[]);
    for faults in [1, 3] {
        let fault = vec![r#"{"kind": "status", "status": 500}"#; faults].join(",");
        assert!(mock.post("/_mock/faults", &format!("[{fault}]")).starts_with("HTTP/1.1 200"));
        let args = ["latency", "--warmup", "0", "--iterations", "3", "--url", mock.url()];
        assert_valid(&export(directory.path(), "e.json", &args));
    }
}

#[test]
fn an_export_with_anything_wrong_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let export = export(directory.path(), "e.json", &["latency", "--iterations", "2", "--target", "mock"]);
    for (pointer, wrong) in [
        ("/schema_version", Value::from(2)),
        ("/name", "speed".into()),
        ("/measurements/0/total_ms", Value::from(-1)),
        ("/measurements/0/mode", "guessed".into()),
        ("/summary/p95_latency_ms", Value::Null),
        ("/provenance/seed", Value::Null),
    ] {
        let mut changed = export.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = wrong;
        assert!(!PROFILE.is_valid(&changed), "{pointer}");
    }
}

#[test]
fn the_scripts_that_people_have_run_unchanged() {
    let Some(python) = switched_on("LLMLAB_TEST_PYTHON") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    export(directory.path(), "results-latency.json", &["latency", "--target", "mock"]);
    let output = Command::new(python)
        .arg(root().join("tests/clients/profile_exports.py"))
        .arg("results-latency.json")
        .current_dir(directory.path())
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for words in
        ["Mean latency: ", "P95 latency: ", "Slow requests (>2s): 0", "TTFB correlation with total latency: "]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
}
