//! Texts to unit vectors.

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::Target;
use crate::client::control::Control;
use crate::embedding::{lexical, unit};
use crate::experiment::RunError;
use crate::session::Session;

/// Texts of one request to an endpoint: as many as common servers take.
const BATCH: usize = 32;

/// Turns texts into vectors of length 1.
pub trait Embedder: Send + Sync {
    /// What it is, for a report.
    fn name(&self) -> String;

    /// The vectors of `texts`, in their order.
    fn embed<'a>(&'a self, texts: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Vec<f32>>, RunError>>;
}

/// The embedder that the session's settings name.
///
/// # Errors
/// When the client of an endpoint cannot be made.
pub fn embedder(session: &Session) -> Result<Box<dyn Embedder>, RunError> {
    Ok(match &session.settings().embeddings {
        None => Box::new(Lexical),
        Some(target) => Box::new(Endpoint::new(target)?),
    })
}

/// Hashed character n-grams: it sees how a question is written, and nothing of what it means.
#[derive(Debug, Clone, Copy)]
pub struct Lexical;

impl Embedder for Lexical {
    fn name(&self) -> String {
        "lexical (character n-grams)".into()
    }

    fn embed<'a>(&'a self, texts: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Vec<f32>>, RunError>> {
        async move { Ok(texts.iter().map(|text| lexical(text, 0)).collect()) }.boxed()
    }
}

/// An OpenAI-compatible `/v1/embeddings`. Its requests belong to the lookup: they are no requests to the target, and
/// no budget counts them.
#[derive(Debug, Clone)]
pub struct Endpoint {
    control: Control,
    model: String,
}

impl Endpoint {
    /// The endpoint of `target`.
    ///
    /// # Errors
    /// When its client cannot be made.
    pub fn new(target: &Target) -> Result<Self, RunError> {
        let control = Control::new(target).map_err(failed)?;
        Ok(Self { control, model: target.model().into() })
    }
}

impl Embedder for Endpoint {
    fn name(&self) -> String {
        format!("endpoint {}", self.model)
    }

    fn embed<'a>(&'a self, texts: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Vec<f32>>, RunError>> {
        async move {
            let mut vectors = Vec::with_capacity(texts.len());
            for texts in texts.chunks(BATCH) {
                let embedded = self.control.embed(&self.model, texts).await.map_err(failed)?;
                vectors.extend(embedded.into_iter().map(unit));
            }
            Ok(vectors)
        }
        .boxed()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn failed(error: crate::client::control::ControlError) -> RunError {
    RunError::Workload(format!("embeddings (LLMLAB_EMBEDDINGS): {error}"))
}
