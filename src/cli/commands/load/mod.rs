//! `llmlab load`: many requests at an endpoint, and what became of them.

mod args;
mod plan;

pub(in crate::cli) use args::Args;

use std::process::ExitCode;

use anyhow::Context;

use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_ERROR, EXIT_INTERRUPTED, EXIT_REGRESSION, output};
use crate::instrument::Certificate;
use crate::load::{Ending, Findings, Load, Options, Plan};
use crate::report::destination::Destination;
use crate::report::load::{self as report, Live, LoadResult};
use crate::report::{say, traces};
use crate::session::{AskError, Journal, Session, SessionError};
use crate::telemetry::Tracing;

/// Sends the load, shows what it found, and keeps it.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = args.settings()?;
    let options = args.options(&settings);
    let plan = Plan::new(&options, args.bounds(), settings.seed)?;
    let destination = args.result.output.as_deref().map(Destination::new).transpose();
    let destination =
        destination.with_context(|| format!("could not write --output {:?}", args.result.output))?;
    let journal = args.result.raw.as_deref().map(Journal::at).transpose();
    let journal = journal.with_context(|| format!("could not write --raw {:?}", args.result.raw))?;
    let tracing = Tracing::of(&settings)?;
    let interruptible = Interruptible::on_one_thread()?;
    let Some(session) = interruptible.until_interrupted(Session::start(settings)) else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let session = session.map_err(explained)?;
    let dialect = session.dialect(args.dialect());
    let mut load = Load::new(plan, session, dialect);
    load.check_budget()?;
    if !args.result.json {
        print(&report::settings(&load, &options))?;
    }
    let ending = drive(&interruptible, &mut load, journal.as_ref(), &tracing)?;
    traces::end(&tracing);
    let found = load.findings(ending);
    let certificate = certificate(&interruptible, &load, &found);
    let kept = args.show(&found, &load, &options, certificate, destination);
    let complaint = journal.and_then(|journal| journal.complaint());
    complaint.iter().for_each(|complaint| say(&format!("error: {complaint}")));
    kept?;
    Ok(exit_code(&found, complaint.is_some()))
}

/// What is known of the instrument. Its check comes after the load, so that the first request waits for nothing; one
/// that Ctrl-C ended has none.
fn certificate(interruptible: &Interruptible, load: &Load, found: &Findings) -> Certificate {
    let conduct = load.conduct(found);
    interruptible.until_interrupted(load.session().check_instrument());
    load.session().certificate(conduct)
}

/// Warms up, and sends what is measured.
fn drive(
    interruptible: &Interruptible,
    load: &mut Load,
    journal: Option<&Journal>,
    tracing: &Tracing,
) -> anyhow::Result<Ending> {
    match interruptible.until_interrupted(load.warm_up()) {
        None => return Ok(Ending::Interrupted),
        Some(Err(AskError::Budget(refused))) => {
            say(&format!("[llmlab] {refused}"));
            return Ok(Ending::Budget);
        }
        Some(warmed) => warmed?,
    }
    if let Some(journal) = journal {
        load.observe(Box::new(journal.clone()));
    }
    load.observe(Box::new(Live::new(load.plan().requests(), load.under_way())));
    traces::begin(tracing, load.session_mut(), "llmlab load")?;
    Ok(interruptible.until_interrupted(load.drive()).unwrap_or(Ok(Ending::Interrupted))?)
}

impl Args {
    fn show(
        &self,
        found: &Findings,
        load: &Load,
        options: &Options,
        certificate: Certificate,
        destination: Option<Destination>,
    ) -> anyhow::Result<()> {
        if !self.result.json {
            print(&report::findings(found, load, &certificate))?;
        }
        let result = LoadResult::new(found, load, options, certificate);
        if self.result.json {
            print(&serde_json::to_string(&result)?)?;
        }
        if let Some(destination) = destination {
            let path = destination.path().to_owned();
            destination.write_json(&result).with_context(|| format!("could not write {}", path.display()))?;
            say(&format!("[llmlab] the result is in {}", path.display()));
        }
        Ok(())
    }
}

fn exit_code(found: &Findings, is_torn: bool) -> ExitCode {
    match found.ending {
        Ending::Interrupted => EXIT_INTERRUPTED.into(),
        _ if is_torn || found.answered == 0 || found.ending == Ending::Gone => EXIT_ERROR.into(),
        _ if found.slo.is_some_and(|slo| slo.p95_met == Some(false)) => EXIT_REGRESSION.into(),
        _ => ExitCode::SUCCESS,
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    output::print(text).context("could not write to standard output")
}

fn explained(error: SessionError) -> anyhow::Error {
    match error {
        SessionError::Unreachable { base_url, source, .. } => {
            anyhow::anyhow!("server not reachable at {base_url}: {source}; start it, or start `llmlab mock`")
        }
        error => error.into(),
    }
}
