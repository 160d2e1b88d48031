//! A response as it comes over a connection.

use llmlab::client::http1::follow;

use crate::pieces::{self, Numbers};

/// A response's head, and a body in whatever framing it names.
pub fn response(raw: &[u8]) {
    let whole = follow([raw]);
    let numbers = &mut Numbers::of(raw);
    for pieces in [pieces::some(raw, numbers), pieces::small(raw, numbers)] {
        assert_eq!(follow(pieces), whole, "what is understood (right) depends on how it was cut");
    }
}
