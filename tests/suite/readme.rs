//! The README's commands exist, with the flags that it names, and the quick ones do what it says.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::Ran;

const README: &str = include_str!("../../README.md");

/// What the README shows and takes no time, with its exit code.
const QUICK: [(&str, i32); 9] = [
    ("llmlab scenarios list", 0),
    ("llmlab run streaming --quick", 0),
    ("llmlab routing --accuracy", 0),
    ("llmlab claims", 0),
    ("llmlab targets", 0),
    ("llmlab completions bash", 0),
    ("llmlab mock --print-config", 0),
    ("llmlab man DIR", 0),
    // There is no such target here, and it says so.
    ("llmlab targets --check mock staging", 2),
];

/// Everything that the README shows as a command: lines of its blocks, and code within its sentences.
fn shown() -> Vec<String> {
    let mut shown = Vec::new();
    let mut language = None;
    for line in README.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(name), None) => language = Some(name),
            (Some(_), Some(_)) => language = None,
            (None, Some("sh" | "text")) => shown.push(line.to_owned()),
            (None, Some(_)) => {}
            (None, None) => shown.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    shown
}

/// The single commands of a line, without what explains them.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let line = line.split("  ").next().unwrap_or_default();
    for word in words(line) {
        match word.as_str() {
            "#" => break,
            "&&" | "|" | ";" | ">" => commands.push(Vec::new()),
            _ => commands.last_mut().expect("there is always one").push(word),
        }
    }
    commands
}

/// Words as a shell splits them; quotes hold them together and vanish.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            (' ', None) => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// The arguments of `llmlab` in a command, with nothing that only stands for something.
fn arguments(command: &[String]) -> Option<Vec<&str>> {
    let words: Vec<_> = command.iter().map(String::as_str).skip_while(|word| word.contains('=')).collect();
    let rest = match words.as_slice() {
        ["llmlab", rest @ ..] => rest,
        ["cargo", "run", "--release", "--", rest @ ..] => rest,
        _ => return None,
    };
    let named = rest.iter().map(|word| word.trim_end_matches(",…"));
    Some(named.filter(|word| !["…", "..."].contains(word)).collect())
}

fn llmlab(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.args(arguments).current_dir(folder).env_remove("LLMLAB_TARGET").env("CRITERION_HOME", folder);
    Ran::of(command.output().expect("the command runs"))
}

/// Whether the command takes these arguments: what is wrong with one is said before the help is.
fn takes(arguments: &[&str]) -> Result<(), String> {
    let folder = TempDir::new().expect("a temporary directory");
    let ran = llmlab(folder.path(), &[arguments, &["--help"]].concat());
    let is_help = ran.code == Some(0) && ran.stdout.contains("Usage: llmlab");
    if is_help { Ok(()) } else { Err(format!("llmlab {}: {}", arguments.join(" "), ran.stderr)) }
}

#[test]
fn every_command_that_the_readme_shows_takes_the_flags_that_it_shows() {
    let shown = shown();
    let commands: Vec<_> = shown.iter().flat_map(|line| commands(line)).collect();
    let arguments: Vec<_> = commands.iter().filter_map(|command| arguments(command)).collect();
    assert!(arguments.len() > 40, "only {} commands were found", arguments.len());
    let wrong: Vec<_> = arguments.iter().filter_map(|arguments| takes(arguments).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_flag_or_command_in_the_readme_would_be_found() {
    for line in [
        "llmlab run streaming --quik     does it work?",
        "cargo bench --bench caching && llmlab gate --baselin main",
        "LLMLAB_SEED=3 llmlab mock --fault flood # a fault",
        "llmlab basline list",
        "cargo run --release -- mock --prt 8000",
    ] {
        let commands = commands(line);
        let wrong =
            commands.iter().filter_map(|command| arguments(command)).filter(|found| takes(found).is_err());
        assert_eq!(wrong.count(), 1, "{line}: {commands:?}");
    }
}

#[test]
fn every_bench_that_the_readme_names_is_there() {
    let manifest = include_str!("../../Cargo.toml");
    let mut found = 0;
    for line in shown() {
        for command in commands(&line) {
            let names = command.windows(2).filter(|pair| pair[0] == "--bench" && pair[1] != "NAME");
            for name in names.map(|pair| &pair[1]).filter(|_| command.iter().any(|word| word == "cargo")) {
                assert!(manifest.contains(&format!("[[bench]]\nname = \"{name}\"")), "{line}");
                found += 1;
            }
        }
    }
    assert!(found > 10, "only {found} were found");
}

#[test]
fn quick_commands_of_the_readme_end_as_it_says() {
    let shown = shown();
    let shown: Vec<_> = shown.iter().flat_map(|line| commands(line)).map(|words| words.join(" ")).collect();
    let folder = TempDir::new().unwrap();
    for (command, code) in QUICK {
        assert!(shown.iter().any(|line| line == command), "the README shows no `{command}`");
        let words = words(command);
        let arguments: Vec<_> = words.iter().skip(1).map(String::as_str).collect();
        let ran = llmlab(folder.path(), &arguments);
        assert_eq!(ran.code, Some(code), "{command}\n{}\n{}", ran.stdout, ran.stderr);
    }
}
