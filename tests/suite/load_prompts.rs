//! What a load asks: prompts that repeat, traces, and the schedules of `llmlab load`.

use std::time::{Duration, Instant};

use llmlab::load::{
    Arrivals, BadLine, Extent, Mix, Prompts, Row, Schedule, TraceFormat, arrivals, drive, ramped, read_trace,
};
use llmlab::scenario;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn mix() -> Mix {
    Mix { requests: 50, repeat_ratio: 0.3, zipf: None, in_order: true, lead: 0, max_tokens: 100, seed: 20 }
}

fn texts(prompts: &Prompts, count: u32) -> Vec<String> {
    (0..count).map(|number| prompts.get(number).text.to_string()).collect()
}

fn ideal(mix: Mix) -> u64 {
    Prompts::mixed(mix).known_to_ideal_cache(0..mix.requests, &[])
}

#[test]
fn the_compatible_order_is_unique_prompts_first_and_three_that_take_turns_last() {
    let base = &scenario::load().questions;
    let texts = texts(&Prompts::mixed(mix()), 50);
    for (number, text) in texts[..35].iter().enumerate() {
        assert_eq!(*text, format!("{} (variation {number})", base[number % 10]));
    }
    for (number, text) in texts[35..].iter().enumerate() {
        assert_eq!(*text, base[number % 3]);
    }
}

#[test]
fn the_compatible_warm_up_takes_the_first_of_the_list_so_that_fewer_can_hit_than_repeat() {
    // Given the tool's defaults, 50 requests and 5 that warm up
    let prompts = Prompts::mixed(Mix { lead: 5, ..mix() });
    // Then the warm-up ends where the load begins
    assert!(prompts.warm_up(4).text.ends_with("(variation 4)"));
    assert!(prompts.get(0).text.ends_with("(variation 5)"));
    // And of an ideal cache, 28%, 50% and 29.5% come, whatever ratio was asked for
    let known = |requests, repeat_ratio| ideal(Mix { requests, repeat_ratio, lead: 5, ..mix() });
    assert_eq!([known(50, 0.3), known(100, 0.5), known(200, 0.3)], [14, 50, 59]);
}

#[test]
fn prompts_are_shuffled_the_same_way_for_a_seed_and_the_warm_up_has_its_own() {
    let shuffled = |seed| Prompts::mixed(Mix { in_order: false, seed, ..mix() });
    assert_eq!(texts(&shuffled(1), 50), texts(&shuffled(1), 50));
    assert_ne!(texts(&shuffled(1), 50), texts(&shuffled(2), 50));
    let in_order = texts(&Prompts::mixed(mix()), 50);
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    assert_eq!(sorted(texts(&shuffled(1), 50)), sorted(in_order.clone()));
    let warm = shuffled(1).warm_up(0).text.to_string();
    assert!(!in_order.contains(&warm), "{warm}");
}

#[test]
fn a_load_that_goes_on_keeps_its_ratio_with_ever_new_prompts() {
    let prompts = Prompts::mixed(Mix { in_order: false, ..mix() });
    let unique =
        |texts: Vec<String>| texts.into_iter().filter(|text| text.contains("variation")).collect::<Vec<_>>();
    let (mut first, all) = (unique(texts(&prompts, 50)), unique(texts(&prompts, 100)));
    assert_eq!((first.len(), all.len()), (35, 70));
    first.extend_from_slice(&all[35..]);
    first.sort();
    first.dedup();
    assert_eq!(first.len(), 70, "no variation comes twice");
}

#[test]
fn zipf_repeats_few_prompts_often_and_many_seldom() {
    let prompts = Prompts::mixed(Mix { requests: 2_000, repeat_ratio: 1.0, zipf: Some(1.0), ..mix() });
    let texts = texts(&prompts, 2_000);
    let count = |topic: u32| texts.iter().filter(|text| text.ends_with(&format!("(topic {topic})"))).count();
    // The first of a hundred takes 1 / H(100) = 19% of the draws, the second half of that.
    assert!((300..460).contains(&count(0)) && (140..240).contains(&count(1)), "{} {}", count(0), count(1));
    assert!(count(99) < 20);
}

#[test]
fn a_warm_cache_has_seen_what_repeats_and_nothing_else() {
    let prompts = Prompts::mixed(mix());
    let warmed = prompts.repeated(50);
    assert_eq!(warmed.len(), 3);
    assert_eq!(prompts.known_to_ideal_cache(0..50, &warmed), 15);
}

fn row(input: u64, blocks: &[u64]) -> Row {
    Row { at: Duration::ZERO, input, output: 1, blocks: blocks.to_vec() }
}

#[test]
fn equal_blocks_of_a_trace_give_equal_text_at_the_start_and_others_differ() {
    let rows =
        vec![row(1_100, &[0, 1, 2]), row(1_200, &[0, 1, 3]), row(700, &[0, 4]), row(300, &[]), row(300, &[])];
    let prompts = Prompts::traced(rows.clone(), None, 100);
    let texts = texts(&prompts, 5);
    let shared = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let block = 512 * scenario::TOKEN_BYTES;
    for (a, b, blocks) in [(0, 1, 2), (0, 2, 1), (3, 4, 0)] {
        let equal = shared(&texts[a], &texts[b]);
        assert!((blocks * block..blocks * block + 20).contains(&equal), "{a} {b}: {equal}");
    }
    for (row, text) in rows.iter().zip(&texts) {
        assert_eq!(scenario::tokens(text), row.input);
    }
    // Of eight blocks, two and one had been sent before
    assert_eq!(prompts.known_to_ideal_prefix_cache(0..5), Some(3.0 / 8.0));
}

