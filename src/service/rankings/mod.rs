//! Rankings: made when there is something new, kept whole, and served from a cache.
//!
//! What is served is made in advance, in the transaction that changes the values: a reader sees the rankings before or
//! after a change and nothing between, and waits for no statistic.

mod measured;
mod query;

pub use query::{Params, Query, Shape, Source, Stats};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::{Cache, Entry};
use super::store::{Lease, Store, StoreError};
use crate::ranking::{Board, Order, RankedMetric, Simulation};
use crate::report::ranking::{MEASURED, Rankings as Reply, SIMULATED};

/// Boards of models that were asked the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// What they were asked.
    pub workload: String,
    /// What answered: `simulated`, `replayed` or `live`; `simulated` also where nobody asked anybody.
    pub mode: String,
    /// One board for each metric.
    pub boards: Vec<Board>,
}

/// The rankings of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Whether anybody was asked.
    pub source: Source,
    /// When they were made, in milliseconds since 1970.
    pub made_at: i64,
    /// The rankings, the one that says most first.
    pub rankings: Vec<Ranking>,
}

/// The rankings of a database.
#[derive(Debug)]
pub struct Rankings {
    store: Store,
    cache: Arc<Cache>,
}

impl Rankings {
    /// The rankings in `store`, served from `cache`.
    pub fn new(store: Store, cache: Arc<Cache>) -> Self {
        Self { store, cache }
    }

    /// The reply to a query, with the word for where its values come from; absent where there is no such ranking.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reply(&self, query: &Query, fresh: bool) -> Result<Option<Entry>, StoreError> {
        let key = query.key();
        if !fresh && let Some(entry) = self.cache.get(&key).await {
            return Ok(Some(entry));
        }
        let (epoch, all) = self.load().await?;
        let Some((source, ranking)) = choose(&all, query) else { return Ok(None) };
        let entry = Entry {
            epoch,
            source: format!("{source}; {}", ranking.mode),
            body: body(ranking, source, query),
        };
        self.cache.put(&key, &entry).await;
        Ok(Some(entry))
    }

    /// Everything that can be ranked, the source that is served by default first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(&self) -> Result<Vec<Made>, StoreError> {
        Ok(self.load().await?.1)
    }

    /// Simulates values and ranks models by them, in the place of those before.
    ///
    /// # Errors
    /// When the lease is lost or the database fails; those before stand then.
    pub async fn simulate(&self, lease: &Lease, simulation: &Simulation) -> Result<(), StoreError> {
        let simulated = simulation.clone();
        let boards = tokio::task::spawn_blocking(move || {
            RankedMetric::ALL
                .map(|metric| Board::of(metric, &simulated.values(metric), Order::Descending))
                .to_vec()
        });
        let boards = boards.await.map_err(|error| StoreError::unreadable("simulation", error))?;
        let workload = format!("seed {}", simulation.seed());
        let ranking = Ranking { workload, mode: SIMULATED.into(), boards };
        self.store.replace_simulated(lease, simulation, &json(&[ranking])).await?;
        self.raise().await
    }

    /// Ranks models by what was measured, in the place of those before.
    ///
    /// # Errors
    /// When the database fails; those before stand then.
    pub async fn measure(&self) -> Result<(), StoreError> {
        let samples = self.store.samples(measured::MOST_SAMPLES).await?;
        if samples.is_empty() {
            return Ok(());
        }
        let rankings = tokio::task::spawn_blocking(move || measured::rankings(samples));
        let rankings = rankings.await.map_err(|error| StoreError::unreadable("sample", error))?;
        self.store.replace_measured(&json(&rankings)).await?;
        self.raise().await
    }

    /// What was cached before the last change is not served any more.
    async fn raise(&self) -> Result<(), StoreError> {
        self.cache.raise(self.store.epoch().await?).await;
        Ok(())
    }

    /// All rankings, and a number that grows with every change.
    async fn load(&self) -> Result<(i64, Vec<Made>), StoreError> {
        let mut snapshots = self.store.rankings().await?;
        let epoch = snapshots.values().map(|snapshot| snapshot.generation).sum();
        let mut all = Vec::new();
        for (source, word) in [(Source::Measured, MEASURED), (Source::Simulated, SIMULATED)] {
            let Some(snapshot) = snapshots.remove(word) else { continue };
            let rankings = serde_json::from_str(&snapshot.body)
                .map_err(|error| StoreError::unreadable("ranking", error))?;
            all.push(Made { source, made_at: snapshot.made_at, rankings });
        }
        Ok((epoch, all))
    }
}

/// What answers a query: measured values where there are any, unless it says which.
fn choose<'a>(all: &'a [Made], query: &Query) -> Option<(&'static str, &'a Ranking)> {
    let fits = |made: &&Made| query.source.is_none_or(|source| source == made.source);
    let is_asked = |ranking: &&Ranking| {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        fits(&query.workload, &ranking.workload) && fits(&query.mode, &ranking.mode)
    };
    let found = |made: &'a Made| Some((made.source.word(), made.rankings.iter().find(is_asked)?));
    all.iter().filter(fits).find_map(found)
}

fn body(ranking: &Ranking, source: &'static str, query: &Query) -> String {
    let wanted = |board: &&Board| query.metric.is_none_or(|metric| metric == board.metric);
    let listed = ranking.boards.iter().filter(wanted).map(|board| board.clone().listed(query.order));
    let boards: Vec<_> = listed.collect();
    let reply = Reply::of(&boards, (query.stats == Stats::Full).then_some(source));
    let text = match query.shape {
        Shape::List => serde_json::to_string(&reply),
        Shape::Object => serde_json::to_string(&reply.merged()),
    };
    text.unwrap_or_default()
}

/// As JSON: names and numbers, of which none can fail to be written.
fn json(rankings: &[Ranking]) -> String {
    serde_json::to_string(rankings).unwrap_or_default()
}
