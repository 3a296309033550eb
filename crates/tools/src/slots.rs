//! Work that keeps a processor busy, apart from the threads that everybody waits on, and only so much of it at once.

use std::{error, fmt, future::Future, num::NonZero, pin::Pin, sync::Arc, thread, time::Duration};

use archesai_workflows::{
    ToolError,
    ports::{Pool, Unfinished},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// How long work of the workflows context may take once it has begun. What it may do is bounded so that it takes less.
const LIMIT: Duration = Duration::from_secs(10);

/// Room for as much work at once as there are processors. Clones share it.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Semaphore>);

/// The work ended without an answer: a defect, or the process is ending.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tool broke down")
    }
}

impl error::Error for Broken {}

impl From<Broken> for ToolError {
    fn from(broken: Broken) -> Self {
        Self::permanent("tool_failed", broken.to_string())
    }
}

impl Default for Slots {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

impl Slots {
    /// Does the work when there is room. Work that nobody waits for any more keeps its room until it ends.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Broken> {
        begin(self.slot().await?, work).await.map_err(|_| Broken)
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, Broken> {
        let slot = Arc::clone(&self.0).acquire_owned().await;
        slot.map_err(|_| Broken)
    }
}

fn begin<T: Send + 'static>(
    slot: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    spawn_blocking(move || {
        let _slot = slot;
        work()
    })
}

impl Pool for Slots {
    fn run(
        &self,
        work: Box<dyn FnOnce() + Send>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unfinished>> + Send + '_>> {
        Box::pin(async {
            let slot = self.slot().await.map_err(|_| Unfinished::Broken)?;
            match timeout(LIMIT, begin(slot, work)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Unfinished::Broken),
                Err(_) => Err(Unfinished::TimedOut),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_its_panics_are_caught() {
        let slots = Slots::default();
        let here = thread::current().id();
        let there = slots.run(|| thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        let panicked = slots
            .run(|| std::panic::resume_unwind(Box::new("gone")))
            .await;
        let error: Result<(), Broken> = panicked;
        assert!(error.is_err());
        assert_eq!(slots.run(|| 7).await.unwrap(), 7);
    }
}
