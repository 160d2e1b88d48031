//! A request as OpenTelemetry's conventions for generative AI describe it, and as the lab knows it.

use std::time::SystemTime;

use opentelemetry::trace::{Event, SpanKind, Status};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::metric::Metric;
use crate::session::{Outcome, RequestRecord};
use crate::wire::{Dialect, StopReason};

/// The name of a request's span.
pub(super) fn name(record: &RequestRecord) -> String {
    format!("{} {}", operation(record), record.request.model)
}

/// Adds to `span` what is known of a request to a `server`; `time` is the wall clock's for a time of the session's.
pub(super) fn describe(
    span: &mut SpanData,
    record: &RequestRecord,
    server: Option<&(String, u16)>,
    time: impl Fn(u64) -> SystemTime,
) {
    span.span_kind = SpanKind::Client;
    let attributes = &mut span.attributes;
    attributes.extend(of_convention(record));
    attributes.extend(of_lab(record));
    if let Some((address, port)) = server {
        attributes.push(KeyValue::new("server.address", address.clone()));
        attributes.push(KeyValue::new("server.port", i64::from(*port)));
    }
    let happened = opening(record).into_iter().chain(moments(record));
    span.events.events.extend(happened.map(|(name, at, attributes)| event(name, time(at), attributes)));
    if let Outcome::Failed(class) = record.outcome {
        let end = span.end_time;
        fail(span, class.name(), record.error.as_deref().unwrap_or(class.name()), end);
    }
}

/// Marks `span` as failed for a reason.
pub(super) fn fail(span: &mut SpanData, class: &str, reason: &str, at: SystemTime) {
    span.status = Status::error(reason.to_owned());
    span.attributes.push(KeyValue::new("error.type", class.to_owned()));
    let attributes = vec![
        KeyValue::new("exception.type", class.to_owned()),
        KeyValue::new("exception.message", reason.to_owned()),
    ];
    span.events.events.push(event("exception", at, attributes));
}

/// A count as OpenTelemetry has it.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn event(name: &'static str, at: SystemTime, attributes: Vec<KeyValue>) -> Event {
    Event::new(name, at, attributes, 0)
}

fn operation(record: &RequestRecord) -> &'static str {
    match record.request.dialect {
        Some(Dialect::Completions | Dialect::Generate) => "text_completion",
        Some(Dialect::Anthropic | Dialect::OpenAi) | None => "chat",
    }
}

/// The wire format's own name, as the convention wants it: `server.address` says who speaks it.
fn provider(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "anthropic",
        Dialect::OpenAi | Dialect::Completions => "openai",
        Dialect::Generate => "generate",
    }
}

fn of_convention(record: &RequestRecord) -> Vec<KeyValue> {
    let asked = &record.request;
    let answered = record.outcome == Outcome::Ok;
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", operation(record)),
        KeyValue::new("gen_ai.request.model", asked.model.clone()),
        KeyValue::new("gen_ai.request.stream", asked.streamed),
        KeyValue::new("llm.operation", operation(record)),
        KeyValue::new("llm.model", record.model.clone()),
    ];
    let mut add = |key: &'static str, value: Option<Value>| {
        attributes.extend(value.map(|value| KeyValue::new(key, value)));
    };
    let text = |text: &str| Value::from(text.to_owned());
    let count = |count: Option<u64>| count.map(|count| Value::from(integer(count)));
    add("gen_ai.provider.name", asked.dialect.map(|dialect| Value::from(provider(dialect))));
    add("gen_ai.request.max_tokens", count(asked.max_tokens.map(Into::into)));
    add("gen_ai.response.model", answered.then(|| text(&record.model)));
    add("gen_ai.response.finish_reasons", record.stop.as_ref().map(finish_reasons));
    add("gen_ai.usage.input_tokens", count(record.usage.input));
    add("gen_ai.usage.output_tokens", count(record.output_tokens));
    add("gen_ai.usage.cache_read.input_tokens", count(record.usage.cache_read));
    add("gen_ai.usage.cache_creation.input_tokens", count(record.usage.cache_write));
    add("gen_ai.usage.reasoning.output_tokens", count(record.usage.reasoning));
    let ttft = record.values.get(Metric::TTFT.name());
    add("gen_ai.response.time_to_first_chunk", ttft.map(|ns| Value::from(ns / 1e9)));
    add("llm.input_tokens", count(record.usage.input));
    add("llm.output_tokens", count(record.output_tokens));
    add("http.response.status_code", record.status.map(|status| Value::from(i64::from(status))));
    attributes
}

fn of_lab(record: &RequestRecord) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("llmlab.target", record.target.clone()),
        KeyValue::new("llmlab.step", i64::from(record.step)),
        KeyValue::new("llmlab.repeat", i64::from(record.repeat)),
        KeyValue::new("llmlab.attempt", i64::from(record.attempt)),
    ];
    let mut add = |key: &'static str, value: Option<Value>| {
        attributes.extend(value.map(|value| KeyValue::new(key, value)));
    };
    let branch = Some(&record.branch).filter(|branch| !branch.is_empty());
    add("llmlab.branch", branch.map(|branch| Value::from(branch.clone())));
    add("llmlab.request_id", record.request_id.clone().map(Value::from));
    add("llmlab.cost_usd", record.cost_usd.map(|usd| Value::from(usd.0)));
    let reused = record.connection.map(|connection| connection.served_before > 0);
    add("llmlab.connection_reused", reused.map(Value::from));
    attributes
}

fn finish_reasons(stop: &StopReason) -> Value {
    let reason = match stop {
        StopReason::EndTurn | StopReason::StopSequence => "stop",
        StopReason::MaxTokens => "length",
        StopReason::ToolUse => "tool_call",
        StopReason::Refusal => "content_filter",
        StopReason::Other(word) => word,
    };
    Value::Array(Array::String(vec![StringValue::from(reason.to_owned())]))
}

/// Something that happened while a request was under way, in nanoseconds since the session's start.
type Moment = (&'static str, u64, Vec<KeyValue>);

fn moments(record: &RequestRecord) -> Vec<Moment> {
    let Some(sent) = record.sent_ns else { return Vec::new() };
    let after = |metric: &Metric| record.values.get(metric.name()).map(|ns| sent + *ns as u64);
    let first = after(&Metric::TTFT);
    let all =
        [("sent", Some(sent)), ("first_token", first), ("last_token", first.and(after(&Metric::TOTAL)))];
    all.into_iter().filter_map(|(name, at)| Some((name, at?, Vec::new()))).collect()
}

/// When the connection that was opened for the request began to be, and how long each part of that took: it was
/// written to as soon as it was open.
fn opening(record: &RequestRecord) -> Option<Moment> {
    let phases = record.connection?.opened?;
    let parts = [("dns_ns", Some(phases.dns_ns)), ("tcp_ns", Some(phases.tcp_ns)), ("tls_ns", phases.tls_ns)];
    let took: u64 = parts.iter().filter_map(|(_, ns)| *ns).sum();
    let known = parts.into_iter().filter_map(|(name, ns)| Some(KeyValue::new(name, integer(ns?))));
    Some(("connect", record.sent_ns?.saturating_sub(took), known.collect()))
}
