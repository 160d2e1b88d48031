//! Which recordings may answer a request.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use super::Recording;
use crate::seed::DrawId;
use crate::wire::{Ask, Content, Dialect};

/// Fields of a body that say who asks, and nothing of what: they are neither kept nor compared.
pub(super) const VOLATILE: [&str; 3] = ["metadata", "safety_identifier", "user"];

/// Words that differ from run to run.
static IDS: LazyLock<Regex> = LazyLock::new(|| {
    let id = "[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}";
    Regex::new(id).unwrap_or_else(|error| unreachable!("it is tested: {error}"))
});

/// A request that waits for a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The dialect of its path.
    pub dialect: Dialect,
    /// The model it names; empty if it names none.
    pub model: String,
    /// Whether it asks for a streamed answer.
    pub stream: bool,
    /// The draw that it says it is.
    pub draw: Option<DrawId>,
    /// [`hash`] of its body.
    pub hash: String,
    similar: u128,
    /// System prompt and conversation; absent if the dialect does not understand the body.
    prompt: Option<String>,
}

impl Request {
    /// What can be compared of a request.
    pub fn new(dialect: Dialect, body: &Value, draw: Option<DrawId>) -> Self {
        let ask = dialect.decode_request(body.to_string().as_bytes()).ok();
        let of_body = |name: &str| body.get(name);
        Self {
            dialect,
            model: of_body("model").and_then(Value::as_str).unwrap_or_default().into(),
            stream: of_body("stream").and_then(Value::as_bool).unwrap_or_default(),
            draw,
            hash: hash(dialect, body),
            similar: digest(dialect, &without_ids(body)),
            prompt: ask.map(|ask| prompt(&ask)),
        }
    }

    /// The keys under which recordings are looked for, the best first. Where the draw's group was recorded, only its
    /// own recording will do: another arm's answer is no answer.
    pub(super) fn keys(&self, drawn: bool, next: bool) -> Vec<u128> {
        if drawn && let Some(draw) = self.draw_key() {
            return vec![draw];
        }
        let last = next.then(|| self.dialect_key());
        [Some(self.exact_key()), self.prompt_key(), last].into_iter().flatten().collect()
    }

    /// The keys under which a recording of this request is found.
    pub(super) fn all_keys(&self) -> Vec<u128> {
        let optional = [self.draw_key(), self.prompt_key()].into_iter().flatten();
        optional.chain([self.exact_key(), self.dialect_key()]).collect()
    }

    fn draw_key(&self) -> Option<u128> {
        let draw = self.draw.as_ref()?;
        Some(xxh3_128(format!("draw {draw} {:032x}", self.similar).as_bytes()))
    }

    fn exact_key(&self) -> u128 {
        xxh3_128(format!("exact {}", self.hash).as_bytes())
    }

    fn prompt_key(&self) -> Option<u128> {
        let prompt = IDS.replace_all(self.prompt.as_deref()?, "");
        Some(xxh3_128(format!("prompt {} {} {} {prompt}", self.dialect, self.model, self.stream).as_bytes()))
    }

    fn dialect_key(&self) -> u128 {
        xxh3_128(format!("dialect {}", self.dialect).as_bytes())
    }
}

/// `openai, model gpt-4o, streamed, prompt "What is..."`.
impl std::fmt::Display for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if self.stream { "streamed" } else { "not streamed" };
        write!(formatter, "{}, model {}, {how}", self.dialect, self.model)?;
        if let Some(prompt) = &self.prompt {
            let shown: String = prompt.chars().take(60).collect();
            let more = if shown.len() < prompt.len() { "…" } else { "" };
            write!(formatter, ", prompt {shown:?}{more}")?;
        }
        self.draw.iter().try_for_each(|draw| write!(formatter, ", draw {draw}"))
    }
}

impl Recording {
    /// The request as it is compared.
    pub fn asked(&self) -> Request {
        Request::new(self.request.dialect, &self.request.body, self.recorded.draw.clone())
    }

    /// The keys under which it is found.
    pub(super) fn keys(&self) -> Vec<u128> {
        self.asked().all_keys()
    }
}

/// The hash by which a request is matched: of its dialect and of its body as JSON with sorted keys, without the
/// fields that say who asks.
pub fn hash(dialect: Dialect, body: &Value) -> String {
    format!("{:032x}", digest(dialect, body))
}

fn digest(dialect: Dialect, body: &Value) -> u128 {
    let mut body = sorted(body);
    if let Value::Object(fields) = &mut body {
        VOLATILE.iter().for_each(|name| drop(fields.remove(*name)));
    }
    xxh3_128(format!("{dialect}\n{body}").as_bytes())
}

/// The same JSON with sorted keys, whatever order this build of serde_json keeps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn without_ids(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(&*IDS.replace_all(text, "")),
        Value::Array(items) => items.iter().map(without_ids).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without_ids(value))).collect()
        }
        other => other.clone(),
    }
}

/// What a person would call the prompt: texts of system and conversation, and what tools answered.
fn prompt(ask: &Ask) -> String {
    let blocks = ask.system.iter().chain(ask.messages.iter().flat_map(|message| &message.content));
    let texts = blocks.filter_map(|block| match &block.content {
        Content::Text(text) | Content::ToolResult { text, .. } => Some(&**text),
        Content::Thinking { .. } | Content::ToolUse { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: &Value) -> Request {
        Request::new(Dialect::OpenAi, body, None)
    }

    #[test]
    fn the_order_of_keys_and_who_asks_do_not_matter() {
        let one: Value =
            serde_json::from_str(r#"{"model":"m","user":"u1","stop":["a",{"b":1,"c":2}]}"#).unwrap();
        let other: Value =
            serde_json::from_str(r#"{"stop":["a",{"c":2,"b":1}],"model":"m","metadata":{"user_id":"x"}}"#)
                .unwrap();
        assert_eq!(request(&one).hash, request(&other).hash);
        assert_ne!(request(&one).hash, request(&json!({"model": "m", "stop": ["a", {"b": 1}]})).hash);
        assert_ne!(hash(Dialect::OpenAi, &one), hash(Dialect::Anthropic, &one));
    }

    #[test]
    fn ids_are_left_aside_where_the_prompt_is_compared() {
        let body =
            |id: &str| json!({"model": "m", "messages": [{"role": "user", "content": format!("{id}\nHi")}]});
        let one = request(&body("0123456789abcdef0123456789abcdef"));
        let other = request(&body("01234567-89ab-4def-8123-fedcba987654"));
        assert_ne!(one.exact_key(), other.exact_key());
        assert_eq!((one.prompt_key(), one.similar), (other.prompt_key(), other.similar));
        assert_ne!(one.prompt_key(), request(&body("hello")).prompt_key());
    }
}
