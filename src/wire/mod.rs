//! Bytes to events and back, one dialect a folder.
//!
//! Both directions live here: the client encodes an [`Ask`] and decodes [`Event`]s, the mock decodes the
//! request and encodes the events. Nothing here opens a connection or reads a clock. Decoding is lenient
//! where servers differ (line ends, comments, pings, absent or null fields, unknown events) and strict
//! where silence would lie: a cut stream, an error in its middle and invalid JSON are errors.

mod anthropic;
mod ask;
mod completions;
mod dialect;
mod error_body;
mod event;
mod generate;
mod json;
mod openai;
mod reply;
mod script;
mod serving;
pub mod sse;
mod stop;
mod stream;

pub use ask::{Ask, Block, CacheTtl, Content, Message, Reply, Role, Thinking, Tool, ToolChoice};
pub use dialect::Dialect;
pub use event::{ApiError, BlockKind, ContentKind, Event, StopReason, Usage, WireError};
pub use script::{SCRIPT_HEADER, Script, ScriptedCall};
pub use serving::{Batching, SERVING_HEADER, Serving};
pub use stream::{EventDecoder, EventEncoder};
