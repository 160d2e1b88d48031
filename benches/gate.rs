//! Can the gate's alarm be trusted? Suites of known truth, judged by it and by the rules people use instead.
//!
//! Nothing is measured: `cargo bench --bench gate` draws 200 suites of 60 benchmarks for each row, a minute's worth, and
//! `cargo bench --bench gate -- 10000 'wanders'` so many for each row whose text has that word. A smoke run
//! (`-- --test`) draws a few.

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use llmlab::report::say;
use llmlab::verdict::trial::{BENCHMARKS, Change, Noise, RULES, Said, try_suite};

const SUITES: u64 = 200;

/// What is drawn, in the words of the table.
fn noises() -> Vec<(&'static str, Noise)> {
    let noise = Noise::default();
    vec![
        ("σ 0.2, drift 10%", noise),
        ("no drift", Noise { drift: 0.0, ..noise }),
        ("ratio wanders by 2%", Noise { wander: 0.02, ..noise }),
        ("ratio wanders by 3%", Noise { wander: 0.03, ..noise }),
        ("ratio wanders by 3%, alike when confirmed", Noise { wander: 0.03, confirms_alike: true, ..noise }),
        ("5% of requests 3 times slower", Noise { tail: 0.05, ..noise }),
        ("neighbours correlate by 0.2", Noise { correlation: 0.2, ..noise }),
        ("neighbours correlate by 0.3", Noise { correlation: 0.3, ..noise }),
        ("neighbours correlate by 0.5", Noise { correlation: 0.5, ..noise }),
        ("σ 0.4", Noise { sigma: 0.4, ..noise }),
        ("σ 0.8", Noise { sigma: 0.8, ..noise }),
    ]
}

/// What is true of the new run, in the words of the table, and whether it is tried under every noise.
fn changes() -> Vec<(&'static str, Change, bool)> {
    let one = |factor| Change { one: factor, ..Change::default() };
    vec![
        ("nothing", Change::default(), true),
        ("one +5%", one(1.05), false),
        ("one +10%", one(1.10), false),
        ("one +20%", one(1.20), true),
        ("one +30%", one(1.30), false),
        ("one +50%", one(1.50), false),
        ("one −20%", one(0.80), false),
        ("control −30%", Change { control: 0.7, ..Change::default() }, true),
        ("control −30%, one +20%", Change { control: 0.7, one: 1.2, all: 1.0 }, false),
        ("all 1.3x", Change { all: 1.3, ..Change::default() }, true),
        ("all 1.3x, one +20%", Change { all: 1.3, one: 1.2, control: 1.0 }, true),
    ]
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let filter = args.iter().find(|arg| !arg.starts_with('-') && arg.parse::<u64>().is_err());
    let number = args.iter().find_map(|arg| arg.parse().ok());
    let is_smoke = args.iter().any(|arg| arg == "--test") || !args.iter().any(|arg| arg == "--bench");
    let suites = number.unwrap_or(if is_smoke { 2 } else { SUITES });
    say(&format!(
        "{suites} suites of {BENCHMARKS} benchmarks a row. False: suites in which an unchanged benchmark was called \
         slower; caught: suites in which the changed one was; in doubt: suites that the gate calls inconclusive."
    ));
    say(&format!(
        "| noise | truth | in doubt | {} |",
        RULES.map(|rule| format!("{rule}: false | caught")).join(" | ")
    ));
    say(&format!("|---|---|---:|{}", "---:|---:|".repeat(RULES.len())));
    for (number, (noise_name, noise)) in noises().into_iter().enumerate() {
        for (change_name, change, everywhere) in changes() {
            let row = format!("{noise_name} | {change_name}");
            if filter.map_or(number == 0 || everywhere, |filter| row.contains(filter.as_str())) {
                let said = try_all(&noise, &change, suites);
                let cells = (0..RULES.len()).map(|rule| cells(&said, rule, change.one > 1.0));
                say(&format!("| {row} | {} | {} |", doubt(&said), cells.collect::<Vec<_>>().join(" | ")));
            }
        }
    }
    ExitCode::SUCCESS
}

/// Every suite of a row, on every core.
fn try_all(noise: &Noise, change: &Change, suites: u64) -> Vec<[Said; RULES.len()]> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    thread::scope(|scope| {
        let part = |core| {
            move || {
                (core..suites)
                    .step_by(cores as usize)
                    .map(|seed| try_suite(noise, change, seed))
                    .collect::<Vec<_>>()
            }
        };
        let parts: Vec<_> = (0..cores).map(|core| scope.spawn(part(core))).collect();
        let join = |part: thread::ScopedJoinHandle<'_, Vec<_>>| {
            part.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        parts.into_iter().flat_map(join).collect()
    })
}

/// The share of suites of which the gate, the only rule that may doubt, said no more than that it cannot tell.
fn doubt(said: &[[Said; RULES.len()]]) -> String {
    percent(said, |said| said[0].inconclusive)
}

fn percent<T>(all: &[T], is: impl Fn(&T) -> bool) -> String {
    format!("{:.1}%", all.iter().filter(|one| is(one)).count() as f64 * 100.0 / all.len() as f64)
}

fn cells(said: &[[Said; RULES.len()]], rule: usize, is_slower: bool) -> String {
    let share = |is: fn(&Said) -> bool| percent(said, |said| is(&said[rule]));
    let caught = if is_slower { share(|said| said.caught) } else { "–".into() };
    // An unchanged first benchmark that is called slower is a false alarm too.
    let alarms = if is_slower {
        share(|said| said.false_alarms > 0)
    } else {
        share(|said| said.caught || said.false_alarms > 0)
    };
    format!("{alarms} | {caught}")
}
