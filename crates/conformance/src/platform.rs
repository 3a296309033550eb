//! What the shared ports promise: idempotency keys, rate limits, and the event log.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_platform::{
    events::{History, Outbox},
    idempotency::{Claim, IdempotencyKeys, RequestKey},
    limits::{Quota, RateLimiter},
};

use crate::{event_log::chains::extension, fresh};

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn key() -> RequestKey {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&fresh().to_be_bytes());
    key
}

const LEASE: Duration = Duration::from_mins(1);

/// Claims made with one key, for a request that a number stands for, at so many seconds.
async fn claim(keys: &impl IdempotencyKeys, key: &RequestKey, asked: u8, at: u64) -> Claim {
    keys.claim(key, &[asked; 32], time(at), LEASE)
        .await
        .unwrap()
}

/// Runs every check on idempotency keys.
pub async fn idempotency_suite(keys: &impl IdempotencyKeys) {
    a_request_is_claimed_once(keys).await;
    a_claim_that_lapsed_is_taken_over_by_its_like(keys).await;
    an_answer_is_kept(keys).await;
    a_released_key_is_free_again(keys).await;
    whoever_was_overtaken_changes_nothing(keys).await;
    old_requests_are_swept(keys).await;
    one_claim_wins(keys).await;
}

async fn a_request_is_claimed_once(keys: &impl IdempotencyKeys) {
    let (one, other) = (key(), key());
    assert_eq!(claim(keys, &one, 1, 0).await, Claim::Ours);
    assert_eq!(claim(keys, &one, 1, 59).await, Claim::InProgress);
    assert_eq!(claim(keys, &one, 2, 1).await, Claim::Different);
    assert_eq!(claim(keys, &other, 2, 1).await, Claim::Ours);
}

async fn a_claim_that_lapsed_is_taken_over_by_its_like(keys: &impl IdempotencyKeys) {
    let key = key();
    assert_eq!(claim(keys, &key, 1, 0).await, Claim::Ours);
    // The first may have taken effect.
    assert_eq!(claim(keys, &key, 2, 60).await, Claim::Different);
    assert_eq!(claim(keys, &key, 1, 60).await, Claim::Ours);
    assert_eq!(claim(keys, &key, 1, 119).await, Claim::InProgress);
    assert_eq!(claim(keys, &key, 1, 120).await, Claim::Ours);
}

async fn an_answer_is_kept(keys: &impl IdempotencyKeys) {
    let key = key();
    assert_eq!(claim(keys, &key, 1, 0).await, Claim::Ours);
    // Late, but nobody was faster.
    keys.finish(&key, time(0), b"answer").await.unwrap();
    let done = Claim::Done(b"answer".to_vec());
    assert_eq!(claim(keys, &key, 1, 1).await, done);
    assert_eq!(claim(keys, &key, 2, 1).await, Claim::Different);
    // What was carried out is not released.
    keys.release(&key, time(0)).await.unwrap();
    assert_eq!(claim(keys, &key, 1, 1_000).await, done);
}

async fn a_released_key_is_free_again(keys: &impl IdempotencyKeys) {
    let key = key();
    assert_eq!(claim(keys, &key, 1, 0).await, Claim::Ours);
    keys.release(&key, time(0)).await.unwrap();
    assert_eq!(claim(keys, &key, 2, 1).await, Claim::Ours);
}

async fn whoever_was_overtaken_changes_nothing(keys: &impl IdempotencyKeys) {
    let key = key();
    for at in [0, 60] {
        assert_eq!(claim(keys, &key, 1, at).await, Claim::Ours);
    }
    keys.release(&key, time(0)).await.unwrap();
    keys.finish(&key, time(0), b"late").await.unwrap();
    assert_eq!(claim(keys, &key, 1, 61).await, Claim::InProgress);
    keys.finish(&key, time(60), b"answer").await.unwrap();
    keys.finish(&key, time(0), b"later").await.unwrap();
    let done = Claim::Done(b"answer".to_vec());
    assert_eq!(claim(keys, &key, 1, 62).await, done);
}

