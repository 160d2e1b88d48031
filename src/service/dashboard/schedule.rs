//! What is done again and again.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use super::layout::{Failure, Page, empty};
use crate::service::App;
use crate::service::api::Scheduled;

const REFRESH: u32 = 15;

/// The schedule, and what it did.
pub(super) async fn page(State(app): State<Arc<App>>) -> Result<Markup, Failure> {
    let scheduled = Scheduled::of(&app).await?;
    let page = Page { refresh: Some(REFRESH), ..Page::new("Schedule", "/schedule") };
    Ok(page.with(&html! {
        @match (&scheduled.task, &scheduled.next_due) {
            (Some(task), Some(next)) => p { strong { (task) } " every " (scheduled.every_seconds) " s; next at " (next) },
            _ => (empty("Nothing is done again and again.", &html! { code { "llmlab serve --schedule measure" } " measures targets at an interval." })),
        }
        @if !scheduled.runs.is_empty() {
            div.scroll { table {
                thead { tr { th { "Due" } th { "What" } th { "State" } th.number { "Tries" } th { "Ended" } th { "By" } th { "Outcome" } } }
                tbody {
                    @for run in &scheduled.runs {
                        tr {
                            td { (run.due_at) }
                            td { (run.task) }
                            td { span class={ "badge " (run.state.word()) } { (run.state.word()) } }
                            td.number { (run.attempts) }
                            td { (run.finished_at.as_deref().unwrap_or_default()) }
                            td { (run.runner.as_deref().unwrap_or_default()) }
                            td { (run.detail.as_deref().unwrap_or_default()) }
                        }
                    }
                }
            } }
        }
    }))
}
