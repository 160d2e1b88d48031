//! Who works when, and what each is told.

use std::sync::LazyLock;

use crate::mock::prompt::prompt_tokens;
use crate::scenario::{self, Agent, prose};
use crate::session::Demand;
use crate::wire::{Ask, Block, Message, Role};

/// Agents of the scenario that are no specialists: the supervisor's two turns.
const SUPERVISOR_TURNS: usize = 2;

/// A way of sharing a task between agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// A generalist does it all in one call.
    FlatSingle,
    /// Specialists work at once, and nobody puts their parts together.
    FlatParallel,
    /// Specialists work at once, and one more call puts their parts together.
    FlatParallelJoin,
    /// A supervisor plans, specialists work one after another, and the supervisor puts their parts together.
    HierSeq,
    /// The same, with the specialists at once.
    HierPar,
}

impl Topology {
    /// Every topology.
    pub const ALL: [Self; 5] =
        [Self::HierSeq, Self::HierPar, Self::FlatParallelJoin, Self::FlatParallel, Self::FlatSingle];

    /// Its name as an arm.
    pub fn name(self) -> &'static str {
        match self {
            Self::FlatSingle => "flat_single",
            Self::FlatParallel => "flat_parallel",
            Self::FlatParallelJoin => "flat_parallel_join",
            Self::HierSeq => "hier_seq",
            Self::HierPar => "hier_par",
        }
    }

    /// Whether a supervisor plans the work.
    pub fn is_hierarchical(self) -> bool {
        matches!(self, Self::HierSeq | Self::HierPar)
    }

    /// The stages of its work, one after another.
    pub(super) fn stages(self, specialists: usize) -> Vec<Stage> {
        let agents = &scenario::topology().agents;
        let (turns, known) = agents.split_at(SUPERVISOR_TURNS);
        let specialists: Vec<_> = known.iter().take(specialists).collect();
        let work = |agents: &[&'static Agent]| Stage { agents: agents.to_vec(), supervises: false };
        let turn = |turn: usize| Stage { agents: vec![&turns[turn]], supervises: self.is_hierarchical() };
        match self {
            Self::FlatSingle => vec![work(&[&GENERALIST])],
            Self::FlatParallel => vec![work(&specialists)],
            Self::FlatParallelJoin => vec![work(&specialists), turn(1)],
            Self::HierSeq => {
                [turn(0)].into_iter().chain(specialists.chunks(1).map(work)).chain([turn(1)]).collect()
            }
            Self::HierPar => vec![turn(0), work(&specialists), turn(1)],
        }
    }
}

static GENERALIST: LazyLock<Agent> =
    LazyLock::new(|| Agent { name: "generalist".into(), system: scenario::topology().system.clone() });

/// Agents that work at once, on what the stages before said.
#[derive(Debug)]
pub(super) struct Stage {
    /// Who works.
    pub(super) agents: Vec<&'static Agent>,
    /// Whether this is the supervisor's work.
    pub(super) supervises: bool,
}

/// What agents hand on to those after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandOver {
    /// Their answers.
    Answers,
    /// Their answers, and the documents from which they have them.
    Everything,
}

/// Agents, their task, and the size of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Team {
    pub(super) topology: Topology,
    /// How many specialists there are.
    pub(super) specialists: usize,
    pub(super) task: &'static str,
    /// The most tokens of each answer.
    pub(super) answer_tokens: u32,
    /// Tokens of the documents that each specialist works on.
    pub(super) document_tokens: u64,
    pub(super) hand_over: HandOver,
    /// Whether the small model answers, where there is one.
    pub(super) small: bool,
}

impl Team {
    /// The usual three specialists at the scenario's own task.
    pub(super) fn new(topology: Topology) -> Self {
        Self {
            topology,
            specialists: 3,
            task: scenario::topology().question(0),
            answer_tokens: scenario::topology().max_tokens,
            document_tokens: 0,
            hand_over: HandOver::Answers,
            small: false,
        }
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        self.topology.stages(self.specialists)
    }

    /// What `agent` is asked in a run whose task begins with `mark`, once `heard` was said.
    pub(super) fn ask(&self, mark: &str, agent: &Agent, heard: &[Block], model: &str) -> Ask {
        let mut content = vec![Block::text(format!("[{mark}] {}", self.task))];
        content.extend(self.documents(agent));
        content.extend_from_slice(heard);
        Ask {
            model: model.to_owned(),
            system: vec![Block::text(agent.system.as_str())],
            messages: vec![Message { role: Role::User, content }],
            max_tokens: Some(self.answer_tokens),
            ..Ask::default()
        }
    }

    /// What those who come after `agent` hear of it.
    pub(super) fn handed_on(&self, agent: &Agent, answer: &str) -> Vec<Block> {
        let documents = self.documents(agent).filter(|_| self.hand_over == HandOver::Everything);
        documents.into_iter().chain([Block::text(format!("{}: {answer}", agent.name))]).collect()
    }

