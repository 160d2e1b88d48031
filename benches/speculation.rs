//! What do tool calls save that are made before the model asks for them, by how often the guess is right, how long
//! tools take and how many guesses are made? And what do wrong guesses cost?

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::SPECULATION;

fn main() -> ExitCode {
    bench::main(SPECULATION.name, SPECULATION.groups())
}
