//! `llmlab targets`: what can be asked, and whether it answers.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use llmlab::mock::{FaultKind, Mock, MockConfig};
use llmlab::settings::VARIABLES;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Ran;

/// Keys that the machine may have.
const KEYS: [&str; 3] = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "LITELLM_API_KEY"];
const KEY: &str = "sk-a-key-that-nobody-may-see";

/// A folder with an `llmlab.toml`, and a mock that answers what stands in it.
struct Fixture {
    folder: TempDir,
    mock: Mock,
}

impl Fixture {
    fn new() -> Self {
        let mock = Mock::start(MockConfig::default()).expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary directory");
        let target = |name: &str, model: &str, rest: &str| {
            format!(
                "[targets.{name}]\ndialect = \"openai\"\nbase_url = \"{}\"\nmodel = \"{model}\"\n{rest}",
                mock.url()
            )
        };
        let text = [
            target("staging", "gpt-4o", ""),
            target("elsewhere", "gpt-nobody-has", ""),
            target("locked", "gpt-4o", "auth = \"bearer\"\nkey_variable = \"STAGING_KEY\"\n"),
        ];
        fs::write(folder.path().join("llmlab.toml"), text.join("\n")).expect("the file is written");
        Self { folder, mock }
    }

    fn command(&self, args: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(args).current_dir(self.folder.path());
        for name in VARIABLES.map(|variable| variable.name).iter().chain(&KEYS) {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        command
    }

    fn llmlab(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        Ran::of(self.command(args, environment).output().expect("the command runs"))
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        self.llmlab(&[&["targets"], args].concat(), environment)
    }

    fn json(&self, args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
        let ran = self.run(&[args, &["--json"]].concat(), environment);
        let shown: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
        assert_eq!(shown["schema_version"], 1);
        (ran.code, shown["targets"].as_array().expect("a list").clone())
    }
}

#[test]
fn every_target_is_listed_with_where_it_comes_from_and_whether_its_key_is_set() {
    let fixture = Fixture::new();
    let url = "completions+http://127.0.0.1:9";
    let environment = [("ANTHROPIC_API_KEY", KEY), ("LLMLAB_TARGET", url), ("LLMLAB_MODEL", "mine")];
    let (code, targets) = fixture.json(&[], &environment);
    assert_eq!((code, &targets[0]["name"]), (Some(0), &json!("mock")));
    let target = |name: &str| targets.iter().find(|target| target["name"] == name).expect("it is listed");
    assert_eq!(target("anthropic")["key"], json!({"state": "set", "variable": "ANTHROPIC_API_KEY"}));
    let missing = json!({"state": "missing", "variable": "STAGING_KEY", "optional": false});
    assert_eq!((&target("locked")["key"], &target("locked")["origin"]), (&missing, &json!("file")));
    let chosen = target(url);
    assert_eq!(
        (&chosen["dialect"], &chosen["model"], &chosen["origin"], &chosen["chosen"]),
        (&json!("completions"), &json!("mine"), &json!("url"), &json!(true))
    );
    // And the table says the same
    let table = fixture.run(&[], &environment);
    for words in ["ANTHROPIC_API_KEY is set", "STAGING_KEY is not set", "* completions+http", "llmlab.toml"] {
        assert!(table.stdout.contains(words), "{words}: {}", table.stdout);
    }
    assert!(!format!("{}{}{targets:?}", table.stdout, table.stderr).contains(KEY));
}

#[test]
fn the_table_fits_what_stands_in_it() {
    let fixture = Fixture::new();
    let table = fixture.run(&[], &[]).stdout.replace(&fixture.mock.addr().port().to_string(), "54321");
    insta::assert_snapshot!(table);
}

#[test]
fn a_check_says_what_answers_and_asks_no_model() {
    let fixture = Fixture::new();
    let (code, targets) = fixture.json(&["--check", "staging", "mock"], &[]);
    assert_eq!(code, Some(0), "{targets:?}");
    for target in &targets {
        let check = &target["check"];
        assert_eq!((&check["ok"], &check["mode"]), (&json!(true), &json!("simulated")));
        assert!(check["reached_ms"].as_f64().unwrap() > 0.0 && check["models"].as_u64().unwrap() > 10);
        assert_eq!(check.get("asked"), None);
    }
    assert_eq!(fixture.mock.state().requests.len(), 0);
}

#[test]
fn a_model_that_is_not_there_a_dead_port_and_a_missing_key_each_fail_the_check() {
    let fixture = Fixture::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("openai+http://{}", free.local_addr().unwrap());
    drop(free);
    for (name, sentence) in [
        ("elsewhere", "the model `gpt-nobody-has` is not there (LLMLAB_MODEL names another): it lists"),
        (dead.as_str(), "Connection refused"),
        ("locked", "set STAGING_KEY in the environment"),
    ] {
        // Next to one that is well
        let ran = fixture.run(&["--check", "staging", name], &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.stdout);
        assert!(ran.stdout.contains(sentence) && ran.stdout.contains("FAILED"), "{}", ran.stdout);
        assert!(ran.stdout.contains("ok, simulated"), "{}", ran.stdout);
    }
}

#[test]
fn a_model_that_is_asked_says_one_token() {
    let fixture = Fixture::new();
    let url = |dialect: &str| format!("{dialect}+{}", fixture.mock.url());
    let urls = ["anthropic", "openai", "completions", "generate"].map(url);
    let names: Vec<_> = urls.iter().map(String::as_str).collect();
    let (code, targets) =
        fixture.json(&[&["--ask"], names.as_slice()].concat(), &[("LLMLAB_MODEL", "gpt-4o")]);
    assert_eq!(code, Some(0), "{targets:?}");
    for target in &targets {
        assert!(target["check"]["asked"]["answered_ms"].as_f64().unwrap() > 0.0, "{target}");
        // Nothing was bought
        assert_eq!(target["check"]["asked"].get("cost_usd"), None);
    }
    assert!(fixture.mock.requests().iter().all(|request| request.max_tokens == Some(1)));
    // And one that refuses fails the check, once
    fixture.mock.inject([FaultKind::Status { status: 529, retry_after_s: None }]);
    let ran = fixture.run(&["--ask", "staging"], &[]);
    assert!(ran.code == Some(2) && ran.stdout.contains("529"), "{}", ran.stdout);
}

#[test]
fn a_name_that_is_none_and_a_file_that_cannot_be_read_are_errors() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["stagin"], &[]);
    assert!(ran.code == Some(2) && ran.stderr.contains("NAME=`stagin`: no such target"), "{}", ran.stderr);
    let ran = fixture.run(&[], &[("LLMLAB_TARGET", "gemini+http://127.0.0.1:9")]);
    assert!(
        ran.code == Some(2) && ran.stderr.contains("a dialect of anthropic, openai, completions"),
        "{}",
        ran.stderr
    );
    fs::write(fixture.folder.path().join("llmlab.toml"), "[targets.x]\ndialect = \"gemini\"").unwrap();
    let ran = fixture.run(&[], &[]);
    assert!(ran.code == Some(2) && ran.stderr.contains("llmlab.toml"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_check_that_takes_too_long_can_be_interrupted() {
    // Given a server that takes connections and says nothing
    let fixture = Fixture::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("openai+http://{}", silent.local_addr().unwrap());
    let child = fixture
        .command(&["targets", "--check", &target], &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _connection = silent.accept().unwrap();
    // When somebody presses Ctrl-C, then it ends before its patience does
    let pressed = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.trim_end()), (Some(130), "[llmlab] interrupted"));
    assert!(pressed.elapsed() < Duration::from_secs(4), "{:?}", pressed.elapsed());
}

#[test]
fn a_task_with_tools_is_not_done_where_the_dialect_has_none() {
    let fixture = Fixture::new();
    let target = format!("completions+{}", fixture.mock.url());
    let args = ["matrix", "--runs", "1", "--scenarios", "tool_support"];
    let ran = fixture.llmlab(&args, &[("LLMLAB_TARGET", &target), ("LLMLAB_MODEL", "gpt-4o")]);
    let sentence = "the completions dialect knows no tools";
    assert!(ran.code == Some(2) && ran.stderr.contains(sentence), "{:?} {}", ran.code, ran.stderr);
}
