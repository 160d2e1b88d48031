//! What a simulated model is to say.
//!
//! A simulator cannot think. Where an answer decides what comes next, a tool call or a class say, whoever asks also
//! says what the model answers, in a header beside the request. The request itself is the one that a live target
//! gets, and a live target is never told.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The request header that carries a [`Script`] to the mock.
pub const SCRIPT_HEADER: &str = "x-llmlab-script";

/// One answer of a simulated model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Tokens of thinking before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub thinking: u32,
    /// How its text begins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Tokens of its text in all: what [`text`](Self::text) leaves is filled up. Absent: the text alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
    /// The tools that it then calls, all in this turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ScriptedCall>,
}

/// A tool call of a simulated model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool's name.
    pub name: String,
    /// Its input.
    pub input: Value,
}

impl Script {
    /// An answer of text alone, filled up to `tokens`.
    pub fn text(text: impl Into<String>, tokens: u32) -> Self {
        Self { text: text.into(), tokens: Some(tokens), ..Self::default() }
    }

    /// As the value of [`SCRIPT_HEADER`]: JSON in ASCII.
    pub fn to_header(&self) -> String {
        let json =
            serde_json::to_string(self).unwrap_or_else(|error| unreachable!("strings and numbers: {error}"));
        let mut ascii = String::with_capacity(json.len());
        let mut units = [0; 2];
        for character in json.chars() {
            match character {
                ' '..='~' => ascii.push(character),
                _ => ascii
                    .extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"))),
            }
        }
        ascii
    }

    /// Reads a header's value.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_header(value: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(value)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_survives_the_way_through_a_header() {
        let script = Script {
            thinking: 3,
            text: "Zürich → 日本 \u{1f600}\n\"quoted\"\u{7f}".into(),
            tokens: Some(20),
            calls: vec![ScriptedCall { name: "look".into(), input: serde_json::json!({ "at": "ö" }) }],
        };
        let header = script.to_header();
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header}");
        assert_eq!(Script::from_header(&header).unwrap(), script);
    }
}
