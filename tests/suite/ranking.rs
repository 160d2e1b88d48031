//! `llmlab simulate`: the same values for everybody, and ranks that they can bear.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::Ran;

fn simulate(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.arg("simulate").args(args).env_remove("SEED");
    Ran::of(command.output().expect("the command runs"))
}

#[test]
fn the_usual_seed_gives_the_golden_rankings_bit_for_bit() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/rankings_seed20.json");
    let golden = fs::read_to_string(golden).expect("the golden file");
    let ran = simulate(&["--json"]);
    assert_eq!((ran.stdout, ran.code), (golden.clone(), Some(0)));
    assert!(ran.stderr.contains("nobody measured"), "{}", ran.stderr);
    // The seed of the environment, and another one
    let seeded = |seed| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        Ran::of(command.args(["simulate", "--json"]).env("SEED", seed).output().unwrap()).stdout
    };
    assert_eq!(seeded("20"), golden);
    assert_ne!(seeded("3"), golden);
}

#[test]
fn ranks_count_the_models_that_are_shown_to_be_better() {
    let ran = simulate(&["--json", "--full", "--order", "best"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let first = &found["data"][0]["ttft"];
    assert_eq!(first[0]["llm_name"], "Llama 3.1 70B", "the lowest time is the best");
    for (index, place) in first.as_array().unwrap().iter().enumerate() {
        assert_eq!(place["stats"]["n"], 1_000, "{index}");
        assert!(place["stats"]["p99"].as_f64().unwrap() <= 2.0);
    }
    // 1.05 is not shown to be worse than 1.00, from which it lies 2.0 standard errors; 1.07 is, at 2.8
    let places: Vec<_> = (0..3).map(|at| (&first[at]["rank"], &first[at]["tied"])).collect();
    assert_eq!(serde_json::json!(places), serde_json::json!([[1, true], [1, true], [2, false]]));
    assert_eq!(found["source"], "simulated");
}

#[test]
fn a_dump_holds_every_value() {
    let ran = simulate(&["--dump", "--points", "7"]);
    let dump: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(dump["simulations"].as_array().unwrap().len(), 3 * 4 * 7);
    assert_eq!((&dump["source"], &dump["seed"]), (&Value::from("simulated"), &Value::from("20")));
    assert_eq!(dump["llms"][0], serde_json::json!({"name": "GPT-4o", "company_name": "openai"}));
}

#[test]
fn what_cannot_be_simulated_is_an_error_that_names_the_flag() {
    for (args, said) in [
        (&["--points", "0"][..], "--points: 0 values"),
        (&["--dist", "normal"], "there are uniform and lognormal"),
        (&["--full"], "--json"),
    ] {
        let ran = simulate(args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stdout.is_empty(), "{}", ran.stderr);
    }
}
