//! Stand-ins for what a service needs besides its store: a clock to set, a cache
//! that keeps everything, and places at which a test holds a call up.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::oneshot;

use crate::fresh;

/// Holds calls up at places that stand-ins pass, for a test to do something meanwhile.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<HashMap<&'static str, Barrier>>>);

/// What tells that a call has come, and what lets it go on.
type Barrier = (oneshot::Sender<()>, oneshot::Receiver<()>);

impl Gate {
    /// Does something while the next call that comes by a place waits there.
    ///
    /// # Panics
    ///
    /// If the calls there have ended without coming by.
    pub fn hold<T>(
        &self,
        place: &'static str,
        meanwhile: impl Future<Output = T>,
    ) -> impl Future<Output = T> {
        let (come, has_come) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        self.0.lock().unwrap().insert(place, (come, may_go_on));
        async move {
            has_come.await.expect("a call came by");
            let done = meanwhile.await;
            go_on.send(()).expect("the call waited");
            done
        }
    }

    pub(crate) async fn pass(&self, place: &'static str) {
        let barrier = self.0.lock().unwrap().remove(place);
        if let Some((come, may_go_on)) = barrier {
            _ = come.send(());
            _ = may_go_on.await;
        }
    }
}

/// A clock that goes when it is told to, and makes identities that nothing has yet.
pub struct Hand(Mutex<SystemTime>);

impl Default for Hand {
    fn default() -> Self {
        Self(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)))
    }
}

impl Hand {
    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

/// A cache without an end. Putting into it passes the place `put`.
pub struct Shelf<K, V> {
    kept: Mutex<HashMap<K, V>>,
    broken: AtomicBool,
    gate: Gate,
}

impl<K: Hash + Eq, V> Shelf<K, V> {
    pub(crate) fn new(gate: &Gate) -> Self {
        Self {
            kept: Mutex::default(),
            broken: AtomicBool::new(false),
            gate: gate.clone(),
        }
    }

    /// Whether it has nothing under a key.
    pub fn lacks(&self, key: &K) -> bool {
        !self.kept.lock().unwrap().contains_key(key)
    }

    /// From now on it only fails.
    pub fn break_down(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn kept(&self) -> Result<MutexGuard<'_, HashMap<K, V>>, &'static str> {
        if self.broken.load(Ordering::Relaxed) {
            return Err("it is gone");
        }
        Ok(self.kept.lock().unwrap())
    }
}

/// Implements the ports of a domain: the domains share no types.
macro_rules! fakes {
    ($($domain:ident),*) => {$(
        impl $domain::Clock for Hand {
            fn now(&self) -> SystemTime {
                *self.0.lock().unwrap()
            }
        }

        impl $domain::Ids for Hand {
            fn next(&self) -> u128 {
                fresh()
            }
        }

        impl<K, V> $domain::Cache<K, V> for Shelf<K, V>
        where
            K: Hash + Eq + Clone + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            async fn get(&self, key: &K) -> Result<Option<V>, $domain::CacheError> {
                let kept = self.kept().map_err(|why| $domain::CacheError(why.into()))?;
                Ok(kept.get(key).cloned())
            }

            async fn put(&self, key: &K, value: &V, _: Duration) -> Result<(), $domain::CacheError> {
                self.gate.pass("put").await;
                let kept = self.kept().map_err(|why| $domain::CacheError(why.into()));
                kept?.insert(key.clone(), value.clone());
                Ok(())
            }

            async fn remove(&self, key: &K) -> Result<(), $domain::CacheError> {
                let kept = self.kept().map_err(|why| $domain::CacheError(why.into()));
                kept?.remove(key);
                Ok(())
            }
        }
    )*};
}
fakes!(archesai_auth, archesai_content, archesai_organizations);
