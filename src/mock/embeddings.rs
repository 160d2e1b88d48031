//! `POST /v1/embeddings`: lexical vectors, which look like an embedding model's and know nothing of meaning.
//!
//! They come after the overhead and the prefill of the engine that serves the model, without noise.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::embedding::lexical;
use crate::wire::Dialect;

use super::prompt::tokens;
use super::routes::{error, json_response};
use super::state::App;

#[derive(Deserialize)]
struct Request {
    model: String,
    input: Input,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// Answers a request for embeddings.
pub(crate) async fn embeddings(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let received = Instant::now();
    let Request { model, input } = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(wrong) => return error(Dialect::OpenAi, 400, "invalid_request_error", &wrong.to_string()),
    };
    let texts = match input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    let tokens: u64 = texts.iter().map(|text| tokens(text.len())).sum();
    app.pacer.wait_until(received + app.engine(&model, None).reading(tokens)).await;
    let data: Vec<Value> = (0..)
        .zip(&texts)
        .map(|(index, text): (usize, _)| {
            let embedding = lexical(text, app.seed().0);
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    json_response(&json!({"object": "list", "data": data, "model": model, "usage": usage}))
}
