//! What a load asks: prompts made up so that a share of them repeats, those of a file, or those of a trace.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};
use xxhash_rust::xxh3::xxh3_128;

use super::trace::{self, Row};
use crate::scenario;

/// Of the base prompts, those that are sent over and over.
const REPEATED: usize = 3;
/// Different prompts among which a Zipf distribution chooses.
const ZIPF_POOL: u32 = 100;

/// One prompt of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What is asked.
    pub text: Arc<str>,
    /// The most tokens to answer with.
    pub max_tokens: u32,
    /// What it is, as records name it: `unique`, `repeated`, `listed`, `traced` or `warm_up`.
    pub kind: &'static str,
}

impl Prompt {
    /// Its prompt's length in tokens, guessed as the simulated tokenizer counts.
    pub fn tokens(&self) -> u64 {
        scenario::tokens(&self.text)
    }

    /// What an ideal cache of answers knows it by.
    fn key(&self) -> (u128, u32) {
        (xxh3_128(self.text.as_bytes()), self.max_tokens)
    }
}

/// How many prompts repeat, and which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Prompts of which the share holds; after them it starts anew with other unique ones.
    pub requests: u32,
    /// The share of prompts that repeat, 0 to 1.
    pub repeat_ratio: f64,
    /// The exponent of the Zipf distribution after which repeated prompts are chosen; absent where three take turns.
    pub zipf: Option<f64>,
    /// The unique ones first and the repeated ones last, instead of all in random order.
    pub in_order: bool,
    /// Prompts at the start of the list that only warm up.
    pub lead: u32,
    /// The most tokens to answer with.
    pub max_tokens: u32,
    /// The seed of what is random.
    pub seed: u64,
}

/// The prompts of a load, by number.
#[derive(Debug, Clone)]
pub struct Prompts {
    source: Source,
    max_tokens: u32,
}

#[derive(Debug, Clone)]
enum Source {
    Mixed { mix: Mix, order: Vec<u32>, drawn: Vec<u32> },
    Listed(Vec<Prompt>),
    Traced { rows: Vec<Row>, most: Option<u32> },
}

impl Prompts {
    /// Prompts of which a share repeats.
    pub fn mixed(mix: Mix) -> Self {
        let mix = Mix { requests: mix.requests.max(1), ..mix };
        let mut rng = ChaCha8Rng::seed_from_u64(mix.seed);
        let mut order: Vec<u32> = (0..mix.listed()).collect();
        if !mix.in_order {
            order.shuffle(&mut rng);
        }
        let repeats = mix.listed() - mix.unique();
        let drawn = mix.zipf.and_then(|exponent| Zipf::new(f64::from(ZIPF_POOL), exponent).ok());
        let drawn = drawn.map(|zipf| (0..repeats).map(|_| zipf.sample(&mut rng) as u32 - 1).collect());
        let drawn = drawn.unwrap_or_default();
        Self { max_tokens: mix.max_tokens, source: Source::Mixed { mix, order, drawn } }
    }

    /// These, over and over; there must be one.
    pub fn listed(prompts: Vec<Prompt>, max_tokens: u32) -> Self {
        Self { source: Source::Listed(prompts), max_tokens }
    }

    /// One of the length of each row, of which there must be one, answered at the row's length, or at `most` where that is less.
    pub fn traced(rows: Vec<Row>, most: Option<u32>, max_tokens: u32) -> Self {
        Self { source: Source::Traced { rows, most }, max_tokens }
    }

    /// The prompt of a request, counted from 0.
    pub fn get(&self, number: u32) -> Prompt {
        match &self.source {
            Source::Mixed { mix, order, drawn } => mixed(mix, order, drawn, number + mix.lead),
            Source::Listed(prompts) => prompts[number as usize % prompts.len()].clone(),
            Source::Traced { rows, most } => {
                let row = &rows[number as usize % rows.len()];
                let output = most.map_or(row.output, |most| most.min(row.output));
                Prompt { text: trace::text(row, number), max_tokens: output.max(1), kind: "traced" }
            }
        }
    }

    /// A prompt that warms up: of the start of the list where that is kept for it, else one that no other is.
    pub fn warm_up(&self, number: u32) -> Prompt {
        match &self.source {
            Source::Mixed { mix, order, drawn } if mix.lead > 0 => mixed(mix, order, drawn, number),
            _ => {
                let text = format!("{} (warm-up {number})", base(number)).into();
                Prompt { text, max_tokens: self.max_tokens, kind: "warm_up" }
            }
        }
    }

    /// Each of the first `count` prompts that comes again, once.
    pub fn repeated(&self, count: u32) -> Vec<Prompt> {
        let mut times: BTreeMap<_, (u32, Prompt)> = BTreeMap::new();
        for prompt in (0..count).map(|number| self.get(number)) {
            times.entry(prompt.key()).or_insert((0, prompt)).0 += 1;
        }
        let comes_again = |(times, prompt): &(u32, Prompt)| *times > 1 || prompt.kind == "repeated";
        times.into_values().filter(comes_again).map(|(_, prompt)| prompt).collect()
    }

    /// How many of these requests, in order, an ideal cache of answers would know: it keeps everything, has `warmed`
    /// when the load starts, and holds an answer as soon as it was asked for.
    pub fn known_to_ideal_cache(&self, numbers: impl Iterator<Item = u32>, warmed: &[Prompt]) -> u64 {
        let mut seen: HashSet<_> = warmed.iter().map(Prompt::key).collect();
        numbers.filter(|&number| !seen.insert(self.get(number).key())).count() as u64
    }

    /// The share of the blocks of these rows of a trace that an ideal prefix cache would know; absent where no trace
    /// names blocks.
    pub fn known_to_ideal_prefix_cache(&self, numbers: impl Iterator<Item = u32>) -> Option<f64> {
        let Source::Traced { rows, .. } = &self.source else { return None };
        trace::known_blocks(numbers.map(|number| &rows[number as usize % rows.len()]))
    }
}

impl Mix {
    /// Prompts in the list.
    fn listed(&self) -> u32 {
        self.requests + self.lead
    }

    /// Prompts in the list that do not repeat.
    fn unique(&self) -> u32 {
        (f64::from(self.listed()) * (1.0 - self.repeat_ratio)) as u32
    }
}

fn base(number: u32) -> &'static str {
    scenario::load().question(number)
}

fn mixed(mix: &Mix, order: &[u32], drawn: &[u32], index: u32) -> Prompt {
    let (list, unique) = (index / mix.listed(), mix.unique());
    let position = order[(index % mix.listed()) as usize];
    let prompt = |text: String, kind| Prompt { text: text.into(), max_tokens: mix.max_tokens, kind };
    if position < unique {
        let number = list * unique + position;
        return prompt(format!("{} (variation {number})", base(number)), "unique");
    }
    let repeat = position - unique;
    match drawn.get(repeat as usize) {
        None => prompt(base(repeat % REPEATED as u32).into(), "repeated"),
        Some(&rank) => prompt(format!("{} (topic {rank})", base(rank)), "repeated"),
    }
}
