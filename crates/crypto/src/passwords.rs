//! Passwords by argon2id (RFC 9106), at OWASP's minimum: 19 MiB, two passes, one lane.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use archesai_auth::{Error, Result, ports::Passwords};
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        PasswordHasher,
        phc::{Output, PasswordHash},
    },
};
use tokio::sync::Semaphore;

/// KiB of memory for one hash.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash that no password is known to have, verified where there is no user.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGtub3dzIG9uZQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How long memory is kept for the next hash.
const KEPT: Duration = Duration::from_secs(1);

/// How many may wait for their turn. Whoever comes then would wait for seconds.
const WAITING: usize = 128;

/// Hashes passwords on threads of their own, so many at once and no more: each
/// takes 19 MiB, and none may stall other requests.
#[derive(Clone)]
pub struct Argon2Passwords {
    /// Places for those who are hashed or wait for it.
    places: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    spares: Spares,
}

/// Memory that hashes of late have used. Getting as much from the system anew,
/// all of it zeros, would cost a tenth of what hashing costs.
#[derive(Clone, Default)]
struct Spares(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    spares: Vec<(u64, Vec<Block>)>,
    next: u64,
}

impl Spares {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory that was used last, or none yet.
    fn take(&self) -> Vec<Block> {
        let spare = self.kept().spares.pop();
        spare.map(|(_, memory)| memory).unwrap_or_default()
    }

    /// Keeps memory, under a number of its own.
    fn keep(&self, memory: Vec<Block>) -> u64 {
        let mut kept = self.kept();
        let number = kept.next;
        kept.next += 1;
        kept.spares.push((number, memory));
        number
    }

    /// Lets memory go, unless it was taken meanwhile.
    fn forget(&self, number: u64) {
        self.kept().spares.retain(|(kept, _)| *kept != number);
    }
}

impl Argon2Passwords {
    /// Hashes at most `parallel` passwords at once.
    pub fn new(parallel: usize) -> Self {
        let parallel = parallel.max(1);
        Self {
            places: Arc::new(Semaphore::new(parallel + WAITING)),
            permits: Arc::new(Semaphore::new(parallel)),
            spares: Spares::default(),
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _place = self.places.try_acquire().map_err(|_| Error::Busy)?;
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(Error::unavailable)?;
        let spares = self.spares.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut memory = spares.take();
            let result = work(&mut memory);
            let number = spares.keep(memory);
            drop(permit);
            (result, number)
        });
        let (result, number) = done.await.map_err(Error::unavailable)?;
        let spares = self.spares.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            spares.forget(number);
        });
        result
    }
}

impl Passwords for Argon2Passwords {
    async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.work(move |_| hash(&password)).await
    }

    async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(DECOY).to_owned();
        let password = password.to_owned();
        let verify = move |memory: &mut _| verify(&password, &stored, memory);
        Ok(self.work(verify).await? && known)
    }
}

fn argon2(parameters: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
}

fn hash(password: &str) -> Result<String> {
    let parameters = Params::new(MEMORY, PASSES, LANES, None).map_err(broken)?;
    let hash = argon2(parameters).hash_password(password.as_bytes());
    Ok(hash.map_err(broken)?.to_string())
}

/// Hashes a password as the one of a stored hash was, and compares the two in constant time.
fn verify(password: &str, stored: &str, memory: &mut Vec<Block>) -> Result<bool> {
    let stored = PasswordHash::new(stored).map_err(broken)?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
        return Err(Error::unavailable("a stored hash is not whole"));
    };
    let parameters = Params::try_from(&stored).map_err(broken)?;
    memory.resize(parameters.block_count(), Block::default());
    let mut output = vec![0; expected.as_bytes().len()];
    argon2(parameters)
        .hash_password_into_with_memory(password.as_bytes(), &salt, &mut output, memory)
        .map_err(broken)?;
    Ok(Output::new(&output).map_err(broken)? == expected)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where an error is mapped"
)]
fn broken(error: impl ToString) -> Error {
    Error::unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn only_the_password_fits_its_hash() {
        let passwords = Argon2Passwords::new(2);
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

    #[tokio::test]
    async fn the_decoy_costs_as_much_as_a_hash_and_no_password_fits_it() {
        let passwords = Argon2Passwords::new(1);
        let hash = passwords.hash("correct horse").await.unwrap();
        let until_salt = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(until_salt(DECOY), until_salt(&hash));
        assert_eq!(DECOY.len(), hash.len());
        assert!(!passwords.verify("", Some(DECOY)).await.unwrap());
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_turned_away() {
        let passwords = Argon2Passwords::new(1);
        let turn = Arc::clone(&passwords.permits).acquire_owned().await;
        let hash = || passwords.hash("correct horse");
        let mut waiting: Vec<_> = (0..=WAITING).map(|_| Box::pin(hash())).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none(), "it waits");
        }
        assert!(matches!(hash().await, Err(Error::Busy)));
        // Who gives up makes room.
        waiting.pop();
        let mut next = Box::pin(hash());
        assert!(next.as_mut().now_or_never().is_none(), "it waits");
        drop((waiting, turn));
        next.await.unwrap();
    }

    #[test]
    fn memory_is_used_again_until_it_is_forgotten() {
        let spares = Spares::default();
        let memory = |spares: &Spares| spares.take().len();
        assert_eq!(memory(&spares), 0);
        let first = spares.keep(vec![argon2::Block::default(); 3]);
        assert_eq!(memory(&spares), 3);
        let second = spares.keep(vec![argon2::Block::default(); 3]);
        spares.forget(first);
        assert_eq!(memory(&spares), 3);
        spares.keep(Vec::new());
        spares.forget(second + 1);
        assert_eq!(spares.kept().spares.len(), 0);
    }
}
