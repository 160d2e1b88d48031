//! A running service on each backend.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use llmlab::settings::{Environment, VARIABLES};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where a service keeps its things, and the folder it runs in.
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) database_url: String,
    redis_url: Option<String>,
}

/// A place on SQLite and memory, and one on PostgreSQL and Redis where the environment has them.
pub(super) async fn places() -> Vec<Place> {
    let mut places = vec![Place::sqlite()];
    places.extend(Place::postgres().await);
    places
}

impl Place {
    pub(super) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let database_url = format!("sqlite:{}", folder.path().join("lab.db").display());
        Self { folder, database_url, redis_url: None }
    }

    /// A database of its own on the server that the environment names.
    async fn postgres() -> Option<Self> {
        let environment = Environment::of_process();
        let named = |name| environment.get(name);
        let (Some(server), Some(redis)) = (named("LLMLAB_TEST_POSTGRES"), named("LLMLAB_TEST_REDIS")) else {
            assert_ne!(
                named("LLMLAB_TEST_REQUIRE_ALL"),
                Some("1"),
                "LLMLAB_TEST_POSTGRES or LLMLAB_TEST_REDIS is not set"
            );
            // Past the test harness, which would swallow it.
            let _ = writeln!(
                std::io::stderr(),
                "only on SQLite and memory: LLMLAB_TEST_POSTGRES or LLMLAB_TEST_REDIS is not set"
            );
            return None;
        };
        let name = format!("llmlab_test_{:016x}", rand::random::<u64>());
        sqlx::any::install_default_drivers();
        let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(server)
            .await
            .expect("LLMLAB_TEST_POSTGRES answers");
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.expect("it may make databases");
        let (host, _) = server.rsplit_once('/').expect("an address with a database");
        let folder = tempfile::tempdir().expect("a temporary directory");
        Some(Self { folder, database_url: format!("{host}/{name}"), redis_url: Some(redis.into()) })
    }

    /// The command, free of the settings under which the suite itself runs, quick where it can be.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.current_dir(self.folder.path()).args(args);
        let others =
            ["ANTHROPIC_API_KEY", "API_KEY", "DATABASE_URL", "REDIS_URL", "SEED", "SCHEDULE_INTERVAL"];
        for variable in VARIABLES.map(|variable| variable.name).iter().chain(&others) {
            command.env_remove(variable);
        }
        command.env("LLMLAB_SELFTEST", "off");
        command
    }

    /// A service here, on free ports.
    pub(super) fn serve(&self, args: &[&str]) -> Service {
        self.serve_with(args, &[])
    }

    pub(super) fn serve_with(&self, args: &[&str], settings: &[(&str, &str)]) -> Service {
        let mut command = self.command(&["serve", "--port", "0", "--database-url", &self.database_url]);
        if !args.contains(&"--rate") {
            command.args(["--rate", "0"]);
        }
        if let Some(url) = &self.redis_url {
            command.args(["--redis-url", url]);
        }
        Service::start(command.args(args).envs(settings.iter().copied()), self.folder.path())
    }
}

/// A running service, which ends with this value.
pub(super) struct Service {
    child: Child,
    pub(super) url: String,
    pub(super) rankings_url: String,
    pub(super) key: String,
    client: Client,
    stderr: PathBuf,
}

impl Service {
    fn start(command: &mut Command, folder: &Path) -> Self {
        // Whichever test comes first does it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stderr = folder.join(format!("stderr-{:08x}", rand::random::<u32>()));
        let file = std::fs::File::create(&stderr).expect("a file");
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().expect("llmlab starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut greeting = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            let is_last = line.contains("x-api-key");
            greeting.push(line);
            if is_last {
                break;
            }
        }
        let said = std::fs::read_to_string(&stderr).unwrap_or_default();
        assert!(greeting.len() >= 4, "it did not start: {greeting:?} {said}");
        let rankings =
            greeting[1].split_once("http://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        let key =
            greeting.last().and_then(|line| line.split_once("x-api-key: ")).map(|(_, key)| key.to_owned());
        Self {
            child,
            url: greeting[0].clone(),
            rankings_url: format!("http://{}", rankings.unwrap_or_default()),
            key: key.unwrap_or_default(),
            client: Client::new(),
            stderr,
        }
    }

    /// A request without a key.
    pub(super) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("x-api-key", &self.key)
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, Value) {
        reply(self.request(Method::GET, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        reply(self.request(Method::POST, path).body(body.to_string())).await
    }

    /// Puts a job in the queue and returns its id.
    pub(super) async fn submit(&self, kind: &str, body: &Value) -> String {
        let (status, reply) = self.post(&format!("/api/benchmarks/{kind}/run"), body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{reply}");
        reply["job_id"].as_str().expect("an id").into()
    }

    /// A job once it is in a state that `wanted` takes.
    pub(super) async fn job_when(&self, job_id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let (status, job) = self.get(&format!("/api/jobs/{job_id}")).await;
            assert_eq!(status, StatusCode::OK, "{job}");
            if wanted(&job) {
                return job;
            }
            assert!(began.elapsed() < PATIENCE, "{job}\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn ended(&self, job_id: &str) -> Value {
        let is_final =
            |job: &Value| ["completed", "failed", "cancelled"].iter().any(|state| job["state"] == *state);
        self.job_when(job_id, is_final).await
    }

    /// What the service said on standard error.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// All messages of a job until the socket closes, and the code it closes with.
    pub(super) async fn follow(&self, job_id: &str, query: &str) -> (Vec<Value>, Option<u16>) {
        let (mut messages, mut socket) = (Vec::new(), self.socket(job_id, query).await);
        loop {
            let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Text(text))) => messages.push(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return (messages, frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return (messages, None),
            }
        }
    }

    pub(super) async fn socket(
        &self,
        job_id: &str,
        query: &str,
    ) -> tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>> {
        let address = format!("{}/api/ws/{job_id}{query}", self.url.replace("http://", "ws://"));
        let mut request = address.into_client_request().expect("an address");
        request.headers_mut().insert("x-api-key", self.key.parse().expect("a header"));
        tokio_tungstenite::connect_async(request).await.expect("a WebSocket").0
    }

    /// What `ping` is answered with, the progress of the job left out.
    pub(super) async fn ping(&self, job_id: &str) -> String {
        let mut socket = self.socket(job_id, "").await;
        socket.send(Message::text("ping")).await.expect("it listens");
        loop {
            match tokio::time::timeout(PATIENCE, socket.next()).await.expect("an answer in time") {
                Some(Ok(Message::Text(text))) if !text.starts_with('{') => return text.to_string(),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[cfg(unix)]
    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
    }

    /// Ends it with a signal, and waits for its end.
    #[cfg(unix)]
    pub(super) fn end(mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.child.wait().expect("it ends")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Either may find it gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) async fn reply(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let (status, text) = (response.status(), response.text().await.expect("a body"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
