//! The prompt cache's rules, one a test.

use std::time::Duration;

use llmlab::catalog::CacheRules;
use llmlab::mock::cache::{CacheError, CacheOutcome, Plan, PromptCache};
use llmlab::wire::{Ask, Block, CacheTtl, Message, Thinking, Tool, ToolChoice};
use serde_json::json;

const MODEL: &str = "claude-sonnet-4-6";
const MINUTE: Duration = Duration::from_mins(1);
const FIVE: CacheTtl = CacheTtl::FiveMinutes;
const HOUR: CacheTtl = CacheTtl::OneHour;

/// Text of so many tokens that begins with `name`.
fn text(name: &str, tokens: usize) -> Block {
    Block::text(format!("{name:x<width$}", width = tokens * 4))
}

fn ask(system: Vec<Block>, user: Vec<Block>) -> Ask {
    let messages = vec![Message { content: user, ..Message::user("") }];
    Ask { model: MODEL.into(), system, messages, ..Ask::default() }
}

/// A cached system prompt of 2,000 tokens and a question of 10.
fn cached_system() -> Ask {
    ask(vec![text("system", 2000).cached(FIVE)], vec![text("question", 10)])
}

/// A cache with a clock that only a test moves.
#[derive(Default)]
struct Fixture {
    cache: PromptCache,
    now: Duration,
}

impl Fixture {
    fn send(&mut self, ask: &Ask) -> CacheOutcome {
        self.send_plan(&Plan::explicit(ask, &ask.model, CacheRules::default()).expect("breakpoints in order"))
    }

    fn send_automatic(&mut self, ask: &Ask) -> CacheOutcome {
        self.send_plan(&Plan::automatic(ask, &ask.model, CacheRules::default()))
    }

    /// Sends a request and begins its response.
    fn send_plan(&mut self, plan: &Plan) -> CacheOutcome {
        let outcome = self.cache.lookup(plan, self.now);
        self.cache.mark_readable(plan, outcome, self.now);
        outcome
    }
}

fn refusal(ask: &Ask) -> CacheError {
    Plan::explicit(ask, MODEL, CacheRules::default()).expect_err("a refusal")
}

#[test]
fn the_first_request_writes_and_the_second_reads() {
    let mut fixture = Fixture::default();
    let first = fixture.send(&cached_system());
    assert_eq!(first, CacheOutcome { input: 2010, read: 0, write: 2000, write_1h: 0 });
    let second = fixture.send(&cached_system());
    assert_eq!(second, CacheOutcome { input: 2010, read: 2000, write: 0, write_1h: 0 });
}

#[test]
fn nothing_is_cached_without_a_breakpoint() {
    let mut fixture = Fixture::default();
    let plain = ask(vec![text("system", 2000)], vec![text("question", 10)]);
    fixture.send(&plain);
    assert_eq!(fixture.send(&plain), CacheOutcome::uncached(2010));
}

#[test]
fn a_prefix_below_the_minimum_is_silently_not_cached() {
    let mut fixture = Fixture::default();
    let rules = CacheRules { min_tokens: Some(2001), ..CacheRules::default() };
    let plan = Plan::explicit(&cached_system(), MODEL, rules).unwrap();
    fixture.send_plan(&plan);
    assert_eq!(fixture.send_plan(&plan), CacheOutcome::uncached(2010));
}

#[test]
fn an_entry_is_readable_only_once_its_response_has_begun() {
    let mut fixture = Fixture::default();
    let plan = Plan::explicit(&cached_system(), MODEL, CacheRules::default()).unwrap();
    let burst: Vec<_> = (0..3).map(|_| fixture.cache.lookup(&plan, fixture.now)).collect();
    assert!(burst.iter().all(|outcome| outcome.read == 0 && outcome.write == 2000), "{burst:?}");
    fixture.cache.mark_readable(&plan, burst[0], fixture.now);
    assert_eq!(fixture.cache.lookup(&plan, fixture.now).read, 2000);
}

#[test]
fn an_entry_lives_five_minutes_from_its_last_use() {
    let mut fixture = Fixture::default();
    fixture.send(&cached_system());
    for _ in 0..3 {
        fixture.now += 4 * MINUTE;
        assert_eq!(fixture.send(&cached_system()).read, 2000);
    }
    fixture.now += 5 * MINUTE;
    assert_eq!(fixture.send(&cached_system()).write, 2000);
}

