//! What several suites need: questions, clients, and a server that follows a script byte by byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use http::HeaderMap;
use llmlab::client::{Auth, Client, Exchange, Failure, Target, Timeouts};
use llmlab::settings::Environment;
use llmlab::wire::{Ask, Dialect};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a loaded machine to tell two writes apart.
pub(crate) const PAUSE: Duration = Duration::from_millis(60);

/// Between two bytes of a server that drips.
const DRIP: Duration = Duration::from_millis(5);

/// The end of a chunked body.
pub(crate) const LAST_CHUNK: &str = "0\r\n\r\n";

/// What a server does for one request, in order.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes at once.
    Write(String),
    /// Waits.
    Pause(Duration),
    /// Writes these bytes over and over, one every few milliseconds, until the client hangs up.
    Drip(&'static str),
    /// Writes these bytes over and over, as fast as they are taken, until the client hangs up.
    Flood(String),
    /// Says nothing more until the client hangs up.
    Silence,
    /// Closes the connection.
    Close,
    /// Resets the connection: what the client has not read yet is lost to it.
    Reset,
}

/// A request as the server read it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The request line and the headers, in lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
    /// Its number among all of them, from 0; what only looks around (`GET`) is not counted.
    pub(crate) number: usize,
}

type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

/// A server of blocking sockets and threads, on a port of its own.
pub(crate) struct RawServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Request>>>,
    closed: Receiver<()>,
}

impl RawServer {
    /// A server that follows `script` for every request.
    pub(crate) fn start(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (closing, closed) = channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let served = Served { script: Arc::new(script), requests: Arc::clone(&requests), closing };
        let counted = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let served = served.clone();
                thread::spawn(move || drop(served.connection(stream)));
            }
        });
        Self { address, connections, requests, closed }
    }

    /// A server that follows `first` for the first request and answers the others.
    pub(crate) fn once(first: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start(move |request| if request.number == 0 { first() } else { openai_answer() })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests read so far, without those that only look around.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Blocks this thread until the server has closed a connection.
    pub(crate) fn wait_for_close(&self) {
        self.closed.recv_timeout(Duration::from_secs(10)).expect("the script closes the connection");
    }
}

#[derive(Clone)]
struct Served {
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<Request>>>,
    closing: Sender<()>,
}

