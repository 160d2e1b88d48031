//! How much sooner does a reader see something when the answer is streamed, by the length of the answer?
//! And does a harder question take longer to begin?

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::STREAMING;

fn main() -> ExitCode {
    bench::main(STREAMING.name, STREAMING.groups())
}
