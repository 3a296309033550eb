//! Idempotency keys: a request that is sent twice takes effect once
//! (draft-ietf-httpapi-idempotency-key-header).

use std::time::{Duration, SystemTime};

use crate::Result;

/// Names one idempotent request: the digest of who asks, which operation, and their key.
pub type RequestKey = [u8; 32];

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new, and now ours to carry out.
    Ours,
    /// Somebody is carrying it out at this moment.
    InProgress,
    /// It was carried out.
    Done {
        /// What it asked for.
        fingerprint: [u8; 32],
        /// The sealed answer it got.
        answer: Vec<u8>,
    },
    /// It is being carried out, but asked for something else.
    Different,
}

/// Remembers requests by their keys.
pub trait IdempotencyKeys: Send + Sync + 'static {
    /// Claims a request. Of claims at the same moment one is [`Claim::Ours`].
    /// A claim that was neither finished nor released within `lease` may be taken over.
    fn claim(
        &self,
        key: &RequestKey,
        fingerprint: &[u8; 32],
        now: SystemTime,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim>> + Send;

    /// Keeps the answer of a claimed request.
    fn finish(&self, key: &RequestKey, answer: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Gives a claim back, since the request took no effect.
    fn release(&self, key: &RequestKey) -> impl Future<Output = Result<()>> + Send;

    /// Forgets the requests claimed before a time, and answers how many.
    fn sweep(&self, before: SystemTime) -> impl Future<Output = Result<u64>> + Send;
}