impl Served {
    fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        while let Some((head, body)) = read_request(&mut stream)? {
            if head.starts_with("get ") {
                stream.write_all(plain(404, "", "no such thing").as_bytes())?;
                continue;
            }
            for step in (self.script)(&self.note(head, body)) {
                match step {
                    Step::Write(text) => stream.write_all(text.as_bytes())?,
                    Step::Pause(time) => thread::sleep(time),
                    Step::Drip(text) => loop {
                        for byte in text.as_bytes().chunks(1) {
                            stream.write_all(byte)?;
                            thread::sleep(DRIP);
                        }
                    },
                    Step::Flood(text) => loop {
                        stream.write_all(text.as_bytes())?;
                    },
                    Step::Reset => return socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
                    Step::Silence => drop(stream.read(&mut [0; 64])?),
                    Step::Close => {
                        drop(stream);
                        // Nobody needs to wait for it.
                        let _ = self.closing.send(());
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn note(&self, head: String, body: String) -> Request {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let request = Request { head, body, number: requests.len() };
        requests.push(request.clone());
        request
    }
}

/// Reads a request in full and returns its head and body; `None` once the client has hung up.
fn read_request(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let mut raw = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&raw[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if raw.len() >= whole {
                return Ok(Some((head, String::from_utf8_lossy(&raw[end + 4..whole]).into_owned())));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => raw.extend_from_slice(&buffer[..read]),
        }
    }
}

/// A whole HTTP response.
pub(crate) fn plain(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// The head of a chunked event stream.
pub(crate) fn stream_head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".into()
}

/// Text as one HTTP chunk.
pub(crate) fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// One event of OpenAI's stream that says `text`.
pub(crate) fn openai_says(text: &str) -> String {
    format!("data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// The events that end OpenAI's stream, with its usage.
pub(crate) fn openai_end() -> String {
    let usage = r#"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}"#;
    format!(
        "data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n\
         data: {{\"id\":\"c1\",\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
    )
}

/// A whole streamed answer, "Hello", in one write.
pub(crate) fn openai_answer() -> Vec<Step> {
    let events = [openai_says("Hel"), openai_says("lo"), openai_end()].map(|event| chunk(&event)).concat();
    vec![Step::Write(stream_head() + &events + LAST_CHUNK)]
}

/// A client of `url` without a key.
pub(crate) fn client(dialect: Dialect, url: &str) -> Client {
    client_within(dialect, url, Timeouts::default())
}

/// A client of `url` with bounds of its own.
pub(crate) fn client_within(dialect: Dialect, url: &str, timeouts: Timeouts) -> Client {
    Client::new(target(dialect, url, &Auth::None), timeouts)
}

/// A target at `url`.
pub(crate) fn target(dialect: Dialect, url: &str, auth: &Auth) -> Target {
    Target::new("test", dialect, url, "m", auth).expect("the test's URL and key are well formed")
}

/// A streamed question.
pub(crate) fn question() -> Ask {
    Ask::question("Say hello.", 16)
}

/// Asks, streamed.
pub(crate) async fn send(client: &Client) -> Exchange {
    client.send(&question(), Instant::now(), &HeaderMap::new()).await
}

/// Asks, streamed, and returns why that failed.
pub(crate) async fn failure(client: &Client) -> Failure {
    send(client).await.outcome.map(drop).expect_err("the exchange was meant to fail")
}

/// Asks, streamed, and returns the answer's text.
pub(crate) async fn text(client: &Client) -> String {
    send(client).await.outcome.expect("the exchange was meant to succeed").reply.text()
}

/// Held by whoever runs a bench, and by nobody else while the times of one matter: the machine may be small.
static MEASURING: RwLock<()> = RwLock::new(());

/// Two arms of one length: the smallest comparison there is.
pub(crate) const SMALL: &str = "streaming/(perceived|total)/(off|on)/50$";

/// A bench binary with a Criterion directory of its own.
pub(crate) struct Bench {
    binary: &'static Path,
    home: TempDir,
}

/// What a process wrote, and how it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { binary: binary(), home: tempfile::tempdir().expect("a temporary directory") }
    }

    #[cfg(feature = "cli")]
    pub(crate) fn binary(&self) -> &Path {
        self.binary
    }

    /// The binary with these arguments and settings.
    pub(crate) fn command(&self, args: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.binary);
        command.args(args).env("CRITERION_HOME", self.home.path()).current_dir(self.home.path());
        for name in ["LLMLAB_TARGET", "LLMLAB_RUNS", "LLMLAB_SEED", "LLMLAB_MAX_USD", "ANTHROPIC_API_KEY"] {
            command.env_remove(name);
        }
        command.env("LLMLAB_SELFTEST", "off").envs(environment.iter().copied());
        command
    }

    /// Runs it with settings while no other bench runs: for a test that looks at the times.
    pub(crate) fn run_alone(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let _alone = MEASURING.write().unwrap_or_else(PoisonError::into_inner);
        Ran::of(self.command(args, environment).output().expect("the bench binary runs"))
    }

    /// Runs it with settings.
    pub(crate) fn run_in(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let _beside_others = MEASURING.read().unwrap_or_else(PoisonError::into_inner);
        Ran::of(self.command(args, environment).output().expect("the bench binary runs"))
    }

    /// Runs it.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_in(args, &[])
    }

    /// Measures the small comparison, quickly.
    pub(crate) fn measure(&self, args: &[&str]) -> Ran {
        let common = ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot", SMALL];
        self.run(&[&common, args].concat())
    }

    /// Criterion's directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The lines of all journals.
    pub(crate) fn records(&self) -> Vec<Value> {
        let files =
            std::fs::read_dir(self.home.path().join("llmlab/streaming")).into_iter().flatten().flatten();
        let journals =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        let text: String =
            journals.map(|path| std::fs::read_to_string(path).expect("a journal is text")).collect();
        text.lines().map(|line| serde_json::from_str(line).expect("a journal's line is JSON")).collect()
    }

    /// Whether its directory has this.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.home.path().join(path).exists()
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The counter printed at the end.
    pub(crate) fn requests(&self) -> Option<u64> {
        let line = self.stderr.lines().find(|line| line.contains("requests sent over"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// It succeeded with as many requests.
    #[track_caller]
    pub(crate) fn assert_requests(&self, requests: u64) {
        assert_eq!(
            (self.code, self.requests()),
            (Some(0), Some(requests)),
            "{}\n{}",
            self.stdout,
            self.stderr
        );
    }

    /// Nothing was asked, and nobody complains.
    #[track_caller]
    pub(crate) fn assert_silent_success(&self) {
        assert_eq!(
            (self.code, self.requests().unwrap_or(0)),
            (Some(0), 0),
            "{}\n{}",
            self.stdout,
            self.stderr
        );
    }
}

/// The streaming bench, built once, with what `cargo test` has built already.
#[expect(clippy::disallowed_methods, reason = "names alone are read, to keep them from a child process")]
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo tells a test about its package makes build scripts that watch it run again, ring's among
        // them, and then all that depends on them is built again, here and in the next plain build.
        let package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        for (name, _) in std::env::vars_os() {
            if package.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                cargo.env_remove(name);
            }
        }
        let output = cargo
            .args(["build", "--offline", "--bench", "streaming", "--message-format", "json"])
            .args(["--features", &features()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        let messages = String::from_utf8(output.stdout).expect("cargo writes text");
        let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut built = messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
        built
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("streaming")))
            .expect("cargo built the bench")
    })
}

/// The features of this build that are no default ones.
fn features() -> String {
    let all = [
        // Without it the same features are another build.
        ("full", cfg!(feature = "full")),
        ("otel", cfg!(feature = "otel")),
        ("postgres", cfg!(feature = "postgres")),
        ("redis", cfg!(feature = "redis")),
        ("service", cfg!(feature = "service")),
    ];
    all.into_iter().filter(|(_, is_built)| *is_built).map(|(name, _)| name).collect::<Vec<_>>().join(",")
}

/// Whether measured times are held to their bounds: on a machine that does nothing else.
pub(crate) fn is_strict() -> bool {
    Environment::of_process().get("LLMLAB_TEST_STRICT") == Some("1")
}
