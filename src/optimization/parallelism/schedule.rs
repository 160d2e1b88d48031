//! Calls that wait for each other, and how long they take together.

use std::time::Duration;

use crate::scenario::Tool;

/// Tools of which some need what others return.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The tools in the order in which the model names them.
    pub tools: Vec<Tool>,
    /// For each tool, those before it whose output it needs, by index.
    pub after: Vec<Vec<usize>>,
}

/// When a tool of a graph may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// When the one before it has ended.
    InTurn,
    /// When every tool of the level before its own has ended: a turn for each level.
    ByLevel,
    /// When those that it needs have ended.
    WhenReady,
}

impl Graph {
    /// Tools that need nothing of each other.
    pub fn independent(tools: Vec<Tool>) -> Self {
        Self { after: vec![Vec::new(); tools.len()], tools }
    }

    /// Those that a tool waits for.
    pub fn waits_for(&self, tool: usize, start: Start) -> Vec<usize> {
        match start {
            Start::InTurn => (0..tool).collect(),
            Start::WhenReady => self.after[tool].clone(),
            Start::ByLevel => {
                let level = self.level(tool);
                (0..self.tools.len()).filter(|&other| self.level(other) < level).collect()
            }
        }
    }

    /// The tools in an order in which each comes after those that it waits for.
    pub fn order(&self, start: Start) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tools.len()).collect();
        if start != Start::InTurn {
            order.sort_by_key(|&tool| self.level(tool));
        }
        order
    }

    /// How long all of it takes if each tool takes its average time.
    pub fn makespan(&self, start: Start) -> Duration {
        let mut ends = vec![Duration::ZERO; self.tools.len()];
        for tool in self.order(start) {
            let begin = self.waits_for(tool, start).iter().map(|&before| ends[before]).max();
            ends[tool] = begin.unwrap_or_default() + self.tools[tool].mean();
        }
        ends.into_iter().max().unwrap_or_default()
    }

    fn level(&self, tool: usize) -> usize {
        self.after[tool].iter().map(|&other| self.level(other) + 1).max().unwrap_or(0)
    }
}

/// How long `times` take on `workers`, each taking the next one in order as soon as it is free.
pub fn list_schedule(times: &[Duration], workers: usize) -> Duration {
    let mut free = vec![Duration::ZERO; workers.max(1)];
    for time in times {
        if let Some(first) = free.iter_mut().min() {
            *first += *time;
        }
    }
    free.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_graph_takes_its_sum_its_levels_or_its_critical_path() {
        // Given a (100) and b (300), c (200) after a, d (100) after b and c
        let tools =
            [("a", 100), ("b", 300), ("c", 200), ("d", 100)].map(|(name, d)| Tool::taking(name, ms(d)));
        let graph = Graph { tools: tools.into(), after: vec![vec![], vec![], vec![0], vec![1, 2]] };
        // Then
        assert_eq!(graph.makespan(Start::InTurn), ms(700));
        assert_eq!(graph.makespan(Start::ByLevel), ms(300 + 200 + 100));
        assert_eq!(graph.makespan(Start::WhenReady), ms(300 + 100));
    }

    #[test]
    fn a_tool_may_wait_for_one_that_is_named_after_it() {
        // Given c (300) after a (200), and b (600) and d (100) free; d is named after c and stands a level below it
        let tools =
            [("a", 200), ("b", 600), ("c", 300), ("d", 100)].map(|(name, d)| Tool::taking(name, ms(d)));
        let graph = Graph { tools: tools.into(), after: vec![vec![], vec![], vec![0], vec![]] };
        assert_eq!(graph.makespan(Start::InTurn), ms(1_200));
        assert_eq!(graph.makespan(Start::ByLevel), ms(900));
        assert_eq!(graph.makespan(Start::WhenReady), ms(600));
    }

    proptest! {
        #[test]
        fn a_list_schedule_lies_between_its_bounds(times in prop::collection::vec(1..500_u64, 1..20), workers in 1..9_usize) {
            let times: Vec<_> = times.into_iter().map(ms).collect();
            let (sum, longest) = (times.iter().sum::<Duration>(), times.iter().max().copied().unwrap());
            let took = list_schedule(&times, workers);
            prop_assert!(took >= longest && took >= sum / workers as u32 && took <= sum);
            // Graham 1969: at most 2 - 1/m times the best there is.
            let best = longest.max(sum / workers as u32);
            prop_assert!(took.as_secs_f64() <= best.as_secs_f64() * (2.0 - 1.0 / workers as f64) + 1e-9);
        }
    }
}
