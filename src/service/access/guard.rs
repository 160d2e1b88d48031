//! What every request passes before it is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::cookie;
use crate::service::App;
use crate::service::error::{ApiError, Complaint};
use crate::service::store::{Scope, Session};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Identity(pub Session);

/// Lets a request through that shows a key, or a browser's cookie, which allows what it wants.
///
/// # Errors
/// When it does not, comes too often, or is meant for another host.
pub(crate) async fn guard(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    if !host_is_ours(&app, headers) {
        return Err(ApiError::Misdirected("This host name is not the service's"));
    }
    let session = identify(&app, headers, peer.ip()).await?;
    app.limits.check(&session.key_name)?;
    let wanted =
        if matches!(*request.method(), Method::GET | Method::HEAD) { Scope::Read } else { Scope::Run };
    if session.scope < wanted {
        return Err(ApiError::Forbidden("This key may only read"));
    }
    request.extensions_mut().insert(Identity(session));
    Ok(next.run(request).await)
}

async fn identify(app: &App, headers: &HeaderMap, peer: IpAddr) -> Result<Session, ApiError> {
    if let Some(shown) = shown(headers) {
        return app.keys.holder(shown).cloned().ok_or_else(|| app.limits.wrong_key(peer));
    }
    match cookie::granted(app, headers).await? {
        Some(session) if is_same_origin(headers) => Ok(session),
        Some(_) => Err(ApiError::Forbidden("Another site's page may not ask")),
        None if app.compat => Err(ApiError::Complaints(vec![Complaint::of_header("x-api-key")])),
        None => Err(ApiError::NoKey),
    }
}

/// The key that a request shows.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = || {
        let (scheme, key) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
    };
    headers.get("x-api-key").map(|value| value.as_bytes()).or_else(bearer)
}

/// Whether a request comes from the service's own pages: browsers say so.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let origin =
        text("origin").is_none_or(|origin| origin.split_once("://").is_some_and(|(_, rest)| rest == host));
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    origin && site
}

/// Whether a request names this machine as its host, where whoever opens the page is let in: a page elsewhere could
/// otherwise have its own name point here.
pub(crate) fn host_is_ours(app: &App, headers: &HeaderMap) -> bool {
    if !app.keys.is_generated() {
        return true;
    }
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_address = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_counts_for_the_services_own_pages_alone() {
        let host = ("host", "lab:8000");
        assert!(is_same_origin(&headers(&[host])));
        assert!(is_same_origin(&headers(&[
            host,
            ("origin", "http://lab:8000"),
            ("sec-fetch-site", "same-origin")
        ])));
        for other in [
            ("origin", "http://evil"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(!is_same_origin(&headers(&[host, other])), "{other:?}");
        }
    }
}
