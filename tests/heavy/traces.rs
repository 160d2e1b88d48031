//! Traces in a backend that people use: Arize Phoenix, on this machine and with a database of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{command, switched_on};

/// How long it may take to start: it makes a database first.
const START: Duration = Duration::from_secs(120);
/// How long it may take to show what it was sent.
const SHOWN: Duration = Duration::from_secs(20);

/// A running Phoenix, which ends with this value.
struct Phoenix {
    child: Child,
    port: u16,
    home: TempDir,
}

impl Phoenix {
    fn start(program: &Path) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let (port, grpc) = (free_port(), free_port());
        let said = File::create(home.path().join("said")).expect("a file");
        let child = Command::new(program)
            .arg("serve")
            .current_dir(home.path())
            .env("PHOENIX_WORKING_DIR", home.path())
            .env("PHOENIX_HOST", "127.0.0.1")
            .env("PHOENIX_PORT", port.to_string())
            .env("PHOENIX_GRPC_PORT", grpc.to_string())
            // It would tell its makers that it was started.
            .env("PHOENIX_TELEMETRY_ENABLED", "false")
            .env("PHOENIX_ALLOW_EXTERNAL_RESOURCES", "false")
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .stdin(Stdio::null())
            .spawn()
            .expect("Phoenix starts");
        let mut phoenix = Self { child, port, home };
        phoenix.wait();
        phoenix
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + START;
        while self.get("/healthz").is_none() {
            let gone = self.child.try_wait().expect("it can be asked");
            assert!(gone.is_none() && Instant::now() < deadline, "{gone:?}: {}", self.said());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.home.path().join("said")).unwrap_or_default()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The body of a page that is there.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n").ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        let (head, body) = response.split_once("\r\n\r\n")?;
        head.split(' ').nth(1).filter(|status| *status == "200").map(|_| body.to_owned())
    }

    /// The spans that it has, once there are so many.
    fn spans(&self, expected: usize) -> Vec<Value> {
        let deadline = Instant::now() + SHOWN;
        loop {
            let page = self.get("/v1/projects/default/spans?limit=1000").unwrap_or_default();
            let page: Value = serde_json::from_str(&page).unwrap_or_default();
            let spans = page["data"].as_array().cloned().unwrap_or_default();
            if spans.len() >= expected {
                return spans;
            }
            assert!(Instant::now() < deadline, "{} spans of {expected}: {}", spans.len(), self.said());
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Phoenix {
    fn drop(&mut self) {
        // Either may find it gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The lines of the one journal below a directory.
fn journal(directory: &Path) -> Vec<Value> {
    let files = fs::read_dir(directory).expect("results").map(|entry| entry.expect("a file").path());
    let mut journals = files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    let text = fs::read_to_string(journals.next().expect("a journal")).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn phoenix_shows_a_run_with_its_requests_their_tokens_and_first_tokens() {
    let Some(program) = switched_on("LLMLAB_TEST_PHOENIX") else { return };
    // Given a run that is traced
    let (phoenix, results) = (Phoenix::start(&program), tempfile::tempdir().expect("a directory"));
    let output = command("llmlab")
        .args(["run", "streaming", "--quick", "--filter", "^streaming/on/50$", "--output-dir"])
        .arg(results.path())
        .env("LLMLAB_SELFTEST", "off")
        .env("LLMLAB_TRACE", "otlp")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", phoenix.url())
        .output()
        .expect("llmlab starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("22 spans exported"), "{said}");
    // When Phoenix is asked what it has
    let spans = phoenix.spans(22);
    // Then it takes the requests for what they are, each below its arm's turn, round, group and run
    let requests: Vec<_> = spans.iter().filter(|span| span["span_kind"] == "LLM").collect();
    let records = journal(results.path());
    assert_eq!((spans.len(), requests.len(), records.len()), (22, 8, 8));
    let parent = |span: &Value| spans.iter().find(|other| other["context"]["span_id"] == span["parent_id"]);
    for request in requests {
        let above: Vec<_> = std::iter::successors(parent(request), |span| parent(span)).collect();
        let names: Vec<_> = above.iter().map(|span| span["name"].as_str().unwrap_or_default()).collect();
        let attributes = &request["attributes"];
        let (arm, round) = (&attributes["llmlab.arm"], &attributes["llmlab.round"]);
        let turn = format!("arm {}/50", arm.as_str().unwrap_or_default());
        assert_eq!(names, [&turn, &format!("round {round}"), "group streaming", "llmlab run streaming"]);
        // And shows the journal's tokens, by its own names too, and when the first one came
        let is_its = |record: &&Value| record["arm"] == *arm && record["round"] == *round;
        let record = records.iter().find(is_its).expect("it is in the journal");
        for (name, count) in [("prompt", &record["usage"]["input"]), ("completion", &record["output_tokens"])]
        {
            assert_eq!(&attributes[format!("llm.token_count.{name}")], count, "{attributes}");
        }
        assert_eq!(attributes["llm.model_name"], record["model"]);
        let ttft = record["values"]["ttft"].as_f64().map(|ns| ns / 1e9);
        assert_eq!(attributes["gen_ai.response.time_to_first_chunk"].as_f64(), ttft);
        let shown = request["events"].as_array().expect("events").iter();
        assert_eq!(shown.filter(|event| event["name"] == "first_token").count(), usize::from(ttft.is_some()));
    }
}
