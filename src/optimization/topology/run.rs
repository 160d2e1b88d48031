//! A team at work.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::future::{BoxFuture, try_join_all};

use super::model;
use super::team::{Chain, Team};
use crate::experiment::{Answer, Draw, Observation, RunError, Tally, Workload};
use crate::metric::Metric;
use crate::session::Demand;

impl Workload for Team {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            // Nothing of a new task is in any prompt cache.
            let (mark, model) = (draw.fresh("task"), model(draw, self.small));
            let stages = self.stages();
            let (mut heard, mut answers) = (Vec::new(), Vec::new());
            let begin = Instant::now();
            for stage in &stages {
                let calls = stage.agents.iter().map(|agent| {
                    let ask = self.ask(&mark, agent, &heard, &model);
                    let branch = draw.branch(&agent.name);
                    async move { branch.ask(&ask).await }
                });
                let said = try_join_all(calls).await?;
                let handed = stage.agents.iter().zip(&said);
                heard.extend(handed.flat_map(|(agent, answer)| self.handed_on(agent, &answer.reply.text())));
                answers.push(said);
            }
            let makespan = begin.elapsed().as_nanos() as f64;
            let mut values = BTreeMap::from([(Metric::MAKESPAN, makespan)]);
            if let Some(times) = times(&answers) {
                let chain = Chain::of(&stages, &times);
                values.insert(Metric::CRITICAL_PATH, chain.critical_path);
                values.insert(Metric::SUPERVISOR_OVERHEAD, chain.supervisor);
            }
            let calls = answers.iter().flatten().count() as u64;
            let tokens = answers.iter().flatten().map(tokens).sum::<Option<u64>>();
            let tallies = [("agent calls", Some(calls)), ("tokens", tokens)];
            let tallies = tallies.into_iter().filter_map(|(name, n)| Some((name.into(), Tally::count(n?))));
            Ok(Observation { values, tallies: tallies.collect(), ..Observation::default() })
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        Team::demand(self)
    }
}

/// The time of every call, by stage; absent where one is not known.
fn times(answers: &[Vec<Answer>]) -> Option<Vec<Vec<f64>>> {
    let time = |answer: &Answer| answer.values.get(&Metric::TOTAL).copied();
    answers.iter().map(|stage| stage.iter().map(time).collect()).collect()
}

/// Tokens of prompt and answer together.
fn tokens(answer: &Answer) -> Option<u64> {
    let usage = answer.reply.usage;
    Some(usage.input? + usage.output?)
}
