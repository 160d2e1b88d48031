//! A stream of questions through no cache, an exact one and a semantic one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use super::cache::{ExactCache, SemanticCache};
use super::embedder::Embedder;
use super::prepared::{Intent, Kind, Prepared, Question, ask, longest_question};
use super::{MOST_FALSE_HITS, Shared, TTL};
use crate::experiment::{
    Arm, Draw, Group, Guard, Known, Needs, Observation, Predict, Prediction, Remarks, RunError, Tally,
    Workload,
};
use crate::metric::Metric;
use crate::optimization::formula::{self, MS};
use crate::scenario::{self, tokens};
use crate::session::Demand;
use crate::wire::Ask;

/// Questions of a run, asked one after another.
const QUESTIONS: usize = 10;

const OFF: &str = "off";
const EXACT: &str = "exact";
const SEMANTIC: &str = "semantic";

/// The tally of near misses that got another question's answer.
const FALSE_HITS: &str = "false hits";

/// No cache (the control), an exact and a semantic one, over the percentage of questions that were asked before,
/// half of them word for word and half reworded. Of the others, half are near misses. The threshold is the one that
/// the labelled pairs choose.
pub fn stream(familiar_percent: &[u32]) -> Group {
    group(familiar_percent, None)
}

/// As [`stream`], at a threshold of one's own.
pub fn at_threshold(threshold: f64, familiar_percent: &[u32]) -> Group {
    group(familiar_percent, Some(threshold))
}

fn group(familiar_percent: &[u32], threshold: Option<f64>) -> Group {
    let shared = Arc::new(Shared::new(threshold));
    let arm = |name, &percent| {
        let workload = Stream { name, mix: Mix::of(percent), shared: Arc::clone(&shared) };
        let needs = Needs { context_tokens: workload.demand_of_one().0, ..Needs::default() };
        Arm { needs, ..Arm::new(name, workload).at(f64::from(percent)) }
    };
    Group {
        name: "semantic_cache".into(),
        question: "What does a cache of answers save, and how often is it wrong?".into(),
        x_label: Some("% asked before".into()),
        control: OFF.into(),
        arms: familiar_percent
            .iter()
            .flat_map(|percent| [OFF, EXACT, SEMANTIC].map(|name| arm(name, percent)))
            .collect(),
        metrics: vec![Metric::ANSWER_TIME],
        predict: Some(predict(Arc::clone(&shared))),
        remarks: Some(remarks(shared)),
        guards: vec![Guard {
            tally: FALSE_HITS.into(),
            most: MOST_FALSE_HITS,
            harm: "it answers a question with another one's answer".into(),
        }],
        ..Group::default()
    }
}

/// How many of a run's questions are of each kind: an assumption about the traffic.
#[derive(Debug, Clone, Copy)]
struct Mix {
    repeats: usize,
    paraphrases: usize,
    near_misses: usize,
    new: usize,
}

impl Mix {
    fn of(familiar_percent: u32) -> Self {
        let familiar = (familiar_percent as usize * QUESTIONS).div_ceil(100).min(QUESTIONS);
        let other = QUESTIONS - familiar;
        Self {
            repeats: familiar / 2,
            paraphrases: familiar.div_ceil(2),
            near_misses: other.div_ceil(2),
            new: other / 2,
        }
    }

    fn kinds(self) -> [(Kind, usize); 4] {
        [
            (Kind::Repeat, self.repeats),
            (Kind::Paraphrase, self.paraphrases),
            (Kind::NearMiss, self.near_misses),
            (Kind::New, self.new),
        ]
    }
}

/// Asks a run's questions, each only if its cache does not answer it.
struct Stream {
    name: &'static str,
    mix: Mix,
    shared: Arc<Shared>,
}

/// A question, and whose answer it got from the cache.
struct Asked<'a> {
    question: Question<'a>,
    hit: Option<Intent>,
}

