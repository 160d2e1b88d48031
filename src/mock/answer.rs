//! What the simulated model says: text of a known number of tokens, thinking, a tool call.

use rand::RngExt;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::catalog::Profile;
use crate::seed::Noise;
use crate::wire::{Ask, BlockKind, Content, ContentKind, Script, StopReason, Thinking, Tool, ToolChoice};

use super::prompt::TOKEN_BYTES;

/// Words of three letters: with a space after them each is one token.
const WORDS: [&str; 32] = [
    "the", "lab", "has", "run", "one", "arm", "and", "its", "own", "bit", "for", "all", "who", "ask", "how",
    "far", "you", "can", "get", "out", "old", "new", "way", "day", "sun", "sea", "air", "ice", "red", "oak",
    "map", "key",
];

/// One block of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnswerBlock {
    pub(crate) kind: BlockKind,
    pub(crate) content: ContentKind,
    pub(crate) text: String,
    pub(crate) signature: Option<String>,
}

impl AnswerBlock {
    /// The block's text, token by token: four bytes each, or fewer where a character would be cut.
    pub(crate) fn tokens(&self) -> Vec<&str> {
        let mut pieces = Vec::with_capacity(self.text.len() / TOKEN_BYTES + 1);
        let mut rest = self.text.as_str();
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.floor_char_boundary(TOKEN_BYTES));
            pieces.push(piece);
            rest = tail;
        }
        pieces
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) blocks: Vec<AnswerBlock>,
    pub(crate) stop: StopReason,
}

/// The answer to `ask`: exactly `max_tokens` tokens, or the profile's longest answer if that is shorter; a
/// call of a tool where there are tools and their result is not what was just sent.
pub(crate) fn answer(ask: &Ask, profile: &Profile, default_tokens: u32, noise: &Noise) -> Answer {
    let asked = ask.max_tokens.unwrap_or(default_tokens);
    let limit = asked.min(profile.answer_tokens) as usize;
    if limit == 0 {
        return Answer { blocks: Vec::new(), stop: StopReason::MaxTokens };
    }
    if let Some(script) = &ask.script {
        return scripted(script, limit, noise);
    }
    match called_tool(ask) {
        Some(tool) => tool_answer(ask, tool, profile, limit, noise),
        None => {
            let hit_limit = ask.max_tokens.is_some_and(|max| max as usize == limit);
            let stop = if hit_limit { StopReason::MaxTokens } else { StopReason::EndTurn };
            let thinking = thinking_tokens(ask.thinking, profile, limit);
            let mut blocks: Vec<_> = thinking_block(thinking, noise).into_iter().collect();
            blocks.push(text_block(limit - thinking, noise));
            Answer { blocks, stop }
        }
    }
}

/// What the script says, cut off at the limit.
fn scripted(script: &Script, limit: usize, noise: &Noise) -> Answer {
    let mut blocks: Vec<_> = thinking_block(script.thinking as usize, noise).into_iter().collect();
    let spoken = script.text.len().div_ceil(TOKEN_BYTES);
    let fill = script.tokens.map_or(0, |tokens| (tokens as usize).saturating_sub(spoken + 1));
    let mut text = script.text.clone();
    if fill > 0 {
        // A whole token is left for the space between.
        text.extend(std::iter::repeat_n(' ', (spoken + 1) * TOKEN_BYTES - text.len()));
        text.push_str(&words(fill, noise, "text"));
    }
    if !text.is_empty() {
        blocks.push(AnswerBlock { kind: BlockKind::Text, content: ContentKind::Text, text, signature: None });
    }
    for (number, call) in script.calls.iter().enumerate() {
        let id = format!("toolu_{:016x}", xxh3_64(format!("{noise:?} {number} {}", call.name).as_bytes()));
        blocks.push(AnswerBlock {
            kind: BlockKind::Tool { id, name: call.name.clone() },
            content: ContentKind::ToolArguments,
            text: call.input.to_string(),
            signature: None,
        });
    }
    let stop = if script.calls.is_empty() { StopReason::EndTurn } else { StopReason::ToolUse };
    cut_off(Answer { blocks, stop }, limit)
}

