//! From events to spans: which one is the parent of which, and how long each lasted.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use super::noted::{Noted, Place, Watcher};
use super::request;
use crate::provenance::{self, Provenance};
use crate::session::{CallEnd, RequestRecord, Session};
use crate::wire::Dialect;

/// A span that is not over: its id, which children need before it is, and the time that it covers so far.
#[derive(Debug)]
struct Node {
    id: SpanId,
    from: u64,
    to: u64,
}

impl Node {
    fn at(from: u64) -> Self {
        Self { id: RandomIdGenerator::default().new_span_id(), from, to: from }
    }

    fn cover(&mut self, from: u64, to: u64) -> SpanId {
        (self.from, self.to) = (self.from.min(from), self.to.max(to));
        self.id
    }
}

#[derive(Debug)]
struct OpenGroup {
    name: String,
    node: Node,
    round: Option<OpenRound>,
}

#[derive(Debug)]
struct OpenRound {
    number: u32,
    node: Node,
    turns: Vec<(Place, Node)>,
}

/// The spans of one run that are not over, and what all of its spans share.
#[derive(Debug)]
pub(super) struct Tree {
    trace: TraceId,
    scope: InstrumentationScope,
    /// What the wall clock said at the session's start.
    epoch: SystemTime,
    provenance: Provenance,
    servers: BTreeMap<&'static str, (String, u16)>,
    name: String,
    run: Node,
    group: Option<OpenGroup>,
    over: Vec<SpanData>,
}

impl Tree {
    /// The tree of a run that begins now.
    pub(super) fn new(session: &Session, watcher: &Watcher, name: &str) -> Self {
        let now = watcher.now();
        let server = |dialect: Dialect| {
            let url = reqwest::Url::parse(&session.asked_url(dialect)).ok()?;
            Some((dialect.name(), (url.host_str()?.to_owned(), url.port_or_known_default()?)))
        };
        Self {
            trace: RandomIdGenerator::default().new_trace_id(),
            scope: InstrumentationScope::builder("llmlab").with_version(env!("CARGO_PKG_VERSION")).build(),
            epoch: SystemTime::from(provenance::now()) - Duration::from_nanos(now),
            provenance: session.provenance().clone(),
            servers: Dialect::ALL.into_iter().filter_map(server).collect(),
            name: name.into(),
            run: Node::at(now),
            group: None,
            over: Vec::new(),
        }
    }

    /// Takes what happened at a time.
    pub(super) fn take(&mut self, at: u64, noted: Noted) {
        match noted {
            Noted::Round { group, round } => self.enter_round(&group, round, at),
            Noted::Turn(place) => {
                self.enter_round(&place.group, place.round, at);
                if let Some(round) = self.round_mut() {
                    round.turns.push((place, Node::at(at)));
                }
            }
            Noted::TurnDone(place, error) => self.end_turn(&place, error.as_deref(), at),
            Noted::Exchange(record) => self.request(&record),
            Noted::ToolCall { place, branch, tool, took_ns, ended } => {
                let node = Node { to: at, ..Node::at(at.saturating_sub(took_ns)) };
                self.tool(&place, &node, (&tool, &branch), ended);
            }
            Noted::GroupDone => self.leave_group(),
        }
    }

    /// The spans that are over, each given once.
    pub(super) fn over(&mut self) -> Vec<SpanData> {
        std::mem::take(&mut self.over)
    }

    /// Ends the run, and whatever is not over.
    pub(super) fn finish(&mut self, at: u64) {
        self.leave_group();
        self.run.cover(at, at);
        let mut span = self.span(&self.run, SpanId::INVALID, self.name.clone());
        span.attributes.extend(of_run(&self.provenance));
        self.over.push(span);
    }

    fn enter_group(&mut self, name: &str, at: u64) {
        if self.group.as_ref().is_none_or(|group| group.name != name) {
            self.leave_group();
            self.group = Some(OpenGroup { name: name.into(), node: Node::at(at), round: None });
        }
    }

    fn enter_round(&mut self, group: &str, number: u32, at: u64) {
        self.enter_group(group, at);
        if self.round_mut().is_none_or(|round| round.number != number) {
            self.leave_round();
            if let Some(group) = &mut self.group {
                group.round = Some(OpenRound { number, node: Node::at(at), turns: Vec::new() });
            }
        }
    }

    fn round_mut(&mut self) -> Option<&mut OpenRound> {
        self.group.as_mut()?.round.as_mut()
    }

    fn leave_group(&mut self) {
        self.leave_round();
        let Some(group) = self.group.take() else { return };
        self.run.cover(group.node.from, group.node.to);
        let mut span = self.span(&group.node, self.run.id, format!("group {}", group.name));
        span.attributes.push(KeyValue::new("llmlab.group", group.name));
        self.over.push(span);
    }

    fn leave_round(&mut self) {
        // Whoever is interrupted leaves turns that are not over.
        while let Some((place, node)) = self.round_mut().and_then(|round| round.turns.pop()) {
            self.turn(&place, &node, None);
        }
        let Some(group) = &mut self.group else { return };
        let Some(round) = group.round.take() else { return };
        let (parent, name) = (group.node.cover(round.node.from, round.node.to), group.name.clone());
        let mut span = self.span(&round.node, parent, format!("round {}", round.number));
        span.attributes.push(KeyValue::new("llmlab.group", name));
        span.attributes.push(KeyValue::new("llmlab.round", i64::from(round.number)));
        self.over.push(span);
    }

