//! The console, whole: the tables that people and scripts know.

use std::time::Duration;

use llmlab::catalog::Profile;
use llmlab::mock::{Mock, MockConfig};
use llmlab::wire::Dialect;
use regex::Regex;

use super::{Lab, mock};

/// The output with every number masked, and without the sentences that depend on how busy the machine is.
fn masked(output: &str) -> String {
    let number = Regex::new(r"( ?) *[0-9]+(\.[0-9]+)?").expect("a pattern");
    let depends = ["💡", "📐", "📉 Degraded", "📚", "Instrument: ", "INVALID: "];
    let lines = output.lines().filter(|line| !depends.iter().any(|start| line.starts_with(start)));
    let text: Vec<_> = lines.map(|line| line.replace(": no clear difference", "")).collect();
    number.replace_all(text.join("\n").trim_end(), "$1#").into_owned()
}

/// The table under a heading has its columns where the heading has them.
#[track_caller]
fn assert_aligned(output: &str, heading: &str) {
    let columns = |line: &str| -> Vec<usize> {
        line.chars().enumerate().filter(|(_, letter)| *letter == '|').map(|(index, _)| index).collect()
    };
    let mut lines = output.lines().skip_while(|line| !line.starts_with(heading));
    let head = columns(lines.next().expect("the heading"));
    let rows: Vec<_> = lines.skip(1).take_while(|line| line.contains('|')).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| columns(row) == head), "{output}");
}

#[test]
fn a_latency_profile_prints_its_requests_and_the_nine_numbers_of_each_cost() {
    let (lab, mock) = (Lab::new(), mock());
    let ran = lab.profile(&mock, &["latency"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    insta::assert_snapshot!(masked(&ran.stdout));
    // Ten requests and two to warm up, each for the model that was meant, streamed
    let requests = mock.requests();
    assert_eq!(requests.len(), 12);
    assert!(
        requests.iter().all(|request| request.dialect == Dialect::OpenAi && request.model == "llama3.1:8b")
    );
    // And a line has its widths
    let line =
        Regex::new(r"^   Request  1/10: +\d+ms \(TTFB: +\d+ms, Tokens: 100, Speed: +\d+\.\d t/s\) ✅$")
            .unwrap();
    assert!(ran.stdout.lines().any(|shown| line.is_match(shown)), "{}", ran.stdout);
}

#[test]
fn a_throughput_profile_prints_its_progress_and_the_results() {
    let (lab, mock) = (Lab::new(), mock());
    let ran = lab.profile(&mock, &["throughput", "--requests", "40", "--concurrency", "4"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    insta::assert_snapshot!(masked(&ran.stdout));
    assert_eq!(mock.requests().len(), 40);
    assert_eq!(ran.stdout.matches("Progress:").count(), 20, "every twentieth");
}

#[test]
fn a_sweep_ends_with_its_table_and_the_best_level() {
    let (lab, mock) = (Lab::new(), mock());
    let ran = lab.profile(&mock, &["throughput", "--sweep", "1,2,5", "--requests", "10", "--pause", "0s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    insta::assert_snapshot!(masked(&ran.stdout));
    assert_aligned(&ran.stdout, " Concurrency |      RPS |  Median Latency |  Success Rate");
}

#[test]
fn a_comparison_ranks_models_of_different_speed() {
    // Given a fast model and two whose tokens take longer and longer
    let of = |name: &str, ms: u64| {
        (name.to_owned(), Profile { decode: Duration::from_millis(ms), ..Profile::default() })
    };
    let models = [of("llama-3.1-8b-instruct", 8), of("llama3.1:8b", 40)];
    let config = MockConfig { models: models.into_iter().collect(), ..MockConfig::default() };
    let (lab, mock) = (Lab::new(), Mock::start(config).unwrap());
    // When they are compared
    let ran =
        lab.profile(&mock, &["compare", "--iterations", "3", "--max-tokens", "20", "--export", "c.json"]);
    // Then the fastest comes first, in the table and in the export
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    insta::assert_snapshot!(masked(&ran.stdout));
    assert_aligned(
        &ran.stdout,
        "Provider     | Model                     | Success | Median (ms) | P95 (ms) | Tokens/s |",
    );
    let export = lab.json("c.json");
    let models: Vec<_> =
        export["results"].as_array().unwrap().iter().map(|result| result["model"].clone()).collect();
    assert_eq!(models, ["qwen-coder-vllm", "llama-3.1-8b-instruct", "llama3.1:8b"]);
    let speedup = export["summary"]["speedup"].as_f64().unwrap();
    assert!(speedup > 5.0, "{speedup}");
    let versus = &export["results"][2]["versus_fastest"];
    assert!(versus["low"].as_f64().unwrap() > 1.0, "paired by round: {versus}");
    // And every round asked all of them, in an order of its own
    let asked: Vec<_> = mock.requests().into_iter().map(|request| request.model).collect();
    assert!(
        asked.len() == 15
            && asked
                .chunks(3)
                .all(|round| round.iter().collect::<std::collections::BTreeSet<_>>().len() == 3)
    );
}
