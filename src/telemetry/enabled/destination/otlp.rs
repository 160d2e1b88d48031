//! Spans to a collector, by OTLP over HTTP.
//!
//! The messages are OpenTelemetry's own; they are sent from here, because its exporter reads the environment by itself
//! and would send one collector's key to the other, and tells nobody of spans that a collector refused.

use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use reqwest::{StatusCode, Url};

use super::super::super::TracingError;
use crate::client::control::{http_client, without_address};

/// How long to wait before a collector is asked again that has no time.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// A collector.
pub(in super::super) struct Otlp {
    kind: &'static str,
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
}

impl fmt::Debug for Otlp {
    /// Without its headers and its address, which may hold keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Otlp").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Otlp {
    /// A collector of a kind that takes traces at `endpoint`.
    pub(super) fn new(
        kind: &'static str,
        endpoint: &str,
        headers: &[(String, String)],
    ) -> Result<Self, TracingError> {
        let address = |reason: String| TracingError::Address { to: kind, reason };
        let url = Url::parse(endpoint).map_err(|error| address(format!("its address is none: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(address("its address must begin with http:// or https:// and name a host".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(address("its address holds a password: put it into a header".into()));
        }
        let mut map =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))]);
        for (name, value) in headers {
            let unfit = || TracingError::Header { to: kind };
            let name = HeaderName::try_from(name.to_lowercase()).map_err(|_| unfit())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| unfit())?;
            value.set_sensitive(true);
            map.insert(name, value);
        }
        let http = http_client(url.scheme() == "https").map_err(|error| address(error.to_string()))?;
        Ok(Self { kind, http, url, headers: map })
    }

    /// What it is called, and its host; the rest of an address may hold a key.
    pub(super) fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{} at {host}:{port}", self.kind),
            None => format!("{} at {host}", self.kind),
        }
    }

    pub(super) async fn export(&self, resource: &Resource, spans: Vec<SpanData>) -> Result<u64, String> {
        let resource_spans = group_spans_by_resource_and_scope(spans, &resource.into());
        let body = bytes::Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let mut pauses = PAUSES.into_iter();
        loop {
            let request = self.http.post(self.url.clone()).headers(self.headers.clone()).body(body.clone());
            let response = request.send().await.map_err(|error| without_address(error).to_string())?;
            let status = response.status();
            if status.is_success() {
                let answer = response.bytes().await.unwrap_or_default();
                let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
                let refused = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
                return Ok(u64::try_from(refused).unwrap_or_default());
            }
            match pauses.next().filter(|_| has_no_time(status)) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(format!("it answered {status}")),
            }
        }
    }
}

/// The statuses that the protocol wants a client to try again after.
fn has_no_time(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}
