//! Errors in the servers' words.

use serde::Serialize;
use serde_json::Value;

use super::{ApiError, Dialect, json};

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    error: ErrorPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorPart<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Option<&'a str>>,
}

/// The JSON of an error.
pub(super) fn encode(dialect: Dialect, error: &ApiError, request_id: Option<&str>) -> String {
    let anthropic = dialect == Dialect::Anthropic;
    // OpenAI says these two even where it has nothing to say.
    let null = matches!(dialect, Dialect::OpenAi | Dialect::Completions).then_some(None);
    json::to_string(&ErrorBody {
        kind: anthropic.then_some("error"),
        error: ErrorPart { kind: &error.kind, message: &error.message, param: null, code: null },
        request_id: request_id.filter(|_| anthropic),
    })
}

/// The error that a body states, if any: `{"error": {..}}`, `{"error": ".."}`, the `{"object": "error"}` of
/// older vLLM, `{"detail": ..}` of FastAPI, or a bare `{"message": ..}`.
pub(super) fn decode(body: &[u8]) -> Option<ApiError> {
    let body: Value = serde_json::from_slice(body).ok()?;
    match body.get("error") {
        Some(Value::Object(_)) => Some(stated(&body["error"], &body["error"])),
        Some(Value::String(message)) => Some(ApiError { kind: kind(&body), message: message.clone() }),
        _ if body.get("message").is_some_and(Value::is_string) => Some(stated(&body, &body)),
        _ => body.get("detail").map(|detail| stated(&body, detail)),
    }
}

fn stated(about: &Value, message: &Value) -> ApiError {
    let message = match message.get("message").unwrap_or(message) {
        Value::String(message) => message.clone(),
        other => other.to_string(),
    };
    ApiError { kind: kind(about), message }
}

/// The type of an error, or failing that its code.
fn kind(about: &Value) -> String {
    let word = |name: &str| match about.get(name) {
        Some(Value::String(word)) if !word.is_empty() => Some(word.clone()),
        Some(Value::Number(code)) => Some(code.to_string()),
        _ => None,
    };
    word("type").or_else(|| word("code")).unwrap_or_else(|| "unknown".to_owned())
}
