//! A build without traces says so to whoever asks for them.

use std::process::Command;

use llmlab::settings::VARIABLES;
use llmlab::telemetry::{TracingConfig, init_tracing};

use crate::support::Ran;

#[test]
fn traces_that_were_not_built_are_refused_with_the_feature_that_has_them() {
    let directory = tempfile::tempdir().unwrap();
    for command in [
        &["run", "streaming", "--quick"][..],
        &["profile", "latency", "--target", "mock"],
        &["load", "--endpoint", "http://127.0.0.1:1/generate", "--requests", "1"],
    ] {
        let mut llmlab = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        llmlab.args(command).current_dir(directory.path());
        for variable in &VARIABLES {
            llmlab.env_remove(variable.name);
        }
        let ran = Ran::of(llmlab.env("LLMLAB_TRACE", "console").output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{command:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("--features otel"), "{command:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("will send"), "{command:?}: {}", ran.stderr);
    }
    let refused = init_tracing(TracingConfig::default()).unwrap_err().to_string();
    assert!(refused.contains("--features otel"), "{refused}");
}
