//! The tree is the architecture: a module uses only what stands lower.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A new module finds its place here, and in the README.
const FLOORS: [&str; 32] = [
    "metric",
    "stats",
    "wire",
    "seed",
    "price",
    "embedding",
    "catalog",
    "timeline",
    "cassette",
    "provenance",
    "mock",
    "client",
    "instrument",
    "recorder",
    "settings",
    "session",
    "telemetry",
    "scenario",
    "load",
    "profile",
    "experiment",
    "optimization",
    "baseline",
    "verdict",
    "gate",
    "ranking",
    "report",
    "run",
    "bench",
    "service",
    "cli",
    "main",
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|known| *known == module)
}

/// Every `crate::module` in a source file, comments left out.
fn uses(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let text: String = code.collect::<Vec<_>>().join("\n");
    let name =
        |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    text.split("crate::").skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).expect("a directory of sources").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn no_module_uses_a_higher_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for path in sources(&root) {
        let relative = path.strip_prefix(&root).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if module == "lib" {
            continue;
        }
        let own = floor(&module).unwrap_or_else(|| panic!("{module} has no floor"));
        for used in uses(&fs::read_to_string(&path).unwrap()) {
            let Some(theirs) = floor(&used) else { continue };
            assert!(theirs <= own, "{} uses {used}, which stands higher than {module}", relative.display());
            checked += 1;
        }
    }
    assert!(checked > 50, "the check looked at {checked} uses only");
}

#[test]
fn only_the_bench_floor_knows_criterion_and_only_it_and_the_command_know_clap() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root) {
        let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let source = fs::read_to_string(&path).unwrap();
        let knows = |name: &str| source.contains(&format!("use {name}::"));
        assert!(!knows("criterion") || relative.starts_with("bench"), "{relative} knows criterion");
        assert!(
            !knows("clap") || relative.starts_with("bench") || relative.starts_with("cli"),
            "{relative} knows clap"
        );
    }
}
