//! Claims, held against figures of known truth.

use std::collections::BTreeSet;

use llmlab::experiment::{GroupSummary, compare};
use llmlab::optimization::{ALL, parallelism};
use llmlab::session::Session;
use llmlab::settings::Settings;
use llmlab::verdict::claims::{Claim, ClaimKind, Measured, Standing, claims, judge, rank};

#[test]
fn every_claim_has_its_source_and_can_be_judged_or_says_why_not() {
    let groups: BTreeSet<String> =
        ALL.iter().flat_map(|known| known.groups()).map(|group| group.name).collect();
    let mut ids = BTreeSet::new();
    for claim in claims() {
        assert!(ids.insert(&claim.id), "{} twice", claim.id);
        assert!(!claim.source.is_empty() && !claim.text.is_empty(), "{}", claim.id);
        let known = claim.optimization == "none" || ALL.iter().any(|known| known.name == claim.optimization);
        assert!(known, "{}: no optimisation {}", claim.id, claim.optimization);
        if let Some(group) = &claim.group {
            assert!(groups.contains(group), "{}: no group {group}", claim.id);
            assert!(claim.metric.is_some(), "{}", claim.id);
        }
    }
    let seed = claims().iter().filter(|claim| claim.kind == ClaimKind::Seed);
    assert!(seed.filter(|claim| claim.not_judged.is_none()).count() >= 12);
}

/// A group in which the arm takes a share of the control's time.
fn summary(shares: &[(&str, f64)]) -> GroupSummary {
    let interval =
        |value: f64| serde_json::json!({ "estimate": value, "low": value - 0.01, "high": value + 0.01 });
    let metric = |share: f64, control: bool| {
        let paired = serde_json::json!({
            "n": 20, "ratio": interval(share), "difference": interval(1.0 - share)
        });
        let mut metric = serde_json::json!({
            "unit": "nanoseconds", "n": 20, "mean": 1.0, "min": 1.0, "max": 1.0, "stdev": null, "cv": null,
            "mad": 0.0, "p50": 1.0, "p95": 1.0, "p99": 1.0, "lag1": null, "mean_interval": null,
        });
        if !control {
            metric["versus_control"] = paired;
        }
        metric
    };
    let arm = |(name, share): &(&str, f64)| serde_json::json!({ "name": name, "metrics": { "makespan": metric(*share, *name == "baseline") } });
    let arms: Vec<_> = [("baseline", 1.0)].iter().chain(shares).map(arm).collect();
    serde_json::from_value(serde_json::json!({
        "name": "parallelism/tools", "question": "?", "dialect": "anthropic", "model": "m", "control": "baseline",
        "primary": "makespan", "rounds": 20, "requests": 0, "retries": 0, "failures": {},
        "tokens_from_events": 0, "arms": arms, "remarks": [],
    }))
    .expect("a summary")
}

fn measured(shares: &[(&str, f64)]) -> Vec<Measured> {
    vec![Measured { truth: "simulated".into(), summary: summary(shares) }]
}

fn claim(text: &str) -> Claim {
    let fixed = "id='c'\noptimization='parallelism'\ntext='t'\nkind='seed'\nsource='s'\n";
    toml::from_str(&format!("{fixed}{text}")).expect("a claim")
}

#[test]
fn a_claim_is_supported_somewhere_or_contradicted_by_what_was_measured() {
    let claim = claim("group='parallelism/tools'\nmetric='makespan'\nlow=0.6\nhigh=0.8");
    let standing = |shares: &[(&str, f64)]| judge(&claim, &measured(shares), &[]);
    assert_eq!(standing(&[("a", 0.35), ("b", 0.25)]).standing, Standing::Supported);
    let some = standing(&[("a", 0.35), ("b", 0.9)]);
    assert_eq!(some.standing, Standing::SupportedOnlyWhere);
    assert!(some.reason.contains("holds for a;"), "{}", some.reason);
    let none = standing(&[("a", 0.95), ("b", 0.9)]);
    assert_eq!(none.standing, Standing::Contradicted);
    assert!(none.reason.contains("5.0% to 10.0% less measured, n = 20"), "{}", none.reason);
    let unmeasured = judge(&claim, &[], &[]);
    // And one that speaks of a position says nothing of others
    let elsewhere = self::claim("group='parallelism/tools'\nmetric='makespan'\nlow=0.6\nhigh=0.8\nat=[7.0]");
    let elsewhere = judge(&elsewhere, &measured(&[("a", 0.35)]), &[]);
    assert_eq!(elsewhere.standing, Standing::NotMeasured);
    assert!(elsewhere.reason.contains("not measured at 7"), "{}", elsewhere.reason);
    assert_eq!(unmeasured.standing, Standing::NotMeasured);
    assert!(unmeasured.reason.contains("cargo bench --bench parallelism"), "{}", unmeasured.reason);
}

#[test]
fn optimisations_that_the_data_cannot_tell_apart_share_a_rank() {
    let rankings =
        rank(&measured(&[("slow", 0.99), ("second", 0.515), ("first", 0.5), ("a+b", 0.1)]), "makespan");
    let ranks: Vec<_> =
        rankings[0].ranks.iter().map(|ranked| (ranked.toggle.as_str(), ranked.rank)).collect();
    assert_eq!(ranks, [("first", 1), ("second", 1), ("slow", 3)]);
    // And the claim of a biggest gain is judged by them
    let claim = |toggle: &str| claim(&format!("biggest='{toggle}'"));
    assert_eq!(judge(&claim("second"), &[], &rankings).standing, Standing::Supported);
    assert_eq!(judge(&claim("slow"), &[], &rankings).standing, Standing::Contradicted);
    assert_eq!(judge(&claim("slow"), &[], &[]).standing, Standing::NotMeasured);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_judges_the_claims_about_it() {
    let session = std::sync::Arc::new(Session::start(Settings::simulated()).await.unwrap());
    let summary = compare(&session, parallelism::tools(), 3).await.unwrap();
    let measured = [Measured { truth: session.provenance().truth.to_string(), summary }];
    let claim = claims().iter().find(|claim| claim.id == "parallel-tools").unwrap();
    let judged = judge(claim, &measured, &[]);
    assert_eq!(judged.standing, Standing::Supported, "{judged:?}");
    assert!(judged.truth.is_some_and(|truth| truth.starts_with("simulated")));
}
