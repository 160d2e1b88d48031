//! Targets: what can be asked, and what came of looking at it.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::figure::time;
use crate::provenance::Truth;
use crate::session::{Asked, Check};
use crate::settings::{Key, KnownTarget, Origin};
use crate::wire::Dialect;

/// The version of the JSON's form.
pub const TARGETS_SCHEMA_VERSION: u32 = 1;

/// All targets that are shown.
#[derive(Debug, Serialize)]
pub struct Targets {
    /// The version of this form.
    pub schema_version: u32,
    /// The targets.
    pub targets: Vec<TargetRow>,
}

/// A target, and what came of looking at it, if anybody did.
#[derive(Debug, Serialize)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// The dialect; null for the mock, which speaks them all.
    pub dialect: Option<Dialect>,
    /// Where it answers; null for the mock.
    pub base_url: Option<String>,
    /// The model it is asked for; null for the mock, which has one for each dialect.
    pub model: Option<String>,
    /// Where its name comes from.
    pub origin: Origin,
    /// Whether the present settings choose it.
    pub chosen: bool,
    /// Whether its key is there. The key itself is never shown.
    pub key: Key,
    /// What came of looking at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

impl TargetRow {
    /// A target with what came of looking at it.
    pub fn new(target: &KnownTarget, check: Option<Check>) -> Self {
        Self {
            name: target.name.clone(),
            dialect: target.dialect(),
            base_url: target.base_url().map(str::to_owned),
            model: target.model().map(str::to_owned),
            origin: target.origin,
            chosen: target.is_chosen,
            key: target.key.clone(),
            check,
        }
    }

    fn key(&self) -> String {
        match &self.key {
            Key::None => "–".into(),
            Key::Set { variable } => format!("{variable} is set"),
            Key::Missing { variable, optional: true } => format!("{variable}, optional, is not set"),
            Key::Missing { variable, optional: false } => format!("{variable} is not set"),
        }
    }

    fn cells(&self) -> Vec<String> {
        let name = if self.chosen { format!("* {}", self.name) } else { format!("  {}", self.name) };
        let text = |value: &Option<String>, mock: &str| value.clone().unwrap_or_else(|| mock.into());
        vec![
            name,
            self.dialect.map_or("all".into(), |dialect| dialect.to_string()),
            text(&self.base_url, "in this process"),
            text(&self.model, "one a dialect"),
            self.origin.to_string(),
            self.key(),
        ]
    }
}

impl Targets {
    /// Targets in the order in which they are shown.
    pub fn new(targets: Vec<TargetRow>) -> Self {
        Self { schema_version: TARGETS_SCHEMA_VERSION, targets }
    }

    /// Whether any of those that were looked at cannot be used.
    pub fn any_failed(&self) -> bool {
        self.targets.iter().any(|row| row.check.as_ref().is_some_and(|check| !check.ok))
    }

    /// As a table: what each is, or what came of looking at it.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.targets.iter().any(|row| row.check.is_some()) {
            table.set_header(["  target", "", "reached in", "models", "answered in", "cost", ""]);
            let checked = self.targets.iter().filter_map(|row| Some((row, row.check.as_ref()?)));
            table.add_rows(checked.map(|(row, check)| checked_cells(row, check)));
        } else {
            table.set_header(["  target", "dialect", "address", "model", "from", "key"]);
            table.add_rows(self.targets.iter().map(TargetRow::cells));
        }
        let lines = table.to_string();
        let mut lines: Vec<_> = lines.lines().map(str::trim_end).collect();
        if self.targets.iter().any(|row| row.chosen) {
            lines.push("* what the present settings ask");
        }
        lines.join("\n")
    }
}

fn checked_cells(row: &TargetRow, check: &Check) -> Vec<String> {
    let state = match (check.ok, check.mode) {
        (true, Some(mode)) => format!("ok, {mode}"),
        (true, None) => "ok".into(),
        (false, _) => "FAILED".into(),
    };
    let known = |value: Option<String>| value.unwrap_or_else(|| "–".into());
    let cost = |asked: Asked| asked.cost_usd.map_or("unknown".into(), |usd| format!("${usd:.7}"));
    let cost = check.asked.filter(|_| check.mode == Some(Truth::Live.word())).map(cost);
    vec![
        if row.chosen { format!("* {}", row.name) } else { format!("  {}", row.name) },
        state,
        known(check.reached_ms.map(time)),
        known(check.models.map(|models| models.to_string())),
        known(check.asked.map(|asked| time(asked.answered_ms))),
        known(cost),
        check.remark.clone().unwrap_or_default(),
    ]
}
