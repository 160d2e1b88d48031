//! What does measuring cost? The lab's client and a raw reader, which only counts and stamps, before the same server.
//!
//! `cargo bench --bench instrument` shows medians of five runs; `-- 'flat'` those rows whose text has that word. Every
//! figure is of a process of its own on the last core, the server on the first, so that its memory is its own. A smoke
//! run (`-- --test`) reads a little. `llmlab load` is the whole command: what it asks, records and reports.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use llmlab::instrument::raw::{self, Asking};
use llmlab::instrument::usage::{self, Usage};
use llmlab::instrument::{Plan, TruthServer, check, serve_if_asked};
use llmlab::report::say;
use llmlab::stats::{median, sorted};

/// The argument before what a process of its own is to measure.
const MEASURE: &str = "--measure";
const COMMAND: &str = env!("CARGO_BIN_EXE_llmlab");

/// What is asked: in words, the server's plan, streams, and answers of each.
fn rows() -> Vec<(&'static str, Plan, usize, usize)> {
    let paced = Plan::paced(Duration::from_millis(100), Duration::from_millis(10), 64);
    vec![
        ("paced, 1 stream", paced, 1, 4),
        ("paced, 64 streams", paced, 64, 4),
        ("paced, 1,000 streams", paced, 1_000, 2),
        ("paced, 4,000 streams", paced, 4_000, 1),
        ("flat out, 1 stream", Plan::flat_out(100_000), 1, 20),
        ("flat out, 64 streams", Plan::flat_out(10_000), 64, 3),
        ("one token, 64 streams", Plan::flat_out(1), 64, 1_500),
    ]
}

/// What a process of its own found: seconds, processor seconds, mebibytes.
#[derive(Debug, Clone, Copy)]
struct Cost {
    took: f64,
    cpu: f64,
    memory: f64,
    events: f64,
    answers: f64,
}

fn main() -> ExitCode {
    serve_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, reader, address, streams, requests] = &args[..]
        && first == MEASURE
    {
        measure(reader, address, streams, requests);
        return ExitCode::SUCCESS;
    }
    let filter = args.iter().find(|arg| !arg.starts_with('-')).map_or("", String::as_str);
    let is_smoke = args.iter().any(|arg| arg == "--test") || !args.iter().any(|arg| arg == "--bench");
    let runs = if is_smoke { 1 } else { 5 };
    say(&format!("medians of {runs}; lab | raw reader, in turn; processor seconds are of one core"));
    say("| what | s per million events | ratio | events/s | requests/s | peak memory MiB |");
    say("|---|---:|---:|---:|---:|---:|");
    for (words, plan, streams, requests) in rows().into_iter().filter(|row| row.0.contains(filter)) {
        let (streams, requests) = if is_smoke { (streams.min(8), 1) } else { (streams, requests) };
        let server = TruthServer::start(&plan.on_core(Some(0))).expect("this program is also the server");
        // In turn, so that what changes on the machine changes both.
        let costs: Vec<_> = (0..runs)
            .map(|_| ["lab", "raw"].map(|reader| cost(reader, &server, streams, requests)))
            .collect();
        let middle = |of: &dyn Fn(&[Cost; 2]) -> f64| {
            median(&sorted(&costs.iter().map(of).collect::<Vec<_>>())).unwrap_or(f64::NAN)
        };
        let both = |of: fn(&Cost) -> f64, digits: usize| {
            let [lab, raw] = [0, 1].map(|reader| middle(&|pair| of(&pair[reader])));
            format!("{lab:.digits$} \\| {raw:.digits$}")
        };
        let cpu = |cost: &Cost| cost.cpu * 1e6 / cost.events;
        let ratio = middle(&|[lab, raw]| cpu(lab) / cpu(raw));
        say(&format!(
            "| {words} | {} | {ratio:.2} | {} | {} | {} |",
            both(cpu, 3),
            both(|cost| cost.events / cost.took, 0),
            both(|cost| cost.answers / cost.took, 0),
            both(|cost| cost.memory, 1),
        ));
    }
    if "start of llmlab load".contains(filter) {
        let times: Vec<_> = (0..runs).map(|_| start_up().as_secs_f64() * 1e3).collect();
        say(&format!(
            "start of llmlab load to its first request: {:.1} ms",
            median(&sorted(&times)).unwrap_or(f64::NAN)
        ));
    }
    ExitCode::SUCCESS
}

/// What it costs to ask `server`, in a process of its own.
fn cost(reader: &str, server: &TruthServer, streams: usize, requests: usize) -> Cost {
    let program = std::env::current_exe().expect("a program knows where it is");
    let numbers = [streams, requests].map(|number| number.to_string());
    let output = Command::new(program)
        .args([MEASURE, reader, &server.address().to_string(), &numbers[0], &numbers[1]])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can be started again");
    assert!(output.status.success(), "{reader} could not measure");
    let text = String::from_utf8(output.stdout).expect("numbers are text");
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [took, cpu, memory, events, answers] = numbers[..] else { panic!("{text}") };
    Cost { took, cpu, memory, events, answers }
}

/// Asks on the last core, and prints what it cost.
fn measure(reader: &str, address: &str, streams: &str, requests: &str) {
    let number = |text: &str| text.parse().expect("this program's own argument");
    let mut asking = Asking::new(address.parse().expect("an address"), number(streams));
    asking.requests = number(requests);
    // Streams that begin together beat in step.
    asking.over = Duration::from_millis(10);
    usage::raise_open_files();
    usage::pin_to(usage::cores() - 1).expect("the last core");
    let (took, cpu, events, answers) = if reader == "raw" {
        let read = raw::read(&asking).expect("the server answers");
        (read.took, read.cpu, read.events, read.answers)
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let read = runtime.block_on(check::client(&asking)).expect("the server answers");
        (read.took, read.cpu, read.events, read.answers)
    };
    let memory = Usage::of_process().map_or(f64::NAN, |usage| usage.peak_memory as f64 / (1024.0 * 1024.0));
    let cpu = cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64());
    let took = took.as_secs_f64();
    writeln!(std::io::stdout(), "{took} {cpu} {memory} {events} {answers}").expect("somebody reads");
}

/// From the start of the command's process to its first request.
fn start_up() -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/v1/chat/completions", listener.local_addr().expect("it is bound"));
    let start = Instant::now();
    let mut command = Command::new(COMMAND)
        .args(["load", "--endpoint", &url, "--requests", "1", "--concurrency", "1", "--warmup", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command is built with its benches");
    // It looks whether anybody is there before it asks.
    let took = listener.incoming().flatten().find_map(|mut stream| {
        let mut method = [0; 4];
        stream.read_exact(&mut method).ok()?;
        let took = start.elapsed();
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        (&method == b"POST").then_some(took)
    });
    let _ = (command.kill(), command.wait());
    took.expect("the command asks")
}
