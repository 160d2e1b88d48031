//! How many tokens an answer had, and who says so.

use serde::{Deserialize, Serialize};

use crate::wire::Usage;

use super::Timeline;

/// Characters of English for each token, roughly.
const TOKEN_CHARACTERS: usize = 4;

/// Who counted the output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The server, in the answer's usage.
    Usage,
    /// Nobody: the content events were counted in place of tokens. An event may hold several tokens, so
    /// rates from it are lower bounds.
    Events,
    /// Nobody, of an answer that came whole: four characters were taken for a token.
    Characters,
}

/// The output tokens that were delivered, with their source. Both are absent when the count is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenCount {
    /// Output tokens: visible ones, and thinking where its text was shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<u64>,
    /// Who counted them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<TokenSource>,
}

impl TokenCount {
    /// The server's count first, else the number of content events.
    ///
    /// * A stream that was cut has no count: what the server had said by then is not final.
    /// * When a streamed answer hides its thinking, only visible tokens were delivered between the stamps, so
    ///   the server's reasoning tokens are taken off. If the server does not say how many they were, its
    ///   count is of no use here and the events are counted.
    /// * No content event and no usage is not known, rather than 0.
    pub fn of(usage: &Usage, timeline: &Timeline) -> Self {
        if !timeline.finished() {
            return Self::default();
        }
        if let Some(output) = delivered(usage, timeline) {
            return Self { output: Some(output), source: Some(TokenSource::Usage) };
        }
        match timeline.content().count() as u64 {
            0 => Self::default(),
            events => Self { output: Some(events), source: Some(TokenSource::Events) },
        }
    }

    /// The same, or what the length of `text` lets guess where nobody counted an answer that came whole.
    #[must_use]
    pub fn or_guessed(self, timeline: &Timeline, text: &str) -> Self {
        if self.source.is_some() || timeline.streamed {
            return self;
        }
        let guessed = text.chars().count().div_ceil(TOKEN_CHARACTERS) as u64;
        Self { output: Some(guessed), source: Some(TokenSource::Characters) }
    }
}

/// The server's count of the tokens whose content came over the wire.
fn delivered(usage: &Usage, timeline: &Timeline) -> Option<u64> {
    let counted = usage.reasoning.is_some_and(|tokens| tokens > 0);
    let hidden = timeline.streamed && (timeline.reasoning_hidden() || counted && !timeline.shows_thinking());
    if hidden { usage.output?.checked_sub(usage.reasoning?) } else { usage.output }
}
