//! The thread that writes recordings, away from those that pass bytes on.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::{RecorderConfig, RecorderError, RecorderReport};
use crate::cassette::{self, CassetteError, Ending, Recorded, Recording, Taken};
use crate::client::Target;
use crate::mock::MOCK_HEADER;
use crate::provenance::{self, Truth};
use crate::seed::DrawId;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Passing {
    /// It was answered, and is recorded.
    Taken(Box<Taken>, Option<DrawId>),
    /// It went to a path that is not recorded.
    Passed,
    /// It got no response.
    Unanswered,
    /// The client did not wait for the whole answer.
    Abandoned,
    /// Somebody wants to know what was done.
    Asked(Sender<RecorderReport>),
    /// There is nothing more to come.
    End,
}

/// A handle of the thread.
#[derive(Debug)]
pub(super) struct Writer {
    sender: Sender<Passing>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(config: &RecorderConfig) -> Result<Self, RecorderError> {
        let (sender, receiver) = channel();
        let last = last_number(&config.directory)?;
        let mut desk = Desk {
            directory: config.directory.clone(),
            upstream: origin(&config.upstream),
            engine: config.engine.clone(),
            last,
            report: RecorderReport::default(),
        };
        let thread = std::thread::Builder::new().name("llmlab-writer".into());
        let thread = thread.spawn(move || desk.work(&receiver)).map_err(RecorderError::Threads)?;
        Ok(Self { sender, thread: Some(thread) })
    }

    pub(super) fn sender(&self) -> Sender<Passing> {
        self.sender.clone()
    }

    pub(super) fn report(&self) -> RecorderReport {
        let (answer, report) = channel();
        // The thread ends with this handle and not before.
        let _ = self.sender.send(Passing::Asked(answer));
        report.recv().unwrap_or_default()
    }

    /// Waits until all is written.
    pub(super) fn stop(&mut self) {
        let _ = self.sender.send(Passing::End);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been reported already.
            let _panicked = thread.join();
        }
    }
}

/// The largest number that begins a recording's name.
fn last_number(directory: &std::path::Path) -> Result<u64, CassetteError> {
    let number = |path: PathBuf| path.file_name()?.to_str()?.split('-').next()?.parse().ok();
    Ok(cassette::files(directory)?.into_iter().filter_map(number).max().unwrap_or_default())
}

fn origin(target: &Target) -> String {
    let base_url = target.base_url();
    base_url.strip_suffix(target.base_path()).unwrap_or(&base_url).to_owned()
}

/// Where recordings are written.
struct Desk {
    directory: PathBuf,
    upstream: String,
    engine: Option<String>,
    last: u64,
    report: RecorderReport,
}

impl Desk {
    fn work(&mut self, receiver: &Receiver<Passing>) {
        for passing in receiver {
            match passing {
                Passing::Taken(taken, draw) => self.write(*taken, draw),
                Passing::Passed => self.report.passed += 1,
                Passing::Unanswered => self.report.unanswered += 1,
                Passing::Abandoned => self.report.abandoned += 1,
                // Whoever asked may have gone.
                Passing::Asked(answer) => drop(answer.send(self.report.clone())),
                Passing::End => return,
            }
        }
    }

    fn write(&mut self, taken: Taken, draw: Option<DrawId>) {
        let says = taken.response_headers.get(MOCK_HEADER).and_then(|value| value.to_str().ok());
        let truth = says.map_or(Truth::Live, Truth::of_mock_header);
        let recording = Recording::new(
            taken,
            Recorded {
                at: provenance::rfc3339(provenance::now()),
                mode: truth.word().into(),
                upstream: self.upstream.clone(),
                engine: self.engine.clone(),
                draw,
                llmlab: env!("CARGO_PKG_VERSION").into(),
            },
        );
        let (dialect, hash) = (recording.request.dialect, &recording.hash[..8]);
        let name = format!("{:04}-{dialect}-{hash}.json", self.last + 1);
        match recording.write(&self.directory.join(name)) {
            Ok(()) => {
                self.last += 1;
                self.report.recorded += 1;
                self.report.cut += u64::from(recording.response.ending == Ending::Cut);
            }
            Err(error) if self.report.complaint.is_none() => {
                // Said at once: whoever watches may make room.
                let _ = writeln!(io::stderr(), "[llmlab] {error}");
                self.report.complaint = Some(error.to_string());
            }
            Err(_) => {}
        }
    }
}
