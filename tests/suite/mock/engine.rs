//! The engine model: exact without noise, the same noise for the same draw.

use std::time::Duration;

use llmlab::catalog::{self, Profile};
use llmlab::mock::batch::{Batcher, Joined};
use llmlab::mock::cache::CacheOutcome;
use llmlab::mock::engine::{Engine, Schedule, Turn};
use llmlab::seed::{DrawId, Seed};
use llmlab::wire::{
    Ask, Block, Content, Event, Message, Reply, Role, StopReason, Thinking, Tool, ToolChoice,
};
use serde_json::json;

fn turn(seed: u64, round: u32, input: u64, read: u64) -> Turn {
    let draw = DrawId { scenario: "engine".into(), stream: "arm".into(), round, step: 0 };
    let tokens = CacheOutcome { input, read, ..CacheOutcome::default() };
    Turn { id: "msg_1".into(), tokens, counts_writes: true, noise: Seed(seed).noise(&draw) }
}

fn schedule_with(profile: &Profile, slowdown: f64, ask: &Ask, turn: &Turn) -> Schedule {
    Engine { profile, slowdown, prompt_token: [profile.prefill, profile.cached], default_answer_tokens: 128 }
        .schedule(ask, turn)
}

fn schedule(ask: &Ask) -> Schedule {
    schedule_with(&Profile::default(), 1.0, ask, &turn(0, 0, 100, 0))
}

fn reply(schedule: &Schedule) -> Reply {
    Reply::from_events(schedule.events.iter().map(|(_, event)| event))
}

fn weather() -> Tool {
    let properties = json!({
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"enum": ["celsius", "kelvin"]},
        "note": {"type": "string"},
    });
    Tool {
        name: "weather".into(),
        description: "The weather.".into(),
        input_schema: json!({"type": "object", "properties": properties, "required": ["city", "days", "unit"]}),
        cache: None,
    }
}

#[test]
fn without_noise_the_times_are_the_formula() {
    let profile = Profile::default().without_noise();
    let ask = Ask::question("hello", 50);
    let exact = schedule_with(&profile, 2.0, &ask, &turn(0, 0, 10_000, 8000));
    let first = 2 * (profile.overhead + 2000 * profile.prefill + 8000 * profile.cached);
    assert_eq!(exact.first_token(), first);
    assert_eq!(exact.end(), first + 2 * 49 * profile.decode);
    let deltas: Vec<_> = exact.events.iter().filter(|(_, event)| event.is_content()).collect();
    assert_eq!(deltas.first().unwrap().0, exact.first_token());
    assert_eq!(deltas.last().unwrap().0, exact.end());
}

#[test]
fn the_first_chunk_holds_one_token_and_no_chunk_more_than_the_burst() {
    let sizes: Vec<_> = schedule(&Ask::question("hello", 500))
        .events
        .iter()
        .filter_map(
            |(_, event)| if let Event::Delta { text, .. } = event { Some(text.len() / 4) } else { None },
        )
        .collect();
    assert_eq!(sizes[0], 1);
    assert_eq!(sizes.iter().sum::<usize>(), 500);
    assert!(sizes.iter().all(|size| (1..=3).contains(size)) && sizes.contains(&3), "{sizes:?}");
}

#[test]
fn one_seed_and_draw_give_one_schedule() {
    let ask = Ask::question("hello", 50);
    let of = |seed, round| schedule_with(&Profile::default(), 1.0, &ask, &turn(seed, round, 100, 0));
    assert_eq!(of(1, 0), of(1, 0));
    assert_ne!(of(1, 0), of(1, 1));
    assert_ne!(of(1, 0), of(2, 0));
}

#[test]
fn a_cached_and_an_uncached_arm_share_their_noise() {
    let ask = Ask::question("hello", 50);
    let of = |read| schedule_with(&Profile::default(), 1.0, &ask, &turn(1, 0, 10_000, read));
    let (cold, warm) = (of(0), of(10_000));
    assert_eq!((cold.overhead, cold.decode), (warm.overhead, warm.decode));
    let ratio = cold.prefill.as_secs_f64() / warm.prefill.as_secs_f64();
    assert!((ratio / 90.0 - 1.0).abs() < 1e-4, "{ratio}");
}

#[test]
fn an_answer_has_exactly_the_tokens_it_was_limited_to() {
    let limited = schedule(&Ask::question("hello", 37));
    assert_eq!(limited.usage.output, Some(37));
    assert_eq!(reply(&limited).text().len(), 37 * 4);
    assert_eq!(reply(&limited).stop, Some(StopReason::MaxTokens));
}

#[test]
fn an_answer_without_a_limit_ends_by_itself() {
    let free = schedule(&Ask { max_tokens: None, ..Ask::question("hello", 0) });
    assert_eq!((free.usage.output, reply(&free).stop), (Some(128), Some(StopReason::EndTurn)));
    let longest = schedule(&Ask::question("hello", 1_000_000));
    assert_eq!((longest.usage.output, reply(&longest).stop), (Some(8192), Some(StopReason::EndTurn)));
}

#[test]
fn a_pre_warming_request_has_an_empty_answer() {
    let warm = schedule(&Ask::question("hello", 0));
    assert_eq!(warm.usage.output, Some(0));
    assert!(reply(&warm).content.is_empty());
    assert_eq!(warm.end(), warm.first_token());
}

