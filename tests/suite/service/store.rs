//! Leases, fences and migrations, on each database.

use std::time::Duration;

use llmlab::ranking::Simulation;
use llmlab::service::store::{JobState, NewJob, Outcome, Store, StoreError};

use super::support::places;

const SOON: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder_and_who_lost_it_writes_nothing() {
    for place in places().await {
        let store = Store::open(&place.database_url).await.unwrap();
        let first = store.lease("x", "a", SOON).await.unwrap().expect("nobody has it");
        assert_eq!(store.lease("x", "b", SOON).await.unwrap(), None);
        store.renew(&first, SOON).await.unwrap();
        tokio::time::sleep(2 * SOON).await;
        let second = store.lease("x", "b", Duration::from_secs(60)).await.unwrap().expect("it ran out");
        assert!(second.token > first.token);
        assert!(matches!(store.renew(&first, SOON).await, Err(StoreError::Fenced(_))));
        // A slow writer of the old lease is refused, whole
        let refused = store.replace_simulated(&first, &Simulation::default(), "[]").await;
        assert!(matches!(refused, Err(StoreError::Fenced(_))));
        assert_eq!((store.epoch().await.unwrap(), store.simulations().await.unwrap()), (0, 0));
        store.replace_simulated(&second, &Simulation::default(), "[]").await.unwrap();
        assert_eq!(store.simulations().await.unwrap(), 12_000);
        store.release(&second).await.unwrap();
        assert!(store.lease("x", "c", SOON).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_claimed_once_however_many_want_it_and_a_lost_claim_ends_nothing() {
    for place in places().await {
        let store = Store::open(&place.database_url).await.unwrap();
        let job = |number: u32| NewJob {
            job_id: format!("{number:08x}"),
            benchmark_type: "streaming".into(),
            request: "{}".into(),
            requested_by: "test".into(),
        };
        for number in 0..20 {
            assert!(store.enqueue(&job(number), 100).await.unwrap());
        }
        let claims = (0..8).map(|worker| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                let mut none = 0;
                while none < 3 {
                    match store.claim(&format!("worker {worker}"), SOON).await.unwrap() {
                        Some((claim, _)) => mine.push(claim),
                        None => none += 1,
                    }
                }
                mine
            })
        });
        let claimed = futures::future::join_all(claims).await;
        let mut ids: Vec<_> = claimed
            .iter()
            .flat_map(|mine| mine.as_ref().unwrap())
            .map(|claim| claim.job_id.clone())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..20).map(|number| format!("{number:08x}")).collect::<Vec<_>>());
        // Nobody holds them any more, so they are marked, and the old claims end nothing
        tokio::time::sleep(2 * SOON).await;
        let lost = store.mark_lost(|job_id, why| format!("{job_id}: {why}")).await.unwrap();
        assert_eq!(lost.len(), 20);
        let claim = claimed.iter().flat_map(|mine| mine.as_ref().unwrap()).next().unwrap();
        let outcome =
            Outcome { state: JobState::Completed, error: None, results: vec![], update: "done".into() };
        assert!(matches!(store.finish(claim, &outcome).await, Err(StoreError::Fenced(_))));
        assert!(matches!(store.update(claim, "more").await, Err(StoreError::Fenced(_))));
        let job = store.job(&claim.job_id).await.unwrap().unwrap();
        assert!(job.state == JobState::Failed && job.interrupted, "{job:?}");
        assert_eq!(store.updates(&claim.job_id, 0).await.unwrap().len(), 1);
        // Of two claims on one job that was put back in between, the earlier one counts for nothing
        assert!(store.enqueue(&named("again"), 1).await.unwrap());
        let long = Duration::from_secs(60);
        let (first, _) = store.claim("a", long).await.unwrap().unwrap();
        store.put_back(&first, "back").await.unwrap();
        let (second, _) = store.claim("b", long).await.unwrap().unwrap();
        assert!(matches!(store.hold(&first, long).await, Err(StoreError::Fenced(_))));
        assert!(matches!(store.finish(&first, &outcome).await, Err(StoreError::Fenced(_))));
        store.finish(&second, &outcome).await.unwrap();
        // The queue is full at its bound
        assert!(!store.enqueue(&self::named("x"), 0).await.unwrap());
    }
}

fn named(job_id: &str) -> NewJob {
    NewJob {
        job_id: job_id.into(),
        benchmark_type: "all".into(),
        request: "{}".into(),
        requested_by: "test".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_made_by_whoever_comes_first_and_can_be_taken_away() {
    for place in places().await {
        // Several processes start at once
        let opened = futures::future::join_all((0..4).map(|_| Store::open(&place.database_url))).await;
        let stores: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
        assert!(stores[0].enqueue(&named("a"), 1).await.unwrap());
        futures::future::join_all(stores.iter().map(Store::close)).await;
        let run = |args: &[&str]| {
            let output = place.command(args).args(["--database-url", &place.database_url]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        // Made once more, they keep what they hold; taken away, they do not
        run(&["database", "migrate"]);
        assert_eq!(Store::open(&place.database_url).await.unwrap().jobs(9).await.unwrap().1, 1);
        run(&["database", "revert", "--to", "0"]);
        run(&["database", "migrate"]);
        assert_eq!(Store::open(&place.database_url).await.unwrap().jobs(9).await.unwrap().1, 0);
    }
}
