//! What the mock says of itself.

use std::io;

use crate::catalog::{self, Profile};
use crate::mock::{Entrance, Mock, MockError, MockFile};
use crate::report::cassette;
use crate::wire::Dialect;

pub(super) const EXAMPLES: &str = r#"Examples:
  llmlab mock                                     on http://127.0.0.1:8000, engine "fast"
  llmlab mock --port 0 --profile claude-sonnet-4.6 --slowdown 1.3
  llmlab mock --fault status=529,retry-after=2,share=5% --fault cut,share=1%
  llmlab mock --limit-rpm 50 --limit-input-tpm 30000 --limit-output-tpm 8000
  llmlab mock --rtt 50ms --cert-out mock.pem      TLS, 50 ms away
  llmlab mock --print-config > mock.toml          all settings and speeds, to be edited
  llmlab mock --config mock.toml --port 8001

Faults that stay, each with a share=5% or for every request. Whom they hit is drawn from --seed,
the request, and how often it came before; a request meets one fault at most:
  status=CODE[,retry-after=SECONDS]  an HTTP error instead of an answer
  cut[,after=EVENTS]                 the answer breaks off; not streamed, in the middle of its body
  error[,after=EVENTS]               an error event ends it; not streamed, status 500
  garbage[,after=EVENTS]             an event that is no JSON; not streamed, half of the body
  stall=TIME[,after=EVENTS]          a pause in its middle
  slow-headers=TIME                  status and headers come late
  close                              the connection is closed without an answer
Embeddings meet no faults and no limits.

Ask it, in each dialect (any model name is answered; known ones follow their vendor's cache rules):
  curl -N http://127.0.0.1:8000/v1/messages -d '{"model": "claude-sonnet-4-6", "max_tokens": 64,
    "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'
  curl -N http://127.0.0.1:8000/v1/chat/completions -d '{"model": "gpt-4o", "stream": true,
    "messages": [{"role": "user", "content": "Hello"}]}'
  curl -N http://127.0.0.1:8000/v1/completions -d '{"model": "gpt-4o", "stream": true,
    "prompt": "Hello"}'
  curl http://127.0.0.1:8000/generate -d '{"prompt": "Hello", "max_tokens": 64}'

Point an official client at it (Python; others take the same URL):
  anthropic.Anthropic(base_url="http://127.0.0.1:8000", api_key="any")
  openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="any")

Point a bench at it:
  LLMLAB_TARGET=anthropic+http://127.0.0.1:8000 LLMLAB_MODEL=claude-sonnet-4-6 cargo bench

Replay what llmlab record recorded:
  llmlab mock --cassette fixtures/cassettes/smollm2-openai
  llmlab mock --cassette fixtures/cassettes/smollm2-openai --check

Make the next request fail, let caches grow old and limits recover, look inside:
  curl http://127.0.0.1:8000/_mock/faults -d '[{"kind": "status", "status": 529}]'
  curl http://127.0.0.1:8000/_mock/clock -d '{"advance_s": 301}'
  curl http://127.0.0.1:8000/_mock/state
"#;

pub(super) fn explain(error: MockError, port: u16) -> anyhow::Error {
    let taken =
        matches!(&error, MockError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse);
    let advice = if taken { ": choose another, or 0 for a free one" } else { "" };
    match error {
        MockError::Listen { .. } => anyhow::anyhow!("--port {port}: {error}{advice}"),
        MockError::Config { field: "cassette", reason } => anyhow::anyhow!("--cassette: {reason}"),
        other => other.into(),
    }
}

pub(super) fn greeting(mock: &Mock, entrance: &Entrance, settings: &MockFile) -> String {
    if let Some(replay) = &mock.config().replay {
        let (contents, label) = (cassette::contents(&replay.cassette), replay.cassette.label());
        return format!("{}\n{contents}\nreplayed: {label}, slowdown {}", entrance.url, settings.slowdown);
    }
    let paths = Dialect::ALL.map(|dialect| format!("  POST {:<22} {dialect}", dialect.path())).join("\n");
    let mut lines = vec![
        entrance.url.clone(),
        paths,
        "  GET  /health /v1/models /stats, and /_mock/state /_mock/requests".into(),
        "  POST /_mock/faults /_mock/clock /_mock/seed /_mock/cache/clear /_mock/reset".into(),
    ];
    if entrance.url != mock.url() {
        let near = if settings.tls { "near, without TLS" } else { "near" };
        lines.push(format!("{near}: {}", mock.url()));
    }
    if !settings.rtt.0.is_zero() {
        lines.push(format!("link: {} there and back", settings.rtt));
    }
    lines.extend(settings.faults.iter().map(|fault| format!("fault: {fault}")));
    let limits = settings.limits;
    let limits = [
        (limits.requests_per_minute, "requests"),
        (limits.input_tokens_per_minute, "input tokens"),
        (limits.output_tokens_per_minute, "output tokens"),
    ];
    let limits = limits.into_iter().filter_map(|(limit, of)| Some((limit?, of)));
    lines.extend(limits.map(|(limit, of)| format!("limit: {limit} {of} a minute")));
    lines.push(format!(
        "simulated: profile {}, slowdown {}, seed {}",
        mock.config().profile.name,
        settings.slowdown,
        settings.seed
    ));
    lines.join("\n")
}

pub(super) fn farewell(mock: &Mock) -> String {
    let (pacing, ms) = (mock.report(), |ns: u64| ns as f64 / 1e6);
    let state = mock.state();
    let served: u64 = state.requests.values().sum();
    let mut text = format!("[llmlab] {served} requests served");
    for (count, what) in [(state.failed, "failed on purpose"), (state.limited, "refused by a rate limit")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    if pacing.n > 0 {
        text.push_str(&format!(
            "; wrote {:.2} ms late at p50, {:.2} ms at p99, {:.2} ms at most",
            ms(pacing.p50_ns),
            ms(pacing.p99_ns),
            ms(pacing.max_ns)
        ));
    }
    text
}

pub(super) fn profiles() -> String {
    let width = catalog::profiles().iter().map(|profile| profile.name.len()).max().unwrap_or_default();
    let line = |profile: &Profile| format!("{:<width$}  {}", profile.name, profile.description);
    catalog::profiles().iter().map(line).collect::<Vec<_>>().join("\n")
}
