//! What never gets into a recording.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem;
use regex::bytes::Regex;
use serde_json::Value;

use super::Chunk;

/// Headers of requests and responses that are kept. All others are not.
const KEPT: [&str; 10] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "openai-beta",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "retry-after-ms",
    "server",
];

/// Headers whose values must not stand anywhere in a recording.
const SECRET: [&str; 9] = [
    "anthropic-organization-id",
    "api-key",
    "authorization",
    "cookie",
    "openai-organization",
    "openai-project",
    "proxy-authorization",
    "x-api-key",
    "x-goog-api-key",
];

/// Parameters of an address that hold keys.
const SECRET_PARAMETERS: [&str; 4] = ["key", "api_key", "api-key", "access_token"];

/// What takes the place of a secret.
pub(super) const REMOVED: &str = "[removed]";

/// Anything shorter is no key, and would blot out words.
const SHORTEST: usize = 8;

/// What keys and the names of accounts look like. All of them hold a digit somewhere.
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"(?i-u)\bbearer\s+[a-z0-9._~+/=-]{16,}",
        r"(?-u)\bsk-[A-Za-z0-9_-]{16,}",
        r"(?-u)\b(?:org|user)-[A-Za-z0-9]{16,}",
        r"(?-u)\bproj_[A-Za-z0-9]{16,}",
        r"(?-u)\b(?:gh[opsu]|hf|glpat|gsk|xai)[_-][A-Za-z0-9_-]{20,}",
        r"(?-u)\bxox[abeprs]-[A-Za-z0-9-]{10,}",
        r"(?-u)\bA(?:KIA|SIA)[A-Z0-9]{16}\b",
        r"(?-u)\bAIza[A-Za-z0-9_-]{30,}",
        r"(?-u)\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    ];
    let shape = |text| Regex::new(text).unwrap_or_else(|error| unreachable!("it is tested: {error}"));
    shapes.map(shape).into()
});

/// Finds what must not be kept of one exchange.
#[derive(Debug)]
pub(super) struct Scrub {
    own: Vec<Vec<u8>>,
}

impl Scrub {
    /// For an exchange with these request headers and this query.
    pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let values = SECRET.iter().flat_map(|name| headers.get_all(*name)).map(|value| value.as_bytes());
        // `Bearer KEY`: it is the key that is secret.
        let words = values.flat_map(|value| value.split(|byte| byte.is_ascii_whitespace()));
        let parameters = query.into_iter().flat_map(|query| query.split('&'));
        let parameters = parameters.filter_map(|pair| pair.split_once('='));
        let keys = parameters.filter(|(name, _)| SECRET_PARAMETERS.contains(name));
        let own = words.map(<[u8]>::to_vec).chain(keys.map(|(_, value)| value.into()));
        Self { own: own.filter(|secret: &Vec<u8>| secret.len() >= SHORTEST).collect() }
    }

    /// The headers that are kept, by name; several of one name are joined.
    pub(super) fn headers(&self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let kept = KEPT.iter().filter(|name| headers.contains_key(**name));
        let joined = |name: &str| {
            let values = headers.get_all(name).iter();
            let texts: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            self.text(&texts.join(", "))
        };
        kept.map(|name| ((*name).to_owned(), joined(name))).collect()
    }

    /// Text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// JSON without secrets, also those that were written with escapes.
    pub(super) fn json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.json(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.text(&name), self.json(value))).collect()
            }
            other => other,
        }
    }

    /// Bytes without secrets.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for secret in self.secrets(bytes) {
            kept.extend_from_slice(&bytes[from..secret.start]);
            kept.extend_from_slice(REMOVED.as_bytes());
            from = secret.end;
        }
        kept.extend_from_slice(&bytes[from..]);
        kept
    }

    /// Chunks without secrets, also those that two chunks share: what takes a secret's place is in the first of
    /// them, and every other byte stays in its chunk.
    pub(super) fn chunks(&self, chunks: Vec<Chunk>) -> Vec<Chunk> {
        let body: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect();
        let secrets = self.secrets(&body);
        if secrets.is_empty() {
            return chunks;
        }
        let mut start = 0;
        let without = |chunk: Chunk| {
            let range = start..start + chunk.bytes.len();
            start = range.end;
            let mut kept = Vec::with_capacity(range.len());
            let mut from = range.start;
            for secret in secrets.iter().filter(|s| s.start < range.end && s.end > range.start) {
                kept.extend_from_slice(&body[from..secret.start.max(from)]);
                if range.contains(&secret.start) {
                    kept.extend_from_slice(REMOVED.as_bytes());
                }
                from = secret.end.min(range.end);
            }
            kept.extend_from_slice(&body[from..range.end]);
            Chunk { bytes: Bytes::from(kept), ..chunk }
        };
        chunks.into_iter().map(without).filter(|chunk| !chunk.bytes.is_empty()).collect()
    }

    /// Where secrets stand, in order, none touching the next.
    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let of = |secret: &'_ [u8]| {
            let length = secret.len();
            memmem::find_iter(bytes, secret).map(|at| at..at + length).collect::<Vec<_>>()
        };
        let own = self.own.iter().flat_map(|secret| of(secret));
        let shaped = SHAPES.iter().flat_map(|shape| shape.find_iter(bytes).map(|found| found.range()));
        let shaped = shaped.filter(|range| bytes[range.clone()].iter().any(u8::is_ascii_digit));
        let mut found: Vec<_> = own.chain(shaped).collect();
        found.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(key: &str) -> Scrub {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        Scrub::of(&headers, Some("key=query-secret&x=1"))
    }

    #[test]
    fn keys_go_by_value_and_by_shape_and_words_stay() {
        let own = scrub("my-own-key-without-shape");
        let text = "my-own-key-without-shape query-secret sk-ant-api03-abcDEF_12345 org-AbCd1234EfGh5678 \
                    Bearer abcdefgh12345678 AKIAIOSFODNN7EXAMPLE";
        assert_eq!(own.text(text), [REMOVED; 6].join(" "));
        let words = "ask-what-is-a-task-anyway the bearer responsibilities org-chart sk-short1";
        assert_eq!(own.text(words), words);
    }

    #[test]
    fn a_key_with_escapes_is_a_key_once_its_text_is_read() {
        let text = r#"{"my\u002down-key-1": [{"content": "a my-own\u002dkey-1 b"}], "n": 1}"#;
        let read = serde_json::from_str(text).unwrap();
        let expected = serde_json::json!({"[removed]": [{"content": "a [removed] b"}], "n": 1});
        assert_eq!(scrub("my-own-key-1").json(read), expected);
    }

    #[test]
    fn a_key_that_two_chunks_share_is_removed_and_the_rest_stays_where_it_was() {
        let own = scrub("my-own-key-1");
        let chunk = |at_ns, text: &'static str| Chunk { at_ns, bytes: Bytes::from_static(text.as_bytes()) };
        let chunks = vec![chunk(1, "a my-own"), chunk(2, "-key"), chunk(3, "-1 b my-own-key-1")];
        let expected = vec![chunk(1, "a [removed]"), chunk(3, " b [removed]")];
        assert_eq!(own.chunks(chunks), expected);
    }

    #[test]
    fn headers_are_kept_by_a_list_of_those_that_are() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("anthropic-organization-id", "0b1c-acme"),
            ("request-id", "req_1"),
            ("set-cookie", "session=1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let kept = scrub("k").headers(&headers);
        assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["content-type"]);
    }
}
