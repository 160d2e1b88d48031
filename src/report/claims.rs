//! Claims with what was found, for the console.

use std::collections::BTreeMap;

use serde::Serialize;

use super::matrix;
use crate::verdict::claims::{ClaimKind, Judged, Ranking, Standing};

/// The version of [`ClaimsReport`]'s format.
pub const CLAIMS_SCHEMA_VERSION: u32 = 1;

/// Every claim with what was found, and the optimisations ranked by task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimsReport {
    /// The version of this format.
    pub schema_version: u32,
    /// The claims.
    pub claims: Vec<Judged>,
    /// The optimisations, by task.
    pub rankings: Vec<Ranking>,
}

impl ClaimsReport {
    /// The report as text: a line for each claim, by optimisation.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for judged in &self.claims {
            if !names.contains(&judged.optimization.as_str()) {
                names.push(&judged.optimization);
            }
        }
        for name in names {
            lines.push(format!("\n{name}"));
            let own = self.claims.iter().filter(|judged| judged.optimization == name);
            lines.extend(own.map(line));
        }
        if !self.rankings.is_empty() {
            lines.push(format!("\nWhat gains most, {}", self.rankings[0].truth));
            lines.extend(matrix::rankings(&self.rankings));
        }
        lines.push(format!("\n{}", self.count()));
        lines.join("\n")
    }

    fn count(&self) -> String {
        let mut counts: BTreeMap<Standing, usize> = BTreeMap::new();
        for judged in &self.claims {
            *counts.entry(judged.standing).or_default() += 1;
        }
        let counts: Vec<_> =
            counts.into_iter().map(|(standing, n)| format!("{n} {}", word(standing))).collect();
        format!(
            "{} claims: {}. A simulated figure confirms a claim for the simulator's own speeds only.",
            self.claims.len(),
            counts.join(", ")
        )
    }
}

/// What was found of a claim beside its own figures: `Published: less time to first token: supported (...)`.
pub(super) fn sentence(judged: &Judged) -> String {
    let who = if judged.kind == ClaimKind::Published { "Published" } else { "Planned" };
    format!("{who}: {}: {} ({})", judged.text, word(judged.standing).to_uppercase(), judged.reason)
}

fn line(judged: &Judged) -> String {
    let truth = judged.truth.as_ref().map(|truth| format!(" · {truth}")).unwrap_or_default();
    let who = if judged.kind == ClaimKind::Published { "published" } else { "seed" };
    format!(
        "  {:<22} {} ({who}: {})\n{:<25}{}{truth}",
        word(judged.standing).to_uppercase(),
        judged.text,
        judged.source,
        "",
        judged.reason
    )
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Supported => "supported",
        Standing::SupportedOnlyWhere => "supported only where",
        Standing::Contradicted => "contradicted",
        Standing::NotMeasured => "not measured",
        Standing::NotJudged => "not judged",
    }
}
