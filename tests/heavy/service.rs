//! The service from outside: a browser that clicks as a user would, and a tester that asks what its document allows.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::support::{command, switched_on};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Either may find it gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service in a folder of its own, with its URL.
struct Service {
    _process: Running,
    _folder: tempfile::TempDir,
    url: String,
}

impl Service {
    fn start(args: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let mut child = command("llmlab")
            .args(["serve", "--port", "0", "--rankings-port", "0", "--rate", "0"])
            .args(args)
            .envs(settings.iter().copied())
            .env("LLMLAB_SELFTEST", "off")
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("llmlab starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let url = lines.next().expect("a line").expect("text");
        let _rest =
            lines.take_while(|line| !line.as_ref().is_ok_and(|line| line.contains("x-api-key"))).count();
        Self { _process: Running(child), _folder: folder, url }
    }
}

/// A browser of so many pixels' width.
async fn browser(chromedriver: &Path, width: u32, dark: bool) -> (Running, Client) {
    let mut driver = Command::new(chromedriver)
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts");
    let lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
    let port = lines.map(|line| line.expect("text")).find_map(|line| {
        let (_, rest) = line.split_once("successfully on port ")?;
        Some(rest.trim_end_matches('.').to_owned())
    });
    let running = Running(driver);
    let mut args = vec![
        "--headless".to_owned(),
        "--no-sandbox".into(),
        "--disable-gpu".into(),
        "--disable-quic".into(),
        "--disable-dev-shm-usage".into(),
        "--no-first-run".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        format!("--window-size={width},900"),
    ];
    if dark {
        args.push("--blink-settings=preferredColorScheme=0".into());
    }
    let capabilities = json!({"goog:chromeOptions": {"args": args}});
    let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
    let address = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
    let mut client = ClientBuilder::new(HttpConnector::new());
    let client = client.capabilities(capabilities).connect(&address).await.expect("a session");
    (running, client)
}

/// Waits until a script says `true` in the page.
async fn until(page: &Client, script: &str) {
    let began = Instant::now();
    while page.execute(&format!("return Boolean({script})"), vec![]).await.expect("a script") != true {
        assert!(began.elapsed() < PATIENCE, "{script}: {}", page.source().await.unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn text(page: &Client, selector: &str) -> String {
    page.find(Locator::Css(selector)).await.expect("an element").text().await.expect("text")
}

#[tokio::test]
async fn a_user_clicks_from_the_form_to_a_chart() {
    let Some(chromedriver) = switched_on("LLMLAB_TEST_CHROMEDRIVER") else { return };
    let service = Service::start(&["--every", "60"], &[]);
    let (_driver, page) = browser(&chromedriver, 1200, false).await;
    // Given the page, as it opens
    page.goto(&service.url).await.expect("the page");
    assert_eq!(text(&page, "h1").await, "Run a benchmark");
    // When a benchmark is chosen, made short, and run
    page.find(Locator::Css("input[value=streaming]")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("details summary")).await.unwrap().click().await.unwrap();
    page.find(Locator::Id("filter")).await.unwrap().send_keys("^streaming/on/500?$").await.unwrap();
    page.find(Locator::XPath("//button[text()='Run']")).await.unwrap().click().await.unwrap();
    // Then its runs are seen as they come, in the table and in the chart
    until(&page, "document.querySelectorAll('#arms tr').length >= 2").await;
    until(&page, "document.querySelector('#chart svg path')").await;
    assert_ne!(text(&page, "#runs").await, "0 of 0");
    // And at its end it shows its result by itself
    until(&page, "document.querySelector('a[href^=\"/results/\"][href$=\".json\"]')").await;
    assert_eq!(text(&page, "#state").await, "completed");
    page.find(Locator::Css("a[href^=\"/results/\"][href$=\".json\"]")).await.unwrap().click().await.unwrap();
    // With a verdict, its interval, and pictures that are drawn
    until(&page, "document.querySelector('svg.forest circle')").await;
    assert!(text(&page, "main").await.contains("faster than off/50"));
    until(&page, "[...document.images].length === 3").await;
    page.execute(
        "document.images.forEach ? 0 : [...document.images].forEach(i => i.loading = 'eager')",
        vec![],
    )
    .await
    .unwrap();
    until(&page, "[...document.images].every(image => image.complete && image.naturalWidth > 0)").await;
    page.close().await.expect("it ends");
}

#[tokio::test]
async fn every_page_fits_a_phone_in_the_dark_and_can_be_walked_with_the_keyboard() {
    let Some(chromedriver) = switched_on("LLMLAB_TEST_CHROMEDRIVER") else { return };
    let service = Service::start(&["--every", "60"], &[]);
    let (_driver, page) = browser(&chromedriver, 500, true).await;
    for path in [
        "/",
        "/jobs",
        "/results",
        "/rankings",
        "/trends",
        "/targets?check=true",
        "/schedule",
        "/criterion/none",
        "/jobs/none",
    ] {
        page.goto(&format!("{}{path}", service.url)).await.expect("the page");
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        let over = page.execute(wide, vec![]).await.unwrap();
        assert_eq!(over, 0, "{path} runs out of a narrow window by {over} pixels");
        // What is empty, or wrong, says what to do
        let main = text(&page, "main").await;
        assert!(main.len() > 40, "{path}: {main}");
        // Light on dark
        let ground = "return getComputedStyle(document.body).backgroundColor";
        assert_eq!(page.execute(ground, vec![]).await.unwrap(), "rgb(20, 23, 27)", "{path}");
    }
    // The first stop of the keyboard leads past the navigation, and a form can be sent without a mouse
    page.goto(&service.url).await.expect("the page");
    page.active_element().await.unwrap().send_keys("\u{e004}").await.unwrap();
    assert_eq!(page.active_element().await.unwrap().text().await.unwrap(), "Skip to content");
    let quick = page.find(Locator::Css("input[name=quick]")).await.unwrap();
    quick.send_keys(" ").await.unwrap();
    page.find(Locator::Id("runs")).await.unwrap().send_keys("\u{e007}").await.unwrap();
    until(&page, "location.pathname.startsWith('/jobs/')").await;
    // A picture of the API's document, drawn by the scripts within the service
    page.goto(&format!("{}/api/docs/", service.url)).await.expect("the page");
    until(&page, "document.querySelectorAll('.opblock').length > 10").await;
    page.close().await.expect("it ends");
}

#[test]
fn no_request_that_the_document_allows_is_answered_otherwise() {
    let Some(python) = switched_on("LLMLAB_TEST_PYTHON") else { return };
    let key = "only-for-this-test-run";
    let service = Service::start(
        &["--schedule", "off", "--queue", "1"],
        &[("LLMLAB_API_KEYS", "ci:run:only-for-this-test-run")],
    );
    let beside = |name: &str| python.parent().expect("a directory").join(name);
    let document = format!("{}/api/openapi.json", service.url);
    // It leaves what it learnt where it stands.
    let folder = tempfile::tempdir().expect("a directory");
    let output = Command::new(beside("schemathesis"))
        .current_dir(&folder)
        .args(["run", &document, "--header", &format!("x-api-key: {key}")])
        .args(["--exclude-path", "/api/ws/{job_id}", "--phases", "coverage,fuzzing", "--checks", "all"])
        // A cancelled job is there still, and not every rule can be said in a document.
        .args(["--exclude-checks", "positive_data_acceptance,use_after_free", "--mode", "all"])
        .args(["--max-examples", "20", "--max-time", "40", "--seed", "20", "--request-timeout", "10"])
        .args(["--continue-on-failure", "--warnings", "off", "--no-color"])
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let program = "import json, sys, urllib.request; from openapi_spec_validator import validate; \
                   validate(json.load(urllib.request.urlopen(sys.argv[1])))";
    let validated = Command::new(&python).args(["-c", program, &document]).output().expect("Python runs");
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stderr));
}
