//! The groups: every strategy by complexity, and the share of simple prompts from which routing pays.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, try_join_all};

use super::break_even::{self, conclude_rows, conclude_share};
use super::classifier::{self, ASSUMED_ACCURACY, heuristic};
use super::confusion::{Confusion, MOST_DOWN};
use super::decide::{Complexity, Route, decide, deserved};
use super::prompts::{Prompt, of_class, prompts};
use super::router::{ASSUMED_DOUBT, Routed, Strategy};
use crate::experiment::{
    Arm, Draw, Group, Guard, Needs, Observation, Predict, Prediction, Remarks, RunError, Tally, Workload,
};
use crate::metric::Metric;
use crate::optimization::deck::Deck;
use crate::optimization::formula::MS;
use crate::scenario::{self, tokens};
use crate::session::Demand;

/// Prompts of a run of [`share`], asked at once, as those of several users.
const USERS: usize = 4;

/// The tally of hard work that the small model did.
const DOWN: &str = "misrouted down";
/// The tally of what the small model answered.
pub(super) const SMALL: &str = "sent to small";

/// Where a class stands on the sweep: 1 for simple.
pub(super) fn position(class: Complexity) -> f64 {
    f64::from(class as u8 + 1)
}

/// Every strategy against `direct_large` (the control), over the complexity of the prompt: 1 is simple, 2 moderate,
/// 3 complex.
pub fn by_complexity() -> Group {
    let arm = |complexity: Complexity, strategy| {
        let mix = vec![(complexity, 1)];
        arm(Routing { strategy, mix, only_scenario: true }, position(complexity))
    };
    Group {
        name: "routing".into(),
        question: "Which questions does a router make faster: 1 simple, 2 moderate or 3 complex ones?".into(),
        x_label: Some("complexity".into()),
        arms: Complexity::ALL
            .into_iter()
            .flat_map(|class| Strategy::ALL.map(|one| arm(class, one)))
            .collect(),
        remarks: Some(remarks()),
        conclude: Some(Arc::new(|_, summary| conclude_rows(summary))),
        predict: Some(predict()),
        ..group()
    }
}

/// `routed` against `direct_large`, over the percentage of prompts that are simple; the others are complex. Four
/// prompts make a run, so that the percentage is rounded to quarters.
pub fn share(simple_percent: &[u32]) -> Group {
    let arm = |&percent: &u32, strategy| {
        let simple = (percent as usize * USERS).div_ceil(100).min(USERS);
        let mix = vec![(Complexity::Simple, simple), (Complexity::Complex, USERS - simple)];
        arm(Routing { strategy, mix, only_scenario: false }, f64::from(percent))
    };
    let strategies = [Strategy::DirectLarge, Strategy::Routed];
    Group {
        name: "routing/share".into(),
        question: "From which share of simple questions on does a router pay?".into(),
        x_label: Some("% simple".into()),
        arms: simple_percent.iter().flat_map(|percent| strategies.map(|one| arm(percent, one))).collect(),
        remarks: Some(Arc::new(|known| break_even::predicted(known).into_iter().collect())),
        conclude: Some(Arc::new(|_, summary| conclude_share(summary))),
        ..group()
    }
}

fn group() -> Group {
    Group {
        control: Strategy::DirectLarge.name().into(),
        metrics: vec![Metric::ANSWER_TIME],
        guards: vec![Guard {
            tally: DOWN.into(),
            most: MOST_DOWN,
            harm: "hard questions are answered by the small model".into(),
        }],
        ..Group::default()
    }
}

fn arm(routing: Routing, x: f64) -> Arm {
    let (input, output) = routing.longest();
    let needs = Needs {
        context_tokens: input + output,
        small_model: routing.strategy != Strategy::DirectLarge,
        ..Needs::default()
    };
    Arm { needs, ..Arm::new(routing.strategy.name(), routing).at(x) }
}

/// Prompts of a mix of classes, all at once, by one strategy.
struct Routing {
    strategy: Strategy,
    mix: Vec<(Complexity, usize)>,
    /// Whether only the scenario's prompts are asked, and not all that are labelled.
    only_scenario: bool,
}

/// A prompt of a run, and whether the arm has not had it before.
struct Dealt {
    prompt: &'static Prompt,
    is_new: bool,
}

impl Routing {
    /// The prompts of a round, the same for all arms of the mix.
    fn deal(&self, draw: &Draw<'_>) -> Vec<Dealt> {
        let of_class = |&(complexity, wanted): &(Complexity, usize)| {
            let prompts = of_class(complexity, self.only_scenario);
            let deck = Deck::new(draw, &format!("routing {complexity}"), prompts.len());
            let dealt = deck.deal(draw.round(), wanted).into_iter();
            dealt.map(move |card| Dealt { prompt: prompts[card.index], is_new: card.is_new })
        };
        self.mix.iter().flat_map(of_class).collect()
    }

    fn prompts(&self) -> u64 {
        self.mix.iter().map(|(_, count)| *count as u64).sum()
    }

    /// Tokens of prompt and answer of the largest request.
    fn longest(&self) -> (u64, u64) {
        let (system, answer) = (tokens(&scenario::routing().system), scenario::routing().max_tokens);
        let of = |prompt: &Prompt| (system + tokens(&prompt.text)).max(classifier::sizes(prompt).0);
        let output = answer.max(classifier::MAX_TOKENS);
        (prompts().iter().map(of).max().unwrap_or(0), output.into())
    }
}