#[test]
fn an_entry_of_an_hour_lives_an_hour() {
    let mut fixture = Fixture::default();
    let hourly = ask(vec![text("system", 2000).cached(HOUR)], vec![text("question", 10)]);
    assert_eq!(fixture.send(&hourly).write_1h, 2000);
    fixture.now += 59 * MINUTE;
    assert_eq!(fixture.send(&hourly).read, 2000);
    fixture.now += 60 * MINUTE;
    assert_eq!(fixture.send(&hourly).read, 0);
}

#[test]
fn writes_of_two_lifetimes_are_counted_apart() {
    let both = ask(vec![text("a", 2000).cached(HOUR), text("b", 500).cached(FIVE)], vec![text("q", 10)]);
    let outcome = Fixture::default().send(&both);
    assert_eq!((outcome.write, outcome.write_1h), (2500, 2000));
}

#[test]
fn five_breakpoints_are_refused_and_the_automatic_one_counts() {
    let system: Vec<_> = (0..4).map(|_| text("s", 500).cached(FIVE)).collect();
    let four = ask(system, vec![text("question", 10)]);
    assert!(Plan::explicit(&four, MODEL, CacheRules::default()).is_ok());
    let five = Ask { automatic_cache: Some(FIVE), ..four };
    assert_eq!(refusal(&five), CacheError::TooManyBreakpoints { found: 5 });
    assert!(refusal(&five).to_string().contains("maximum of 4"));
}

#[test]
fn a_longer_lifetime_must_come_first() {
    let order = ask(vec![text("a", 2000).cached(FIVE)], vec![text("b", 10).cached(HOUR)]);
    assert_eq!(refusal(&order), CacheError::TtlOrder);
}

#[test]
fn automatic_caching_puts_a_breakpoint_on_the_last_block() {
    let mut fixture = Fixture::default();
    let plain = ask(vec![text("system", 2000)], vec![text("question", 10)]);
    let automatic = Ask { automatic_cache: Some(FIVE), ..plain };
    assert_eq!(fixture.send(&automatic).write, 2010);
    let mut longer = automatic;
    longer.messages.push(Message::assistant("answer. "));
    longer.messages.push(Message { content: vec![text("next", 100)], ..Message::user("") });
    let outcome = fixture.send(&longer);
    assert_eq!((outcome.read, outcome.write), (2010, 102));
}

#[test]
fn an_automatic_breakpoint_on_one_of_another_lifetime_is_refused() {
    let own = ask(vec![text("system", 2000)], vec![text("question", 10).cached(FIVE)]);
    assert!(
        Plan::explicit(&Ask { automatic_cache: Some(FIVE), ..own.clone() }, MODEL, CacheRules::default())
            .is_ok()
    );
    assert_eq!(refusal(&Ask { automatic_cache: Some(HOUR), ..own }), CacheError::TtlConflict);
}

#[test]
fn a_breakpoint_looks_back_over_twenty_blocks_and_no_further() {
    let grown = |blocks: usize| {
        let mut user: Vec<_> = (0..blocks).map(|index| text(&format!("turn {index}"), 10)).collect();
        user[blocks - 1] = user[blocks - 1].clone().cached(FIVE);
        ask(vec![text("system", 2000)], user)
    };
    // The second breakpoint is 19 blocks after the first: the twentieth it looks at.
    let mut near = Fixture::default();
    near.send(&grown(1));
    assert_eq!(near.send(&grown(20)).read, 2010);
    let mut far = Fixture::default();
    far.send(&grown(1));
    assert_eq!(far.send(&grown(21)).read, 0);
}

#[test]
fn the_longest_prefix_wins_and_only_the_rest_is_written() {
    let mut fixture = Fixture::default();
    let with =
        |last| ask(vec![text("a", 2000).cached(FIVE), text(last, 500).cached(FIVE)], vec![text("q", 10)]);
    fixture.send(&with("one"));
    let changed = fixture.send(&with("two"));
    assert_eq!((changed.read, changed.write), (2000, 500));
    assert_eq!(fixture.send(&with("one")).read, 2500);
}

