//! What every command does alike: help, exit codes, pipes, JSON.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Ran;

/// A folder with two exported results in it.
struct Fixture(TempDir);

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for (name, scale) in [("before", 1.0), ("after", 0.5)] {
            let timings: Vec<_> =
                (0..20).map(|index| json!({"latency_ms": scale * (100.0 + f64::from(index))})).collect();
            let result = json!({"timestamp": "2026-01-01T03:00:00Z", "results": [{"config": {"name": "on"}, "timing_results": timings}]});
            fs::write(folder.path().join(format!("{name}.json")), result.to_string()).expect("a file");
        }
        Self(folder)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(args).current_dir(self.0.path()).env("CRITERION_HOME", self.0.path());
        command.env_remove("LLMLAB_TARGET").env("LLMLAB_SELFTEST", "off");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the command runs"))
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.stdout))
    }
}

/// The baselines of this repository.
const BASELINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target-baselines");

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_command_has_examples_and_says_its_exit_codes() {
    let fixture = Fixture::new();
    let mut left: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = BTreeSet::new();
    while let Some(path) = left.pop() {
        let mut args: Vec<_> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let help = fixture.run(&args);
        assert_eq!(help.code, Some(0), "{path:?}: {}", help.stderr);
        assert!(help.stdout.contains("Exit codes:\n  0    done, passed"), "{path:?}: {}", help.stdout);
        // Those of a command's own subcommands stand in its own help.
        let has_examples = help.stdout.contains("Examples:") || path.len() > 1;
        assert!(has_examples, "{path:?} has no examples: {}", help.stdout);
        left.extend(subcommands(&help.stdout).into_iter().map(|name| [path.clone(), vec![name]].concat()));
        seen.insert(path.join(" "));
    }
    for name in ["", "run", "baseline save", "report compare", "mock", "targets", "completions", "man"] {
        assert!(seen.contains(name), "{name} was not found among {seen:?}");
    }
}

#[test]
fn without_a_command_there_is_help_and_for_a_misspelt_one_a_suggestion() {
    let fixture = Fixture::new();
    let nothing = fixture.run(&[]);
    assert!(nothing.stderr.contains("Usage: llmlab <COMMAND>"), "{}", nothing.stderr);
    for (args, suggestion) in [
        (&["gat"][..], "a similar subcommand exists: 'gate'"),
        (&["baseline", "lst"], "a similar subcommand exists: 'list'"),
        (&["run", "streaming", "--quik"], "a similar argument exists: '--quick'"),
    ] {
        let ran = fixture.run(args);
        assert!(ran.code == Some(2) && ran.stderr.contains(suggestion), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let fixture = Fixture::new();
    for args in [
        &["--help"][..],
        &["help", "gate"],
        &["scenarios", "list"],
        &["scenarios", "list", "--json"],
        &["targets"],
        &["claims"],
        &["claims", "--json"],
        &["trend", "."],
        &["report", "compare", "before.json", "after.json"],
        &["gate", "before.json", "after.json", "--metric", "p50"],
        &["baseline", "list", "--dir", BASELINES],
        &["baseline", "diff", "simulated", "simulated", "--dir", BASELINES],
        &["mock", "--list-profiles"],
        &["mock", "--print-config"],
        &["completions", "zsh"],
        &["man"],
        &["routing", "--accuracy", "--smoke"],
        &["run", "streaming", "--quick", "--filter", "/50$"],
    ] {
        // Given a pipe that nobody reads
        let mut child =
            fixture.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        // When the command writes to it, then it ends well
        let ran = Ran::of(child.wait_with_output().expect("it ends"));
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("error:") && !ran.stderr.contains("panicked"),
            "{args:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_completion_script_of_each_shell_knows_the_commands() {
    let fixture = Fixture::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = fixture.run(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{}", script.stderr);
        for word in ["gate", "max-regress", "targets"] {
            assert!(script.stdout.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(fixture.run(&["completions", "cmd"]).code, Some(2));
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let fixture = Fixture::new();
    let page = fixture.run(&["man"]);
    assert!(page.code == Some(0) && page.stdout.contains(".TH llmlab 1"), "{}", page.stdout);
    assert_eq!(fixture.run(&["man", "pages/man1"]).code, Some(0));
    for name in ["llmlab", "llmlab-gate", "llmlab-baseline-save", "llmlab-targets"] {
        let text = fs::read_to_string(fixture.0.path().join(format!("pages/man1/{name}.1"))).unwrap();
        assert!(text.contains("Exit codes"), "{name}");
    }
    // And a folder that cannot be made is named
    let refused = fixture.run(&["man", "before.json/man1"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("before.json/man1"), "{}", refused.stderr);
}

#[test]
fn what_shows_figures_prints_them_for_programs_too() {
    let fixture = Fixture::new();
    let compared = fixture.json(&["report", "compare", "before.json", "after.json", "--json"]);
    let row = &compared["comparisons"][0]["rows"][0];
    assert_eq!((&compared["schema_version"], &row["figure"]), (&json!(1), &json!("p50")));
    assert_eq!((&row["configuration"], row["improvement"].as_f64().unwrap().round()), (&json!("on"), 50.0));

    let gate = ["gate", "before.json", "after.json", "--metric", "p50", "--format", "json"];
    let gate = fixture.json(&gate);
    let judged = &gate["configurations"][0];
    assert_eq!((&gate["outcome"], &judged["level"]), (&json!("pass"), &json!("pass")));
    assert_eq!((&judged["quantile"], judged["change"].as_f64().unwrap().round()), (&json!("p50"), -50.0));

    let listed = fixture.json(&["baseline", "list", "--json", "--dir", BASELINES]);
    let caching = listed["baselines"].as_array().unwrap().iter().find(|entry| entry["bench"] == "caching");
    let caching = caching.expect("the baseline that ships has it");
    assert_eq!((&caching["name"], &caching["fits"]["mode"]), (&json!("simulated"), &json!("simulated")));
    assert!(caching["benchmarks"].as_u64().unwrap() > 10 && caching["bytes"].as_u64().unwrap() > 1000);

    let diff =
        ["baseline", "diff", "simulated", "simulated", "--bench", "caching", "--json", "--dir", BASELINES];
    let diff = fixture.json(&diff);
    let changes = diff["benches"][0]["benchmarks"].as_array().unwrap();
    assert!(changes.len() > 10 && changes.iter().all(|change| change["change"] == 0.0), "{diff}");

    let routing = fixture.json(&["routing", "--accuracy", "--smoke", "--json"]);
    assert_eq!((&routing["mode"], &routing["seed"]), (&json!("simulated"), &json!(20)));
    let classifier = &routing["classifiers"][0];
    assert_eq!(classifier["assumed"], json!(true));
    let called = classifier["called"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|said| said.as_object().unwrap().values());
    assert_eq!(called.filter_map(Value::as_u64).sum::<u64>(), 9);
    assert!(classifier["accuracy"]["estimate"].is_number(), "{classifier}");
}