#[test]
fn thinking_comes_first_and_is_part_of_the_limit() {
    let ask = Ask { thinking: Thinking::Budget(10), ..Ask::question("hello", 50) };
    let thought = schedule(&ask);
    assert_eq!((thought.usage.output, thought.usage.reasoning), (Some(50), Some(10)));
    let content = reply(&thought).content;
    assert!(
        matches!(&content[0], Content::Thinking { text, signature } if text.len() == 40 && !signature.is_empty())
    );
    assert!(matches!(&content[1], Content::Text(text) if text.len() == 160));
}

#[test]
fn hidden_thinking_takes_its_time_and_its_tokens_and_shows_no_text() {
    let ask = |thinking| Ask { thinking, ..Ask::question("hello", 50) };
    let (shown, hidden) = (schedule(&ask(Thinking::Adaptive)), schedule(&ask(Thinking::Hidden)));
    assert_eq!((shown.usage, shown.end()), (hidden.usage, hidden.end()));
    let content = reply(&hidden).content;
    assert!(
        matches!(&content[0], Content::Thinking { text, signature } if text.is_empty() && !signature.is_empty())
    );
    assert_eq!(content[1], reply(&shown).content[1]);
}

#[test]
fn a_tool_is_called_with_what_its_schema_requires() {
    let ask = Ask { tools: vec![weather()], ..Ask::question("hello", 500) };
    let called = reply(&schedule(&ask));
    assert_eq!(called.stop, Some(StopReason::ToolUse));
    let [Content::ToolUse { name, input, .. }] = called.content.as_slice() else { panic!("{called:?}") };
    assert_eq!(name, "weather");
    assert!(input["city"].is_string() && input["days"].is_i64() && input["unit"] == "celsius", "{input}");
    assert!(input.get("note").is_none());
}

#[test]
fn no_tool_is_called_again_once_its_result_is_there() {
    let mut ask = Ask { tools: vec![weather()], ..Ask::question("hello", 50) };
    let result = Content::ToolResult { id: "1".into(), text: "sunny".into(), is_error: false };
    ask.messages.push(Message { role: Role::User, content: vec![Block { content: result, cache: None }] });
    assert_eq!(reply(&schedule(&ask)).text().len(), 200);
}

#[test]
fn tool_choice_names_the_tool_or_forbids_it() {
    let second = Tool { name: "second".into(), ..weather() };
    let ask = Ask { tools: vec![weather(), second], ..Ask::question("hello", 500) };
    let named = Ask { tool_choice: ToolChoice::Tool("second".into()), ..ask.clone() };
    assert!(
        matches!(&reply(&schedule(&named)).content[0], Content::ToolUse { name, .. } if name == "second")
    );
    let none = Ask { tool_choice: ToolChoice::None, ..ask };
    assert!(matches!(reply(&schedule(&none)).content[0], Content::Text(_)));
}

#[test]
fn the_first_usage_counts_the_prompt_and_the_last_everything() {
    let usages: Vec<_> = schedule(&Ask::question("hello", 50))
        .events
        .iter()
        .filter_map(|(_, event)| if let Event::Usage(usage) = event { Some(**usage) } else { None })
        .collect();
    assert_eq!((usages[0].input, usages[0].output), (Some(100), Some(1)));
    assert_eq!((usages[1].input, usages[1].output), (Some(100), Some(50)));
}

#[test]
fn every_profile_gives_a_finite_schedule() {
    for profile in catalog::profiles() {
        let schedule = schedule_with(profile, 1.0, &Ask::question("hello", 10), &turn(0, 0, 1000, 0));
        assert!(
            schedule.end() > Duration::ZERO && schedule.end() < Duration::from_secs(10),
            "{}",
            profile.name
        );
    }
}

#[test]
fn ten_arrivals_twenty_milliseconds_apart_make_batches_of_four_four_and_two() {
    let ms = Duration::from_millis;
    let mut batcher = Batcher::new(4, ms(100));
    let mut sizes = Vec::new();
    let mut open = None;
    for request in 0..10 {
        let now = ms(20 * request);
        if let Some((number, due)) = open.filter(|(_, due)| *due <= now) {
            sizes.extend(batcher.close(number).map(|batch| (batch.len(), due)));
        }
        match batcher.join(request, now) {
            Joined::Full(batch) => sizes.push((batch.len(), now)),
            Joined::Opened { number, due } => open = Some((number, due)),
            Joined::Waiting => {}
        }
    }
    let (number, due) = open.unwrap();
    sizes.extend(batcher.close(number).map(|batch| (batch.len(), due)));
    assert_eq!(sizes, [(4, ms(60)), (4, ms(140)), (2, ms(260))]);
}

#[test]
fn a_window_that_ends_after_its_batch_started_closes_nothing() {
    let mut batcher = Batcher::new(2, Duration::from_millis(50));
    let Joined::Opened { number, .. } = batcher.join('a', Duration::ZERO) else { panic!() };
    assert_eq!(batcher.join('b', Duration::ZERO), Joined::Full(vec!['a', 'b']));
    assert_eq!(batcher.close(number), None);
}
