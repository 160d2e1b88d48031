//! An answer that waits for nothing, built once.

use super::text::{HEAD, Token, end};
use crate::instrument::Plan;

/// The most that one write takes.
const WRITE: usize = 64 * 1024;

/// The bytes of an answer. A long one repeats a block of equal tokens.
#[derive(Debug)]
pub(super) struct Flat {
    /// All of a short answer, or the head of a long one.
    head: Vec<u8>,
    block: Vec<u8>,
    token: u64,
    /// The bytes of all tokens outside of `head`.
    tokens: u64,
    end: Vec<u8>,
}

impl Flat {
    pub(super) fn new(plan: &Plan) -> Self {
        let token = Token::new().at(std::time::Duration::ZERO).to_vec();
        let tokens = u64::from(plan.tokens) * token.len() as u64;
        let (mut head, end) = (HEAD.as_bytes().to_vec(), end().into_bytes());
        if head.len() as u64 + tokens + end.len() as u64 <= WRITE as u64 {
            head.extend(token.repeat(plan.tokens as usize));
            head.extend(end);
            return Self { head, block: Vec::new(), token: 1, tokens: 0, end: Vec::new() };
        }
        // A write may begin anywhere in a token, and still takes as much as one that begins with one.
        let block = token.repeat(WRITE / token.len() + 1);
        Self { head, block, token: token.len() as u64, tokens, end }
    }

    /// What is to be written after `written` bytes; nothing at the end.
    pub(super) fn rest(&self, written: u64) -> &[u8] {
        let head = self.head.len() as u64;
        if written < head {
            return &self.head[written as usize..];
        }
        let written = written - head;
        if written < self.tokens {
            let block = &self.block[(written % self.token) as usize..];
            return &block[..block.len().min((self.tokens - written) as usize)];
        }
        &self.end[((written - self.tokens) as usize).min(self.end.len())..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(flat: &Flat, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let rest = flat.rest(bytes.len() as u64)
            && !rest.is_empty()
        {
            bytes.extend(&rest[..rest.len().min(step)]);
        }
        bytes
    }

    #[test]
    fn a_short_answer_is_one_write() {
        let flat = Flat::new(&Plan::flat_out(1));
        assert_eq!(flat.rest(0), whole(&flat, usize::MAX));
        assert!(flat.rest(0).ends_with(b"[DONE]\n\n\r\n0\r\n\r\n"));
    }

    #[test]
    fn a_long_answer_is_whole_however_it_is_written() {
        let flat = Flat::new(&Plan::flat_out(5_000));
        let (all, small) = (whole(&flat, usize::MAX), whole(&flat, 1_001));
        assert!(all == small && flat.rest(HEAD.len() as u64).len() > 60_000);
        let text = String::from_utf8(all).unwrap();
        assert_eq!(text.matches("\"content\":\"000000000000 \"").count(), 5_000);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("[DONE]\n\n\r\n0\r\n\r\n"));
    }
}
