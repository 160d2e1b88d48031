//! A proxy that records: between any client and a server that speaks one of the lab's dialects.
//!
//! It is the one way that recordings are made. A session that records asks by way of one, and so does any
//! application whose base URL it is; nothing in the measured path knows of it. Requests go upstream over the
//! measuring client's own connections, so that the stamps of a recording are those of the socket, below TLS, and none
//! of the way between client and proxy is in them. Head and chunks are passed on as they come. The client's key goes
//! upstream and never to disk: a thread apart takes out what must not be kept (see [`crate::cassette`]) and writes
//! each exchange as it ends.
//!
//! What is posted to a dialect's path is recorded; all else is passed on and counted. Answers are asked for without
//! compression, so that they can be read.

mod check;
mod config;
mod proxy;
mod writer;

pub use check::{CheckError, Deviation, Fidelity, check};
pub use config::{RecorderConfig, RecorderError, RecorderReport};

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::cassette;
use crate::client::{Pool, Road, Timeouts};
use proxy::Proxy;
use writer::{Passing, Writer};

/// A running recorder. It has threads of its own, so that it can be started and dropped inside a runtime, and has
/// written all that was over when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    addr: SocketAddr,
    directory: PathBuf,
    writer: Writer,
    runtime: Option<Runtime>,
}

impl Recorder {
    /// Starts one.
    ///
    /// # Errors
    /// [`RecorderError`] if the port, the directory or threads cannot be had.
    pub fn start(config: RecorderConfig) -> Result<Self, RecorderError> {
        let directory = config.directory.clone();
        let unwritable = |source| RecorderError::Directory { path: directory.clone(), source };
        std::fs::create_dir_all(&directory).map_err(unwritable)?;
        // What cannot be written is said before anything is sent.
        tempfile::tempfile_in(&directory).map_err(unwritable)?;
        let listener =
            bind(config.port).map_err(|source| RecorderError::Listen { port: config.port, source })?;
        let (listener, addr) = listener;
        let writer = Writer::start(&config)?;
        let runtime = serve(config, listener, writer.sender())?;
        Ok(Self { addr, directory, writer, runtime: Some(runtime) })
    }

    /// As [`start`](Self::start), into a directory that holds no recordings yet.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when it does.
    pub fn start_afresh(config: RecorderConfig) -> Result<Self, RecorderError> {
        let path = &config.directory;
        if path.exists() && !cassette::files(path)?.is_empty() {
            return Err(RecorderError::NotEmpty { path: path.clone() });
        }
        Self::start(config)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where recordings go.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What it has done so far, once all that was over is written.
    pub fn report(&self) -> RecorderReport {
        self.writer.report()
    }
}

fn bind(port: u16) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// Passes on what comes to `listener`, on threads of its own.
fn serve(
    config: RecorderConfig,
    listener: std::net::TcpListener,
    writer: Sender<Passing>,
) -> Result<Runtime, RecorderError> {
    let port = config.port;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).thread_name("llmlab-recorder").enable_all();
    let runtime = builder.build().map_err(RecorderError::Threads)?;
    let pool = Pool::new(config.upstream.origin().clone(), Road::default(), Timeouts::default().connect);
    let router = proxy::router(Proxy::new(config, Arc::new(pool), writer));
    let entered = runtime.enter();
    let adopted = TcpListener::from_std(listener);
    drop(entered);
    match adopted {
        Ok(listener) => {
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            runtime.spawn(async move { axum::serve(listener, router).await });
            Ok(runtime)
        }
        Err(source) => {
            runtime.shutdown_background();
            Err(RecorderError::Listen { port, source })
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it would panic inside another runtime.
            runtime.shutdown_background();
        }
        self.writer.stop();
    }
}
