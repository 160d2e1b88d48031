//! A streamed answer put together.

use std::sync::Arc;

use super::{BlockKind, Content, ContentKind, Event, Reply, json};

/// A block of which pieces are still coming in.
#[derive(Debug)]
struct OpenBlock {
    index: usize,
    kind: BlockKind,
    text: String,
    /// The pieces of a tool's name, or a signature.
    label: String,
}

impl Reply {
    /// Puts a streamed answer together; pieces are joined by block, tool inputs are parsed.
    ///
    /// The last usage counts, since counts are cumulative. Empty text blocks are dropped; a thinking
    /// block stays, for its text may be hidden.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut reply = Self::default();
        let mut blocks = Vec::new();
        for event in events {
            match event {
                Event::Start { id, model } => {
                    reply.id.clone_from(id);
                    reply.model.clone_from(model);
                }
                Event::BlockStart { index, block } => drop(open(&mut blocks, *index, || block.clone())),
                Event::Delta { index, kind, text } => {
                    let block = open(&mut blocks, *index, || assumed(*kind));
                    let to = if *kind == ContentKind::ToolName { &mut block.label } else { &mut block.text };
                    to.push_str(text);
                }
                Event::Signature { index, signature } => {
                    open(&mut blocks, *index, || BlockKind::Thinking).label.push_str(signature);
                }
                Event::Usage(usage) => reply.usage = **usage,
                Event::Finish(stop) => reply.stop = Some(stop.clone()),
                Event::BlockStop { .. } | Event::Done | Event::Ping | Event::Unknown(_) => {}
            }
        }
        reply.content = blocks.into_iter().filter_map(content).collect();
        reply
    }
}

/// The block of an index; servers that leave out the beginning of a block still get one.
fn open(blocks: &mut Vec<OpenBlock>, index: usize, kind: impl FnOnce() -> BlockKind) -> &mut OpenBlock {
    let at = blocks.iter().position(|block| block.index == index).unwrap_or_else(|| {
        blocks.push(OpenBlock { index, kind: kind(), text: String::new(), label: String::new() });
        blocks.len() - 1
    });
    &mut blocks[at]
}

fn assumed(kind: ContentKind) -> BlockKind {
    match kind {
        ContentKind::Text | ContentKind::Refusal => BlockKind::Text,
        ContentKind::Thinking => BlockKind::Thinking,
        ContentKind::ToolName | ContentKind::ToolArguments => {
            BlockKind::Tool { id: String::new(), name: String::new() }
        }
    }
}

fn content(block: OpenBlock) -> Option<Content> {
    let OpenBlock { kind, text, label, .. } = block;
    match kind {
        BlockKind::Text => (!text.is_empty()).then(|| Content::Text(Arc::from(text))),
        BlockKind::Thinking => Some(Content::Thinking { text: Arc::from(text), signature: label }),
        BlockKind::Tool { id, name } => {
            let name = if label.is_empty() { name } else { label };
            Some(Content::ToolUse { id, name, input: json::tool_input(&text) })
        }
    }
}
