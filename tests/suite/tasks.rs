//! The commands about tasks: what there is, what each optimisation gains on them, what is claimed of it.

use std::path::Path;
use std::process::Command;

use llmlab::report::results::Comparison;
use tempfile::TempDir;

use crate::support::Ran;

/// Runs `llmlab` in a folder of its own, where no bench ever ran.
fn lab(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command
        .args(args)
        .current_dir(folder)
        .env("CRITERION_HOME", folder.join("criterion"))
        .env("LLMLAB_SELFTEST", "off");
    Ran::of(command.output().expect("the command runs"))
}

#[test]
fn the_tasks_are_listed_with_their_sizes() {
    let folder = TempDir::new().unwrap();
    let text = lab(folder.path(), &["scenarios", "list"]);
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    for category in ["simple_qa", "reasoning", "tool_agent", "rag"] {
        assert!(text.stdout.contains(category), "{}", text.stdout);
    }
    let json = lab(folder.path(), &["scenarios", "list", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json.stdout).unwrap();
    assert!(rows.len() >= 15, "{}", rows.len());
}

#[test]
fn a_matrix_has_every_legal_combination_for_every_task_and_ranks_what_gains() {
    let folder = TempDir::new().unwrap();
    let args = ["matrix", "--scenarios", "simple_factual,simple_translation", "--runs", "2"];
    let ran = lab(folder.path(), &[&args[..], &["--toggles", "streaming,connection_reuse"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for column in ["simple_factual", "simple_translation", "baseline", "streaming+connection_reuse"] {
        assert!(ran.stdout.contains(column), "{column}: {}", ran.stdout);
    }
    // Eight cells are kept; the claim of a biggest gain is not judged without the toggle that it speaks of
    let files = std::fs::read_dir(folder.path().join("results")).unwrap().flatten().map(|entry| entry.path());
    let result = files
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| Comparison::read(&path));
    let result = result.collect::<Result<Vec<_>, _>>().unwrap();
    let cells: usize = result[0].summary.iter().map(|group| group.arms.len()).sum();
    assert_eq!((result.len(), cells), (1, 8));
    let claims = lab(folder.path(), &["claims", "--json"]);
    assert_eq!(claims.code, Some(0), "{}", claims.stderr);
    let claims: serde_json::Value = serde_json::from_str(&claims.stdout).unwrap();
    assert_eq!(claims["rankings"].as_array().map(Vec::len), Some(2));
    let biggest =
        claims["claims"].as_array().unwrap().iter().find(|claim| claim["id"] == "caching-biggest-win");
    assert_eq!(biggest.unwrap()["standing"], "not_measured");
}

#[test]
fn a_classifier_is_held_against_labelled_prompts() {
    let folder = TempDir::new().unwrap();
    let ran = lab(folder.path(), &["routing", "--accuracy", "--smoke"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in ["is simulated", "labelled complex", "/9 (", "Misrouted down:", "heuristic:"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert_eq!(lab(folder.path(), &["routing"]).code, Some(2));
}

#[test]
fn names_that_are_none_are_refused_with_those_there_are() {
    let folder = TempDir::new().unwrap();
    let refused = |args: &[&str], words: &str| {
        let ran = lab(folder.path(), args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    };
    refused(&["matrix", "--toggles", "warp"], "parallel_tools");
    refused(&["matrix", "--toggles", "streaming", "--scenarios", "nothing"], "llmlab scenarios list");
    refused(&["claims", "--optimization", "warp"], "--optimization");
}
