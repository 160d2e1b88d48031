//! How often a semantic cache finds what it should, and what it should not, by its threshold.

use crate::stats::{Interval, proportion};

use super::embedder::Embedder;
use super::pairs::{Pair, held_out, pairs, tuning};
use crate::embedding::dot;
use crate::experiment::RunError;

/// Thresholds that are tried.
pub const THRESHOLDS: [f64; 8] = [0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 0.97, 0.99];

/// The threshold where none is both safe and useful: a common choice, and the one that this optimisation's source
/// names.
pub const NOMINAL_THRESHOLD: f64 = 0.95;

/// The largest share of near misses that may be answered with another question's answer.
pub const MOST_FALSE_HITS: f64 = 0.03;

/// The share of paraphrases that a cache must find to be worth its risk.
pub const LEAST_RECALL: f64 = 0.20;

/// Cosines of labelled pairs, in the order of the pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Cosines {
    /// Of paraphrases.
    pub paraphrases: Vec<f64>,
    /// Of near misses.
    pub near_misses: Vec<f64>,
}

/// What a threshold does to some pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The least cosine of a hit.
    pub threshold: f64,
    /// The share of paraphrases that are found, with its 95% score interval.
    pub recall: Interval,
    /// The share of near misses that are hit, with its 95% score interval.
    pub false_hits: Interval,
}

/// A threshold, chosen on one half of the pairs and judged on the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What turned the texts into vectors.
    pub embedder: String,
    /// Every threshold on the half on which it is chosen: the receiver operating characteristic (ROC) in points.
    pub roc: Vec<Rates>,
    /// Whether one of them kept false hits down and found enough.
    pub is_useful: bool,
    /// The threshold on the other half: the one with the largest recall among those, or else the nominal one.
    pub held_out: Rates,
}

impl Cosines {
    /// The cosines that `embedder` gives the labelled pairs.
    ///
    /// # Errors
    /// When texts cannot be embedded.
    pub async fn of(embedder: &dyn Embedder) -> Result<Self, RunError> {
        let pairs = pairs();
        let paraphrases = cosines(embedder, &pairs.paraphrases).await?;
        Ok(Self { paraphrases, near_misses: cosines(embedder, &pairs.near_misses).await? })
    }
}

async fn cosines(embedder: &dyn Embedder, pairs: &[Pair]) -> Result<Vec<f64>, RunError> {
    let texts: Vec<&str> = pairs.iter().flat_map(|pair| [&*pair.a, &*pair.b]).collect();
    let vectors = embedder.embed(&texts).await?;
    Ok(vectors.chunks_exact(2).map(|pair| f64::from(dot(&pair[0], &pair[1]))).collect())
}

impl Rates {
    /// What `threshold` does to pairs with these cosines; absent without any.
    fn of<'a>(
        threshold: f64,
        paraphrases: impl Iterator<Item = &'a f64>,
        near_misses: impl Iterator<Item = &'a f64>,
    ) -> Option<Self> {
        let (recall, false_hits) = (reached(threshold, paraphrases)?, reached(threshold, near_misses)?);
        Some(Self { threshold, recall, false_hits })
    }

    /// What `threshold` does to the held-out half of the labelled pairs.
    pub(super) fn held_out(threshold: f64, cosines: &Cosines) -> Option<Self> {
        Self::of(threshold, held_out(&cosines.paraphrases), held_out(&cosines.near_misses))
    }

    fn is_safe(&self) -> bool {
        self.false_hits.estimate <= MOST_FALSE_HITS
    }
}

fn reached<'a>(threshold: f64, cosines: impl Iterator<Item = &'a f64>) -> Option<Interval> {
    // A cache compares in single precision.
    let (hits, of) = cosines
        .fold((0, 0), |(hits, of), &cosine| (hits + u64::from(cosine as f32 >= threshold as f32), of + 1));
    proportion(hits, of)
}

impl Evaluation {
    /// Chooses a threshold on every second pair and judges it on the others. Absent for fewer than two pairs of a
    /// kind.
    pub fn of(embedder: String, cosines: &Cosines) -> Option<Self> {
        let Cosines { paraphrases, near_misses } = cosines;
        let rates = |threshold: &f64| Rates::of(*threshold, tuning(paraphrases), tuning(near_misses));
        let roc: Vec<Rates> = THRESHOLDS.iter().map(rates).collect::<Option<_>>()?;
        let useful = roc.iter().find(|rates| rates.is_safe() && rates.recall.estimate >= LEAST_RECALL);
        let is_useful = useful.is_some();
        let threshold = useful.map_or(NOMINAL_THRESHOLD, |rates| rates.threshold);
        Some(Self { embedder, roc, is_useful, held_out: Rates::held_out(threshold, cosines)? })
    }

