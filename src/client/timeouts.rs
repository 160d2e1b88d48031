//! How long each phase of an exchange may take.

use std::time::Duration;

/// The four bounds on an exchange. Past one of them the exchange fails as
/// [`ErrorClass::Timeout`](super::ErrorClass::Timeout), with the phase in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection: name, TCP and TLS together.
    pub connect: Duration,
    /// From the request to the first byte of the response's body.
    pub first_byte: Duration,
    /// Between two reads of the body.
    pub silence: Duration,
    /// For the whole exchange.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            silence: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}
