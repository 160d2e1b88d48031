//! Does prompt caching pay, and from which prefix length on?
//!
//! Three groups: cached against uncached prompts over the length of their prefix, the patterns that warm a
//! cache or let it go cold, and the automatic prefix cache of the OpenAI dialect.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::caching;

/// Lengths just above the minimum of the automatic cache and well past it.
const AUTOMATIC_TOKENS: [u64; 2] = [1_500, 10_000];

fn main() -> ExitCode {
    bench::main(
        "caching",
        [caching::prefix(&caching::PREFIX_TOKENS), caching::warm_up(), caching::automatic(&AUTOMATIC_TOKENS)],
    )
}
