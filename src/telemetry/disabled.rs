//! No traces in this build: whoever asks for them is told so.

use super::{Summary, TracingConfig, TracingError};
use crate::session::Session;
use crate::settings::Settings;

/// Traces that there are not.
#[derive(Debug, Clone)]
pub struct Tracing(());

impl Tracing {
    /// No traces, since none were asked for.
    ///
    /// # Errors
    /// When traces were asked for.
    pub fn of(settings: &Settings) -> Result<Self, TracingError> {
        settings.tracing.as_ref().map_or(Ok(Self(())), Self::with)
    }

    /// No traces.
    ///
    /// # Errors
    /// Always.
    pub fn with(_config: &TracingConfig) -> Result<Self, TracingError> {
        Err(TracingError::NotBuilt)
    }

    /// Nothing to say.
    pub fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    /// Does nothing.
    ///
    /// # Errors
    /// Never.
    pub fn attach(&self, _session: &mut Session, _name: &str) -> Result<(), TracingError> {
        Ok(())
    }

    /// Nothing was traced.
    pub fn finish(&self) -> Option<Summary> {
        None
    }
}

/// No traces.
///
/// # Errors
/// Always.
pub fn init_tracing(_config: TracingConfig) -> Result<(), TracingError> {
    Err(TracingError::NotBuilt)
}
