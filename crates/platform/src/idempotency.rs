//! Idempotency keys: a request that is sent twice takes effect once
//! (draft-ietf-httpapi-idempotency-key-header).

use std::time::{Duration, SystemTime};

use crate::Result;

/// Names one idempotent request: the digest of who asks, which operation, and their key.
pub type RequestKey = [u8; 32];

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours to carry out.
    Ours,
    /// Somebody is carrying it out at this moment.
    InProgress,
    /// It was carried out, and got this answer, which is sealed.
    Done(Vec<u8>),
    /// The key was used for a request that asks for something else.
    Different,
}

/// Remembers requests by their keys.
///
/// A claim is held from the `now` it was made at. Whoever was overtaken holds
/// one no more: what they finish or release has no effect.
pub trait IdempotencyKeys: Send + Sync + 'static {
    /// Claims a request that asks for what the fingerprint tells. Of claims at
    /// the same moment one is [`Claim::Ours`]. A claim that was neither finished
    /// nor released within `lease` may be taken over by one that asks for the same.
    fn claim(
        &self,
        key: &RequestKey,
        fingerprint: &[u8; 32],
        now: SystemTime,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim>> + Send;

    /// Keeps the answer of a request claimed at a time, if it still is.
    fn finish(
        &self,
        key: &RequestKey,
        claimed_at: SystemTime,
        answer: &[u8],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a request claimed at a time, if it still is and was not finished,
    /// so that the key may be used again.
    fn release(
        &self,
        key: &RequestKey,
        claimed_at: SystemTime,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets the requests claimed before a time, and answers how many.
    fn sweep(&self, before: SystemTime) -> impl Future<Output = Result<u64>> + Send;
}
