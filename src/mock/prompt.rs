//! A prompt as the simulated tokenizer and the prompt cache see it: blocks of bytes in a fixed order.

use std::borrow::Cow;

use crate::wire::{Ask, CacheTtl, Content, Role};

/// Bytes of one token.
pub const TOKEN_BYTES: usize = 4;

/// The number of tokens of so many bytes: four bytes each, rounded up.
pub fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(TOKEN_BYTES) as u64
}

/// All tokens of a prompt, rounded up for each block.
pub fn prompt_tokens(ask: &Ask) -> u64 {
    blocks(ask).iter().map(|block| tokens(block.bytes.len())).sum()
}

/// The part of a prompt that a block belongs to; a change in one invalidates those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Tools,
    System,
    Messages,
}

/// One block, in prompt order: tools, system, messages.
#[derive(Debug)]
pub(crate) struct PromptBlock<'a> {
    pub(crate) section: Section,
    /// Tells apart blocks of equal bytes that mean different things.
    pub(crate) tag: u8,
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) cache: Option<CacheTtl>,
}

pub(crate) fn blocks(ask: &Ask) -> Vec<PromptBlock<'_>> {
    let tools = ask.tools.iter().map(|tool| PromptBlock {
        section: Section::Tools,
        tag: b't',
        bytes: format!("{} {} {}", tool.name, tool.description, tool.input_schema).into_bytes().into(),
        cache: tool.cache,
    });
    let system = ask.system.iter().map(|block| PromptBlock {
        section: Section::System,
        tag: b's',
        bytes: content_bytes(&block.content),
        cache: block.cache,
    });
    let messages = ask.messages.iter().flat_map(|message| {
        message.content.iter().map(|block| PromptBlock {
            section: Section::Messages,
            tag: content_tag(message.role, &block.content),
            bytes: content_bytes(&block.content),
            cache: block.cache,
        })
    });
    tools.chain(system).chain(messages).collect()
}

fn content_bytes(content: &Content) -> Cow<'_, [u8]> {
    match content {
        Content::Text(text) => Cow::Borrowed(text.as_bytes()),
        Content::Thinking { text, signature } => format!("{text}{signature}").into_bytes().into(),
        Content::ToolUse { id, name, input } => format!("{id} {name} {input}").into_bytes().into(),
        Content::ToolResult { id, text, is_error } => format!("{id} {is_error} {text}").into_bytes().into(),
    }
}

fn content_tag(role: Role, content: &Content) -> u8 {
    let kind = match content {
        Content::Text(_) => 0,
        Content::Thinking { .. } => 1,
        Content::ToolUse { .. } => 2,
        Content::ToolResult { .. } => 3,
    };
    match role {
        Role::User => kind,
        Role::Assistant => kind + 16,
    }
}
