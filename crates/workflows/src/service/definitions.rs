//! Remembers the definitions that running pipelines need at every step.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Adapters, Service};
use crate::{OrganizationId, PipelineId, Result, definition::Definition, ports::Repository};

const CAPACITY: usize = 256;

type Key = (OrganizationId, PipelineId, u64);

/// Definitions that were read lately. A version of a pipeline never changes, so
/// what is here is never out of date.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<HashMap<Key, Arc<Definition>>>);

impl Definitions {
    fn get(&self, key: &Key) -> Option<Arc<Definition>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    fn put(&self, key: Key, definition: &Arc<Definition>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(key, definition.clone());
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
        let definition = Arc::new(Definition::load(&json, &self.expressions));
        self.definitions.put(key, &definition);
        Ok(Some(definition))
    }
}
