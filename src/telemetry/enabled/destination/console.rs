//! Spans on standard error, a line of JSON each: standard output is a command's result.

use std::io::{self, Write};
use std::time::SystemTime;

use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use serde_json::{Map, json};

pub(super) fn export(spans: &[SpanData]) -> io::Result<()> {
    let lines: String = spans.iter().map(|span| format!("{}\n", line(span))).collect();
    io::stderr().lock().write_all(lines.as_bytes())
}

fn line(span: &SpanData) -> serde_json::Value {
    let took = span.end_time.duration_since(span.start_time).unwrap_or_default();
    let mut line = json!({
        "span": span.name,
        "trace_id": span.span_context.trace_id().to_string(),
        "span_id": span.span_context.span_id().to_string(),
        "start": rfc3339(span.start_time),
        "duration_ms": took.as_secs_f64() * 1e3,
        "attributes": object(&span.attributes),
    });
    if span.parent_span_id != SpanId::INVALID {
        line["parent_span_id"] = span.parent_span_id.to_string().into();
    }
    if let Status::Error { description } = &span.status {
        line["error"] = description.to_string().into();
    }
    let event = |event: &opentelemetry::trace::Event| {
        let mut shown = object(&event.attributes);
        shown.insert("event".into(), event.name.to_string().into());
        shown.insert("at".into(), rfc3339(event.timestamp).into());
        serde_json::Value::from(shown)
    };
    if !span.events.events.is_empty() {
        line["events"] = span.events.events.iter().map(event).collect();
    }
    line
}

fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or_default().to_string()
}

fn object(attributes: &[KeyValue]) -> Map<String, serde_json::Value> {
    attributes.iter().map(|pair| (pair.key.to_string(), value(&pair.value))).collect()
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| text.as_str().to_owned()).collect(),
        other => other.to_string().into(),
    }
}
