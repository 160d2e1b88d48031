//! What was typed becomes a checked plan before anything starts.
//!
//! Criterion owns a bench's command line, so a bench is set through the environment; the variables and
//! their defaults stand in [`VARIABLES`] and nowhere else. A misspelt `LLMLAB_` variable is an error.

mod environment;
mod known;
mod slowdown;
mod targets;
mod tracing;

pub use environment::{Environment, VARIABLES, Variable, help};
pub use known::{Key, KnownTarget, Origin};
pub use targets::{AuthKind, CASSETTE, MOCK, Pricing, TargetEntry, TargetFile, TargetKind};
pub use tracing::TracingConfig;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::cassette::Cassette;
use crate::catalog::{self, Profile};
use crate::client::{RetryPolicy, Target, TargetError, Timeouts};
use crate::mock::Defect;
use crate::seed::Seed;

/// Why a plan cannot be made. The message names the variable or file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable that starts with `LLMLAB_` and is none of ours.
    #[error("`{name}` is no setting{}", suggestion.map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// What was set.
        name: String,
        /// The nearest setting.
        suggestion: Option<&'static str>,
    },
    /// A variable with a value that does not fit.
    #[error("{name}=`{value}`: {reason}")]
    Value {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would fit.
        reason: String,
    },
    /// The target needs a key and there is none.
    #[error("the target `{target}` needs a key: set {variable} in the environment (nothing was sent)")]
    NoKey {
        /// The target.
        target: String,
        /// The variable.
        variable: String,
    },
    /// The target's own settings do not fit.
    #[error("the target `{name}`: {source}")]
    Target {
        /// The target.
        name: String,
        /// What is wrong.
        source: TargetError,
    },
    /// `llmlab.toml` cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A checked plan: what is asked, how often, and what it may cost.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What answers.
    pub target: TargetKind,
    /// The seed of all randomness.
    pub seed: u64,
    /// Samples for each benchmark, unless the command line says otherwise.
    pub runs: usize,
    /// The most dollars a run may cost; absent means [`Settings::DEFAULT_MAX_USD`] for a live target.
    pub max_usd: Option<f64>,
    /// The most requests a run may send; absent means the plan's own number, and what has to be sent again.
    pub max_requests: Option<u64>,
    /// Where every exchange is recorded to, if anywhere.
    pub record: Option<RecordSettings>,
    /// Bounds on the phases of an exchange.
    pub timeouts: Timeouts,
    /// How failed exchanges are tried again.
    pub retries: RetryPolicy,
    /// Whether the instrument is checked against known truth for the results' certificates.
    pub selftest: bool,
    /// Whether a smoke run (`--test`) may ask a live target.
    pub test_live: bool,
    /// The small model beside the target's, to which easy work may be routed; absent means the simulator's own.
    pub small_model: Option<String>,
    /// Where the semantic cache has its texts embedded; absent means by their character n-grams, here.
    pub embeddings: Option<Target>,
    /// The most prompt tokens that the target takes, if it does not say so itself.
    pub context_tokens: Option<u64>,
    /// Where traces go; absent means nowhere.
    pub tracing: Option<TracingConfig>,
}

/// The mock that answers when no target is named.
#[derive(Debug, Clone)]
pub struct MockSettings {
    /// The engine that is simulated.
    pub profile: Profile,
    /// Every simulated time is multiplied by this: how a regression is made on purpose.
    pub slowdown: f64,
    /// Further factors on the times of single groups or arms, by path, such as `caching/cached`. Predictions
    /// do not know them.
    pub slowed: BTreeMap<String, f64>,
    /// The engine of the small model beside it.
    pub small: Profile,
    /// The model whose cache rules and prices are simulated, for each dialect that names one.
    pub model: Option<String>,
    /// The small model's name, where one was given.
    pub small_model: Option<String>,
    /// What the simulated world does that no prediction expects.
    pub defect: Option<Defect>,
}

/// A live target, ready to be asked.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// The target.
    pub target: Target,
    /// Its prices; absent when nobody stated them.
    pub prices: Option<Pricing>,
}

/// Recordings that answer.
#[derive(Debug, Clone)]
pub struct CassetteSettings {
    /// The recordings.
    pub cassette: Arc<Cassette>,
    /// Every recorded time is multiplied by this.
    pub slowdown: f64,
    /// The model to ask for, where not the recordings' first.
    pub model: Option<String>,
}

/// Where exchanges are recorded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// A directory without recordings.
    pub directory: PathBuf,
    /// What answers, in words: software, version, model file.
    pub engine: Option<String>,
}

impl Settings {
    /// Samples for each benchmark. Twenty is the least at which the interval of a median means something.
    pub const DEFAULT_RUNS: usize = 20;
    /// What a live run may cost unless `LLMLAB_MAX_USD` says otherwise.
    pub const DEFAULT_MAX_USD: f64 = 2.0;

