//! What a classifier makes of labelled prompts.

use super::decide::{Classification, Complexity, Route, decide, deserved};
use super::prompts::Prompt;
use crate::stats::{Interval, proportion};

/// The largest share of hard prompts that may go to the small model.
pub const MOST_DOWN: f64 = 0.05;

/// How often prompts of each class were called what, and where they went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// By label, then by what was said.
    counts: [[u64; 3]; 3],
    small: [u64; 3],
}

impl Confusion {
    /// What `classify` makes of `prompts`.
    pub fn of<'a>(
        prompts: impl IntoIterator<Item = &'a Prompt>,
        classify: impl Fn(&str) -> Classification,
    ) -> Self {
        let mut confusion = Self::default();
        prompts.into_iter().for_each(|prompt| confusion.add(prompt.complexity, &classify(&prompt.text)));
        confusion
    }

    /// Counts a prompt.
    pub fn add(&mut self, label: Complexity, said: &Classification) {
        self.counts[label as usize][said.complexity as usize] += 1;
        self.small[label as usize] += u64::from(decide(said) == Route::Small);
    }

    /// How often prompts with this label were called that.
    pub fn count(&self, label: Complexity, said: Complexity) -> u64 {
        self.counts[label as usize][said as usize]
    }

    fn labelled(&self, label: Complexity) -> u64 {
        self.counts[label as usize].iter().sum()
    }

    fn total(&self) -> u64 {
        Complexity::ALL.iter().map(|&label| self.labelled(label)).sum()
    }

    fn right(&self) -> u64 {
        Complexity::ALL.iter().map(|&label| self.count(label, label)).sum()
    }

    /// The share called by their label, with its 95% score interval.
    pub fn accuracy(&self) -> Option<Interval> {
        proportion(self.right(), self.total())
    }

    /// Prompts that deserve `route` and got the other model, and all that deserve it.
    fn misrouted(&self, route: Route) -> (u64, u64) {
        let labels = Complexity::ALL.into_iter().filter(|&label| deserved(label) == route);
        labels.fold((0, 0), |(wrong, of), label| {
            let (small, all) = (self.small[label as usize], self.labelled(label));
            (wrong + if route == Route::Small { all - small } else { small }, of + all)
        })
    }

    /// The share of hard prompts that went to the small model: what it does to the answers.
    pub fn misrouted_down(&self) -> Option<Interval> {
        let (wrong, of) = self.misrouted(Route::Large);
        proportion(wrong, of)
    }

    /// The share of easy prompts that went to the large model: what it does to time and cost.
    pub fn misrouted_up(&self) -> Option<Interval> {
        let (wrong, of) = self.misrouted(Route::Small);
        proportion(wrong, of)
    }

    /// Whether more hard prompts than [`MOST_DOWN`] went to the small model.
    pub fn is_unsafe(&self) -> bool {
        self.misrouted_down().is_some_and(|share| share.estimate > MOST_DOWN)
    }

    /// The matrix, and what its errors cost, in lines.
    pub fn report(&self, classifier: &str) -> Vec<String> {
        let mut lines = vec![format!("{classifier}: {:>17}simple  moderate  complex", "called ")];
        lines.extend(Complexity::ALL.map(|label| {
            let [simple, moderate, complex] = Complexity::ALL.map(|said| self.count(label, said));
            format!("  {:<24}{simple:>8}  {moderate:>8}  {complex:>7}", format!("labelled {label}"))
        }));
        lines.push(format!("Accuracy: {}/{} ({}).", self.right(), self.total(), shown(self.accuracy())));
        let (down, hard) = self.misrouted(Route::Large);
        let (up, easy) = self.misrouted(Route::Small);
        lines.push(format!(
            "Misrouted down: {down} of {hard} hard prompts go to the small model ({}); their answers suffer.{}",
            shown(self.misrouted_down()),
            if self.is_unsafe() { " UNSAFE." } else { "" }
        ));
        lines.push(format!(
            "Misrouted up: {up} of {easy} easy prompts go to the large model ({}); they cost more than they need.",
            shown(self.misrouted_up())
        ));
        lines
    }
}

/// `91.7% [83.0, 96.1]`.
fn shown(share: Option<Interval>) -> String {
    let Some(share) = share else { return "none".into() };
    let percent = share.map(|share| share * 100.0);
    format!("{:.1}% [{:.1}, {:.1}]", percent.estimate, percent.low, percent.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_the_way_they_go() {
        use Complexity::*;
        // Given what was said of seven prompts
        let mut confusion = Confusion::default();
        let said = [
            (Simple, Simple, 0.9),
            (Simple, Complex, 0.9),
            (Moderate, Moderate, 0.9),
            // The right class, and not sure enough for the small model
            (Moderate, Moderate, 0.8),
            (Complex, Complex, 0.9),
            (Complex, Simple, 0.4),
            (Complex, Moderate, 0.9),
        ];
        for (label, complexity, confidence) in said {
            confusion.add(label, &Classification { complexity, confidence });
        }
        // Then easy work that costs more, and hard work that suffers, are told apart
        let share = |share: Option<Interval>| share.unwrap().estimate;
        assert_eq!(share(confusion.accuracy()), 4.0 / 7.0);
        assert_eq!(share(confusion.misrouted_up()), 2.0 / 4.0);
        assert_eq!(share(confusion.misrouted_down()), 2.0 / 3.0);
        let report = confusion.report("test").join("\n");
        assert!(report.contains("Accuracy: 4/7 (57.1% [25.0, 84.2])"), "{report}");
        assert!(report.contains("their answers suffer. UNSAFE."), "{report}");
    }
}
