//! What the server writes.

use std::time::Duration;

/// Before every answer.
pub(super) const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// Before the choice of every event: what real servers repeat in each, since it has to be read too.
const SAME: &str = r#"{"id":"chatcmpl-2b6e0a1f9c434d1e","object":"chat.completion.chunk","created":1762300000,"model":"truth","system_fingerprint":null,"choices":[{"index":0,"delta":"#;

/// Digits of a token's offset.
const DIGITS: usize = 12;

/// An event in an HTTP chunk of its own.
fn chunk(data: &str) -> String {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// The events that end an answer, and the end of its body.
pub(super) fn end() -> String {
    let last = format!(r#"{SAME}{{}},"logprobs":null,"finish_reason":"stop"}}]}}"#);
    format!("{}{}0\r\n\r\n", chunk(&last), chunk("[DONE]"))
}

/// A token that takes any offset.
#[derive(Debug)]
pub(super) struct Token {
    bytes: Vec<u8>,
    offset: usize,
}

impl Token {
    pub(super) fn new() -> Self {
        let zeros = "0".repeat(DIGITS);
        let token = format!(r#"{SAME}{{"content":"{zeros} "}},"logprobs":null,"finish_reason":null}}]}}"#);
        let text = chunk(&token);
        let offset = text.find(&zeros).unwrap_or_default();
        Self { bytes: text.into_bytes(), offset }
    }

    /// The token's bytes, with this offset as its text.
    pub(super) fn at(&mut self, offset: Duration) -> &[u8] {
        let mut rest = offset.as_nanos();
        for digit in self.bytes[self.offset..self.offset + DIGITS].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_offset() {
        let mut token = Token::new();
        let text = String::from_utf8(token.at(Duration::from_nanos(1_234_567)).to_vec()).unwrap();
        assert!(text.contains(r#""delta":{"content":"000001234567 "},"logprobs":null"#), "{text}");
        let event = text.split_once("data: ").unwrap().1.split_once("\n\n").unwrap().0;
        assert!(serde_json::from_str::<serde_json::Value>(event).is_ok(), "{event}");
        assert_eq!(text.len(), token.at(Duration::ZERO).len());
    }
}