async fn old_requests_are_swept(keys: &impl IdempotencyKeys) {
    let (old, done, young) = (key(), key(), key());
    for (key, at) in [(&old, 0), (&done, 0), (&young, 10)] {
        assert_eq!(claim(keys, key, 1, at).await, Claim::Ours);
    }
    keys.finish(&done, time(0), b"answer").await.unwrap();
    assert!(keys.sweep(time(10)).await.unwrap() >= 2);
    assert_eq!(claim(keys, &old, 2, 11).await, Claim::Ours);
    assert_eq!(claim(keys, &done, 2, 11).await, Claim::Ours);
    assert_eq!(claim(keys, &young, 1, 11).await, Claim::InProgress);
}

async fn one_claim_wins(keys: &impl IdempotencyKeys) {
    let key = key();
    // Of new ones, and of those that take over.
    for at in [0, 60] {
        let claims = (0..16).map(|_| claim(keys, &key, 1, at));
        let claims = futures_util::future::join_all(claims).await;
        let won = claims.iter().filter(|claim| **claim == Claim::Ours).count();
        assert_eq!(won, 1);
    }
}

/// Runs every check on rate limits.
pub async fn limits_suite(limiter: &impl RateLimiter) {
    let quota = Quota {
        name: "suite",
        limit: 3,
        window: Duration::from_hours(1),
    };
    let subject = fresh().to_string();
    for remaining in [2, 1, 0] {
        let decision = limiter.check(&quota, &subject).await.unwrap();
        assert!(decision.allowed);
        assert_eq!(decision.remaining, remaining);
        assert_eq!(decision.retry_after, Duration::ZERO);
    }
    let refused = limiter.check(&quota, &subject).await.unwrap();
    assert!(!refused.allowed);
    assert!(refused.retry_after > Duration::ZERO && refused.retry_after <= quota.window);
    let other = limiter.check(&quota, &fresh().to_string()).await.unwrap();
    assert!(other.allowed);

    // Of many at once, as many are allowed as fit.
    let quota = Quota { limit: 50, ..quota };
    let subject = fresh().to_string();
    let checks = (0..80).map(|_| limiter.check(&quota, &subject));
    let decisions = futures_util::future::join_all(checks).await;
    let allowed = decisions
        .into_iter()
        .filter(|one| one.as_ref().unwrap().allowed);
    assert_eq!(allowed.count(), 50);
    a_used_up_quota_refills(limiter).await;
}

async fn a_used_up_quota_refills(limiter: &impl RateLimiter) {
    let quota = Quota {
        name: "refills",
        limit: 1,
        window: Duration::from_millis(500),
    };
    let subject = fresh().to_string();
    let mut allowed = 0;
    let mut refused = 0;
    while allowed < 2 {
        let decision = limiter.check(&quota, &subject).await.unwrap();
        if decision.allowed {
            allowed += 1;
        } else {
            refused += 1;
            assert!(decision.retry_after <= quota.window);
            tokio::time::sleep(decision.retry_after).await;
        }
        assert!(refused < 100, "it is allowed again after its time");
    }
}

/// What was appended is unpublished until it is marked, and marking twice changes nothing.
/// The log must hold events already.
pub async fn event_log_suite(log: &(impl Outbox + History)) {
    let none = BTreeSet::new();
    let events = log.unpublished(&none, 100).await.unwrap();
    assert!(events.len() >= 2);
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert_eq!(log.unpublished(&none, 1).await.unwrap(), events[..1]);
    let known = BTreeSet::from([events[0].sequence]);
    assert_eq!(log.unpublished(&known, 1).await.unwrap(), events[1..2]);
    let extension = extension(log, &events[..1]).await;
    for is_new in [true, false] {
        assert_eq!(log.mark_published(&extension).await.unwrap(), is_new);
        assert_eq!(log.unpublished(&none, 100).await.unwrap(), events[1..]);
    }
    for event in events
        .iter()
        .filter(|event| event.organization_id.is_some())
    {
        let organization = event.organization_id.unwrap_or_default();
        let aggregate = (event.aggregate_kind.as_str(), event.aggregate_id);
        let history = log.history(organization, aggregate, 0, 100).await.unwrap();
        assert!(history.contains(event));
        let after = log
            .history(organization, aggregate, event.sequence, 100)
            .await
            .unwrap();
        assert!(after.iter().all(|later| later.sequence > event.sequence));
        let elsewhere = log.history(fresh(), aggregate, 0, 100).await.unwrap();
        assert_eq!(elsewhere, vec![]);
    }
}
