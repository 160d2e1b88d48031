//! Criterion's HTML report of a bench, in a browser.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{BenchRun, switched_on};

/// The page's document after its scripts ran.
fn dom(chromium: &Path, page: &Path) -> String {
    let profile = tempfile::tempdir().expect("a directory");
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !dom.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    dom
}

/// The values of an attribute, in whatever element.
fn attributes<'a>(dom: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!(" {name}=\"");
    dom.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// A page that says how wide each image is once the browser drew it.
fn gallery(directory: &Path, images: &[&str]) -> std::path::PathBuf {
    let images: String = images.iter().map(|image| format!(r#"<img src="{image}">"#)).collect();
    let script = "onload = () => document.querySelectorAll('img')\
        .forEach(i => i.setAttribute('drawn', i.complete && i.naturalWidth > 0))";
    let page = directory.join("gallery.html");
    fs::write(&page, format!("<!doctype html><body>{images}<script>{script}</script>")).expect("written");
    page
}

#[test]
fn the_report_links_every_group_and_each_has_its_violins_and_lines() {
    let Some(chromium) = switched_on("LLMLAB_TEST_CHROMIUM") else { return };
    // Given a bench of two groups, each one metric of a sweep
    let run = BenchRun::of("^caching/(ttft|total)/.*/(512|1500)$", &[], &[]);
    // When the index is opened
    let index = run.home().join("report/index.html");
    let dom_of_index = dom(&chromium, &index);
    // Then it links each group's report
    let links = attributes(&dom_of_index, "href");
    for group in ["caching_ttft", "caching_total"] {
        let link = links.iter().find(|link| link.ends_with(&format!("{group}/report/index.html")));
        let link = link.unwrap_or_else(|| panic!("{group} is not linked: {links:?}"));
        // And that report shows a violin plot and a line chart, which the browser can draw
        let page = run.home().join("report").join(link).canonicalize().expect("the linked page");
        let dom_of_page = dom(&chromium, &page);
        let images = attributes(&dom_of_page, "src");
        for image in ["violin.svg", "lines.svg"] {
            assert!(images.contains(image), "{group}: no {image} in {images:?}");
        }
        let directory = page.parent().expect("a directory");
        let drawn = dom(&chromium, &gallery(directory, &["violin.svg", "lines.svg"]));
        assert_eq!(drawn.matches(r#"drawn="true""#).count(), 2, "{drawn}");
        let missing = dom(&chromium, &gallery(directory, &["missing.svg"]));
        assert!(missing.contains(r#"drawn="false""#), "the check itself: {missing}");
    }
}
