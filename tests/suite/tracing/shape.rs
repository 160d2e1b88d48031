//! Which spans there are, whose children, and what they say.

use std::sync::Arc;

use llmlab::client::Road;
use llmlab::experiment::compare;
use llmlab::optimization::agent::{self, Toggle, Toggles};
use llmlab::optimization::speculation;
use llmlab::scenario::{Task, tasks};
use llmlab::session::Session;
use llmlab::settings::Settings;
use llmlab::telemetry::{Tracing, TracingConfig};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::Value;

use super::{Collector, Lab, QUICK, Traces, counted, event, flag, number, text};
use crate::support::{RawServer, Step, plain};

fn duration(span: &Span) -> u64 {
    span.end_time_unix_nano - span.start_time_unix_nano
}

fn lies_within(span: &Span, outer: &Span) -> bool {
    outer.start_time_unix_nano <= span.start_time_unix_nano
        && span.end_time_unix_nano <= outer.end_time_unix_nano
}

/// The request that a line of a journal tells of.
#[track_caller]
fn of_record<'a>(traces: &'a Traces, record: &Value) -> &'a Span {
    let is_it = |span: &&Span| {
        text(&span.attributes, "llmlab.arm").as_deref() == record["arm"].as_str()
            && number(span, "llmlab.round") == record["round"].as_f64()
    };
    let found: Vec<_> = traces.named("chat ").into_iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{record}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_a_tree_of_its_groups_rounds_turns_and_requests() {
    // Given a run of one group: three rounds, one that warms up, two arms
    let (collector, lab) = (Collector::start().await, Lab::new());
    let ran = lab.traced(&QUICK, &collector);
    // Then every span has its parent, and lies within it
    let traces = collector.traces().await;
    assert_eq!(counted(&traces.services).into_keys().collect::<Vec<_>>(), ["llm-latency-lab"]);
    let requests = traces.named("chat claude-sonnet-4-6");
    assert_eq!(requests.len(), 8);
    for request in requests {
        let arm = text(&request.attributes, "llmlab.arm").expect("an arm");
        let round = number(request, "llmlab.round").expect("a round");
        let above = [format!("arm {arm}/50"), format!("round {round}"), "group streaming".into()];
        assert_eq!(traces.path(request)[1..4], above);
        assert_eq!(traces.path(request)[4..], ["llmlab run streaming"]);
    }
    for span in traces.spans.iter().filter(|span| !span.parent_span_id.is_empty()) {
        assert!(lies_within(span, traces.parent(span)), "{}", span.name);
        assert_eq!(span.trace_id, traces.spans[0].trace_id);
    }
    let kinds = counted(traces.spans.iter().map(|span| span.name.split(' ').next().unwrap_or_default()));
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [("arm", 8), ("chat", 8), ("group", 1), ("llmlab", 1), ("round", 4)]
    );
    // And the root says what the figures are, and the run that all were handed on
    let root = traces.named("llmlab run")[0];
    for (key, expected) in [("truth", "simulated"), ("target", "mock"), ("model", "claude-sonnet-4-6")] {
        assert_eq!(text(&root.attributes, &format!("llmlab.{key}")).as_deref(), Some(expected));
    }
    assert_eq!(number(root, "llmlab.seed"), Some(20.0));
    assert_eq!(text(&root.attributes, "llmlab.run_id").as_deref(), lab.journal()[0]["run_id"].as_str());
    assert!(ran.stderr.contains("traces: 22 spans exported to otlp at 127.0.0.1"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_the_journals_tokens_and_times() {
    let (collector, lab) = (Collector::start().await, Lab::new());
    lab.traced(&QUICK, &collector);
    let traces = collector.traces().await;
    for record in lab.journal() {
        let span = of_record(&traces, &record);
        // Tokens and models, by the conventions and by the lab's older names
        for (key, of_record) in [
            ("gen_ai.usage.input_tokens", &record["usage"]["input"]),
            ("gen_ai.usage.output_tokens", &record["output_tokens"]),
            ("llm.input_tokens", &record["usage"]["input"]),
            ("llm.output_tokens", &record["output_tokens"]),
            ("http.response.status_code", &record["status"]),
        ] {
            assert_eq!((key, number(span, key)), (key, of_record.as_f64()));
        }
        for (key, expected) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.request.model", "claude-sonnet-4-6"),
            ("gen_ai.response.model", "claude-sonnet-4-6"),
            ("llm.model", "claude-sonnet-4-6"),
            ("llm.operation", "chat"),
            ("server.address", "127.0.0.1"),
        ] {
            assert_eq!((key, text(&span.attributes, key).as_deref()), (key, Some(expected)));
        }
        assert_eq!(span.kind, SpanKind::Client as i32);
        // The times are the record's, to the nanosecond
        assert_eq!(duration(span), record["elapsed_ns"].as_u64().unwrap());
        let sent = event(span, "sent").expect("it was sent").time_unix_nano;
        let lag = record["values"]["send_lag"].as_f64().unwrap();
        assert_eq!((sent - span.start_time_unix_nano) as f64, lag);
        let ttft = record["values"]["ttft"].as_f64();
        let first = event(span, "first_token").map(|event| (event.time_unix_nano - sent) as f64);
        assert_eq!(first, ttft, "only what is streamed has a first token");
        assert_eq!(ttft.is_some(), record["arm"] == "on");
        let seconds = number(span, "gen_ai.response.time_to_first_chunk");
        assert_eq!(seconds, ttft.map(|ns| ns / 1e9));
        // A connection is opened before it is written to
        let connect = event(span, "connect").map(|event| event.time_unix_nano);
        assert_eq!(connect.is_some(), record["connection"]["served_before"] == 0);
        assert!(connect.is_none_or(|at| at < sent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_request_has_an_error_and_its_exception() {
    // Given a server that refuses the first of four requests
    let server = RawServer::once(|| vec![Step::Write(plain(500, "", "out of order")), Step::Close]);
    let (collector, lab) = (Collector::start().await, Lab::new());
    let endpoint = format!("{}/v1/chat/completions", server.url());
    // When it is loaded
    let load = ["load", "--endpoint", &endpoint, "--requests", "4", "--concurrency", "1", "--warmup", "0"];
    lab.traced(&load, &collector);
    // Then one span is an error with its reason, and the others are none
    let traces = collector.traces().await;
    let is_error =
        |span: &&Span| span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
    let (failed, answered): (Vec<&Span>, Vec<&Span>) = traces.named("chat ").into_iter().partition(is_error);
    assert_eq!((failed.len(), answered.len()), (1, 3));
    assert_eq!(text(&failed[0].attributes, "error.type").as_deref(), Some("http5xx"));
    assert_eq!(number(failed[0], "http.response.status_code"), Some(500.0));
    assert!(failed[0].status.as_ref().unwrap().message.contains("500"));
    let exception = event(failed[0], "exception").expect("it is recorded");
    assert_eq!(text(&exception.attributes, "exception.type").as_deref(), Some("http5xx"));
    assert!(text(&exception.attributes, "exception.message").unwrap().contains("500"));
    assert!(answered.iter().all(|span| event(span, "exception").is_none()));
    // And a load's requests are its group's, whose figures are a live server's
    assert_eq!(traces.path(failed[0])[1..], ["group load", "llmlab load"]);
    assert_eq!(text(&failed[0].attributes, "llmlab.truth").as_deref(), Some("live"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_in_the_turn_of_their_arm_one_after_another_or_at_once() {
    let (collector, lab) = (Collector::start().await, Lab::new());
    lab.traced(&["run", "parallelism", "--quick", "--filter", "^parallelism/tools"], &collector);
    let traces = collector.traces().await;
    let tools = traces.named("execute_tool ");
    assert!(tools.len() > 16, "{}", tools.len());
    for tool in &tools {
        let name = text(&tool.attributes, "gen_ai.tool.name").expect("a name");
        assert_eq!(tool.name, format!("execute_tool {name}"));
        assert_eq!(text(&tool.attributes, "gen_ai.operation.name").as_deref(), Some("execute_tool"));
        let turn = traces.parent(tool);
        assert!(turn.name.starts_with("arm ") && lies_within(tool, turn), "{}", turn.name);
        // Whether a call began before another of its turn was over
        let beside = tools.iter().filter(|other| other.parent_span_id == tool.parent_span_id).any(|other| {
            other.span_id != tool.span_id
                && other.start_time_unix_nano < tool.end_time_unix_nano
                && tool.start_time_unix_nano < other.end_time_unix_nano
        });
        assert_eq!(beside, !turn.name.contains("sequential"), "{}", turn.name);
    }
}

/// The spans of what `groups` do in two rounds, and how many were exported.
async fn traced(groups: Vec<llmlab::experiment::Group>) -> (Traces, u64) {
    let collector = Collector::start().await;
    let config = TracingConfig {
        service_name: "my-benchmark".into(),
        enable_console_export: false,
        otlp_endpoint: Some(format!("{}/v1/traces", collector.url())),
        ..TracingConfig::default()
    };
    let tracing = Tracing::with(&config).expect("the address is one");
    let mut session = Session::start(Settings::simulated()).await.expect("the mock starts");
    tracing.attach(&mut session, "my run").expect("a thread starts");
    let session = Arc::new(session);
    for group in groups {
        compare(&session, group, 2).await.expect("the mock answers");
    }
    let summary = tokio::task::block_in_place(|| tracing.finish()).expect("it was traced");
    assert!(tracing.finish().is_none(), "it ends once");
    assert_eq!((summary.sent.len(), summary.sent[0].failed, summary.dropped), (1, 0, 0), "{summary}");
    (collector.traces().await, summary.sent[0].exported)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_ones_own_is_traced_with_its_agents_requests_and_tools() {
    // Given an agent that asks and calls tools, as it is and streamed
    let is_agents = |task: &&Task| task.turns.len() > 1;
    let task = tasks().iter().flat_map(|file| &file.tasks).find(is_agents).expect("a task with tools");
    let toggles = [Toggles::of([]).unwrap(), Toggles::of([Toggle::Streaming]).unwrap()];
    let groups = agent::scenarios("mine", &[task], &toggles, Road::default());
    // When a session of one's own does it
    let (traces, exported) = traced(groups).await;
    // Then what was exported arrived, under the name that was given
    assert_eq!(exported, traces.spans.len() as u64);
    assert!(!traces.services.is_empty() && traces.services.iter().all(|service| service == "my-benchmark"));
    // And requests and tools are children of the same turns, in the order in which they were made
    let turns = traces.named("arm ");
    assert_eq!(turns.len(), 6, "two arms, two rounds and one that warms up");
    for turn in turns {
        let of_turn =
            |start| traces.named(start).into_iter().filter(|span| span.parent_span_id == turn.span_id);
        let (requests, tools): (Vec<_>, Vec<_>) =
            (of_turn("chat ").collect(), of_turn("execute_tool ").collect());
        assert!(requests.len() > 2 && !tools.is_empty(), "{}", turn.name);
        let first_end = requests.iter().map(|request| request.end_time_unix_nano).min();
        assert!(tools.iter().all(|tool| Some(tool.start_time_unix_nano) > first_end), "the model calls them");
        assert_eq!(traces.path(turn).last(), Some(&"my run"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_made_on_suspicion_and_given_up_are_told_from_the_others() {
    let (traces, _) = traced(vec![speculation::accuracy()]).await;
    let tools = traces.named("execute_tool ");
    let given_up = tools.iter().filter(|tool| flag(tool, "llmlab.given_up") == Some(true)).count();
    assert!(given_up > 0 && given_up < tools.len(), "{given_up} of {}", tools.len());
}
