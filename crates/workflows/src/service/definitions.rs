//! Remembers the definitions that running pipelines need at every step.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Adapters, Service};
use crate::{OrganizationId, PipelineId, Result, definition::Definition, ports::Repository, size};

/// How many bytes of compact JSON the definitions come from at most. What is
/// made of them is larger.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// What a definition takes at least, in such bytes.
const LEAST: u64 = 4 * 1024;

type Key = (OrganizationId, PipelineId, u64);

/// Definitions that were read lately. A version of a pipeline never changes, so
/// what is here is never out of date.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_key: HashMap<Key, Arc<Definition>>,
    bytes: u64,
}

impl Definitions {
    fn get(&self, key: &Key) -> Option<Arc<Definition>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_key.get(key).cloned()
    }

    fn put(&self, key: Key, definition: &Arc<Definition>, bytes: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.bytes += bytes.max(LEAST);
        if known.bytes > CAPACITY {
            *known = Known {
                bytes: bytes.max(LEAST),
                ..Known::default()
            };
        }
        known.by_key.insert(key, Arc::clone(definition));
    }
}

impl<A: Adapters> Service<A> {
    /// The definition of a version; `None` if there is no such pipeline any more.
    pub(super) async fn definition(&self, key: Key) -> Result<Option<Arc<Definition>>> {
        if let Some(definition) = self.definitions.get(&key) {
            return Ok(Some(definition));
        }
        let (organization, pipeline, version) = key;
        let found = self.store.find_definition(organization, pipeline, version);
        let Some(json) = found.await? else {
            return Ok(None);
        };
        let expressions = Arc::clone(&self.expressions);
        let load = move || {
            let definition = Definition::load(&json, expressions.as_ref());
            (definition, size::of(&json))
        };
        let (definition, bytes) = self.apart(load).await?;
        let definition = Arc::new(definition);
        self.definitions.put(key, &definition, bytes);
        Ok(Some(definition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let known = Definitions::default();
        let key = |version| (OrganizationId(1), PipelineId(1), version);
        for version in 0..100_000 {
            known.put(key(version), &Arc::default(), 0);
        }
        for version in 0..100 {
            known.put(key(version), &Arc::default(), 1024 * 1024);
            let kept = known.0.lock().unwrap().by_key.len();
            assert!((1..=4096).contains(&kept), "{kept}");
        }
        assert!(known.0.lock().unwrap().by_key.len() <= 16);
        assert!(known.get(&key(99)).is_some());
    }
}