    fn end_turn(&mut self, place: &Place, error: Option<&str>, at: u64) {
        let Some(round) = self.round_mut() else { return };
        let Some(index) = round.turns.iter().position(|(open, _)| open == place) else { return };
        let (_, mut node) = round.turns.swap_remove(index);
        node.cover(at, at);
        self.turn(place, &node, error);
    }

    fn turn(&mut self, place: &Place, node: &Node, error: Option<&str>) {
        let parent = self.round_mut().map_or(SpanId::INVALID, |round| round.node.cover(node.from, node.to));
        let label = place.x.map_or_else(|| place.arm.clone(), |x| format!("{}/{x}", place.arm));
        let mut span = self.span(node, parent, format!("arm {label}"));
        span.attributes.extend(of_place(&place.group, &place.arm, place.x, place.round, place.order));
        if let Some(error) = error {
            request::fail(&mut span, "no_observation", error, self.time(node.to));
        }
        self.over.push(span);
    }

    /// The deepest span that is open where something stands, made to cover it.
    fn parent(&mut self, group: &str, round: u32, order: u32, node: &Node) -> SpanId {
        self.enter_group(group, node.from);
        let Some(open) = &mut self.group else { return self.run.id };
        let parent = open.node.cover(node.from, node.to);
        let Some(open) = open.round.as_mut().filter(|open| open.number == round) else { return parent };
        let parent = open.node.cover(node.from, node.to);
        let turn = open.turns.iter_mut().find(|(place, _)| place.order == order);
        turn.map_or(parent, |(_, turn)| turn.cover(node.from, node.to))
    }

    fn request(&mut self, record: &RequestRecord) {
        let from = record.request.intended_ns;
        let node = Node { to: from + record.elapsed_ns, ..Node::at(from) };
        let parent = self.parent(&record.group, record.round, record.order, &node);
        let mut span = self.span(&node, parent, request::name(record));
        span.attributes.extend(of_place(&record.group, &record.arm, record.x, record.round, record.order));
        let dialect = record.request.dialect.map(Dialect::name);
        let server = dialect.and_then(|dialect| self.servers.get(dialect));
        request::describe(&mut span, record, server, |at| self.time(at));
        self.over.push(span);
    }

    fn tool(&mut self, place: &Place, node: &Node, (tool, branch): (&str, &str), ended: CallEnd) {
        let parent = self.parent(&place.group, place.round, place.order, node);
        let mut span = self.span(node, parent, format!("execute_tool {tool}"));
        span.attributes.extend(of_place(&place.group, &place.arm, place.x, place.round, place.order));
        span.attributes.extend(of_tool(tool, branch, ended));
        if ended == CallEnd::Failed {
            request::fail(&mut span, "tool_failed", "the tool failed", self.time(node.to));
        }
        self.over.push(span);
    }

    fn time(&self, at: u64) -> SystemTime {
        self.epoch + Duration::from_nanos(at)
    }

    fn span(&self, node: &Node, parent: SpanId, name: String) -> SpanData {
        let context =
            SpanContext::new(self.trace, node.id, TraceFlags::SAMPLED, false, TraceState::default());
        SpanData {
            span_context: context,
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: self.time(node.from),
            end_time: self.time(node.to),
            // What a figure is stands with every figure.
            attributes: vec![KeyValue::new("llmlab.truth", self.provenance.truth.word())],
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn of_run(provenance: &Provenance) -> [KeyValue; 7] {
    [
        KeyValue::new("llmlab.run_id", provenance.run_id.clone()),
        KeyValue::new("llmlab.provenance", provenance.truth.to_string()),
        KeyValue::new("llmlab.target", provenance.target.clone()),
        KeyValue::new("llmlab.model", provenance.model.clone()),
        KeyValue::new("llmlab.seed", request::integer(provenance.seed)),
        KeyValue::new("llmlab.version", provenance.versions.llmlab.clone()),
        KeyValue::new("llmlab.started", provenance.started.clone()),
    ]
}

fn of_place(group: &str, arm: &str, x: Option<f64>, round: u32, order: u32) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("llmlab.group", group.to_owned()),
        KeyValue::new("llmlab.arm", arm.to_owned()),
        KeyValue::new("llmlab.round", i64::from(round)),
        KeyValue::new("llmlab.order", i64::from(order)),
    ];
    attributes.extend(x.map(|x| KeyValue::new("llmlab.x", x)));
    attributes
}

fn of_tool(tool: &str, branch: &str, ended: CallEnd) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", tool.to_owned()),
        KeyValue::new("gen_ai.tool.type", "function"),
    ];
    if !branch.is_empty() {
        attributes.push(KeyValue::new("llmlab.branch", branch.to_owned()));
    }
    if ended == CallEnd::GivenUp {
        attributes.push(KeyValue::new("llmlab.given_up", true));
    }
    attributes
}
