//! What is not measured exchange by exchange: health, the model list, embeddings, the mock's control endpoint. All
//! through reqwest.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde::Deserialize;

use super::Target;
use super::failure::chain;
use super::tls::tls_config;

/// How long a healthy server may take to say so.
const HEALTHY_WITHIN: Duration = Duration::from_secs(2);

/// Why a control request failed, in words that may be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ControlError(String);

/// A client for requests that nobody measures.
#[derive(Debug, Clone)]
pub struct Control {
    http: reqwest::Client,
    base_url: String,
    headers: http::HeaderMap,
}

/// What a target says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// The most prompt tokens it takes: vLLM's `max_model_len`, llama.cpp's `n_ctx` of a slot. Absent when
    /// it does not say.
    pub context_tokens: Option<u64>,
    /// If it is the lab's mock: its profile and slowdown.
    pub mock: Option<String>,
}

/// What a target shows to somebody who only asks whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The models that it lists; absent if it has no list.
    pub models: Option<Vec<String>>,
    /// If it is the lab's mock: its profile and slowdown.
    pub mock: Option<String>,
    /// How long the answer took, connecting included.
    pub took: Duration,
}

#[derive(Default, Deserialize)]
struct ModelList {
    #[serde(default)]
    data: Vec<ModelEntry>,
}

#[derive(Deserialize)]
struct ModelEntry {
    id: String,
    #[serde(default)]
    max_model_len: Option<u64>,
    #[serde(default)]
    meta: Option<ModelMeta>,
}

#[derive(Deserialize)]
struct ModelMeta {
    #[serde(default)]
    n_ctx: Option<u64>,
}

#[derive(Deserialize)]
struct EmbeddingList {
    data: Vec<EmbeddingEntry>,
}

#[derive(Deserialize)]
struct EmbeddingEntry {
    index: usize,
    embedding: Vec<f32>,
}

impl Control {
    /// A control client of `target`.
    ///
    /// # Errors
    /// When the TLS settings cannot be made.
    pub fn new(target: &Target) -> Result<Self, ControlError> {
        let http = http_client(target.origin().tls)?;
        Ok(Self { http, base_url: target.base_url(), headers: target.headers().clone() })
    }

    /// Looks at the target without asking its model anything.
    ///
    /// # Errors
    /// When nothing answers at all.
    pub async fn look(&self, model: &str) -> Result<Look, ControlError> {
        let request = self.http.get(format!("{}/v1/models", self.base_url)).headers(self.headers.clone());
        let response = request.send().await.map_err(|error| ControlError(chain(&error)))?;
        let mock = response.headers().get(crate::mock::MOCK_HEADER).and_then(|value| value.to_str().ok());
        let mock = mock.map(str::to_owned);
        let list = response.json::<ModelList>().await.unwrap_or_default();
        let entry = list
            .data
            .iter()
            .find(|entry| entry.id == model)
            .or(list.data.first().filter(|_| list.data.len() == 1));
        let listed = entry.and_then(|entry| entry.max_model_len.or(entry.meta.as_ref()?.n_ctx));
        Ok(Look { context_tokens: self.slot_context().await.or(listed), mock })
    }

