//! Which questions does a router make faster, which slower, and from which share of simple ones on does it pay?

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::ROUTING;

fn main() -> ExitCode {
    bench::main(ROUTING.name, ROUTING.groups())
}
