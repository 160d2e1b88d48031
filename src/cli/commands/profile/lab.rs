//! Where a profile runs: the session, the screen, and the files that its figures go to.

use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::Shared;
use super::ended::Ended;
use super::screen::Screen;
use crate::catalog;
use crate::cli::interrupt::Interruptible;
use crate::client::control::Control;
use crate::client::{RetryPolicy, Timeouts};
use crate::instrument::Certificate;
use crate::profile::Counted;
use crate::report::destination::Destination;
use crate::report::profile::{Document, announcement};
use crate::report::{instrument, say, traces};
use crate::run::doubts;
use crate::session::{AskError, Estimate, Journal, Observer, Session, SessionError, SessionEvent};
use crate::settings::{LiveSettings, Settings, TargetKind};
use crate::telemetry::Tracing;
use crate::wire::Dialect;

/// A session that is profiled, and what its figures go to.
pub(super) struct Lab {
    interruptible: Interruptible,
    pub(super) session: Session,
    pub(super) dialect: Dialect,
    pub(super) screen: Screen,
    journal: Option<Journal>,
    tracing: Tracing,
}

impl Lab {
    /// Starts the session; absent when somebody pressed Ctrl-C before it had started.
    pub(super) fn open(
        args: &Shared,
        model: Option<&String>,
        observer: Option<Box<dyn Observer>>,
    ) -> anyhow::Result<Option<Self>> {
        let mut settings = Settings::from_environment(&args.environment(model))?;
        settings.retries = RetryPolicy::NEVER;
        let total = settings.timeouts.total;
        // One bound on a request, as the flag says: those on its parts are out of its way.
        let later = total + Duration::from_secs(1);
        settings.timeouts = Timeouts { first_byte: later, silence: later, ..settings.timeouts };
        let tracing = Tracing::of(&settings)?;
        let interruptible = Interruptible::new()?;
        let Some(started) = interruptible.until_interrupted(Session::start(settings)) else {
            return Ok(None);
        };
        let mut session = started.map_err(explained)?;
        let dialect = dialect(args, &session)?;
        let journal = args.raw.as_deref().map(|path| {
            Journal::at(path).with_context(|| format!("--raw {}: cannot be written", path.display()))
        });
        let journal = journal.transpose()?;
        let observers = journal.clone().map(|journal| Box::new(journal) as Box<dyn Observer>);
        observers.into_iter().chain(observer).for_each(|observer| session.observe(observer));
        if let Some(doubt) = interruptible.until_interrupted(unhealthy(&session)).flatten() {
            say(&format!("[llmlab] {doubt}"));
        }
        let screen = Screen::new(args.json, args.no_color);
        traces::begin(&tracing, &mut session, "llmlab profile")?;
        Ok(Some(Self { interruptible, session, dialect, screen, journal, tracing }))
    }

    /// The model that is asked for.
    pub(super) fn model(&self) -> String {
        self.session.asked_model(self.dialect).into()
    }

    /// Says what will be sent, and refuses what does not fit the budget.
    pub(super) fn announce(&self, models: &[String], estimate: Estimate) -> anyhow::Result<()> {
        self.session.budget().check(&estimate)?;
        if let Some(sentence) = announcement(&self.session, models, &estimate) {
            say(&format!("[llmlab] {sentence}"));
        }
        Ok(())
    }

    /// Does `work` until it is done or somebody presses Ctrl-C.
    pub(super) fn carry_out(&self, work: impl Future<Output = Result<(), AskError>>) -> Ended {
        let measuring = self.session.measuring();
        let ended = match self.interruptible.until_interrupted(work) {
            None => Ended::Interrupted,
            Some(Ok(())) => Ended::Complete,
            Some(Err(error)) => Ended::Stopped(error.to_string()),
        };
        drop(measuring);
        self.session.publish(&SessionEvent::GroupDone);
        ended
    }

    /// Shows what was found, and then writes it to its files: a full disk keeps nobody from reading it.
    pub(super) fn finish<Found: Serialize>(
        &self,
        document: Document<Found>,
        text: &str,
        ended: Ended,
        export: Option<Destination>,
        counted: &Counted,
    ) -> anyhow::Result<u8> {
        let interrupted = matches!(ended, Ended::Interrupted);
        let certificate = self.certificate();
        self.screen.show(text);
        self.screen.show(&instrument::lines(&certificate).join("\n"));
        let (error, instrument) = (ended.error(), Some(certificate));
        let document = Document { interrupted, error, instrument, ..document };
        self.screen.result(&document)?;
        let (sent, connections) = (self.session.budget().used().requests, self.session.connections());
        say(&format!(
            "[llmlab] {sent} requests sent over {connections} connections{}",
            doubts(&self.session)
        ));
        if let Some(export) = export {
            let path = export.path().to_owned();
            export.write_json(&document).with_context(|| format!("--export {}", path.display()))?;
            say(&format!("[llmlab] exported to {}", path.display()));
        }
        if let Some(complaint) = self.journal.as_ref().and_then(Journal::complaint) {
            return Err(anyhow!("--raw: {complaint}"));
        }
        self.screen.check().context("could not write to standard output")?;
        Ok(ended.code(counted))
    }
}

impl Lab {
    /// What is known of the instrument. Its check comes after what was measured, unless somebody pressed Ctrl-C.
    fn certificate(&self) -> Certificate {
        let conduct = self.session.conduct();
        self.interruptible.until_interrupted(self.session.check_instrument());
        self.session.certificate(conduct)
    }
}

impl Drop for Lab {
    /// However a profile ends, its traces are handed on.
    fn drop(&mut self) {
        traces::end(&self.tracing);
    }
}

/// The dialect: what was asked for, or the target's own; the mock speaks all of them, and takes that of the model.
fn dialect(args: &Shared, session: &Session) -> anyhow::Result<Dialect> {
    let own = match &session.settings().target {
        TargetKind::Live(_) | TargetKind::Cassette(_) => session.provenance().dialect,
        TargetKind::Mock(mock) => mock.model.as_deref().and_then(of_vendor).unwrap_or(Dialect::OpenAi),
    };
    let wanted = args.dialect().unwrap_or(own);
    anyhow::ensure!(session.speaks(wanted), "--dialect {}: the target speaks {}", wanted.name(), own.name());
    Ok(wanted)
}

/// The dialect of a known model's vendor.
fn of_vendor(model: &str) -> Option<Dialect> {
    catalog::model(model)?.provider.parse().ok()
}

/// What keeps a live target from being well, in words; it may answer all the same.
async fn unhealthy(session: &Session) -> Option<String> {
    let TargetKind::Live(LiveSettings { target, .. }) = &session.settings().target else { return None };
    let address = format!("GET {}/health", target.base_url());
    match Control::new(target).ok()?.health().await {
        // Many servers have no such page.
        Ok(200..=299 | 404 | 405) => None,
        Ok(status) => Some(format!("{address} answers {status}; asking all the same")),
        Err(error) => Some(format!("{address} fails: {error}; asking all the same")),
    }
}

/// Why a session cannot start, with what to do about it.
fn explained(error: SessionError) -> anyhow::Error {
    match error {
        SessionError::Unreachable { base_url, source, .. } => anyhow!(
            "nothing answers at {base_url}: {source}; check the address (--url, --target) and the server: curl \
             {base_url}/health; llmlab mock is one to try with"
        ),
        other => other.into(),
    }
}