    /// The plan of this process: its environment and `llmlab.toml` in the working directory.
    ///
    /// # Errors
    /// When a variable, the file, or the target does not fit.
    pub fn from_process() -> Result<Self, SettingsError> {
        Self::from_environment(&Environment::of_process())
    }

    /// The plan of `environment` and `llmlab.toml` in the working directory.
    ///
    /// # Errors
    /// When a variable, the file, or the target does not fit.
    pub fn from_environment(environment: &Environment) -> Result<Self, SettingsError> {
        Self::new(environment, &targets::file_in_working_directory()?)
    }

    /// The plan that `environment` and the text of a `llmlab.toml` describe.
    ///
    /// # Errors
    /// When a variable, the file, or the target does not fit.
    pub fn new(environment: &Environment, file: &TargetFile) -> Result<Self, SettingsError> {
        environment.reject_unknown()?;
        let (slowdown, slowed) = slowdown::read(environment)?;
        let profile = environment.get("LLMLAB_PROFILE").unwrap_or(Profile::DEFAULT);
        let profile = catalog::profile(profile)
            .map_err(|error| environment.misfit("LLMLAB_PROFILE", &error.to_string()))?
            .clone();
        let small_model = environment.get("LLMLAB_SMALL_MODEL").map(str::to_owned);
        let mock = MockSettings {
            small: profile.of_small_model(),
            small_model: small_model.clone(),
            defect: environment.parse("LLMLAB_MOCK_DEFECT", &format!("one of {}", Defect::names()))?,
            profile,
            slowdown,
            slowed,
            model: environment.get("LLMLAB_MODEL").map(str::to_owned),
        };
        let runs =
            environment.parse("LLMLAB_RUNS", "a whole number of at least 10")?.unwrap_or(Self::DEFAULT_RUNS);
        if runs < 10 {
            return Err(environment.misfit("LLMLAB_RUNS", "Criterion needs at least 10 samples"));
        }
        let max_usd: Option<f64> = environment.parse("LLMLAB_MAX_USD", "a number of dollars, such as 5")?;
        if max_usd.is_some_and(|usd| usd.is_nan() || usd < 0.0) {
            return Err(environment.misfit("LLMLAB_MAX_USD", "it must be a number of dollars, 0 or more"));
        }
        Ok(Self {
            target: targets::choose(environment, file, mock)?,
            seed: environment.parse("LLMLAB_SEED", "a whole number")?.unwrap_or(Seed::DEFAULT.0),
            runs,
            small_model,
            embeddings: targets::embeddings(environment)?,
            max_usd,
            max_requests: environment.parse("LLMLAB_MAX_REQUESTS", "a whole number")?,
            record: environment
                .get("LLMLAB_RECORD")
                .map(|directory| RecordSettings { directory: directory.into(), engine: None }),
            timeouts: timeouts(environment)?,
            retries: RetryPolicy::default(),
            selftest: selftest(environment)?,
            test_live: environment.get("LLMLAB_TEST_LIVE").is_some_and(|value| value == "1"),
            context_tokens: environment.parse("LLMLAB_CONTEXT_TOKENS", "a number of tokens")?,
            tracing: TracingConfig::read(environment)?,
        })
    }

    /// A plan on the simulated target, everything else at its default: what tests and doc examples use.
    pub fn simulated() -> Self {
        Self::new(&Environment::default(), &TargetFile::default())
            .unwrap_or_else(|error| unreachable!("the defaults fit: {error}"))
    }
}

fn selftest(environment: &Environment) -> Result<bool, SettingsError> {
    match environment.get("LLMLAB_SELFTEST") {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(_) => Err(environment.misfit("LLMLAB_SELFTEST", "expected on or off")),
    }
}

fn timeouts(environment: &Environment) -> Result<Timeouts, SettingsError> {
    let seconds: Option<f64> = environment.parse("LLMLAB_TIMEOUT", "a number of seconds, such as 60")?;
    let Some(seconds) = seconds else { return Ok(Timeouts::default()) };
    let total = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|total| !total.is_zero() && *total < LONGEST)
        .ok_or_else(|| environment.misfit("LLMLAB_TIMEOUT", "it must be a number of seconds above 0"))?;
    let default = Timeouts::default();
    Ok(Timeouts {
        connect: default.connect.min(total),
        first_byte: default.first_byte.min(total),
        silence: default.silence.min(total),
        total,
    })
}

impl Environment {
    fn parse<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<Option<T>, SettingsError> {
        self.get(name)
            .map(|value| value.parse().map_err(|_| self.misfit(name, &format!("expected {expected}"))))
            .transpose()
    }

