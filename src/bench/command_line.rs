//! Criterion's command line, read a second time: the part of it that decides what is asked.
//!
//! Criterion parses the same arguments itself and refuses what it does not know; here they are declared once
//! more, because its own result is private.

use clap::{ArgAction, Parser};
use regex::Regex;

use crate::settings;

/// What Criterion's command line says.
#[derive(Debug, Clone, Parser)]
#[command(name = "bench", disable_help_flag = true, disable_version_flag = true)]
#[expect(clippy::struct_excessive_bools, reason = "they are Criterion's flags")]
pub(super) struct CommandLine {
    /// Only benchmarks whose id matches.
    filter: Vec<String>,
    #[arg(short, long)]
    pub(super) help: bool,
    #[arg(long)]
    exact: bool,
    #[arg(long)]
    ignored: bool,
    #[arg(long)]
    list: bool,
    #[arg(long)]
    bench: bool,
    #[arg(long)]
    test: bool,
    #[arg(long)]
    quick: bool,
    #[arg(long)]
    profile_time: Option<String>,
    #[arg(long)]
    load_baseline: Option<String>,
    #[arg(long)]
    pub(super) sample_size: Option<usize>,
    #[arg(long)]
    pub(super) nresamples: Option<usize>,
    #[command(flatten)]
    _others: Others,
}

/// Flags with a value, or without, that decide nothing here; they keep a value from looking like a filter.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are Criterion's flags")]
struct Others {
    #[arg(short, long, alias = "colour")]
    color: Option<String>,
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    #[arg(long)]
    quiet: bool,
    #[arg(short, long)]
    noplot: bool,
    #[arg(short, long)]
    save_baseline: Option<String>,
    #[arg(long)]
    discard_baseline: bool,
    #[arg(short, long)]
    baseline: Option<String>,
    #[arg(long)]
    baseline_lenient: Option<String>,
    #[arg(long)]
    format: Option<String>,
    #[arg(long)]
    nocapture: bool,
    #[arg(long)]
    show_output: bool,
    #[arg(long)]
    include_ignored: bool,
    #[arg(long)]
    warm_up_time: Option<String>,
    #[arg(long)]
    measurement_time: Option<String>,
    #[arg(long)]
    noise_threshold: Option<String>,
    #[arg(long)]
    confidence_level: Option<String>,
    #[arg(long)]
    significance_level: Option<String>,
    #[arg(long)]
    plotting_backend: Option<String>,
    #[arg(long)]
    output_format: Option<String>,
}

/// Why a bench will not run with these arguments.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "{flag} draws requests without bound, because it waits for time spent in code; use --sample-size 10 for a short run"
    )]
    Unbounded { flag: &'static str },
    #[error("the filter `{filter}` is no regular expression: {source}")]
    Filter { filter: String, source: regex::Error },
    #[error("--sample-size {0} is too small: Criterion needs at least 10")]
    SampleSize(usize),
}

/// What a run of the bench binary is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Rounds, as many as there are samples and one more.
    Measure,
    /// One round, to see that it works: `--test`, or no `--bench`.
    Smoke,
    /// Nothing is asked: `--list`, `--help`, `--ignored`, a saved run loaded.
    Nothing,
}

impl CommandLine {
    /// Reads the process's arguments. Criterion reports what neither of us knows, so that is left to it.
    pub(super) fn of_process() -> Self {
        let parsed = Self::try_parse();
        parsed.unwrap_or_else(|_| Self { list: true, ..Self::parse_from(["bench"]) })
    }

    pub(super) fn check(&self) -> Result<Option<Regex>, Refusal> {
        if self.quick {
            return Err(Refusal::Unbounded { flag: "--quick" });
        }
        if self.profile_time.is_some() {
            return Err(Refusal::Unbounded { flag: "--profile-time" });
        }
        if let Some(size) = self.sample_size.filter(|&size| size < 10) {
            return Err(Refusal::SampleSize(size));
        }
        let Some(filter) = self.filter.first().filter(|_| !self.exact) else { return Ok(None) };
        Regex::new(filter).map(Some).map_err(|source| Refusal::Filter { filter: filter.clone(), source })
    }

    pub(super) fn mode(&self) -> Mode {
        if self.help || self.list || self.ignored || self.load_baseline.is_some() {
            Mode::Nothing
        } else if self.test || !self.bench {
            Mode::Smoke
        } else {
            Mode::Measure
        }
    }

    /// Whether the benchmark `id` is selected; `pattern` is what [`check`](Self::check) returned.
    pub(super) fn selects(&self, pattern: Option<&Regex>, id: &str) -> bool {
        match (self.filter.first(), pattern) {
            (None, _) => true,
            (Some(filter), _) if self.exact => filter == id,
            (Some(_), Some(pattern)) => pattern.is_match(id),
            (Some(filter), None) => id.contains(filter),
        }
    }
}

/// What `--help` says before Criterion's own help.
pub(super) fn help(bench: &str) -> String {
    format!(
        "{bench}: a bench of LLM Latency Lab. Without any setting it measures the mock: no key, no network.\n\n\
         Examples:\n  \
         cargo bench --bench {bench}\n  \
         cargo bench --bench {bench} -- --save-baseline main\n  \
         cargo bench --bench {bench} -- --baseline main\n  \
         LLMLAB_TARGET=anthropic cargo bench --bench {bench} -- --sample-size 10\n\n{}\n\
         Criterion's command line (--quick and --profile-time are refused):\n",
        settings::help()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> CommandLine {
        CommandLine::try_parse_from([&["bench"], args].concat()).unwrap()
    }

    #[test]
    fn the_mode_follows_criterions_rules() {
        assert_eq!(parse(&["--bench"]).mode(), Mode::Measure);
        assert_eq!(parse(&[]).mode(), Mode::Smoke);
        assert_eq!(parse(&["--bench", "--test"]).mode(), Mode::Smoke);
        for nothing in [vec!["--list"], vec!["--load-baseline", "a", "--baseline", "b"], vec!["--ignored"]] {
            assert_eq!(parse(&[&["--bench"], &nothing[..]].concat()).mode(), Mode::Nothing, "{nothing:?}");
        }
    }

    #[test]
    fn a_flags_value_is_no_filter() {
        let line =
            parse(&["--bench", "--save-baseline", "main", "-c", "never", "ttft", "--sample-size", "11"]);
        let pattern = line.check().unwrap();
        assert!(line.selects(pattern.as_ref(), "caching/ttft/cached/512"));
        assert!(!line.selects(pattern.as_ref(), "caching/total/cached/512"));
        assert_eq!(line.sample_size, Some(11));
    }

    #[test]
    fn an_exact_filter_is_the_whole_id() {
        let line = parse(&["--exact", "a/b"]);
        assert!(line.selects(None, "a/b") && !line.selects(None, "a/b/c"));
    }

    #[test]
    fn what_draws_without_bound_is_refused_by_name() {
        for (args, flag) in [(vec!["--quick"], "--quick"), (vec!["--profile-time", "5"], "--profile-time")] {
            assert!(parse(&args).check().unwrap_err().to_string().contains(flag));
        }
        assert!(parse(&["--sample-size", "5"]).check().is_err());
        assert!(parse(&["("]).check().is_err());
    }
}
