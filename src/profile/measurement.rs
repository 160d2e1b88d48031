//! One request of a profile, in milliseconds.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::client::ErrorClass;
use crate::metric::Metric;
use crate::price::Usd;
use crate::session::{Outcome, RequestRecord};
use crate::timeline::TokenSource;

/// One request. The names of the first ten fields are those of older profilers' exports and stay as they are; a number
/// that is not known, and every latency of a request that failed, is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Measurement {
    /// The request's number, from 1.
    pub request_id: u32,
    /// The model that was asked for.
    pub model: String,
    /// Which engine or vendor serves it, as far as its name says.
    pub provider: String,
    /// From the first written byte to the last content.
    pub total_ms: Option<f64>,
    /// To the response headers.
    pub ttfb_ms: Option<f64>,
    /// The same as `stream_ms`, by its old name; of a streamed answer it is mostly generation.
    pub network_ms: Option<f64>,
    /// Output tokens.
    pub tokens_generated: Option<u64>,
    /// Output tokens by `total_ms`, the time to first token included.
    pub tokens_per_second: Option<f64>,
    /// Whether a complete answer with content came.
    pub success: bool,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The class of what went wrong.
    pub error_class: Option<&'static str>,
    /// To the first content; null when nothing was streamed.
    pub ttft_ms: Option<f64>,
    /// From the headers to the last content.
    pub stream_ms: Option<f64>,
    /// To open the connection, name, TCP and TLS; null when one was open. It is in no other time but
    /// `response_time_ms`.
    pub connect_ms: Option<f64>,
    /// From the start of the request, its connection included, to the last content.
    pub response_time_ms: Option<f64>,
    /// Output tokens a second after the first.
    pub decode_tps: Option<f64>,
    /// The same as `tokens_per_second`, by its exact name.
    pub e2e_tps: Option<f64>,
    /// Who counted the output tokens: the server (`usage`), or nobody (`events`).
    pub token_source: Option<TokenSource>,
    /// The longest gap between two pieces of the answer.
    pub max_gap_ms: Option<f64>,
    /// Gaps long enough to be called stalls.
    pub stalls: Option<u64>,
    /// Prompt tokens.
    pub input_tokens: Option<u64>,
    /// Prompt tokens that the server read from its cache.
    pub cached_tokens: Option<u64>,
    /// Whether a cache of whole answers gave it, where the server says so.
    pub cached_answer: Option<bool>,
    /// The most output tokens that were allowed.
    pub max_tokens: u32,
    /// Dollars; null when a price or a count is not known.
    pub cost_usd: Option<Usd>,
    /// From the start of the request to its end, failed or not.
    pub elapsed_ms: f64,
    /// `simulated`, `replayed` or `live`.
    pub mode: String,
}

impl Measurement {
    /// What an exchange says of request `request_id`, which asked `model` for at most `max_tokens`.
    pub fn of(
        (record, cached): &(RequestRecord, Option<bool>),
        request_id: u32,
        model: &str,
        provider: &str,
        max_tokens: u32,
    ) -> Self {
        let total = ms_of(record, &Metric::TOTAL);
        let (class, error) = fault(record, total);
        let answered = class.is_none();
        let ms = |metric: &Metric| ms_of(record, metric).filter(|_| answered);
        let stream = total.zip(ms(&Metric::TTFB)).map(|(total, ttfb)| total - ttfb);
        let opened = record.connection.and_then(|connection| connection.opened);
        Self {
            request_id,
            model: model.into(),
            provider: provider.into(),
            total_ms: total.filter(|_| answered),
            ttfb_ms: ms(&Metric::TTFB),
            network_ms: stream,
            tokens_generated: record.output_tokens,
            tokens_per_second: record.e2e_tps,
            success: answered,
            error,
            error_class: class,
            ttft_ms: ms(&Metric::TTFT),
            stream_ms: stream,
            connect_ms: opened
                .map(|phases| milliseconds(phases.dns_ns + phases.tcp_ns + phases.tls_ns.unwrap_or(0))),
            response_time_ms: ms(&Metric::RESPONSE_TIME),
            decode_tps: record.decode_tps,
            e2e_tps: record.e2e_tps,
            token_source: record.token_source,
            max_gap_ms: ms(&Metric::MAX_GAP),
            stalls: answered.then_some(record.stalls),
            input_tokens: record.usage.input,
            cached_tokens: record.usage.cache_read,
            cached_answer: *cached,
            max_tokens,
            cost_usd: record.cost_usd,
            elapsed_ms: milliseconds(record.elapsed_ns),
            mode: record.mode.clone(),
        }
    }

    /// Whether it failed in this way.
    pub fn failed_by(&self, class: ErrorClass) -> bool {
        self.error_class == Some(class.name())
    }
}

/// The class and the words of what went wrong. An answer without content is none: it has no latency.
fn fault(record: &RequestRecord, total: Option<f64>) -> (Option<&'static str>, Option<String>) {
    match record.outcome {
        Outcome::Failed(class) => {
            let words = record.error.clone().unwrap_or_else(|| class.name().into());
            (Some(class.name()), Some(words))
        }
        Outcome::Ok if total.is_none() => (Some("empty"), Some("the answer has no content".into())),
        Outcome::Ok => (None, None),
    }
}

fn ms_of(record: &RequestRecord, metric: &Metric) -> Option<f64> {
    record.values.get(metric.name()).map(|nanoseconds| nanoseconds / 1e6)
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// How often each error came, in words, the most frequent first.
pub fn errors<'a>(measurements: impl IntoIterator<Item = &'a Measurement>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for error in measurements.into_iter().filter_map(|measurement| measurement.error.as_deref()) {
        *counts.entry(error).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().map(|(error, count)| (error.to_owned(), count)).collect();
    // Errors of one count stay in the order of their words.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