    fn misfit(&self, name: &'static str, reason: &str) -> SettingsError {
        let value = self.get(name).unwrap_or_default().into();
        SettingsError::Value { name: self.origin(name), value, reason: reason.into() }
    }
}

/// Reads a share of at most 100%: `10%` or `0.1`.
///
/// # Errors
/// When it is none; the text says what was expected.
pub fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share = number.trim().parse().map(|number: f64| number / scale).ok();
    let share = share.filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| format!("`{text}` is no share between 0 and 100%, such as 10% or 0.1"))
}

/// Reads a time such as `30s`, `500ms` or `2m`; a plain number is in seconds.
///
/// # Errors
/// When it is none; the text says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds =
        text.trim().parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let named = || text.parse::<jiff::SignedDuration>().ok()?.try_into().ok();
    let expected = || format!("`{text}` is no time, such as 30s, 500ms or 2m");
    seconds.or_else(named).filter(|time| *time < LONGEST).ok_or_else(expected)
}

/// No time that somebody waits for is as long as this.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::new(&Environment::of(variables), &TargetFile::default())
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        settings(variables).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn nothing_set_means_the_mock_with_the_default_profile() {
        let settings = settings(&[]).unwrap();
        assert!(
            matches!(settings.target, TargetKind::Mock(ref mock) if mock.profile.name == Profile::DEFAULT)
        );
        assert_eq!((settings.runs, settings.seed), (20, 20));
    }

    #[test]
    fn the_check_of_the_instrument_is_on_unless_it_is_switched_off() {
        let is_on = |variables: &[(&str, &str)]| settings(variables).unwrap().selftest;
        assert!(is_on(&[]) && is_on(&[("LLMLAB_SELFTEST", "on")]));
        assert!(!is_on(&[("LLMLAB_SELFTEST", "off")]));
    }

    #[test]
    fn a_misspelt_variable_is_refused_with_the_nearest_name() {
        let text = refusal(&[("LLMLAB_TARGT", "anthropic")]);
        assert!(text.contains("LLMLAB_TARGT") && text.contains("`LLMLAB_TARGET`"), "{text}");
    }

    #[test]
    fn a_target_without_its_key_names_the_variable() {
        let text = refusal(&[("LLMLAB_TARGET", "anthropic")]);
        assert!(text.contains("ANTHROPIC_API_KEY"), "{text}");
        settings(&[("LLMLAB_TARGET", "anthropic"), ("ANTHROPIC_API_KEY", "k")]).unwrap();
    }

    #[test]
    fn values_that_do_not_fit_are_refused_by_name() {
        let cases = [
            ("LLMLAB_RUNS", "5"),
            ("LLMLAB_RUNS", "many"),
            ("LLMLAB_PROFILE", "warp"),
            ("LLMLAB_MOCK_SLOWDOWN", "0"),
            ("LLMLAB_MAX_USD", "NaN"),
            ("LLMLAB_TIMEOUT", "-1"),
            ("LLMLAB_TIMEOUT", "1e19"),
            ("LLMLAB_TARGET", "nowhere"),
            ("LLMLAB_SELFTEST", "maybe"),
        ];
        for (name, value) in cases {
            let text = refusal(&[(name, value)]);
            assert!(text.contains(name) && text.contains(value), "{name}: {text}");
        }
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_is_named_when_it_does_not_fit() {
        let environment = Environment::of(&[("LLMLAB_SEED", "1")]);
        let settings = |seed: &str| {
            let environment = environment.clone().with_flag("--seed", "LLMLAB_SEED", Some(seed));
            Settings::new(&environment, &TargetFile::default())
        };
        assert_eq!(settings("7").unwrap().seed, 7);
        assert!(settings("x").unwrap_err().to_string().starts_with("--seed=`x`"));
    }

    #[test]
    fn any_url_is_a_target_with_its_dialect_in_front() {
        let settings =
            settings(&[("LLMLAB_TARGET", "openai+http://127.0.0.1:8080"), ("LLMLAB_MODEL", "m")]).unwrap();
        let TargetKind::Live(live) = settings.target else { panic!("a live target") };
        assert_eq!((live.target.model(), live.target.base_url().as_str()), ("m", "http://127.0.0.1:8080"));
    }

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        let ms = Duration::from_millis;
        assert_eq!(
            [duration("30s"), duration("500ms"), duration("2m"), duration("1.5")],
            [30_000, 500, 120_000, 1_500].map(|n| Ok(ms(n)))
        );
        for wrong in ["", "-1s", "soon", "NaN", "1e300"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        assert_eq!([share("10%"), share("0.1"), share("2.5 %")], [Ok(0.1), Ok(0.1), Ok(0.025)]);
        for wrong in ["0", "100%", "-1%", "NaN", "much"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