impl Asked<'_> {
    /// Whether the cache had its answer.
    fn is_right(&self) -> bool {
        self.hit == Some(self.question.intent)
    }

    /// Whether the cache gave it another question's answer.
    fn is_wrong(&self) -> bool {
        self.hit.is_some_and(|intent| intent != self.question.intent)
    }
}

impl Workload for Stream {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let prepared = self.shared.prepared(draw.session()).await?;
            let questions = prepared.deal(draw, &self.mix.kinds());
            let mut cache = self.cache(prepared);
            let begin = Instant::now();
            let mut asked = Vec::with_capacity(QUESTIONS);
            for question in questions {
                asked.push(Asked { question, hit: answer(draw, &mut cache, &question, begin).await? });
            }
            let each = begin.elapsed().as_nanos() as f64 / asked.len() as f64;
            let tallies = if self.name == OFF { BTreeMap::new() } else { self.tallies(&asked) };
            Ok(Observation { tallies, ..Observation::value(Metric::ANSWER_TIME, each) })
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let (input, output) = self.demand_of_one();
        // A cache may answer none.
        let all = QUESTIONS as u64;
        Demand { requests: QUESTIONS as u32, ..Demand::uncached(all * input, all * output) }
    }
}

/// The cache of an arm.
enum Cache<'a> {
    Off,
    Exact(ExactCache<Intent>),
    Semantic(SemanticCache<Intent>, &'a dyn Embedder),
}

impl Cache<'_> {
    /// The vector of a question, where the cache goes by it.
    async fn vector(&self, text: &str) -> Result<Vec<f32>, RunError> {
        match self {
            Self::Off | Self::Exact(_) => Ok(Vec::new()),
            Self::Semantic(_, embedder) => Ok(embedder.embed(&[text]).await?.swap_remove(0)),
        }
    }

    fn get(&self, ask: &Ask, vector: &[f32], now: Duration) -> Option<Intent> {
        match self {
            Self::Off => None,
            Self::Exact(cache) => cache.get(ask, now).hit(),
            Self::Semantic(cache, _) => cache.get(ask, vector, now).hit(),
        }
    }

    fn put(&mut self, ask: &Ask, vector: &[f32], answer: Intent, now: Duration) {
        match self {
            Self::Off => {}
            Self::Exact(cache) => cache.put(ask, answer, now),
            Self::Semantic(cache, _) => cache.put(ask, vector, answer, now),
        }
    }
}

/// Answers a question: from the cache, and then says with whose answer, or else by the model.
async fn answer(
    draw: &Draw<'_>,
    cache: &mut Cache<'_>,
    question: &Question<'_>,
    begin: Instant,
) -> Result<Option<Intent>, RunError> {
    let ask = ask(question.text);
    let vector = cache.vector(question.text).await?;
    let hit = cache.get(&ask, &vector, begin.elapsed());
    if hit.is_none() {
        draw.ask(&ask).await?;
        cache.put(&ask, &vector, question.intent, begin.elapsed());
    }
    Ok(hit)
}

