//! What can be asked, and whether it answers.

use std::sync::Arc;

use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Failure, Page, mode};
use crate::service::App;
use crate::service::api::look;
use crate::settings::Key;

/// Whether to look.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Checked {
    check: bool,
}

/// The targets.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Query(checked): Query<Checked>,
) -> Result<Markup, Failure> {
    let targets = look(&app, checked.check).await?.targets;
    Ok(Page::new("Targets", "/targets").with(&html! {
        form.inline method="get" {
            input type="hidden" name="check" value="true";
            button { "See whether they answer" }
            span.hint { "Those that have their key are asked for the list of their models, which costs nothing." }
        }
        div.scroll { table {
            thead { tr { th { "Target" } th { "Health" } th { "Dialect" } th { "Address" } th { "Model" } th { "Key" } } }
            tbody {
                @for target in &targets {
                    tr {
                        td { (target.name) @if target.chosen { " " abbr title="what jobs ask unless told otherwise" { "*" } } }
                        td {
                            @match &target.check {
                                Some(check) if check.ok => {
                                    span.good { "answers" }
                                    @if let Some(ms) = check.reached_ms { " in " (format!("{ms:.1}")) " ms" }
                                    @if let Some(word) = check.mode { " " (mode(word)) }
                                }
                                Some(_) => span.bad { "does not answer" },
                                None => "not looked at",
                            }
                            @if let Some(remark) = target.check.as_ref().and_then(|check| check.remark.as_ref()) { br; small { (remark) } }
                        }
                        td { @if let Some(dialect) = target.dialect { (dialect) } @else { "all" } }
                        td { (target.base_url.as_deref().unwrap_or("in this process")) }
                        td { (target.model.as_deref().unwrap_or("one per dialect")) }
                        td { (key(&target.key)) }
                    }
                }
            }
        } }
    }))
}

fn key(key: &Key) -> Markup {
    match key {
        Key::None => html! { "–" },
        Key::Set { variable } => html! { code { (variable) } " is set" },
        Key::Missing { variable, optional: true } => html! { code { (variable) } ", optional, is not set" },
        Key::Missing { variable, optional: false } => {
            html! { "set " code { (variable) } " in the service's environment" }
        }
    }
}
