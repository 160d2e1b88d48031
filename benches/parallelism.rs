//! What do tools and agents save that work at the same time, by how many there are, how they differ and what
//! they need of each other? And is the gain proportional to the work that can be spread?

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::PARALLELISM;

fn main() -> ExitCode {
    bench::main(PARALLELISM.name, PARALLELISM.groups())
}
