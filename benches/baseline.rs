//! How long do tasks take before anything is optimised: a question, a problem, an agent with tools, an answer from
//! retrieved passages?

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::agent;

fn main() -> ExitCode {
    bench::main("baseline", agent::baseline(&agent::REPRESENTATIVE))
}
