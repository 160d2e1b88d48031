//! What was reported beyond the truth.

use std::time::{Duration, Instant};

/// The errors of many answers.
#[derive(Debug, Clone, Default)]
pub struct Errors {
    /// Of each answer: the reported time to its first token, less the truth. Never less than nothing, since the truth
    /// begins after the request was written and ends before the token was read.
    pub first: Vec<Duration>,
    /// Answers whose first token was reported earlier than in truth, which no clock explains: there should be none.
    pub early: usize,
    /// Of each gap between two tokens: how far it is off, in either direction.
    pub gaps: Vec<Duration>,
    /// All gaps together, as they were reported.
    pub reported: Duration,
    /// All gaps together, in truth.
    pub truth: Duration,
    /// Of each answer of several tokens: how far its longest gap is from the longest in truth.
    pub longest: Vec<Duration>,
}

impl Errors {
    /// Compares an answer, whose request was sent at `sent`, with the truth: when each token was read, and how long
    /// after the first byte of the request the server wrote it.
    pub fn add(&mut self, sent: Instant, tokens: impl IntoIterator<Item = (Instant, Duration)>) {
        let mut before: Option<(Instant, Duration)> = None;
        let mut longest = (Duration::ZERO, Duration::ZERO);
        let mut gaps = 0;
        for (at, truth) in tokens {
            let Some((earlier, earlier_truth)) = before.replace((at, truth)) else {
                let reported = at.saturating_duration_since(sent);
                self.early += usize::from(reported < truth);
                self.first.push(reported.saturating_sub(truth));
                continue;
            };
            let (gap, true_gap) =
                (at.saturating_duration_since(earlier), truth.saturating_sub(earlier_truth));
            self.gaps.push(gap.abs_diff(true_gap));
            self.reported += gap;
            self.truth += true_gap;
            longest = (longest.0.max(gap), longest.1.max(true_gap));
            gaps += 1;
        }
        if gaps > 0 {
            self.longest.push(longest.0.abs_diff(longest.1));
        }
    }

    /// The errors of other answers too.
    pub fn extend(&mut self, other: Self) {
        self.first.extend(other.first);
        self.early += other.early;
        self.gaps.extend(other.gaps);
        self.longest.extend(other.longest);
        self.reported += other.reported;
        self.truth += other.truth;
    }

    /// How far the mean gap is from the true one, as a share of it. Absent without a gap.
    pub fn mean_gap(&self) -> Option<f64> {
        let truth = self.truth.as_secs_f64();
        (truth > 0.0).then(|| (self.reported.as_secs_f64() - truth).abs() / truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_beyond_the_truth_is_the_error() {
        let ms = Duration::from_millis;
        let sent = Instant::now();
        let mut errors = Errors::default();
        errors.add(sent, [(101, 100), (113, 110), (420, 420)].map(|(at, truth)| (sent + ms(at), ms(truth))));
        assert_eq!((errors.first, errors.gaps), (vec![ms(1)], vec![ms(2), ms(3)]));
        assert_eq!((errors.reported, errors.truth, errors.longest), (ms(319), ms(320), vec![ms(3)]));
    }

    #[test]
    fn one_token_has_no_gap() {
        let now = Instant::now();
        let mut errors = Errors::default();
        errors.add(now, [(now, Duration::ZERO)]);
        assert_eq!((errors.first.len(), errors.gaps.len(), errors.longest.len()), (1, 0, 0));
        assert_eq!(errors.mean_gap(), None);
    }
}
