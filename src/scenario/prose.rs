//! Text of a wanted length.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Bytes of English for each token, as the simulated tokenizer counts and as real ones roughly do.
pub const TOKEN_BYTES: usize = 4;

/// Everyday words, so that a real tokenizer takes few of them apart.
const WORDS: [&str; 96] = [
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "was", "on", "are", "as", "with", "they",
    "at", "be", "this", "have", "from", "or", "one", "had", "by", "word", "but", "not", "what", "all",
    "were", "we", "when", "your", "can", "said", "there", "use", "an", "each", "which", "she", "do", "how",
    "their", "if", "will", "up", "other", "about", "out", "many", "then", "them", "these", "so", "some",
    "her", "would", "make", "like", "him", "into", "time", "has", "look", "two", "more", "write", "go",
    "see", "number", "no", "way", "could", "people", "my", "than", "first", "water", "been", "call", "who",
    "oil", "its", "now", "find", "long", "down", "day", "did", "get", "come", "made", "may", "part",
];

/// Exactly `tokens` tokens of plain text, the same for the same `seed`.
///
/// A token is [`TOKEN_BYTES`] bytes here. Real tokenizers find about one token in each of these short words
/// with its space, so that the real count is somewhat higher; results name the count that the server
/// reported.
pub fn prose(tokens: u64, seed: u64) -> Arc<str> {
    let length = tokens as usize * TOKEN_BYTES;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = String::with_capacity(length + 16);
    let mut words = 0;
    while text.len() < length {
        text.push_str(WORDS[rng.random_range(0..WORDS.len())]);
        words += 1;
        text.push_str(if words % 12 == 0 { ". " } else { " " });
    }
    text.truncate(length);
    text.into()
}

/// The tokens of a text as the simulated tokenizer counts them.
pub fn tokens(text: &str) -> u64 {
    text.len().div_ceil(TOKEN_BYTES) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_has_the_wanted_length_and_repeats_with_its_seed() {
        for length in [0, 1, 17, 1500] {
            assert_eq!(tokens(&prose(length, 7)), length);
        }
        assert_eq!(prose(100, 7), prose(100, 7));
        assert_ne!(prose(100, 7), prose(100, 8));
        assert!(prose(1000, 7).starts_with(&*prose(500, 7)));
    }
}
