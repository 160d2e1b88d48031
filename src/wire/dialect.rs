//! The vendors' wire formats, and what each can do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    ApiError, Ask, EventDecoder, EventEncoder, Reply, WireError, anthropic, completions, error_body,
    generate, openai,
};

/// A vendor's wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Anthropic Messages, `POST /v1/messages`.
    Anthropic,
    /// OpenAI chat completions, `POST /v1/chat/completions`; also vLLM, llama.cpp, Ollama, LiteLLM.
    OpenAi,
    /// OpenAI's older completions, `POST /v1/completions`: one prompt, no turns and no tools.
    Completions,
    /// The plain `POST /generate` of small inference servers: a prompt in, a text out, never streamed.
    Generate,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Anthropic, Self::OpenAi, Self::Completions, Self::Generate];

    /// The name in settings, flags and fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Completions => "completions",
            Self::Generate => "generate",
        }
    }

    /// The path that requests are posted to.
    pub fn path(self) -> &'static str {
        match self {
            Self::Anthropic => "/v1/messages",
            Self::OpenAi => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Generate => "/generate",
        }
    }

    /// Whether a request can offer tools.
    pub fn has_tools(self) -> bool {
        matches!(self, Self::Anthropic | Self::OpenAi)
    }

    /// The body of a request. What the dialect cannot say is left out.
    pub fn encode_request(self, ask: &Ask) -> Vec<u8> {
        match self {
            Self::Anthropic => anthropic::encode_request(ask),
            Self::OpenAi => openai::encode_request(ask),
            Self::Completions => completions::encode_request(ask),
            Self::Generate => generate::encode_request(ask),
        }
    }

    /// What a request asks for. Unknown fields and kinds of content are passed over.
    ///
    /// # Errors
    /// [`WireError::Parse`], which names a required field that is missing.
    pub fn decode_request(self, body: &[u8]) -> Result<Ask, WireError> {
        match self {
            Self::Anthropic => anthropic::decode_request(body),
            Self::OpenAi => openai::decode_request(body),
            Self::Completions => completions::decode_request(body),
            Self::Generate => generate::decode_request(body),
        }
    }

    /// A decoder for one streamed answer.
    pub fn event_decoder(self) -> EventDecoder {
        EventDecoder::new(self)
    }

    /// An encoder for one streamed answer; `include_usage` matters to OpenAI's two dialects.
    pub fn event_encoder(self, include_usage: bool) -> EventEncoder {
        EventEncoder::new(self, include_usage)
    }

    /// An answer that was not streamed.
    ///
    /// # Errors
    /// [`WireError::Parse`], [`WireError::Truncated`] if the JSON stops early, and
    /// [`WireError::MidStream`] for an error body under a status of success.
    pub fn decode_reply(self, body: &[u8]) -> Result<Reply, WireError> {
        match self {
            Self::Anthropic => anthropic::decode_reply(body),
            Self::OpenAi => openai::decode_reply(body),
            Self::Completions => completions::decode_reply(body),
            Self::Generate => generate::decode_reply(body),
        }
    }

    /// The body of an answer that is not streamed.
    pub fn encode_reply(self, reply: &Reply) -> Vec<u8> {
        match self {
            Self::Anthropic => anthropic::encode_reply(reply),
            Self::OpenAi => openai::encode_reply(reply),
            Self::Completions => completions::encode_reply(reply),
            Self::Generate => generate::encode_reply(reply),
        }
    }

    /// The body of an HTTP error. Only Anthropic puts the request's id there.
    pub fn encode_error(self, error: &ApiError, request_id: &str) -> Vec<u8> {
        error_body::encode(self, error, Some(request_id)).into_bytes()
    }

    /// The error in an HTTP body, in whichever vendor's shape it came: servers of one dialect answer
    /// with errors of another. Absent if the body states none.
    pub fn decode_error(self, body: &[u8]) -> Option<ApiError> {
        error_body::decode(body)
    }

    /// The text of a server-sent event that reports an error in the middle of a stream.
    pub fn encode_stream_error(self, error: &ApiError) -> String {
        let name = if self == Self::Anthropic { "event: error\n" } else { "" };
        format!("{name}data: {}\n\n", error_body::encode(self, error, None))
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Dialect {
    type Err = WireError;

    fn from_str(name: &str) -> Result<Self, WireError> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name).ok_or_else(|| WireError::Parse {
            what: "a dialect's name",
            reason: format!("`{name}` is none of {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}