impl Stream {
    fn cache<'a>(&self, prepared: &'a Prepared) -> Cache<'a> {
        match self.name {
            OFF => Cache::Off,
            EXACT => Cache::Exact(prepared.exact.clone()),
            _ => Cache::Semantic(prepared.semantic.clone(), &*prepared.embedder),
        }
    }

    /// What the cache did. Pairs count once for each arm, however often they come.
    fn tallies(&self, asked: &[Asked<'_>]) -> BTreeMap<Cow<'static, str>, Tally> {
        let count =
            |which: &dyn Fn(&Asked<'_>) -> bool| asked.iter().filter(|asked| which(asked)).count() as u64;
        let of_kind = |kind, happened: fn(&Asked<'_>) -> bool| {
            let new = move |asked: &Asked<'_>| asked.question.is_new && asked.question.kind == kind;
            let of = count(&new);
            (of > 0).then(|| Tally::share(count(&|asked| new(asked) && happened(asked)), of))
        };
        let hits = count(&|asked| asked.hit.is_some());
        let (input, output) = self.demand_of_one();
        let all = asked.len() as u64;
        let mut tallies = BTreeMap::from([
            ("hits".into(), Tally::share(hits, all)),
            ("wrong answers".into(), Tally::share(count(&|asked| asked.is_wrong()), all)),
            ("tokens saved, at most".into(), Tally::count(hits * (input + output))),
        ]);
        if self.name == SEMANTIC {
            let found = of_kind(Kind::Paraphrase, |asked| asked.is_right());
            let false_hits = of_kind(Kind::NearMiss, |asked| asked.is_wrong());
            let pairs = [("paraphrases found", found), (FALSE_HITS, false_hits)];
            tallies.extend(pairs.into_iter().filter_map(|(name, tally)| Some((name.into(), tally?))));
        }
        tallies
    }

    /// Prompt and answer tokens of one question at most.
    fn demand_of_one(&self) -> (u64, u64) {
        let scenario = scenario::semantic_cache();
        (tokens(&scenario.system) + longest_question(), scenario.max_tokens.into())
    }
}

/// `E[T] = T_lookup + (1 - h) T_llm`, so that a cache saves `h T_llm - T_lookup` of each question.
fn predict(shared: Arc<Shared>) -> Predict {
    Arc::new(move |known, arm, metric| {
        let prepared = shared.ready()?;
        let mix = Mix::of(arm.x? as u32);
        let Rate { hits, lookup } = rate(prepared, mix, &arm.name);
        let call = call(known, prepared)?;
        (*metric == Metric::ANSWER_TIME).then(|| Prediction {
            saving: hits * call - lookup.as_nanos() as f64,
            source: format!(
                "h T_llm - T_lookup a question; T_llm {:.1} ms, the mix assumed, h of semantic from the labelled pairs, T_lookup {:.3} ms measured before",
                call / MS,
                prepared.lookup.as_secs_f64() * 1e3
            )
            .into(),
        })
    })
}

/// What an arm's cache is expected to do for one question.
struct Rate {
    hits: f64,
    lookup: Duration,
}

/// Repeats are found, and new questions are not; what a semantic cache makes of the rest is what it made of the
/// labelled pairs.
fn rate(prepared: &Prepared, mix: Mix, arm: &str) -> Rate {
    let share = |count: usize| count as f64 / QUESTIONS as f64;
    if arm != SEMANTIC {
        return Rate { hits: share(mix.repeats), lookup: Duration::ZERO };
    }
    let judged = prepared.judged;
    let alike =
        share(mix.paraphrases) * judged.recall.estimate + share(mix.near_misses) * judged.false_hits.estimate;
    Rate { hits: share(mix.repeats) + alike, lookup: prepared.lookup }
}

/// The time of a model call in nanoseconds, as far as the engine is known.
fn call(known: &Known<'_>, prepared: &Prepared) -> Option<f64> {
    let scenario = scenario::semantic_cache();
    let prompt = tokens(&scenario.system) as f64 + prepared.mean_tokens();
    formula::call(known, prompt, scenario.max_tokens.into())
}

/// The evaluation on the labelled pairs, and what a run asks.
fn remarks(shared: Arc<Shared>) -> Remarks {
    Arc::new(move |_| {
        let Some(prepared) = shared.ready() else { return Vec::new() };
        let mut lines = prepared.evaluation.report();
        lines.push(format!(
            "A run asks {QUESTIONS} questions (assumed): those asked before are half repeats and half paraphrases, the others half near misses and half new. Answers live {} minutes. A labelled pair counts once for each arm.",
            TTL.as_secs() / 60
        ));
        lines
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_of_as_many_questions_as_a_run_asks() {
        for percent in [0, 15, 40, 50, 80, 100, 250] {
            let asked: usize = Mix::of(percent).kinds().iter().map(|(_, count)| count).sum();
            assert_eq!(asked, QUESTIONS, "{percent}");
        }
        let mix = Mix::of(40);
        assert_eq!((mix.repeats, mix.paraphrases, mix.near_misses, mix.new), (2, 2, 3, 3));
    }
}
