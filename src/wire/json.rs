//! What every dialect needs of JSON: text borrowed where it can be, and errors that tell cut from wrong.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::WireError;

/// Text that borrows from the input unless it has escapes. (serde borrows into a bare `Cow`, but not into
/// an `Option<Cow>`.)
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    pub(super) fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The text that has something in it.
pub(super) fn filled<'t>(text: Option<&'t Text<'_>>) -> Option<&'t str> {
    text.map(Deref::deref).filter(|text: &&str| !text.is_empty())
}

/// The most tokens that are believed of one request.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// A count of tokens. One that cannot be is as good as none: sums of those that are left fit into their type.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.filter(|count| *count <= MOST_TOKENS))
}

/// Content that is one string or a list of parts.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body<T> {
    Text(Arc<str>),
    Parts(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Body<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: that would forget which field of a part is missing.
        struct BodyVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for BodyVisitor<T> {
            type Value = Body<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a list of blocks")
            }

            fn visit_str<E>(self, text: &str) -> Result<Body<T>, E> {
                Ok(Body::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Body<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(parts)).map(Body::Parts)
            }
        }

        deserializer.deserialize_any(BodyVisitor(PhantomData))
    }
}

/// Reads JSON; what stops early counts as cut, anything else as wrong.
pub(super) fn parse<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|error| cut_or_wrong(what, &error))
}

/// [`parse`] for bytes.
pub(super) fn parse_bytes<'a, T: Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<T, WireError> {
    serde_json::from_slice(bytes).map_err(|error| cut_or_wrong(what, &error))
}

/// The error of text that is not what `what` should be.
pub(super) fn wrong(what: &'static str, reason: impl fmt::Display) -> WireError {
    WireError::Parse { what, reason: reason.to_string() }
}

fn cut_or_wrong(what: &'static str, error: &serde_json::Error) -> WireError {
    if error.is_eof() { WireError::Truncated { expected: "the end of its JSON" } } else { wrong(what, error) }
}

/// Writes JSON. The structs of the dialects have no case that fails (keys are strings, nothing is
/// recursive but JSON itself), so a failure would be a fault of this crate, and is shown to the receiver.
pub(super) fn to_string(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        format!(r#"{{"error":"the body could not be encoded, {:?}"}}"#, error.classify())
    })
}

/// The arguments of a tool call, which come as text. None at all means an empty object; text that is
/// not JSON is kept as text, because what the model wrote is a result too.
pub(super) fn tool_input(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()))
}

/// The opposite of [`tool_input`]: text that would be read as something else is written as JSON.
pub(super) fn tool_arguments(input: &Value) -> String {
    match input {
        Value::String(arguments) if tool_input(arguments) == *input => arguments.clone(),
        input => input.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{Dialect, Event, Usage};

    #[test]
    fn arguments_of_a_tool_are_read_as_what_was_written() {
        for input in
            [json!({"a": 1}), json!("no JSON"), json!("5"), json!("{}"), json!(""), json!(" "), json!(null)]
        {
            assert_eq!(tool_input(&tool_arguments(&input)), input);
        }
        assert_eq!(tool_arguments(&json!("no JSON")), "no JSON");
    }

    #[test]
    fn a_count_that_cannot_be_is_unknown_and_breaks_no_sum() {
        let cases = [
            (
                Dialect::Anthropic,
                format!(
                    r#"{{"type":"message_delta","delta":{{}},"usage":{{"input_tokens":{0},"cache_read_input_tokens":{0},"cache_creation":{{"ephemeral_5m_input_tokens":{0},"ephemeral_1h_input_tokens":{0}}},"output_tokens":7}}}}"#,
                    u64::MAX
                ),
            ),
            (
                Dialect::OpenAi,
                format!(
                    r#"{{"choices":[],"usage":{{"prompt_tokens":{0},"completion_tokens":7,"total_tokens":{0}}}}}"#,
                    u64::MAX
                ),
            ),
        ];
        for (dialect, data) in cases {
            let mut events = Vec::new();
            dialect.event_decoder().decode("", &data, &mut events).unwrap();
            assert_eq!(
                events,
                [Event::Usage(Box::new(Usage { output: Some(7), ..Usage::default() }))],
                "{dialect}"
            );
        }
    }
}
