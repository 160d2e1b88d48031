//! What all pages share.

use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::report::say;
use crate::service::error::{ApiError, complaint};

/// The pages that every page leads to.
const PAGES: [(&str, &str); 7] = [
    ("/", "Run"),
    ("/jobs", "Jobs"),
    ("/results", "Results"),
    ("/rankings", "Rankings"),
    ("/trends", "Trends"),
    ("/targets", "Targets"),
    ("/schedule", "Schedule"),
];

/// A page.
pub(super) struct Page<'a> {
    /// Its title, and its heading.
    pub(super) title: &'a str,
    /// The address of the entry of the navigation that it belongs to.
    pub(super) under: &'a str,
    /// After how many seconds it is loaded anew, if it is.
    pub(super) refresh: Option<u32>,
    /// Whether it follows a job by a script.
    pub(super) live: bool,
}

impl<'a> Page<'a> {
    /// A page that stays as it is.
    pub(super) fn new(title: &'a str, under: &'a str) -> Self {
        Self { title, under, refresh: None, live: false }
    }

    /// The page with its content.
    pub(super) fn with(&self, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(seconds) = self.refresh { meta http-equiv="refresh" content=(seconds); }
                    title { (self.title) " · LLM Latency Lab" }
                    link rel="icon" href="data:,";
                    link rel="stylesheet" href="/static/style.css";
                    @if self.live { script src="/static/live.js" defer {} }
                }
                body {
                    a.skip href="#content" { "Skip to content" }
                    header {
                        p.name { a href="/" { "LLM Latency Lab" } }
                        nav aria-label="Pages" {
                            @for (address, name) in PAGES {
                                a href=(address) aria-current=[(address == self.under).then_some("page")] { (name) }
                            }
                            a href="/criterion/report/index.html" { "Criterion" }
                            a href="/api/docs/" { "API" }
                        }
                    }
                    main id="content" {
                        h1 { (self.title) }
                        (content)
                    }
                }
            }
        }
    }
}

/// What is shown where there is nothing to show, with what to do about it.
pub(super) fn empty(what: &str, advice: &Markup) -> Markup {
    html! { div.empty { p { strong { (what) } } p { (advice) } } }
}

/// A word for where figures come from, coloured by what it is.
pub(super) fn mode(word: &str) -> Markup {
    html! { span class={ "badge " (word) } { (word) } }
}

/// What is shown where Criterion has put no report.
pub(super) fn no_reports() -> (StatusCode, Markup) {
    let content = empty(
        "There is no such report of Criterion's.",
        &html! {
            code { "cargo bench --bench caching" } " makes reports; " code { "llmlab serve --criterion-dir" } " says where they are."
        },
    );
    (StatusCode::NOT_FOUND, Page::new("Criterion", "").with(&content))
}

/// Why a form that a page sent cannot be read.
pub(super) fn unreadable(rejection: FormRejection) -> ApiError {
    ApiError::Complaints(vec![complaint("", &rejection.body_text())])
}

/// A page that says why there is none.
#[derive(Debug)]
pub(super) struct Failure(ApiError);

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (reasons, status) = match &self.0 {
            ApiError::Complaints(complaints) => {
                let reasons = complaints.iter().map(|complaint| match complaint.field() {
                    "" => complaint.to_string(),
                    field => format!("{field}: {}", complaint.reason()),
                });
                (reasons.collect(), StatusCode::UNPROCESSABLE_ENTITY)
            }
            error @ (ApiError::Store(_) | ApiError::Internal(_)) => {
                say(&format!("[llmlab] error: {error}"));
                (vec!["The service failed; its log says more.".to_owned()], StatusCode::INTERNAL_SERVER_ERROR)
            }
            error => (vec![error.to_string()], error.status()),
        };
        let content = html! {
            div.empty role="alert" {
                @for reason in &reasons { p { strong { (reason) } } }
                p { "Go back and try again, or " a href="/" { "start over" } "." }
            }
        };
        (status, Page::new("That did not work", "").with(&content)).into_response()
    }
}
