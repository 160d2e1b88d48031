//! A browser's cookie: a random text, of which only the digest is kept.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::keys::secret;
use crate::service::App;
use crate::service::store::{Session, StoreError};

const NAME: &str = "llmlab_session";
/// How long a browser is known.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Lets a browser in, and returns the header that tells it so.
///
/// # Errors
/// When the database fails.
pub(crate) async fn issue(
    app: &App,
    session: &Session,
    headers: &HeaderMap,
) -> Result<HeaderValue, StoreError> {
    let text = secret();
    let mark = app.keys.mark(&session.key_name).unwrap_or_default();
    app.store.open_session(&digest_of(&text), &session.key_name, &mark, LIFE).await?;
    // Behind a proxy that speaks TLS the cookie is not for plain connections.
    let is_secure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie =
        format!("{NAME}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", LIFE.as_secs());
    HeaderValue::try_from(cookie)
        .map_err(|error| StoreError::Unreadable { what: "cookie", reason: error.to_string() })
}

/// The header that takes a cookie away.
pub(crate) fn clear() -> HeaderValue {
    HeaderValue::from_static("llmlab_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// Who a browser is that sends these headers.
///
/// # Errors
/// When the database fails.
pub(crate) async fn granted(app: &App, headers: &HeaderMap) -> Result<Option<Session>, StoreError> {
    let Some(digest) = digest(headers) else { return Ok(None) };
    let shown = app.store.session(&digest).await?;
    // A key that is none any more opens nothing, and one that allows less by now allows that.
    Ok(shown.and_then(|(key_name, key_mark)| app.keys.still(&key_name, &key_mark).cloned()))
}

/// The digest of what a browser's cookie holds.
pub(crate) fn digest(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| *name == NAME).map(|(_, text)| digest_of(text))
}

fn digest_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