    /// Whether nothing speaks against using it: a threshold kept false hits down, found enough, and kept them down
    /// on pairs that had no part in choosing it.
    pub fn is_safe(&self) -> bool {
        self.is_useful && self.held_out.is_safe()
    }

    /// The choice and its judgement in sentences, the table of thresholds first.
    pub fn report(&self) -> Vec<String> {
        let mut lines =
            vec![format!("Embedder: {}. Labelled pairs that chose the threshold:", self.embedder)];
        lines.push("  threshold   paraphrases found   near misses hit".into());
        lines.extend(self.roc.iter().map(|rates| {
            let percent = |share: Interval| share.estimate * 100.0;
            format!(
                "  {:9.2}   {:17.1}%   {:14.1}%",
                rates.threshold,
                percent(rates.recall),
                percent(rates.false_hits)
            )
        }));
        let Rates { threshold, recall, false_hits } = self.held_out;
        lines.push(format!(
            "Threshold {threshold}, on pairs that had no part in choosing it: it finds {} of paraphrases and hits {} of near misses.",
            shown(recall),
            shown(false_hits)
        ));
        lines.push(self.judgement());
        lines
    }

    fn judgement(&self) -> String {
        let most = MOST_FALSE_HITS * 100.0;
        if !self.is_useful {
            return format!(
                "UNSAFE: no threshold keeps false hits to {most:.0}% of near misses and still finds {:.0}% of paraphrases; {NOMINAL_THRESHOLD} is the usual one.",
                LEAST_RECALL * 100.0
            );
        }
        if !self.is_safe() {
            return format!("UNSAFE: more than {most:.0}% of near misses get another question's answer.");
        }
        if self.held_out.false_hits.high > MOST_FALSE_HITS {
            return format!("Not shown to be safe: the interval of false hits reaches beyond {most:.0}%.");
        }
        format!("Safe by these pairs: at most {most:.0}% of near misses get another question's answer.")
    }
}

/// `12.7% [6.6, 23.1]`.
fn shown(share: Interval) -> String {
    let percent = share.map(|share| share * 100.0);
    format!("{:.1}% [{:.1}, {:.1}]", percent.estimate, percent.low, percent.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paraphrases and near misses of which these many have the cosine 1, and the others 0.8.
    fn evaluation(found: usize, hit: usize) -> Evaluation {
        let cosines = |high: usize| (0..200).map(|i| if i / 2 < high { 1.0 } else { 0.8 }).collect();
        let cosines = Cosines { paraphrases: cosines(found), near_misses: cosines(hit) };
        Evaluation::of("test".into(), &cosines).unwrap()
    }

    #[test]
    fn the_lowest_safe_threshold_is_chosen() {
        let evaluation = evaluation(50, 3);
        assert_eq!((evaluation.is_useful, evaluation.held_out.threshold), (true, 0.85));
        assert_eq!(evaluation.held_out.recall.estimate, 0.5);
        assert!(evaluation.report().last().unwrap().starts_with("Not shown to be safe"));
    }

    #[test]
    fn without_a_threshold_that_is_safe_and_useful_it_is_unsafe() {
        for (found, hit) in [(50, 4), (19, 0)] {
            let evaluation = evaluation(found, hit);
            assert_eq!((evaluation.is_safe(), evaluation.held_out.threshold), (false, NOMINAL_THRESHOLD));
            assert!(evaluation.report().last().unwrap().starts_with("UNSAFE: no threshold"));
        }
    }

    #[test]
    fn a_choice_that_fails_on_other_pairs_is_unsafe() {
        // Given near misses that only the held-out half has
        let near_misses = (0..200).map(|i| if i % 20 == 1 { 1.0 } else { 0.8 }).collect();
        let cosines = Cosines { paraphrases: vec![1.0; 200], near_misses };
        // When a threshold is chosen on the other half
        let evaluation = Evaluation::of("test".into(), &cosines).unwrap();
        // Then it looked safe there and is called unsafe
        assert!(evaluation.is_useful && !evaluation.is_safe());
        assert!(evaluation.report().last().unwrap().starts_with("UNSAFE: more than 3%"));
    }
}
