//! Traces as a collector receives them.

mod delivery;
mod shape;

use std::collections::BTreeMap;
use std::process::Command;

use llmlab::settings::VARIABLES;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::Event};
use prost::Message;
use tempfile::TempDir;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::Ran;

/// The shortest run there is.
const QUICK: [&str; 5] = ["run", "streaming", "--quick", "--filter", "/50$"];

/// A collector on this machine.
struct Collector(MockServer);

impl Collector {
    /// One that takes everything.
    async fn start() -> Self {
        Self::answering(ResponseTemplate::new(200)).await
    }

    async fn answering(response: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(response).mount(&server).await;
        Self(server)
    }

    fn url(&self) -> String {
        self.0.uri()
    }

    async fn requests(&self) -> Vec<wiremock::Request> {
        self.0.received_requests().await.expect("requests are kept")
    }

    /// Everything it received.
    async fn traces(&self) -> Traces {
        let requests = self.requests().await;
        let messages = requests.iter().map(|request| {
            ExportTraceServiceRequest::decode(request.body.as_slice()).expect("a request of the protocol")
        });
        let resources: Vec<_> = messages.flat_map(|message| message.resource_spans).collect();
        let services = resources.iter().filter_map(|spans| spans.resource.as_ref());
        let services = services.filter_map(|resource| text(&resource.attributes, "service.name")).collect();
        let spans = resources.into_iter().flat_map(|spans| spans.scope_spans).flat_map(|scope| scope.spans);
        Traces { services, spans: spans.collect() }
    }
}

/// Spans, and the services that they are of.
struct Traces {
    services: Vec<String>,
    spans: Vec<Span>,
}

impl Traces {
    /// Those whose name begins so.
    fn named(&self, start: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name.starts_with(start)).collect()
    }

    #[track_caller]
    fn parent(&self, span: &Span) -> &Span {
        let found = self.spans.iter().find(|other| other.span_id == span.parent_span_id);
        found.unwrap_or_else(|| panic!("{} has no parent", span.name))
    }

    /// The names from a span up to the root.
    #[track_caller]
    fn path(&self, span: &Span) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = self.spans.iter().find(|own| own.span_id == span.span_id).expect("it is one of these");
        loop {
            path.push(at.name.as_str());
            if at.parent_span_id.is_empty() {
                return path;
            }
            at = self.parent(at);
        }
    }
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match value(attributes, key)? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn number(span: &Span, key: &str) -> Option<f64> {
    match value(&span.attributes, key)? {
        Value::IntValue(number) => Some(*number as f64),
        Value::DoubleValue(number) => Some(*number),
        _ => None,
    }
}

fn flag(span: &Span, key: &str) -> Option<bool> {
    match value(&span.attributes, key)? {
        Value::BoolValue(flag) => Some(*flag),
        _ => None,
    }
}

fn event<'a>(span: &'a Span, name: &str) -> Option<&'a Event> {
    span.events.iter().find(|event| event.name == name)
}

/// A directory to run in.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// Runs `llmlab` with nothing but these settings.
    fn run(&self, args: &[&str], settings: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(args).current_dir(self.0.path()).env("LLMLAB_SELFTEST", "off");
        let others =
            ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME"];
        let others = others.iter().chain(&["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_HOST"]);
        for name in VARIABLES.map(|variable| variable.name).iter().chain(others) {
            if *name != "LLMLAB_SELFTEST" {
                command.env_remove(name);
            }
        }
        command.envs(settings.iter().copied());
        Ran::of(command.output().expect("the command runs"))
    }

    /// Runs it traced by `collector`, and it succeeds.
    #[track_caller]
    fn traced(&self, args: &[&str], collector: &Collector) -> Ran {
        let ran =
            self.run(args, &[("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran
    }

    /// The lines of its one journal.
    fn journal(&self) -> Vec<serde_json::Value> {
        let files = std::fs::read_dir(self.0.path().join("results")).expect("results").flatten();
        let mut journals =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        let text = std::fs::read_to_string(journals.next().expect("a journal")).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

/// How many there are of each.
fn counted<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    all.into_iter().fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(one).or_default() += 1;
        counts
    })
}
