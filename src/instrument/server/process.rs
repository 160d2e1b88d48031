//! The server as a process of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use thiserror::Error;

use super::serve::Server;
use crate::instrument::{Plan, PlanError, usage};

/// The argument before the plan of a process that is to serve.
const ARGUMENT: &str = "--truth-server";
const GREETING: &str = "truth server at ";
/// Exit code of a server that could not serve.
const EXIT_ERROR: i32 = 2;

/// Whether this program serves when it is asked to.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Serves, and does not return, if this process was started as a truth server. Called first thing in the `main` of a
/// program that starts one.
pub fn serve_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != ARGUMENT) {
        SERVES.store(true, Ordering::Relaxed);
        return;
    }
    let plan = arguments.next().unwrap_or_default();
    let code = match serve(&plan.to_string_lossy()) {
        Ok(()) => 0,
        Err(error) => {
            // There is nobody to tell that nobody listens.
            let _ = writeln!(io::stderr(), "error: failed to serve the truth: {error}");
            EXIT_ERROR
        }
    };
    std::process::exit(code);
}

fn serve(plan: &str) -> Result<(), ServeError> {
    let plan: Plan = plan.parse()?;
    if let Some(core) = plan.core {
        usage::pin_to(core).map_err(|error| ServeError::Core(core, error))?;
    }
    usage::raise_open_files();
    let server = Server::bind(plan)?;
    writeln!(io::stdout(), "{GREETING}{}", server.address()?)?;
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    Ok(server.run()?)
}

#[derive(Debug, Error)]
enum ServeError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("stay on core {0}: {1}")]
    Core(usize, io::Error),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Why there is no truth server.
#[derive(Debug, Error)]
pub enum TruthError {
    /// Its program would do something else.
    #[error("start a truth server: this program's main does not call `instrument::serve_if_asked`")]
    NotServed,
    /// It could not be started or ended at once.
    #[error("start a truth server: {0}")]
    System(#[from] io::Error),
    /// It did not say where it listens.
    #[error("start a truth server: it said `{0}` and not where it listens")]
    Greeting(String),
}

/// A truth server's process. It ends with this value.
#[derive(Debug)]
pub struct TruthServer {
    process: Child,
    address: SocketAddr,
    plan: Plan,
}

impl TruthServer {
    /// Starts this very program as a truth server; its `main` calls [`serve_if_asked`].
    ///
    /// # Errors
    /// When it does not, or the process cannot be started.
    pub fn start(plan: &Plan) -> Result<Self, TruthError> {
        if !SERVES.load(Ordering::Relaxed) {
            return Err(TruthError::NotServed);
        }
        Self::start_from(&std::env::current_exe()?, plan)
    }

    /// Starts `program`, such as the `llmlab` command, as a truth server.
    ///
    /// # Errors
    /// When the process cannot be started or does not say where it listens.
    pub fn start_from(program: &Path, plan: &Plan) -> Result<Self, TruthError> {
        let mut process = Command::new(program)
            .args([ARGUMENT, &plan.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        match greeting(&mut process) {
            Ok(address) => Ok(Self { process, address, plan: *plan }),
            Err(error) => {
                // Whatever was started need not end with its standard input.
                let _ = process.kill();
                end(&mut process);
                Err(error)
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers, and when.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The address of its root. Any path is answered.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for TruthServer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Waits for the line that says where a server listens.
fn greeting(process: &mut Child) -> Result<SocketAddr, TruthError> {
    let mut line = String::new();
    if let Some(output) = process.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let line = line.trim_end();
    let address = line.strip_prefix(GREETING).and_then(|address| address.parse().ok());
    address.ok_or_else(|| TruthError::Greeting(line.into()))
}

/// Ends a process that ends with its standard input, and keeps it from becoming a zombie.
fn end(process: &mut Child) {
    drop(process.stdin.take());
    let _ = process.wait();
}