impl Workload for Routing {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let dealt = self.deal(draw);
            let ask = async |(number, dealt): (usize, &Dealt)| {
                self.strategy.run(&draw.branch(number), dealt.prompt).await
            };
            let routed = try_join_all(dealt.iter().enumerate().map(ask)).await?;
            Ok(self.observation(&dealt, &routed))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let requests = self.prompts() * self.strategy.requests();
        let (input, output) = self.longest();
        Demand { requests: requests as u32, ..Demand::uncached(requests * input, requests * output) }
    }
}

impl Routing {
    fn observation(&self, dealt: &[Dealt], routed: &[Routed]) -> Observation {
        let mean = |times: Vec<f64>| times.iter().sum::<f64>() / times.len() as f64;
        let took = mean(routed.iter().map(|routed| routed.took.as_nanos() as f64).collect());
        let mut observation = Observation::value(Metric::ANSWER_TIME, took);
        let classified: Vec<f64> =
            routed.iter().filter_map(|routed| Some(routed.classification?.as_nanos() as f64)).collect();
        if !classified.is_empty() {
            observation.values.insert(Metric::CLASSIFICATION, mean(classified));
        }
        for (dealt, routed) in dealt.iter().zip(routed) {
            self.count(&mut observation.tallies, dealt, routed.route);
        }
        observation
    }

    /// Where a prompt went. Whether that was right counts once for each prompt and arm, since a rule says the same
    /// each time; and not of an arm that cannot be wrong.
    fn count(&self, tallies: &mut BTreeMap<Cow<'static, str>, Tally>, dealt: &Dealt, route: Route) {
        let mut add = |name: &'static str, happened: bool| {
            let tally = tallies.entry(name.into()).or_insert(Tally::share(0, 0));
            *tally = tally.and(Tally::share(u64::from(happened), 1));
        };
        add(SMALL, route == Route::Small);
        let deserved = deserved(dealt.prompt.complexity);
        let can_be_wrong = match (self.strategy, deserved) {
            (Strategy::Oracle, _)
            | (Strategy::DirectLarge, Route::Large)
            | (Strategy::DirectSmall, Route::Small) => false,
            _ => dealt.is_new,
        };
        if can_be_wrong {
            add(if deserved == Route::Small { "misrouted up" } else { DOWN }, route != deserved);
        }
    }
}

/// `E[T] = T_cls + p T_small + (1 - p) T_large`, where `p` is what the strategy sends to the small model.
fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let (strategy, times) = (Strategy::of(&arm.name)?, break_even::times(known)?);
        let class = Complexity::ALL.into_iter().find(|class| Some(position(*class)) == arm.x)?;
        let saving = saving(strategy, class, &times)?;
        (*metric == Metric::ANSWER_TIME).then(|| Prediction {
            saving,
            source: format!(
                "T_cls {:.1}, T_small {:.1}, T_large {:.1} ms; the classifier right in {:.0}%, assumed",
                times.classify / MS,
                times.small / MS,
                times.large / MS,
                ASSUMED_ACCURACY * 100.0
            )
            .into(),
        })
    })
}

/// What a strategy saves on prompts of a class against the large model, in nanoseconds; absent for the cascade, whose
/// time falls on one of two values.
fn saving(strategy: Strategy, class: Complexity, times: &break_even::Times) -> Option<f64> {
    let gain = times.large - times.small;
    let assumed = trimmed(classifier::assumed_small_share(class));
    Some(match strategy {
        Strategy::DirectLarge | Strategy::Cascade => return None,
        Strategy::DirectSmall => gain,
        Strategy::Oracle if deserved(class) == Route::Small => gain,
        Strategy::Oracle => 0.0,
        Strategy::Heuristic => {
            let prompts = of_class(class, true);
            let small = prompts.iter().filter(|p| decide(&heuristic(&p.text)) == Route::Small).count();
            gain * trimmed(small as f64 / prompts.len() as f64)
        }
        Strategy::Routed => assumed * gain - times.classify,
        Strategy::Hedged => assumed * (gain - times.classify),
    })
}

/// What is left of a share when a tenth is trimmed at either end, as of the savings that a prediction is held to: what
/// happens less often than that leaves no trace in them.
fn trimmed(share: f64) -> f64 {
    ((share - 0.1) / 0.8).clamp(0.0, 1.0)
}

/// What is assumed of the simulated models, and what the rules make of all labelled prompts.
fn remarks() -> Remarks {
    Arc::new(|known| {
        let mut lines = Vec::new();
        if known.engine.is_some() {
            let (hard, easy) = ASSUMED_DOUBT;
            lines.push(format!(
                "Assumed of the simulated small model: it names the class of {:.0}% of prompts, and doubts its own answer to {:.0}% of complex prompts and {:.0}% of others.",
                ASSUMED_ACCURACY * 100.0,
                hard * 100.0,
                easy * 100.0
            ));
        }
        lines.extend(break_even::predicted(known));
        lines.push("A prompt counts once for each arm, however often it is asked: misrouting has the interval of so many prompts.".into());
        lines.push("The rules of heuristic were written with the labelled prompts at hand: expect less of them elsewhere.".into());
        lines.extend(Confusion::of(prompts(), heuristic).report("heuristic"));
        lines
    })
}
