//! Showing a key.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Failure, Page, unreadable};
use crate::service::App;
use crate::service::access;
use crate::service::error::ApiError;

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Shown {
    key: String,
}

/// Asks for a key.
pub(super) async fn form() -> Markup {
    page(None)
}

fn page(complaint: Option<&str>) -> Markup {
    Page::new("Sign in", "").with(&html! {
        form.card method="post" action="/login" {
            @if let Some(complaint) = complaint { p.bad role="alert" { (complaint) } }
            label for="key" { "Key" }
            input id="key" name="key" type="password" required autocomplete="current-password" autofocus;
            p.hint { "One of the service's keys. A key that may only read shows everything and starts nothing." }
            button { "Sign in" }
        }
    })
}

/// Lets the browser in, if the key is one.
pub(super) async fn check(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    shown: Result<Form<Shown>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(shown) = shown.map_err(unreadable)?;
    if !access::host_is_ours(&app, &headers) || !access::is_same_origin(&headers) {
        return Err(ApiError::Forbidden("Another site's page may not ask").into());
    }
    let Some(session) = app.keys.holder(shown.key.trim().as_bytes()) else {
        let error = app.limits.wrong_key(peer.ip());
        return Ok((StatusCode::FORBIDDEN, page(Some(&error.to_string()))).into_response());
    };
    let cookie = access::issue(&app, session, &headers).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

/// Forgets the browser.
pub(super) async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    if let Some(digest) = access::digest(&headers) {
        app.store.close_session(&digest).await?;
    }
    let cookie: HeaderValue = access::clear();
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}
