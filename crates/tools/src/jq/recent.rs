//! The filters of late, compiled: what a filter says does not change from item to item, and compiling costs more than most
//! of them do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many are kept: each comes with everything that it may call.
const KEPT: usize = 32;

/// What was made of filters, by their source.
pub(super) struct Recent<T>(Mutex<Option<HashMap<String, Arc<T>>>>);

impl<T> Recent<T> {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn kept(&self) -> MutexGuard<'_, Option<HashMap<String, Arc<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was made of a filter, made now where it is not kept. A failure is not.
    pub(super) fn get<E>(
        &self,
        source: &str,
        make: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let kept = self.kept().get_or_insert_default().get(source).cloned();
        if let Some(found) = kept {
            return Ok(found);
        }
        // Unlocked: a filter may take its time, and may be refused.
        let made = Arc::new(make(source)?);
        let mut kept = self.kept();
        let kept = kept.get_or_insert_default();
        if kept.len() >= KEPT {
            // Whoever uses so many different ones gains little by any order of leaving.
            kept.clear();
        }
        kept.insert(source.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_made_once_and_only_so_many_are_kept() {
        let recent = Recent::new();
        let get = |source: &str| recent.get(source, |source| Ok::<_, ()>(source.to_owned()));
        let first = get(".a").unwrap();
        assert!(Arc::ptr_eq(&first, &get(".a").unwrap()));
        for number in 0..KEPT {
            get(&number.to_string()).unwrap();
        }
        assert!(recent.kept().as_ref().unwrap().len() <= KEPT);
        assert!(!Arc::ptr_eq(&first, &get(".a").unwrap()));
    }

    #[test]
    fn a_failure_is_not_kept() {
        let recent = Recent::new();
        assert_eq!(recent.get(".", |_| Err("no")), Err("no"));
        assert_eq!(recent.get(".", |_| Ok::<_, ()>(1)), Ok(Arc::new(1)));
    }
}