    /// What a specialist works on; the supervisor has no documents of its own.
    fn documents(&self, agent: &Agent) -> Option<Block> {
        let specialists = &scenario::topology().agents[SUPERVISOR_TURNS..];
        let number = specialists.iter().position(|specialist| specialist.name == agent.name)?;
        (self.document_tokens > 0).then(|| Block::text(prose(self.document_tokens, number as u64)))
    }

    /// Prompt tokens of every call, by stage, if every answer has its full length.
    pub(super) fn prompt_tokens(&self) -> Vec<Vec<u64>> {
        let (mark, answer) = ("0".repeat(32), prose(self.answer_tokens.into(), 0));
        let mut heard = Vec::new();
        let stages = self.stages().into_iter().map(|stage| {
            let asked = stage.agents.iter().map(|agent| prompt_tokens(&self.ask(&mark, agent, &heard, "")));
            let tokens = asked.collect();
            heard.extend(stage.agents.iter().flat_map(|agent| self.handed_on(agent, &answer)));
            tokens
        });
        stages.collect()
    }

    pub(super) fn demand(&self) -> Demand {
        let prompts = self.prompt_tokens().into_iter().flatten();
        let calls = prompts.map(|tokens| Demand::uncached(tokens, self.answer_tokens.into()));
        calls.reduce(Demand::and).unwrap_or_default()
    }

    /// Tokens of its longest prompt and the answer to it.
    pub(super) fn context_tokens(&self) -> u64 {
        let longest = self.prompt_tokens().into_iter().flatten().max();
        longest.unwrap_or(0) + u64::from(self.answer_tokens)
    }
}

/// What the calls of a run add up to, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chain {
    /// The longest chain of calls that waited for one another.
    pub(super) critical_path: f64,
    /// The part of it that is the supervisor's.
    pub(super) supervisor: f64,
}

impl Chain {
    /// A stage waits for its slowest call, and the next stage for it: `Σ max t`.
    pub(super) fn of(stages: &[Stage], times: &[Vec<f64>]) -> Self {
        let slowest = |times: &Vec<f64>| times.iter().copied().fold(0.0, f64::max);
        let sum = |of: &dyn Fn(&Stage) -> bool| -> f64 {
            stages.iter().zip(times).filter(|(stage, _)| of(stage)).map(|(_, times)| slowest(times)).sum()
        };
        Self { critical_path: sum(&|_| true), supervisor: sum(&|stage| stage.supervises) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_calls_of_100_ms_take_the_time_of_their_longest_chain() {
        // Given the five topologies, when every call takes 100 ms
        let chain = |topology: Topology| {
            let stages = topology.stages(3);
            let times: Vec<_> = stages.iter().map(|stage| vec![100.0; stage.agents.len()]).collect();
            (times.iter().flatten().count(), Chain::of(&stages, &times))
        };
        let expected = |calls, critical_path, supervisor| (calls, Chain { critical_path, supervisor });
        // Then each takes as long as its stages are many
        assert_eq!(chain(Topology::FlatSingle), expected(1, 100.0, 0.0));
        assert_eq!(chain(Topology::FlatParallel), expected(3, 100.0, 0.0));
        assert_eq!(chain(Topology::FlatParallelJoin), expected(4, 200.0, 0.0));
        assert_eq!(chain(Topology::HierSeq), expected(5, 500.0, 200.0));
        assert_eq!(chain(Topology::HierPar), expected(5, 300.0, 200.0));
        // And the supervisor takes 40% of one after another, and 66.7% of all at once
        let share = |topology| chain(topology).1.supervisor / chain(topology).1.critical_path;
        assert_eq!(share(Topology::HierSeq), 0.4);
        assert!((share(Topology::HierPar) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_slowest_call_of_a_stage_decides() {
        let stages = Topology::HierPar.stages(3);
        let chain = Chain::of(&stages, &[vec![10.0], vec![20.0, 50.0, 30.0], vec![5.0]]);
        assert_eq!(chain, Chain { critical_path: 65.0, supervisor: 15.0 });
    }

    #[test]
    fn later_calls_carry_what_was_said_before() {
        let prompts = |hand_over| {
            let team = Team { document_tokens: 1_000, hand_over, ..Team::new(Topology::HierSeq) };
            team.prompt_tokens().concat()
        };
        // Given specialists with documents of their own
        let (answers, everything) = (prompts(HandOver::Answers), prompts(HandOver::Everything));
        // Then each prompt after the plan holds one answer more than the one before
        assert!(answers[1..4].is_sorted_by(|a, b| a < b), "{answers:?}");
        // And 1,000 tokens more for every specialist heard, if documents are handed on
        let more: Vec<_> = everything.iter().zip(&answers).map(|(all, some)| all - some).collect();
        assert_eq!(more, [0, 0, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_team_has_as_many_specialists_as_asked_for() {
        for specialists in 1..=8 {
            let stages = Topology::HierPar.stages(specialists);
            assert_eq!(stages[1].agents.len(), specialists);
        }
    }
}
