//! What the shared ports promise: idempotency keys, rate limits, and the event log.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_platform::{
    events::EventLog,
    idempotency::{Claim, IdempotencyKeys},
    limits::{Quota, RateLimiter},
};

use crate::fresh;

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn key() -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&fresh().to_be_bytes());
    key
}

/// Runs every check on idempotency keys.
pub async fn idempotency_suite(keys: &impl IdempotencyKeys) {
    let (key, other) = (key(), key());
    let lease = Duration::from_mins(1);
    let claim = async |print: u8, at: u64| {
        keys.claim(&key, &[print; 32], time(at), lease)
            .await
            .unwrap()
    };
    assert_eq!(claim(1, 0).await, Claim::Ours);
    assert_eq!(claim(1, 1).await, Claim::InProgress);
    assert_eq!(claim(2, 1).await, Claim::Different);
    // A claim that was neither finished nor released within its lease is nobody's.
    assert_eq!(claim(2, 61).await, Claim::Ours);
    keys.release(&key).await.unwrap();
    assert_eq!(claim(1, 62).await, Claim::Ours);
    keys.finish(&key, b"answer").await.unwrap();
    let done = Claim::Done {
        fingerprint: [1; 32],
        answer: b"answer".to_vec(),
    };
    assert_eq!(claim(1, 63).await, done);
    assert_eq!(claim(2, 1_000).await, done);
    // What was carried out is not released.
    keys.release(&key).await.unwrap();
    assert_eq!(claim(1, 1_001).await, done);

    assert_eq!(
        keys.claim(&other, &[1; 32], time(500), lease)
            .await
            .unwrap(),
        Claim::Ours
    );
    assert!(keys.sweep(time(200)).await.unwrap() >= 1);
    assert_eq!(claim(3, 1_002).await, Claim::Ours);
    assert_eq!(
        keys.claim(&other, &[1; 32], time(501), lease)
            .await
            .unwrap(),
        Claim::InProgress
    );
}

/// Of many claims at the same moment, one wins.
pub async fn one_claim_wins(keys: &impl IdempotencyKeys) {
    let key = key();
    let claims = (0..16).map(|_| keys.claim(&key, &[1; 32], time(0), Duration::from_mins(1)));
    let claims = futures_util::future::join_all(claims).await;
    let ours = claims
        .into_iter()
        .filter(|claim| matches!(claim, Ok(Claim::Ours)))
        .count();
    assert_eq!(ours, 1);
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
}

/// What was appended is unpublished until it is marked, and marking twice changes nothing.
/// The log must hold events already.
pub async fn event_log_suite(log: &impl EventLog) {
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
    let first = &events[0];
    for _ in 0..2 {
        log.mark_published(&[first.sequence]).await.unwrap();
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
