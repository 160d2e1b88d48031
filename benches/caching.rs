//! Does prompt caching pay, and from which prefix length on?
//!
//! Three groups: cached against uncached prompts over the length of their prefix, the patterns that warm a
//! cache or let it go cold, and the automatic prefix cache of the OpenAI dialect.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::CACHING;

fn main() -> ExitCode {
    bench::main(CACHING.name, CACHING.groups())
}
