//! Why a request is not answered as it wishes, and how that is said.

use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::store::StoreError;
use crate::report::say;

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Complaint {
    /// `body`, `query` or `header`, and the field.
    #[schema(example = json!(["body", "runs"]))]
    loc: Vec<String>,
    /// What is wrong with it.
    msg: String,
    /// The kind of fault.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// A complaint about a field of a body; an empty field means the whole body.
pub(super) fn complaint(field: &str, msg: &str) -> Complaint {
    let fields = field.split('.').filter(|part| !part.is_empty()).map(str::to_owned);
    let loc = std::iter::once("body".to_owned()).chain(fields).collect();
    Complaint { loc, msg: msg.into(), kind: "value_error" }
}

impl Complaint {
    /// A complaint about the part of an address behind its `?`.
    pub(super) fn of_query(msg: &str) -> Self {
        Self { loc: vec!["query".into()], msg: msg.into(), kind: "value_error" }
    }

    /// A header that is missing.
    pub(super) fn of_header(name: &str) -> Self {
        Self { loc: vec!["header".into(), name.into()], msg: "Field required".into(), kind: "missing" }
    }

    /// What is wrong.
    pub(super) fn reason(&self) -> &str {
        &self.msg
    }

    /// The field it is about.
    pub fn field(&self) -> &str {
        self.loc.get(1).map_or("", String::as_str)
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.loc.join("."), self.msg)
    }
}

/// What is replied to a request that does not fit: the complaints.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Complaints {
    /// What is wrong, and where.
    pub detail: Vec<Complaint>,
}

/// What is replied to a request that is refused for another reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refusal {
    /// Why, in words.
    #[schema(example = "Job not found")]
    pub detail: String,
}

/// Why a request is not answered as it wishes.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(&'static str),
    /// The request is none.
    #[error("{0}")]
    BadRequest(&'static str),
    /// It does not fit.
    #[error("the request does not fit")]
    Complaints(Vec<Complaint>),
    /// It needs a key.
    #[error("Not authenticated")]
    NoKey,
    /// Its key is none, or allows less.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It comes from another page or for another host.
    #[error("{0}")]
    Misdirected(&'static str),
    /// Somebody else was first.
    #[error("{0}")]
    Conflict(&'static str),
    /// Too much at once.
    #[error("{reason}")]
    TooMany {
        /// What there is too much of.
        reason: &'static str,
        /// When to try again, in seconds.
        after: u64,
    },
    /// The database does not do what it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of the service itself.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Complaints(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let detail = match &self {
            Self::Complaints(complaints) => {
                return (status, Json(Complaints { detail: complaints.clone() })).into_response();
            }
            // What a database says may hold names and values.
            Self::Store(_) | Self::Internal(_) => {
                say(&format!("[llmlab] error: {self}"));
                "Internal error; the service's log says more".to_owned()
            }
            other => other.to_string(),
        };
        let mut response = (status, Json(Refusal { detail })).into_response();
        match self {
            Self::TooMany { after, .. } => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
            }
            Self::NoKey => {
                let challenge = HeaderValue::from_static("Bearer realm=\"llmlab\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            _ => {}
        }
        response
    }
}
