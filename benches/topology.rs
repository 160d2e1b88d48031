//! What does each way of sharing a task between agents cost in time, and what do checkpoints add?
//!
//! Five groups: the topologies on one task, the number of specialists, tasks of rising complexity, what agents
//! hand on to each other, and where and when an agent keeps its state.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::TOPOLOGY;

fn main() -> ExitCode {
    bench::main(TOPOLOGY.name, TOPOLOGY.groups())
}
