//! What is gained by prompts that are not sent, or not served, one after another?
//!
//! A client that sends its prompts all at once; and a server that lets requests wait for each other and serves them in
//! batches, over the requests at once, the largest batch and the time that it waits.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::BATCHING;

fn main() -> ExitCode {
    bench::main(BATCHING.name, BATCHING.groups())
}
