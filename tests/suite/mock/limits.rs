//! Rate limits: what passes, when to come again, and how each vendor's headers say so.

use std::time::Duration;

use llmlab::mock::limits::{Limiter, Standing, TooMany};
use llmlab::mock::{Limits, MockConfig};
use llmlab::wire::{Ask, Dialect, Usage};
use reqwest::Response;

use super::http::{Fixture, question};

const NOW: Duration = Duration::from_secs(100);

fn limits(requests: u64, input: u64, output: u64) -> Limits {
    let limit = std::num::NonZeroU64::new;
    Limits {
        requests_per_minute: limit(requests),
        input_tokens_per_minute: limit(input),
        output_tokens_per_minute: limit(output),
    }
}

fn limited(requests: u64, input: u64, output: u64) -> Fixture {
    Fixture::new(MockConfig { limits: limits(requests, input, output), ..MockConfig::default() })
}

fn usage(cache_read: u64, output: u64) -> Usage {
    Usage { cache_read: Some(cache_read), output: Some(output), ..Usage::default() }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn of_a_burst_as_many_pass_as_a_minute_may_hold_and_the_next_waits_a_second() {
    let mut limiter = Limiter::new(limits(60, 0, 0));
    for _ in 0..60 {
        assert_eq!(limiter.admit(10, NOW), Ok(()));
    }
    let refused = TooMany { of: "requests", limit: 60, retry_after_s: Some(1) };
    assert_eq!(limiter.admit(10, NOW), Err(refused));
    // It comes when it was told to, and alone
    assert_eq!(limiter.admit(10, NOW + Duration::from_secs(1)), Ok(()));
    assert_eq!(limiter.admit(10, NOW + Duration::from_secs(1)), Err(refused));
    // After a minute all of it is there again, and no more
    let later = NOW + Duration::from_mins(10);
    let admitted = (0..100).filter(|_| limiter.admit(10, later).is_ok()).count();
    assert_eq!(admitted, 60);
}

#[test]
fn what_is_refused_takes_nothing() {
    let mut limiter = Limiter::new(limits(60, 100, 0));
    assert_eq!(limiter.admit(90, NOW), Ok(()));
    let refused = TooMany { of: "input tokens", limit: 100, retry_after_s: Some(6) };
    assert_eq!(limiter.admit(20, NOW), Err(refused));
    let left = limiter.standings(NOW).map(|standing| standing.map(|standing| standing.remaining));
    assert_eq!(left, [Some(59), Some(10), None]);
}

#[test]
fn a_prompt_longer_than_a_minute_may_hold_never_passes() {
    let mut limiter = Limiter::new(limits(0, 100, 0));
    assert_eq!(limiter.admit(101, NOW).unwrap_err().retry_after_s, None);
}

#[test]
fn tokens_read_from_the_cache_are_given_back() {
    let mut limiter = Limiter::new(limits(0, 100, 0));
    assert_eq!(limiter.admit(90, NOW), Ok(()));
    limiter.settle(&usage(80, 5), NOW);
    assert_eq!(limiter.admit(90, NOW), Ok(()));
    assert!(limiter.admit(90, NOW).is_err());
}

#[test]
fn output_that_went_beyond_the_limit_is_waited_for() {
    let mut limiter = Limiter::new(limits(0, 0, 60));
    assert_eq!(limiter.admit(1, NOW), Ok(()));
    limiter.settle(&usage(0, 70), NOW);
    let refused = TooMany { of: "output tokens", limit: 60, retry_after_s: Some(10) };
    assert_eq!(limiter.admit(1, NOW), Err(refused));
    let [_, _, output] = limiter.standings(NOW);
    assert_eq!(output, Some(Standing { limit: 60, remaining: 0, full_in: Duration::from_secs(70) }));
    assert_eq!(limiter.admit(1, NOW + Duration::from_secs(10)), Ok(()));
}

#[tokio::test]
async fn anthropic_says_how_its_limits_stand_and_when_they_are_whole_again() {
    let fixture = limited(2, 1000, 500);
    let ask = Ask { stream: false, ..question() };
    let first = fixture.ask(Dialect::Anthropic, &ask).await;
    let said = |name| header(&first, &format!("anthropic-ratelimit-{name}")).map(str::to_owned);
    assert_eq!(first.status(), 200);
    assert_eq!(said("requests-limit").as_deref(), Some("2"));
    assert_eq!(said("requests-remaining").as_deref(), Some("1"));
    assert_eq!(said("input-tokens-limit").as_deref(), Some("1000"));
    // Twelve tokens of output are taken; some may have come back since
    let left: u64 = said("output-tokens-remaining").unwrap().parse().unwrap();
    assert!((488..500).contains(&left), "{left}");
    assert_eq!(said("tokens-limit").as_deref(), Some("1500"));
    let reset = said("requests-reset").unwrap();
    assert!(reset.starts_with("20") && reset.ends_with('Z') && reset.len() == 20, "{reset}");
    assert_eq!(header(&first, "retry-after"), None);
    // And the third of a burst is refused as Anthropic refuses
    fixture.ask(Dialect::Anthropic, &ask).await;
    let third = fixture.ask(Dialect::Anthropic, &ask).await;
    let wait: u64 = header(&third, "retry-after").unwrap().parse().unwrap();
    assert_eq!((third.status().as_u16(), (1..=30).contains(&wait)), (429, true), "{wait}");
    assert_eq!(header(&third, "anthropic-ratelimit-requests-remaining"), Some("0"));
    let error = Dialect::Anthropic.decode_error(&third.bytes().await.unwrap()).unwrap();
    assert_eq!(error.kind, "rate_limit_error");
    assert!(error.message.contains("2 requests per minute"), "{error}");
    // Until the time it was told has passed
    fixture.mock.advance(Duration::from_secs(wait));
    assert_eq!(fixture.ask(Dialect::Anthropic, &ask).await.status(), 200);
    assert_eq!(fixture.mock.state().limited, 1);
}

#[tokio::test]
async fn openai_says_it_in_its_own_headers() {
    let fixture = limited(1, 1000, 0);
    for dialect in [Dialect::OpenAi, Dialect::Completions] {
        fixture.post("/_mock/reset", "").await;
        let ask = Ask { stream: false, ..question() };
        let first = fixture.ask(dialect, &ask).await;
        assert_eq!(first.status(), 200);
        assert_eq!(header(&first, "x-ratelimit-limit-requests"), Some("1"));
        assert_eq!(header(&first, "x-ratelimit-remaining-requests"), Some("0"));
        assert_eq!(header(&first, "x-ratelimit-limit-tokens"), Some("1000"));
        let reset = header(&first, "x-ratelimit-reset-requests").unwrap();
        assert!(reset.ends_with('s') && reset.len() > 1, "{reset}");
        assert_eq!(header(&first, "anthropic-ratelimit-requests-limit"), None);
        let second = fixture.ask(dialect, &ask).await;
        assert_eq!(second.status(), 429);
        assert!(header(&second, "retry-after").is_some());
        let error = dialect.decode_error(&second.bytes().await.unwrap()).unwrap();
        assert_eq!(error.kind, "requests");
    }
}

#[tokio::test]
async fn a_cached_prompt_passes_where_a_new_one_does_not() {
    // Given a limit of little more than one prompt of 2,500 tokens, after it was cached
    let fixture = limited(0, 2600, 0);
    let cached = |text: &str| {
        let block = llmlab::wire::Block::text(text.repeat(2000)).cached(llmlab::wire::CacheTtl::FiveMinutes);
        Ask { system: vec![block], stream: false, ..question() }
    };
    assert_eq!(fixture.ask(Dialect::Anthropic, &cached("word ")).await.status(), 200);
    fixture.mock.advance(Duration::from_mins(1));
    // Then it passes twice, and another one does not pass after it
    for _ in 0..2 {
        assert_eq!(fixture.ask(Dialect::Anthropic, &cached("word ")).await.status(), 200);
    }
    fixture.mock.advance(Duration::from_mins(1));
    assert_eq!(fixture.ask(Dialect::Anthropic, &cached("news ")).await.status(), 200);
    assert_eq!(fixture.ask(Dialect::Anthropic, &cached("else ")).await.status(), 429);
}
