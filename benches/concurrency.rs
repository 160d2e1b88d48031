//! How much more is answered when more is asked at once, and what does each request pay?
//!
//! Two groups: a closed loop over the number of workers, with the scalability law fitted and the knee named; and an
//! open loop at rates around the capacity, where users wait who come at their own rate.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::CONCURRENCY;

fn main() -> ExitCode {
    bench::main(CONCURRENCY.name, CONCURRENCY.groups())
}
