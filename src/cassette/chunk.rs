//! What one read brought, exactly.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Bytes of a response's body, and when they came. On disk they are `text` where they are UTF-8, else `base64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Chunk {
    /// When they were read, in nanoseconds since the request's first byte was written.
    pub at_ns: u64,
    /// The bytes.
    pub bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl From<Chunk> for Written {
    fn from(chunk: Chunk) -> Self {
        let at_ns = chunk.at_ns;
        match std::str::from_utf8(&chunk.bytes) {
            Ok(text) => Self { at_ns, text: Some(text.to_owned()), base64: None },
            Err(_) => Self { at_ns, text: None, base64: Some(STANDARD.encode(&chunk.bytes)) },
        }
    }
}

impl TryFrom<Written> for Chunk {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let bytes = match (written.text, written.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => {
                STANDARD.decode(text).map_err(|error| format!("a chunk's `base64`: {error}"))?
            }
            _ => return Err("a chunk has either `text` or `base64`".into()),
        };
        Ok(Self { at_ns: written.at_ns, bytes: bytes.into() })
    }
}
