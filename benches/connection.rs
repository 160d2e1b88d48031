//! What does it cost to open a connection for each request?
//!
//! Four groups: new against reused connections over the distance to the server, what TLS 1.2, TLS 1.3, resumption
//! and opening ahead leave of the difference, many requests at once over HTTP/1.1 and HTTP/2, and long prompts.

use std::process::ExitCode;

use llmlab::bench;
use llmlab::optimization::CONNECTION;

fn main() -> ExitCode {
    bench::main(CONNECTION.name, CONNECTION.groups())
}
