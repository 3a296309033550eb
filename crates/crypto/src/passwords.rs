//! Passwords by argon2id (RFC 9106), at OWASP's minimum: 19 MiB, two passes, one lane.

use std::sync::Arc;

use archesai_auth::{Error, Result, ports::Passwords};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// KiB of memory for one hash.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes passwords on threads of their own, so many at once and no more: each
/// takes 19 MiB, and none may stall other requests.
#[derive(Clone)]
pub struct Argon2Passwords {
    permits: Arc<Semaphore>,
    /// A hash of nothing anybody knows, verified where there is no user.
    decoy: Arc<str>,
}

impl Argon2Passwords {
    /// Hashes at most `parallel` passwords at once.
    ///
    /// # Errors
    ///
    /// If there is no randomness for a salt.
    pub fn new(parallel: usize) -> Result<Self> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(parallel.max(1))),
            decoy: hash("decoy")?.into(),
        })
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(Error::unavailable)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(Error::unavailable)?
    }
}

impl Passwords for Argon2Passwords {
    async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.work(move || hash(&password)).await
    }

    async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let password = password.to_owned();
        let right = self.work(move || verify(&password, &stored)).await?;
        Ok(right && known)
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let parameters = Params::new(MEMORY, PASSES, LANES, None)
        .map_err(|error| Error::unavailable(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

fn hash(password: &str) -> Result<String> {
    let hash = argon2()?
        .hash_password(password.as_bytes())
        .map_err(|error| Error::unavailable(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool> {
    let stored =
        PasswordHash::new(stored).map_err(|error| Error::unavailable(error.to_string()))?;
    Ok(argon2()?
        .verify_password(password.as_bytes(), &stored)
        .is_ok())
}

#[cfg(test)]
mod tests {
    use archesai_auth::ports::Passwords;

    use super::Argon2Passwords;

    #[tokio::test]
    async fn only_the_password_fits_its_hash() {
        let passwords = Argon2Passwords::new(2).unwrap();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            passwords
                .verify("correct horse", Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("battery staple", Some(&hash))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("decoy", None).await.unwrap());
    }
}
