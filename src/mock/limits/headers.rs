//! Limits in the words of each vendor's headers.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Limiter, Standing};
use crate::provenance;
use crate::wire::Dialect;

/// Limits that no client comes near, and a reset that never comes, where nothing is limited: clients of Anthropic
/// find these headers on every answer.
const UNLIMITED: [(&str, &str); 6] = [
    ("anthropic-ratelimit-requests-limit", "1000000"),
    ("anthropic-ratelimit-requests-remaining", "999999"),
    ("anthropic-ratelimit-requests-reset", "2100-01-01T00:00:00Z"),
    ("anthropic-ratelimit-tokens-limit", "1000000000"),
    ("anthropic-ratelimit-tokens-remaining", "999999999"),
    ("anthropic-ratelimit-tokens-reset", "2100-01-01T00:00:00Z"),
];

/// Says in a response's headers how the limits stand.
pub(crate) fn label(dialect: Dialect, limiter: &mut Limiter, now: Duration, headers: &mut HeaderMap) {
    let [requests, input, output] = limiter.standings(now);
    let tokens = together(input, output);
    match dialect {
        Dialect::Anthropic if requests.or(tokens).is_none() => {
            for (name, value) in UNLIMITED {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
        }
        Dialect::Anthropic => {
            let kinds = [
                ("requests", requests),
                ("input-tokens", input),
                ("output-tokens", output),
                ("tokens", tokens),
            ];
            for (kind, standing) in kinds.into_iter().filter_map(|(kind, known)| Some((kind, known?))) {
                let name = |part: &str| format!("anthropic-ratelimit-{kind}-{part}");
                say(headers, &name("limit"), &standing.limit.to_string());
                say(headers, &name("remaining"), &standing.remaining.to_string());
                say(headers, &name("reset"), &moment(standing.full_in));
            }
        }
        _ => {
            let kinds = [("requests", requests), ("tokens", tokens)];
            for (kind, standing) in kinds.into_iter().filter_map(|(kind, known)| Some((kind, known?))) {
                let name = |part: &str| format!("x-ratelimit-{part}-{kind}");
                say(headers, &name("limit"), &standing.limit.to_string());
                say(headers, &name("remaining"), &standing.remaining.to_string());
                say(headers, &name("reset"), &span(standing.full_in));
            }
        }
    }
}

/// All tokens, where input and output are limited apart.
fn together(input: Option<Standing>, output: Option<Standing>) -> Option<Standing> {
    let (Some(a), Some(b)) = (input, output) else { return input.or(output) };
    Some(Standing {
        limit: a.limit + b.limit,
        remaining: a.remaining + b.remaining,
        full_in: a.full_in.max(b.full_in),
    })
}

fn say(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// The moment that lies so far ahead, as RFC 3339 in whole seconds.
fn moment(ahead: Duration) -> String {
    let ahead = Duration::from_secs(ahead.as_millis().div_ceil(1000) as u64);
    let moment = provenance::now().checked_add(ahead).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time as OpenAI writes it: `0s`, `120ms`, `1.5s`, `6m0s`.
fn span(time: Duration) -> String {
    let ms = time.as_nanos().div_ceil(1_000_000);
    let (minutes, ms) = (ms / 60_000, ms % 60_000);
    match (minutes, ms) {
        (0, 1..1000) => format!("{ms}ms"),
        (0, _) => format!("{}s", ms as f64 / 1e3),
        _ => format!("{minutes}m{}s", ms as f64 / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_openai_writes_them() {
        let written = |ms| span(Duration::from_millis(ms));
        let cases =
            [(0, "0s"), (120, "120ms"), (1000, "1s"), (1500, "1.5s"), (360_000, "6m0s"), (61_500, "1m1.5s")];
        cases.into_iter().for_each(|(ms, expected)| assert_eq!(written(ms), expected));
    }
}
