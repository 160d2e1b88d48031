//! Things dealt over the rounds of a run: each of them once before any comes again.

use rand::seq::SliceRandom;

use crate::experiment::Draw;
use crate::seed::DrawId;

/// A deck of numbered cards in an order that the seed decides, the same for every arm.
///
/// What an arm makes of a card may be the same each time, so that dealing it again teaches nothing: a card counts
/// towards a share only when it is dealt for the first time, and the share's interval is then that of so many
/// cards.
pub(super) struct Deck(Vec<usize>);

/// A card of a [`Deck`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) index: usize,
    /// Whether no earlier sample of the arm had it.
    pub(super) is_new: bool,
}

impl Deck {
    /// A deck of `cards` cards.
    pub(super) fn new(draw: &Draw<'_>, name: &str, cards: usize) -> Self {
        let shuffled = DrawId { scenario: name.to_owned(), stream: String::new(), round: 0, step: 0 };
        let mut order: Vec<usize> = (0..cards).collect();
        order.shuffle(&mut draw.session().seed().rng(&shuffled, "deck"));
        Self(order)
    }

    /// The `wanted` cards of a round. Round 0 is no sample, and its cards come from the end of the deck.
    pub(super) fn deal(&self, round: u32, wanted: usize) -> Vec<Card> {
        let cards = self.0.len();
        let dealt = |number: usize| match (round as usize).checked_sub(1) {
            Some(earlier) => {
                let place = earlier * wanted + number;
                Card { index: self.0[place % cards], is_new: place < cards }
            }
            None => Card { index: self.0[cards - 1 - number % cards], is_new: false },
        };
        (0..wanted).map(dealt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_new_once_and_only_in_a_sample() {
        let deck = Deck(vec![2, 0, 1, 4, 3]);
        let dealt: Vec<Card> = (0..5).flat_map(|round| deal_of(&deck, round)).collect();
        let mut new: Vec<usize> = dealt.iter().filter(|card| card.is_new).map(|card| card.index).collect();
        new.sort_unstable();
        assert_eq!(new, [0, 1, 2, 3, 4]);
        assert!(deal_of(&deck, 0).iter().all(|card| !card.is_new));
        assert_eq!(deal_of(&deck, 3).map(|card| card.is_new), [true, false]);
    }

    fn deal_of(deck: &Deck, round: u32) -> [Card; 2] {
        deck.deal(round, 2).try_into().unwrap()
    }
}