#[test]
fn the_three_traces_are_told_by_their_first_line_and_read_as_published() {
    let of = |text: &str| {
        let format = TraceFormat::of(text).unwrap();
        let rows = read_trace(text, format).unwrap();
        (format, rows.iter().map(|row| (row.at.as_millis(), row.input, row.output)).collect::<Vec<_>>())
    };
    let mooncake =
        (TraceFormat::Mooncake, vec![(0, 1100, 20), (100, 1200, 8), (250, 600, 12), (400, 1030, 4)]);
    assert_eq!(of(include_str!("../../fixtures/traces/mooncake.jsonl")), mooncake);
    let azure = (TraceFormat::Azure, vec![(0, 374, 44), (51, 396, 10), (251, 879, 5)]);
    assert_eq!(of(include_str!("../../fixtures/traces/azure.csv")), azure);
    // What failed there is left out
    let burst = (TraceFormat::BurstGpt, vec![(0, 472, 18), (200, 1087, 30), (500, 136, 6)]);
    assert_eq!(of(include_str!("../../fixtures/traces/burstgpt.csv")), burst);
    // The later release of Azure's has an offset
    let later = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n";
    assert_eq!(of(later), (TraceFormat::Azure, vec![(0, 2162, 5)]));
}

#[test]
fn a_line_of_a_trace_that_does_not_fit_is_named_by_its_number() {
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens";
    let burst = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type";
    let time = "2023-11-16 18:17:03.9799600";
    let cases = [
        (TraceFormat::Azure, format!("{azure}\n{time},374,44\n{time},many,44\n"), 3, "invalid digit"),
        (TraceFormat::Azure, format!("{azure}\nyesterday,374,44\n"), 2, "`yesterday` is no time"),
        (TraceFormat::Azure, format!("{azure}\n{time},374\n"), 2, "2 fields where the header names 3"),
        (
            TraceFormat::BurstGpt,
            format!("{burst}\n5,GPT-4,472,18,490,API log\nNaN,GPT-4,1,1,2,API log\n"),
            3,
            "no time",
        ),
        (TraceFormat::Mooncake, "{\"timestamp\": 0}\n".into(), 1, "missing field `input_length`"),
        (TraceFormat::Mooncake, "\n{\"timestamp\": \n".into(), 2, "EOF"),
        (TraceFormat::BurstGpt, format!("{azure}\n{time},1,1\n"), 2, "missing field"),
        // A prompt that no memory holds
        (TraceFormat::Azure, format!("{azure}\n{time},1,1\n{time},{},1\n", u64::MAX), 3, "cannot be sent"),
    ];
    for (format, text, line, reason) in cases {
        let BadLine { line: found, reason: said } = read_trace(&text, format).unwrap_err();
        assert!(found == line && said.contains(reason), "{text}: line {found}: {said}");
    }
}

#[test]
fn a_growing_rate_reaches_its_height_at_the_end_of_the_ramp() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ramp = Duration::from_secs(10);
    let times = ramped(Arrivals::Constant, 100.0, Extent::Time(2 * ramp), ramp, &mut rng);
    let between =
        |from: u64, to: u64| times.iter().filter(|at| (from..to).contains(&at.as_secs())).count() as i64;
    // Half of a thousand in the ramp, of which a quarter in its first half; a hundred a second after it
    assert!((between(0, 10) - 500).abs() <= 2 && (between(0, 5) - 125).abs() <= 2, "{}", between(0, 5));
    assert!((between(10, 20) - 1_000).abs() <= 2, "{}", between(10, 20));
}

proptest! {
    #[test]
    fn a_growing_rate_sends_no_more_than_the_whole_one_and_keeps_its_extent(
        rate in 1.0..1e3_f64, ramp in 0.001..5.0_f64, seconds in 0.0..5.0_f64, requests in 0..100_u32, seed: u64,
    ) {
        let (ramp, end) = (Duration::from_secs_f64(ramp), Duration::from_secs_f64(seconds));
        for kind in [Arrivals::Constant, Arrivals::Poisson] {
            let rng = || ChaCha8Rng::seed_from_u64(seed);
            let grown = ramped(kind, rate, Extent::Time(end), ramp, &mut rng());
            prop_assert!(grown.is_sorted() && grown.iter().all(|at| *at < end + Duration::from_micros(1)));
            prop_assert!(grown.len() <= arrivals(kind, rate, Extent::Time(end), &mut rng()).len());
            prop_assert_eq!(ramped(kind, rate, Extent::Requests(requests), ramp, &mut rng()).len(), requests as usize);
        }
    }
}

#[tokio::test]
async fn workers_join_one_after_another_and_share_the_requests() {
    let over = Duration::from_millis(200);
    let schedule = Schedule::Joining { workers: 4, extent: Extent::Requests(4), over };
    let start = Instant::now();
    // Given answers that take so long that each worker gets one request
    let joined = drive::<_, ()>(&schedule, &|number, at| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok((number, at))
        })
    });
    // Then the first one starts at once, and each further one a quarter of the ramp later
    for (worker, (number, at)) in (0..).zip(joined.await.unwrap()) {
        assert_eq!(number, worker);
        assert!(at - start >= over / 4 * worker, "{worker}: {:?}", at - start);
    }
}