#[test]
fn a_change_invalidates_all_that_follows_it() {
    let tool = |name: &str| Tool {
        name: name.into(),
        description: "x".repeat(8000),
        input_schema: json!({"type": "object"}),
        cache: Some(FIVE),
    };
    let with = |name: &str, system: &str| Ask {
        tools: vec![tool(name)],
        ..ask(vec![text(system, 2000).cached(FIVE)], vec![text("q", 10).cached(FIVE)])
    };
    let mut fixture = Fixture::default();
    let whole = fixture.send(&with("one", "one")).write;
    let system_changed = fixture.send(&with("one", "two"));
    assert!(system_changed.read > 1000 && system_changed.read < whole - 2000, "{system_changed:?}");
    assert_eq!(fixture.send(&with("two", "one")).read, 0);
}

#[test]
fn changing_tool_choice_or_thinking_keeps_tools_and_system() {
    let base = ask(vec![text("system", 2000).cached(FIVE)], vec![text("question", 100).cached(FIVE)]);
    for changed in [
        Ask { tool_choice: ToolChoice::Any, ..base.clone() },
        Ask { thinking: Thinking::Budget(1024), ..base.clone() },
    ] {
        let mut fixture = Fixture::default();
        fixture.send(&base);
        let outcome = fixture.send(&changed);
        assert_eq!((outcome.read, outcome.write), (2000, 100));
    }
}

#[test]
fn entries_belong_to_one_model() {
    let mut fixture = Fixture::default();
    fixture.send(&cached_system());
    let other = Ask { model: "claude-opus-5".into(), ..cached_system() };
    assert_eq!(fixture.send(&other).read, 0);
}

#[test]
fn roles_and_blocks_are_part_of_the_prefix() {
    let mut fixture = Fixture::default();
    let user = ask(vec![], vec![text("same", 2000).cached(FIVE)]);
    fixture.send(&user);
    let mut assistant = user.clone();
    assistant.messages[0].role = llmlab::wire::Role::Assistant;
    assert_eq!(fixture.send(&assistant).read, 0);
    let system = ask(vec![text("same", 2000).cached(FIVE)], vec![]);
    assert_eq!(fixture.send(&system).read, 0);
}

#[test]
fn automatic_prefixes_grow_in_steps_of_128_tokens() {
    let mut fixture = Fixture::default();
    fixture.send_automatic(&ask(vec![text("system", 2000)], vec![text("first", 10)]));
    let second = fixture.send_automatic(&ask(vec![text("system", 2000)], vec![text("other", 10)]));
    assert_eq!((second.input, second.read), (2010, 1920));
}

#[test]
fn automatic_caching_begins_at_1024_tokens() {
    let mut fixture = Fixture::default();
    for (tokens, read) in [(1020, 0), (1024, 1024)] {
        let prompt = ask(vec![], vec![text("question", tokens)]);
        fixture.send_automatic(&prompt);
        assert_eq!(fixture.send_automatic(&prompt).read, read);
    }
}

#[test]
fn automatic_entries_live_ten_minutes_and_belong_to_one_key() {
    let mut fixture = Fixture::default();
    let plain = ask(vec![text("system", 2000)], vec![]);
    fixture.send_automatic(&plain);
    let keyed = Ask { prompt_cache_key: Some("k".into()), ..plain.clone() };
    assert_eq!(fixture.send_automatic(&keyed).read, 0);
    fixture.now += 9 * MINUTE;
    assert_eq!(fixture.send_automatic(&plain).read, 1920);
    fixture.now += 10 * MINUTE;
    assert_eq!(fixture.send_automatic(&plain).read, 0);
}

#[test]
fn a_long_prompt_never_reads_more_than_it_has() {
    let mut fixture = Fixture::default();
    // Many small blocks: the mark before each must not add up to tokens that are not there.
    let prompt = ask((0..2000).map(|_| text("x", 1)).collect(), vec![]);
    fixture.send_automatic(&prompt);
    let outcome = fixture.send_automatic(&prompt);
    assert!(outcome.read <= outcome.input && outcome.read >= 1024, "{outcome:?}");
}

#[test]
fn a_cleared_cache_reads_nothing() {
    let mut fixture = Fixture::default();
    fixture.send(&cached_system());
    fixture.cache.clear();
    assert_eq!(fixture.send(&cached_system()).read, 0);
}
