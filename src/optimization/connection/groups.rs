//! The four questions.

use std::sync::Arc;
use std::time::Duration;

use super::workload::{AtOnce, Once, Question};
use super::{Way, predict};
use crate::client::{HttpVersion, Road, TlsVersion};
use crate::experiment::{Arm, CacheState, Group, Known, Needs};
use crate::metric::Metric;
use crate::scenario;

const FRESH: &str = "fresh";
const REUSED: &str = "reused";

/// The round trip of the group that varies TLS, in milliseconds.
const TLS_RTT: u64 = 25;
/// The round trip under several requests at once, in milliseconds: their cryptography, ten times over, should be
/// little beside it.
const AT_ONCE_RTT: u64 = 40;
/// The round trip under long prompts, in milliseconds: they take several.
const PROMPT_RTT: u64 = 10;
/// Requests at once.
const AT_ONCE: u32 = 10;

/// What the stamps of HTTP/2 are.
const SHARED: &str = "The requests of http2 share a connection: their stamps are upper bounds.";

/// Why most arms need the simulator.
const LINK: &str = "the round trip and TLS are those of its link";

/// A new connection for each request (the control) against a reused one, over round trips of these many
/// milliseconds, with TLS 1.3. On a live target there is its own distance alone, at 0 more.
pub fn reuse(rtt_ms: &[u64]) -> Group {
    let ways = rtt_ms.iter().flat_map(|&rtt| {
        [(FRESH, Road::fresh()), (REUSED, Road::default())].map(|(name, road)| {
            let road = road.tls(TlsVersion::Tls13).rtt(Duration::from_millis(rtt));
            Way { x: Some(rtt as f64), ..Way::new(name, road) }
        })
    });
    let mut group = Group {
        name: "connection".into(),
        question: "What does a new connection for each request cost?".into(),
        x_label: Some("ms of round trip added".into()),
        metrics: vec![Metric::TTFT_RESPONSE, Metric::TTFT],
        ..asking_once(ways.collect(), FRESH)
    };
    for arm in &mut group.arms {
        arm.needs.simulator = arm.needs.simulator.filter(|_| arm.x != Some(0.0));
    }
    group.remarks = Some(Arc::new(|known| vec![published(known)]));
    group
}

/// What TLS, its resumption and an early start make of it, over one round trip; TLS 1.2 in full is the control.
pub fn tls() -> Group {
    let of = |name, version, resumption| Way::new(name, Road { resumption, ..Road::fresh() }.tls(version));
    let modern = |road: Road| road.tls(TlsVersion::Tls13);
    let ways = [
        of("tls12_full", TlsVersion::Tls12, false),
        of("tls12_resumed", TlsVersion::Tls12, true),
        of("tls13_full", TlsVersion::Tls13, false),
        of("tls13_resumed", TlsVersion::Tls13, true),
        Way::new("plain", Road::fresh()),
        Way { ahead: true, ..Way::new("opened_ahead", modern(Road::fresh())) },
        Way::new("reused", modern(Road::default())),
    ];
    let ways = ways.map(|way| Way { road: way.road.rtt(Duration::from_millis(TLS_RTT)), ..way });
    Group {
        name: "connection/tls".into(),
        question: format!(
            "What is left of it with newer TLS, resumption or an early start, {TLS_RTT} ms away?"
        ),
        ..asking_once(ways.into(), "tls12_full")
    }
}

/// Several requests at once: a new connection for each (the control), a pool of HTTP/1.1, one connection of
/// HTTP/2.
pub fn http() -> Group {
    let two = Road { http: HttpVersion::Http2, ..Road::default() };
    let ways =
        [(FRESH, Road::fresh()), ("http1_pool", Road::default()), ("http2", two)].map(|(name, road)| {
            Way::new(name, road.tls(TlsVersion::Tls13).rtt(Duration::from_millis(AT_ONCE_RTT)))
        });
    let arm = |way: &Way| {
        let question = Question::over(0);
        let needs = needs(&question);
        let workload = AtOnce { road: way.road, question, requests: AT_ONCE };
        Arm { needs, ..Arm::new(way.name, workload) }
    };
    Group {
        name: "connection/http".into(),
        question: format!("And for {AT_ONCE} requests at once, {AT_ONCE_RTT} ms away?"),
        arms: ways.iter().map(arm).collect(),
        metrics: vec![Metric::MAKESPAN],
        remarks: Some(Arc::new(|_| vec![SHARED.into()])),
        ..asking_once(ways.into(), FRESH)
    }
}

/// New against reused connections for prompts of these many kilobytes, all cached by the server.
pub fn prompt(kilobytes: &[u64]) -> Group {
    let ways = kilobytes.iter().flat_map(|&kb| {
        [(FRESH, Road::fresh()), (REUSED, Road::default())].map(|(name, road)| {
            let road = road.tls(TlsVersion::Tls13).rtt(Duration::from_millis(PROMPT_RTT));
            Way { x: Some(kb as f64), prompt_bytes: kb * 1000, ..Way::new(name, road) }
        })
    });
    Group {
        name: "connection/prompt".into(),
        question: format!("What does slow start add for long prompts, {PROMPT_RTT} ms away?"),
        x_label: Some("kB of prompt".into()),
        ..asking_once(ways.collect(), FRESH)
    }
}

fn asking_once(ways: Vec<Way>, control: &'static str) -> Group {
    Group {
        control: control.into(),
        arms: ways.iter().map(arm).collect(),
        metrics: vec![Metric::TTFT_RESPONSE],
        predict: Some(predict(ways, control)),
        ..Group::default()
    }
}

fn arm(way: &Way) -> Arm {
    let question = Question::over(way.prompt_bytes);
    // No provider caches less than 1,024 tokens.
    let cache = if question.input_tokens() > 1_024 { CacheState::Warm } else { CacheState::Any };
    let needs = needs(&question);
    let workload = Once { way: way.clone(), question };
    Arm { x: way.x, needs, cache, ..Arm::new(way.name, workload) }
}

fn needs(question: &Question) -> Needs {
    Needs {
        simulator: Some(LINK),
        streaming: true,
        context_tokens: question.input_tokens() + u64::from(scenario::connection().max_tokens),
        ..Needs::default()
    }
}

/// For which distances the published claim holds.
fn published(known: &Known<'_>) -> String {
    let whose = if known.engine.is_some() { "" } else { "; on a live target the distance is its own" };
    format!(
        "Published: 50 to 150 ms a request. With TLS 1.3 that is a round trip of 25 to 75 ms, with TLS 1.2 of 17 to 50 ms{whose}."
    )
}
