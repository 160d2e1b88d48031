//! Texts as vectors, by their letters alone.
//!
//! [`lexical`] hashes the character n-grams of a text into a vector of fixed length (feature hashing: Weinberger et
//! al. 2009). It needs no model and no network, and it knows nothing of meaning: two texts are near if they are
//! written alike, whatever they say. It is called lexical wherever it is used.

use std::iter;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The length of a lexical vector.
pub const DIMENSIONS: usize = 256;

/// The lengths of the n-grams, in characters.
const N_GRAMS: [usize; 3] = [2, 3, 4];

/// Values that a dot product adds up at once: as many as the compiler can keep in vector registers.
const LANES: usize = 16;

/// The unit vector of a text: its n-grams, lower-cased and without punctuation, each counted up or down at a place
/// that its hash with `seed` names. A text without a letter or digit has the zero vector.
pub fn lexical(text: &str, seed: u64) -> Vec<f32> {
    let characters: Vec<char> =
        iter::once(' ').chain(words(text).flat_map(|word| word.chain([' ']))).collect();
    let mut vector = vec![0.0; DIMENSIONS];
    for gram in N_GRAMS.into_iter().flat_map(|length| characters.windows(length)) {
        let gram: String = gram.iter().collect();
        let hash = xxh3_64_with_seed(gram.as_bytes(), seed);
        vector[hash as usize % DIMENSIONS] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    }
    unit(vector)
}

fn words(text: &str) -> impl Iterator<Item = impl Iterator<Item = char>> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().flat_map(char::to_lowercase))
}

/// The same direction at length 1; a vector without one stays as it is.
pub fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    vector
}

/// The dot product: of unit vectors, the cosine of the angle between them.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    // By index: an iterator that is not inlined across code units, which a build without LTO permits, makes a scan
    // ten times slower.
    for chunk in 0..a.len().min(b.len()) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += a[chunk][lane] * b[chunk][lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_near_if_they_are_written_alike_whatever_they_say() {
        let near = |a, b| dot(&lexical(a, 0), &lexical(b, 0));
        let same = near("Reset my password!", "reset  my password");
        assert!((same - 1.0).abs() < 1e-6, "{same}");
        let opposite = near("How do I enable automatic updates?", "How do I disable automatic updates?");
        let paraphrase = near("How do I enable automatic updates?", "Turn on self-updating, please.");
        assert!(opposite > 0.8 && paraphrase < 0.4, "{opposite} {paraphrase}");
        assert_eq!(near("?!", "anything"), 0.0);
    }

    #[test]
    fn the_seed_moves_the_places_and_not_the_likeness() {
        let (a, b) = ("What is the capital of France?", "What's the capital of France?");
        assert_ne!(lexical(a, 1), lexical(a, 2));
        let near = |seed| dot(&lexical(a, seed), &lexical(b, seed));
        assert!((near(1) - near(2)).abs() < 0.1);
    }

    #[test]
    fn a_dot_product_of_any_length_is_the_plain_sum() {
        for length in [0, 1, 15, 16, 33] {
            let (a, b): (Vec<f32>, Vec<f32>) = (0..length).map(|i| (i as f32, 2.0)).unzip();
            assert_eq!(dot(&a, &b), a.iter().sum::<f32>() * 2.0);
        }
    }
}
