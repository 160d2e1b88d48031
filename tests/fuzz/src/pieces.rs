//! A body in the pieces in which a network might bring it.

/// Numbers that follow from an input alone, so that a failing input fails again.
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Those of an input: FNV-1a of its bytes is the seed.
    pub fn of(input: &[u8]) -> Self {
        let hashed = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(input.iter().fold(0xcbf2_9ce4_8422_2325, hashed) | 1)
    }

    /// The next one below `bound`, by xorshift (Marsaglia 2003).
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound.max(1)
    }
}

/// `body` cut at a few places; some pieces may be empty.
pub fn some<'a>(body: &'a [u8], numbers: &mut Numbers) -> Vec<&'a [u8]> {
    let count = 1 + numbers.below(8);
    let mut cuts: Vec<_> = (0..count).map(|_| numbers.below(body.len() + 1)).collect();
    cuts.extend([0, body.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

/// `body` in small pieces, so that most lines are cut somewhere.
pub fn small<'a>(body: &'a [u8], numbers: &mut Numbers) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (body, Vec::new());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + numbers.below(7)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
