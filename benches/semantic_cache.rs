//! What does a cache of answers save, how often is it wrong, and what does a lookup cost as it grows?

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::SEMANTIC_CACHE;

fn main() -> ExitCode {
    bench::main(SEMANTIC_CACHE.name, SEMANTIC_CACHE.groups())
}