fn cut_off(mut answer: Answer, limit: usize) -> Answer {
    let mut room = limit;
    for block in &mut answer.blocks {
        let tokens = block.tokens();
        if tokens.len() > room {
            block.text = tokens[..room].concat();
            answer.stop = StopReason::MaxTokens;
        }
        room = room.saturating_sub(block.text.len().div_ceil(TOKEN_BYTES));
    }
    answer.blocks.retain(|block| !block.text.is_empty());
    answer
}

fn tool_answer(ask: &Ask, tool: &Tool, profile: &Profile, limit: usize, noise: &Noise) -> Answer {
    let input = sample(&tool.input_schema, &mut noise.rng("tool"), 0);
    let mut text = input.to_string();
    let needed = text.len().div_ceil(TOKEN_BYTES);
    let thinking = thinking_tokens(ask.thinking, profile, limit.min(2 * needed));
    let room = limit - thinking;
    let stop = if needed > room { StopReason::MaxTokens } else { StopReason::ToolUse };
    text.truncate(text.floor_char_boundary(room * TOKEN_BYTES));
    let id = format!("toolu_{:016x}", xxh3_64(format!("{noise:?} {}", tool.name).as_bytes()));
    let mut blocks: Vec<_> = thinking_block(thinking, noise).into_iter().collect();
    blocks.push(AnswerBlock {
        kind: BlockKind::Tool { id, name: tool.name.clone() },
        content: ContentKind::ToolArguments,
        text,
        signature: None,
    });
    Answer { blocks, stop }
}

/// The tool that the model calls: the one that is asked for, else the first, unless it has its result.
fn called_tool(ask: &Ask) -> Option<&Tool> {
    let has_result = ask.messages.last().is_some_and(|message| {
        message.content.iter().any(|block| matches!(block.content, Content::ToolResult { .. }))
    });
    match &ask.tool_choice {
        ToolChoice::None => None,
        _ if has_result => None,
        ToolChoice::Tool(name) => ask.tools.iter().find(|tool| tool.name == *name),
        ToolChoice::Auto | ToolChoice::Any => ask.tools.first(),
    }
}

/// Of `total` tokens those spent on thinking; at least one is left for the answer.
fn thinking_tokens(thinking: Thinking, profile: &Profile, total: usize) -> usize {
    let share = (total as f64 * profile.thinking_share).round() as usize;
    let wanted = match thinking {
        Thinking::Off => return 0,
        Thinking::Budget(budget) => share.min(budget as usize),
        Thinking::Adaptive | Thinking::Hidden => share,
    };
    wanted.max(1).min(total.saturating_sub(1))
}

fn thinking_block(tokens: usize, noise: &Noise) -> Option<AnswerBlock> {
    (tokens > 0).then(|| {
        let text = words(tokens, noise, "thinking");
        let signature = Some(format!("mock{:016x}", xxh3_64(text.as_bytes())));
        AnswerBlock { kind: BlockKind::Thinking, content: ContentKind::Thinking, text, signature }
    })
}

fn text_block(tokens: usize, noise: &Noise) -> AnswerBlock {
    let text = words(tokens, noise, "text");
    AnswerBlock { kind: BlockKind::Text, content: ContentKind::Text, text, signature: None }
}

fn words(tokens: usize, noise: &Noise, purpose: &str) -> String {
    let mut rng = noise.rng(purpose);
    (0..tokens).flat_map(|_| [WORDS[rng.random_range(0..WORDS.len())], " "]).collect()
}

/// A value that fits a JSON schema, as far as its required properties, types and enums go.
fn sample(schema: &Value, rng: &mut impl rand::Rng, depth: usize) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let kind = schema["type"].as_str().unwrap_or(if depth == 0 { "object" } else { "string" });
    match kind {
        "object" if depth < 4 => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let pairs =
                required.map(|name| (name.to_owned(), sample(&schema["properties"][name], rng, depth + 1)));
            Value::Object(pairs.collect())
        }
        "object" => Value::Object(Map::new()),
        "array" if depth < 4 => Value::Array(vec![sample(&schema["items"], rng, depth + 1)]),
        "array" => Value::Array(Vec::new()),
        "integer" => rng.random_range(1..100).into(),
        "number" => (f64::from(rng.random_range(10..1000)) / 10.0).into(),
        "boolean" => true.into(),
        "null" => Value::Null,
        _ => {
            let word = |rng: &mut dyn rand::Rng| WORDS[rng.random_range(0..WORDS.len())];
            format!("{} {}", word(rng), word(rng)).into()
        }
    }
}
