//! The claims as their file holds them.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Who makes a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// One of the documents that the lab was planned from.
    Seed,
    /// A publication.
    Published,
}

/// A claim with its source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its id.
    pub id: String,
    /// The optimisation that it is about, or `none`.
    pub optimization: String,
    /// What it says.
    pub text: String,
    /// Who says it.
    pub kind: ClaimKind,
    /// Where: a document with its lines, or a publication.
    pub source: String,
    /// The group that can judge it.
    pub group: Option<String>,
    /// The metric that it speaks of; `cost` for dollars.
    pub metric: Option<String>,
    /// The arms that it speaks of; absent means every arm but the control.
    pub arms: Option<Vec<String>>,
    /// The positions of the sweep that it speaks of; absent means every one.
    pub at: Option<Vec<f64>>,
    /// The optimisation, as a toggle, that is said to gain most on tasks.
    pub biggest: Option<String>,
    low: Option<f64>,
    high: Option<f64>,
    up_to: Option<f64>,
    low_ms: Option<f64>,
    high_ms: Option<f64>,
    /// Where theory expects it to hold.
    #[serde(rename = "where")]
    pub expected: Option<String>,
    /// Why no measurement of the lab can judge it.
    pub not_judged: Option<String>,
}

/// What a claim promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Claimed {
    /// The metric falls by a share between these two.
    Share {
        /// The smaller one.
        low: f64,
        /// The larger one.
        high: f64,
    },
    /// The metric falls by this share somewhere.
    UpTo(f64),
    /// A time between these two is saved, in nanoseconds.
    Saving {
        /// The shorter one.
        low: f64,
        /// The longer one.
        high: f64,
    },
    /// The metric falls.
    Less,
}

impl Claim {
    /// What it promises.
    pub fn claimed(&self) -> Claimed {
        match (self.up_to, self.low.zip(self.high), self.low_ms.zip(self.high_ms)) {
            (Some(share), ..) => Claimed::UpTo(share),
            (_, Some((low, high)), _) => Claimed::Share { low, high },
            (_, _, Some((low, high))) => Claimed::Saving { low: low * 1e6, high: high * 1e6 },
            _ => Claimed::Less,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimFile {
    claims: Vec<Claim>,
}

static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    let file: Result<ClaimFile, _> = toml::from_str(include_str!("../../../fixtures/claims.toml"));
    file.unwrap_or_else(|error| unreachable!("a test reads the embedded claims: {error}")).claims
});

/// Every claim that was collected.
pub fn claims() -> &'static [Claim] {
    &CLAIMS
}
