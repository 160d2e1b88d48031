//! Settings: files, the environment, and single values as flags take them.

use std::time::Duration;

use llmlab::client::{Auth, Target};
use llmlab::gate::RulesFile;
use llmlab::mock::{Defect, MockFile, StandingFault, Time};
use llmlab::scenario::{Scenario, Tasks};
use llmlab::settings::{
    CASSETTE, Environment, Settings, SettingsError, TargetFile, TargetKind, VARIABLES, duration, share,
};
use llmlab::wire::Dialect;
use llmlab::{catalog, load, stats};

/// A key that no other text holds.
const KEY: &str = "hush-0123456789-hush";

/// No time that somebody waits for is as long as this.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The longest text, in tokens, that a task is filled up to here.
const SOME_TOKENS: u64 = 10_000;

/// A file of settings, of every kind that there is.
pub fn file(input: &[u8]) {
    let Some(text) = readable(input) else { return };
    if let Ok(file) = MockFile::parse(text) {
        mock(&file);
    }
    // Of the other kinds, each is read where a word stands without which it says nothing.
    if text.contains("targets")
        && let Ok(file) = toml::from_str::<TargetFile>(text)
    {
        targets(&file);
    }
    if (text.contains("benchmark") || text.contains("max_regress"))
        && let Ok(file) = toml::from_str::<RulesFile>(text)
    {
        assert!(file.max_regress.is_none_or(|limit| limit > 0.0 && limit < 1.0));
        assert!(file.benchmark.iter().all(|rule| rule.max_regress.is_none_or(|limit| limit > 0.0)));
    }
    if text.contains("questions")
        && let Ok(scenario) = toml::from_str::<Scenario>(text)
        && !scenario.questions.is_empty()
    {
        let _ = scenario.question(u32::MAX);
    }
    if text.contains("tasks")
        && let Ok(tasks) = toml::from_str::<Tasks>(text)
    {
        let is_short = |tokens: Option<u64>| tokens.is_none_or(|tokens| tokens < SOME_TOKENS);
        for task in &tasks.tasks {
            if is_short(task.system_tokens) && is_short(task.prompt_tokens) {
                let _ = (task.full_system(), task.full_prompt(), task.expected.fits(&task.answer));
            }
        }
    }
}

/// The text of an input that does not hold the key itself: libFuzzer sees what it is compared with.
fn readable(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok().filter(|text| !text.contains(KEY))
}

/// A mock's settings print and read as the same ones, and say the same once nothing is left to the profile.
fn mock(file: &MockFile) {
    printed(file);
    if let Ok(resolved) = file.resolved() {
        printed(&resolved);
        let again = resolved.resolved().expect("speeds that fit still do");
        assert_eq!(resolved.engine, again.engine, "speeds (left) change when they are printed");
    }
}

fn printed(file: &MockFile) {
    let text = file.text().expect("what was read can be printed");
    let again = MockFile::parse(&text);
    let again = again.unwrap_or_else(|error| panic!("it cannot be read again: {error}: {text}"));
    // As text, in which what is no number is itself.
    assert_eq!(again.text().as_ref(), Ok(&text), "the settings (right) are others once printed");
}

/// Every target of a file is one that can be asked, or is refused by its name; no key is shown.
fn targets(file: &TargetFile) {
    for (name, entry) in file.targets.iter().take(4) {
        if name.starts_with(CASSETTE) {
            continue;
        }
        let mut variables = vec![("LLMLAB_TARGET", &**name)];
        // A key in one of the lab's own variables would be that setting.
        let variable = entry.key_variable.as_deref().filter(|variable| !variable.starts_with("LLMLAB_"));
        variables.extend(variable.map(|variable| (variable, KEY)));
        match Settings::new(&Environment::of(&variables), file) {
            Ok(settings) => {
                assert!(!format!("{settings:?}").contains(KEY), "the key is shown");
                askable(&settings);
            }
            Err(error) => assert!(!error.to_string().contains(KEY), "the key is shown: {error}"),
        }
    }
}

