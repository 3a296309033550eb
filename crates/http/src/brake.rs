//! A brake on guessing the password of one account, from however many addresses.

use std::{array, time::Duration};

use actix_web::http::StatusCode;
use archesai_auth::{Email, Error, UserId};
use archesai_platform::limits::{Quota, RateLimiter as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::{Guesses, Problem, erased::AnyRateLimiter};

/// How many groups accounts fall into, by the first byte of what they are known by.
const GROUPS: usize = 256;

/// How many passwords of a group are tried at once. What is tried while another try uses
/// up the quota is not refused, so these are few.
const AT_ONCE: usize = 2;

/// An account that there may be or not: the SHA-256 of its name.
#[derive(Clone, Copy)]
pub(crate) struct Account([u8; 32]);

impl Account {
    /// Whoever would sign in with an address.
    pub(crate) fn of_address(text: &str) -> Self {
        let email = Email::parse(text);
        let name = email.as_ref().map_or(text, Email::as_str);
        Self(Sha256::digest(name).into())
    }

    /// A user who is signed in.
    pub(crate) fn of_user(user: UserId) -> Self {
        Self(Sha256::digest(user.0.to_be_bytes()).into())
    }
}

/// Counts the passwords that were wrong, and refuses more when they were too many. It does
/// so whether or not there is the account, and so does not tell.
pub struct Brake {
    limiter: AnyRateLimiter,
    quota: Quota,
    refused: Guesses<[u8; 32]>,
    groups: [Semaphore; GROUPS],
}

impl Brake {
    /// A brake that lets so many passwords of an account be wrong.
    pub fn new(limiter: AnyRateLimiter, quota: Quota) -> Self {
        Self {
            limiter,
            quota,
            refused: Guesses::default(),
            groups: array::from_fn(|_| Semaphore::new(AT_ONCE)),
        }
    }

    /// Tries a password. One that is right costs nothing, but is not tried either after
    /// too many that were wrong: else one could go on guessing until it is.
    pub(crate) async fn attempt<T>(
        &self,
        account: Account,
        attempt: impl Future<Output = Result<T, Error>>,
    ) -> Result<Result<T, Error>, Problem> {
        let group = &self.groups[usize::from(account.0[0])];
        let _turn = group.acquire().await.map_err(Problem::unavailable)?;
        if let Some(wait) = self.refused.refused(account.0) {
            return Err(too_many(wait));
        }
        let result = attempt.await;
        if let Err(Error::WrongCredentials) = result {
            self.count(account).await?;
        }
        Ok(result)
    }

    /// Counts a wrong password; a limiter that is down lets it pass.
    async fn count(&self, account: Account) -> Result<(), Problem> {
        let subject = URL_SAFE_NO_PAD.encode(account.0);
        let decision = match self.limiter.check(&self.quota, &subject).await {
            Ok(decision) => decision,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "rate limiter");
                return Ok(());
            }
        };
        if !decision.allowed {
            self.refused.refuse(account.0, decision.retry_after);
            metrics::counter!("archesai_rate_limited_total", "quota" => self.quota.name)
                .increment(1);
            return Err(too_many(decision.retry_after));
        }
        if decision.remaining == 0 {
            // Within this time the next one is allowed.
            let interval = self.quota.window / self.quota.limit;
            self.refused.refuse(account.0, interval);
        }
        Ok(())
    }
}

/// 429, for so long.
fn too_many(wait: Duration) -> Problem {
    let problem = Problem::with_detail(
        StatusCode::TOO_MANY_REQUESTS,
        "too many wrong passwords for this account; wait as long as `Retry-After` says",
    );
    problem.retry_after(wait)
}
