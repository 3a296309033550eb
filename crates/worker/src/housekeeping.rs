//! Sweeping away what has had its time.

use std::{error::Error, future::Future, pin::Pin, time::Duration};

use crate::Stop;

/// One thing to do over and over; it answers how much it did, or why it could not.
/// What did something is done again at once.
pub struct Chore {
    /// What it is called in the log.
    pub name: &'static str,
    /// How long to wait between.
    pub every: Duration,
    /// Does it.
    pub work: Box<dyn Fn() -> Work + Send + Sync>,
}

/// One round of a chore.
pub type Work = Pin<Box<dyn Future<Output = Result<u64, Box<dyn Error + Send + Sync>>> + Send>>;

/// Does chores until it is stopped, each in its own time.
pub async fn keep_house(chores: Vec<Chore>, stop: Stop) {
    let all = chores.into_iter().map(|chore| keep(chore, stop.clone()));
    futures_util::future::join_all(all).await;
}

async fn keep(chore: Chore, stop: Stop) {
    loop {
        match (chore.work)().await {
            Ok(0) => {}
            Ok(done) => {
                tracing::debug!(chore = chore.name, done, "swept");
                if !stop.is_cancelled() {
                    continue;
                }
            }
            Err(error) => {
                let error = error.as_ref() as &dyn Error;
                tracing::warn!(chore = chore.name, error, "sweeping");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(chore.every) => {}
        }
    }
}
