//! What keeps a processor busy is done where nobody else waits.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Adapters, Service};
use crate::{Error, ToolError, ports::Unfinished};

impl<A: Adapters> Service<A> {
    /// Does work in the pool.
    pub(super) async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        let done = Arc::new(Mutex::new(None));
        let place = Arc::clone(&done);
        let work = move || {
            let value = work();
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        };
        self.pool.run(Box::new(work)).await?;
        let value = done.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or(Unfinished::Broken)
    }
}

impl From<Unfinished> for ToolError {
    fn from(unfinished: Unfinished) -> Self {
        let code = match unfinished {
            Unfinished::TimedOut => "expression_failed",
            Unfinished::Broken => "internal",
        };
        Self::permanent(code, unfinished.to_string())
    }
}

impl From<Unfinished> for Error {
    fn from(unfinished: Unfinished) -> Self {
        Self::unavailable(unfinished)
    }
}
