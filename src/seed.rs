//! Noise that can be drawn again: a function of seed, scenario, arm stream, round and step.
//!
//! Nothing depends on the order in which requests arrive. Each arm has a stream of its own: two runs with one
//! seed see the same noise round by round, and two arms of one run do not, as no real engine would give them
//! the same. A request says which draw it is with the header [`DRAW_HEADER`]; one that does not gets noise
//! from a hash of its body.

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// The request header that carries a [`DrawId`] to the mock.
pub const DRAW_HEADER: &str = "x-llmlab-draw";

/// The seed of a run. It is printed with the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of whatever names none.
    pub const DEFAULT: Self = Self(20);

    /// A generator for one `purpose` of one draw. Purposes are independent of each other, so that drawing
    /// more of one never shifts another.
    pub fn rng(&self, draw: &DrawId, purpose: &str) -> ChaCha8Rng {
        self.noise(draw).rng(purpose)
    }

    /// All noise of one draw.
    pub fn noise(&self, draw: &DrawId) -> Noise {
        Noise { seed: self.0, key: format!("draw/{draw}") }
    }

    /// All noise of a request that does not say which draw it is.
    pub fn noise_of_body(&self, body: &[u8]) -> Noise {
        Noise { seed: self.0, key: format!("body/{:016x}", xxh3_64(body)) }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where the noise of one request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noise {
    seed: u64,
    key: String,
}

impl Noise {
    /// A generator for one `purpose`, independent of every other.
    pub fn rng(&self, purpose: &str) -> ChaCha8Rng {
        // The key holds no newline (a draw is escaped), so no two pairs of key and purpose read the same.
        let text = format!("{}\n{purpose}", self.key);
        let mut state = [0; 32];
        state[..16].copy_from_slice(&xxh3_128_with_seed(text.as_bytes(), self.seed).to_le_bytes());
        state[16..].copy_from_slice(&xxh3_128_with_seed(text.as_bytes(), !self.seed).to_le_bytes());
        ChaCha8Rng::from_seed(state)
    }
}

/// Which draw a request is. As a header value: `scenario/stream/round/step`, with `%xx` for bytes that a
/// header or this format cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct DrawId {
    /// The benchmark group or scenario, such as `caching.prefix`.
    pub scenario: String,
    /// The arm whose noise it is, such as `uncached:1500`.
    pub stream: String,
    /// The round, from 0.
    pub round: u32,
    /// The request within the arm's turn, from 0.
    pub step: u32,
}

impl DrawId {
    /// The arm's own part of the stream, without the branch and the repeat of its turn.
    pub fn arm(&self) -> &str {
        self.stream.split(['#', '~']).next().unwrap_or_default()
    }
}

impl fmt::Display for DrawId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.scenario, formatter)?;
        formatter.write_str("/")?;
        escape(&self.stream, formatter)?;
        write!(formatter, "/{}/{}", self.round, self.step)
    }
}

/// Why a text is not a [`DrawId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not read draw {0:?}: expected scenario/stream/round/step")]
pub struct DrawIdError(String);

impl FromStr for DrawId {
    type Err = DrawIdError;

    fn from_str(text: &str) -> Result<Self, DrawIdError> {
        parse(text).ok_or_else(|| DrawIdError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<DrawId> {
    let mut parts = text.trim().split('/');
    let draw = DrawId {
        scenario: unescape(parts.next()?)?,
        stream: unescape(parts.next()?)?,
        round: parts.next()?.parse().ok()?,
        step: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(draw)
}

fn escape(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.bytes().try_for_each(|byte| match byte {
        b'/' | b'%' => write!(formatter, "%{byte:02x}"),
        b'!'..=b'~' => write!(formatter, "{}", char::from(byte)),
        _ => write!(formatter, "%{byte:02x}"),
    })
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    fn draw(round: u32) -> DrawId {
        DrawId { scenario: "caching.prefix".into(), stream: "uncached:1500".into(), round, step: 0 }
    }

    #[test]
    fn a_draw_reads_back_from_its_header() {
        assert_eq!(draw(3).to_string(), "caching.prefix/uncached:1500/3/0");
        let odd = DrawId { scenario: "a/b %".into(), stream: "é\n".into(), round: 1, step: 2 };
        assert!(odd.to_string().bytes().all(|byte| byte.is_ascii_graphic()));
        for id in [draw(3), odd, DrawId::default()] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn a_text_that_is_no_draw_is_refused() {
        for text in ["", "a", "a/b/c/d", "a/b/1", "a/b/1/2/3", "a%/b/1/2", "a/%zz/1/2", "a/b/-1/2"] {
            assert!(text.parse::<DrawId>().is_err(), "{text}");
        }
    }

    #[test]
    fn noise_differs_by_seed_draw_and_purpose_and_by_nothing_else() {
        let first = |seed: Seed, round, purpose: &str| seed.rng(&draw(round), purpose).next_u64();
        assert_eq!(first(Seed(1), 0, "decode"), first(Seed(1), 0, "decode"));
        assert_ne!(first(Seed(1), 0, "decode"), first(Seed(2), 0, "decode"));
        assert_ne!(first(Seed(1), 0, "decode"), first(Seed(1), 1, "decode"));
        assert_ne!(first(Seed(1), 0, "decode"), first(Seed(1), 0, "prefill"));
    }
}
