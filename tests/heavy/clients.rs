//! `llmlab mock` as a program, and the vendors' own clients against it.

use std::process::Command;

use crate::support::{MockCommand, command, root, switched_on};

#[test]
fn the_official_python_clients_work_against_the_mock() {
    let Some(python) = switched_on("LLMLAB_TEST_PYTHON") else { return };
    let mock = MockCommand::start(&["--keep-bodies"]);
    let output = Command::new(python)
        .arg(root().join("tests/clients/official_clients.py"))
        .arg(mock.url())
        .output()
        .expect("Python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_first_line_is_the_url_and_the_rest_names_what_it_answers() {
    let mock = MockCommand::start(&["--profile", "gpt-4o", "--slowdown", "0.01"]);
    assert!(mock.url().starts_with("http://127.0.0.1:"), "{}", mock.url());
    for word in ["/v1/messages", "/v1/chat/completions", "/generate", "profile gpt-4o, slowdown 0.01"] {
        assert!(mock.greeting().contains(word), "{word} in {}", mock.greeting());
    }
}

#[cfg(unix)]
#[test]
fn it_ends_at_a_signal_and_says_what_it_served() {
    for (signal, code) in [("-INT", 130), ("-TERM", 0)] {
        let mock = MockCommand::start(&[]);
        let answer = mock.post("/generate", r#"{"prompt": "Hello", "max_tokens": 4}"#);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (exit, said) = mock.end(signal);
        assert_eq!(exit, Some(code), "{signal}");
        assert!(said.contains("1 requests served; wrote"), "{said}");
    }
}

#[test]
fn a_wrong_flag_is_named_and_the_exit_code_is_2() {
    let taken = MockCommand::start(&[]);
    let port = taken.url().rsplit(':').next().expect("a port");
    let cases = [
        (vec!["--profile", "warp"], "--profile", "claude-sonnet-4.6"),
        (vec!["--slowdown", "0"], "--slowdown", "above 0"),
        (vec!["--host", "0.0.0.0"], "--host", "this machine alone"),
        (vec!["--max-batch-size", "0"], "--max-batch-size", "at least 1"),
        (vec!["--port", port], "--port", "0 for a free one"),
    ];
    for (args, flag, advice) in cases {
        let output = command("llmlab").arg("mock").args(&args).output().expect("llmlab starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(flag) && said.contains(advice), "{args:?}: {said}");
    }
}

#[test]
fn the_profiles_are_listed_without_a_server() {
    let output = command("llmlab").args(["mock", "--list-profiles"]).output().expect("llmlab starts");
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && listed.lines().count() > 5 && listed.starts_with("fast "), "{listed}");
}
