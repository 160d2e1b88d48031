//! What the server writes.

use std::time::Duration;

/// Before every answer.
pub(super) const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// After the last token of every answer.
const LAST: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// Digits of a token's offset.
const DIGITS: usize = 12;

/// An event in an HTTP chunk of its own.
fn chunk(data: &str) -> String {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// The events that end an answer, and the end of its body.
pub(super) fn end() -> String {
    format!("{}{}0\r\n\r\n", chunk(LAST), chunk("[DONE]"))
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
        let text = chunk(&format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{zeros} "}}}}]}}"#));
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
        assert_eq!(
            text,
            "45\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"000001234567 \"}}]}\n\n\r\n"
        );
        assert_eq!(text.len(), token.at(Duration::ZERO).len());
    }
}