    /// Whether the target answers within a time, and which models it lists. One that has no list of models is asked
    /// for its health.
    ///
    /// # Errors
    /// When nothing answers in time, or the answer is an error.
    pub async fn list(&self, within: Duration) -> Result<Listing, ControlError> {
        let began = Instant::now();
        // Anthropic lists twenty unless it is asked for more; others take no notice.
        let mut response = self.get("/v1/models?limit=1000", within).await?;
        if matches!(response.status().as_u16(), 404 | 405) {
            response = self.get("/health", within).await?;
        }
        if !response.status().is_success() {
            let reason = match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": the key was refused",
                _ => "",
            };
            return Err(ControlError(format!("it answered {}{reason}", response.status())));
        }
        let mock = response.headers().get(crate::mock::MOCK_HEADER).and_then(|value| value.to_str().ok());
        let (mock, took) = (mock.map(str::to_owned), began.elapsed());
        let body: serde_json::Value = response.json().await.unwrap_or_default();
        let listed = body["data"].as_array().map(|models| {
            models.iter().filter_map(|model| model["id"].as_str()).map(str::to_owned).collect()
        });
        Ok(Listing { models: listed, mock, took })
    }

    async fn get(&self, path: &str, within: Duration) -> Result<reqwest::Response, ControlError> {
        let request = self.http.get(format!("{}{path}", self.base_url)).headers(self.headers.clone());
        request.timeout(within).send().await.map_err(without_address)
    }

    /// The status of the target's health page: `/health/liveliness` where there is one, since `/health` of LiteLLM asks
    /// every model behind it, else `/health`.
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn health(&self) -> Result<u16, ControlError> {
        let alive = self.get("/health/liveliness", HEALTHY_WITHIN).await?.status();
        let status =
            if alive.is_success() { alive } else { self.get("/health", HEALTHY_WITHIN).await?.status() };
        Ok(status.as_u16())
    }

    /// llama.cpp's context of one slot, which may be less than the model's.
    async fn slot_context(&self) -> Option<u64> {
        let request = self.http.get(format!("{}/props", self.base_url)).headers(self.headers.clone());
        let props: serde_json::Value =
            request.send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
        props.pointer("/default_generation_settings/n_ctx")?.as_u64()
    }

    /// The vectors of `texts`, in their order, from an OpenAI-compatible `/v1/embeddings`.
    ///
    /// # Errors
    /// When nothing answers, or the answer is not a vector for each text.
    pub async fn embed(&self, model: &str, texts: &[&str]) -> Result<Vec<Vec<f32>>, ControlError> {
        let url = format!("{}/v1/embeddings", self.base_url);
        let body = serde_json::json!({ "model": model, "input": texts, "encoding_format": "float" });
        let sent = self.http.post(url).headers(self.headers.clone()).json(&body).send().await;
        let answered = sent.and_then(reqwest::Response::error_for_status);
        let failed = |error: reqwest::Error| ControlError(chain(&error));
        let mut list: EmbeddingList = answered.map_err(failed)?.json().await.map_err(failed)?;
        list.data.sort_by_key(|entry| entry.index);
        let length = list.data.first().map_or(0, |entry| entry.embedding.len());
        if list.data.len() != texts.len() || list.data.iter().any(|entry| entry.embedding.len() != length) {
            let (texts, vectors) = (texts.len(), list.data.len());
            return Err(ControlError(format!(
                "{vectors} vectors came back for {texts} texts, or not all of one length"
            )));
        }
        Ok(list.data.into_iter().map(|entry| entry.embedding).collect())
    }

    /// Posts to the mock's control endpoint.
    ///
    /// # Errors
    /// When the mock does not answer or refuses.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Result<(), ControlError> {
        let sent = self.http.post(format!("{}{path}", self.base_url)).json(body).send().await;
        let answered = sent.and_then(reqwest::Response::error_for_status);
        answered.map(drop).map_err(|error| ControlError(chain(&error)))
    }
}

/// A client for what nobody measures, over TLS or plainly.
///
/// # Errors
/// When the TLS settings cannot be made.
pub(crate) fn http_client(tls: bool) -> Result<reqwest::Client, ControlError> {
    let mut builder = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy();
    // A key must not follow a redirect to another host.
    builder = builder.redirect(reqwest::redirect::Policy::none());
    if tls {
        let config = tls_config().map_err(|error| ControlError(error.to_string()))?;
        builder = builder.tls_backend_preconfigured((*config).clone());
    } else {
        builder = builder.tls_backend_preconfigured(plain_config());
    }
    builder.build().map_err(|error| ControlError(chain(&error)))
}

/// Why a request failed, its causes included and its address left out: that may hold a key.
pub(crate) fn without_address(error: reqwest::Error) -> ControlError {
    ControlError(chain(&error.without_url()))
}

/// reqwest wants TLS settings even for plain HTTP; these hold no roots, so that none are read.
fn plain_config() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
        .unwrap_or_else(|error| unreachable!("ring supports TLS 1.2 and 1.3: {error}"))
}