/// Settings in the environment, a `NAME=VALUE` in each line, and each value by itself.
pub fn environment(input: &[u8]) {
    let Some(text) = readable(input) else { return };
    let mut variables: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).collect();
    // What a directory of this machine holds is no property of the input.
    variables.retain(|(_, value)| !value.starts_with(CASSETTE));
    variables.iter().take(8).for_each(|(_, text)| value(text));
    let keys = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "LLMLAB_EMBEDDINGS_KEY"];
    variables.retain(|(name, _)| !keys.contains(name));
    variables.extend(keys.map(|name| (name, KEY)));
    match Settings::new(&Environment::of(&variables), &TargetFile::default()) {
        Ok(settings) => planned(&settings),
        Err(error) => refused(&error),
    }
}

/// A plan is within the bounds that its settings promise.
fn planned(settings: &Settings) {
    assert!(!format!("{settings:?}").contains(KEY), "a key is shown");
    assert!(settings.runs >= 10 && settings.max_usd.is_none_or(|usd| usd >= 0.0));
    let timeouts = settings.timeouts;
    let phases = [timeouts.connect, timeouts.first_byte, timeouts.silence];
    assert!(phases.iter().all(|phase| !phase.is_zero() && *phase <= timeouts.total));
    assert!(timeouts.total < LONGEST, "nobody waits for {:?}", timeouts.total);
    if let TargetKind::Mock(mock) = &settings.target {
        let factors = mock.slowed.values().chain([&mock.slowdown]);
        assert!(factors.into_iter().all(|factor| *factor > 0.0 && *factor < 1e3));
    }
    askable(settings);
}

/// A refusal names what is at fault, and shows no key.
fn refused(error: &SettingsError) {
    let text = error.to_string();
    assert!(!text.contains(KEY), "a key is shown: {text}");
    match error {
        SettingsError::Value { name, .. } => {
            assert!(
                VARIABLES.iter().any(|variable| variable.name == *name) && text.starts_with(name),
                "{text}"
            );
        }
        SettingsError::Unknown { name, .. } => assert!(text.contains(&**name), "{text}"),
        _ => assert!(!text.is_empty()),
    }
}

/// The address of a live target is one that reads as itself.
fn askable(settings: &Settings) {
    if let TargetKind::Live(live) = &settings.target {
        address(&live.target);
    }
}

fn address(target: &Target) {
    let url = target.url();
    let again = Target::at("again", target.dialect(), &url, target.model(), &Auth::None);
    let again = again.unwrap_or_else(|error| panic!("its own address is none: {error}"));
    assert_eq!(again.url(), url, "the address of an address");
    assert_eq!(again.is_loopback(), target.is_loopback());
}

/// A single value, as any flag or variable might take it.
fn value(text: &str) {
    if let Ok(time) = duration(text) {
        assert!(time < LONGEST, "{text} is {time:?}");
    }
    if let Ok(share) = share(text) {
        assert!(share > 0.0 && share < 1.0, "{text} is {share}");
    }
    if let Ok(time) = text.parse::<Time>() {
        assert_eq!(time.to_string().parse(), Ok(time), "{text} is {time}");
    }
    if let Ok(fault) = text.parse::<StandingFault>() {
        assert_eq!(fault.to_string().parse(), Ok(fault), "{text} is {fault}");
    }
    if let Ok(defect) = text.parse::<Defect>() {
        assert_eq!(defect.name(), text);
    }
    if let Ok(dialect) = text.parse::<Dialect>() {
        assert_eq!(dialect.name(), text);
    }
    let _ = (
        text.parse::<load::Arrivals>(),
        text.parse::<load::TraceFormat>(),
        text.parse::<stats::Percentiles>(),
    );
    let _ = (catalog::model(text), catalog::profile(text));
    if let Ok(target) = Target::at("endpoint", Dialect::Generate, text, "default", &Auth::Bearer(KEY.into()))
    {
        assert!(!format!("{target:?}").contains(KEY), "the key is shown");
        address(&target);
    }
}
