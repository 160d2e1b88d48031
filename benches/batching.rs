//! What is gained by prompts that are not sent, or not served, one after another?
//!
//! Two groups: a client that sends its prompts all at once, and a server that lets requests wait for each other and
//! serves them in batches.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::BATCHING;

fn main() -> ExitCode {
    bench::main(BATCHING.name, BATCHING.groups())
}
