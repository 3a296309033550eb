//! Reporting what came of steps: those that end while others are being written
//! wait for each other and share the next transaction.

use std::{panic::AssertUnwindSafe, sync::Arc};

use archesai_workflows::{
    Adapters, Call, Error, Outcome, Result, Service, ToolError, engine::Claim,
};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

/// How many share a transaction at most.
const BATCH: usize = 100;

/// What came of a call, as its tool tells.
pub(super) type Told = Result<Outcome, ToolError>;

struct Report {
    call: Call,
    told: Told,
    answer: oneshot::Sender<Result<Option<Claim>>>,
}

/// Where steps report.
pub(super) struct Reports(mpsc::UnboundedSender<Report>);

impl Reports {
    /// Takes reports until nobody has any more.
    pub(super) fn take<A: Adapters>(service: Arc<Service<A>>) -> Self {
        let (sender, mut waiting) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut reports: Vec<Report> = Vec::new();
            while waiting.recv_many(&mut reports, BATCH).await > 0 {
                let (answers, calls): (Vec<_>, Vec<_>) = reports
                    .drain(..)
                    .map(|report| (report.answer, (report.call, report.told)))
                    .unzip();
                // A panic must not end the reporting of every step to come: nobody of
                // this batch gets an answer, and so they all try again.
                let moved = AssertUnwindSafe(service.finish_all(calls)).catch_unwind();
                let moved = moved.await.unwrap_or_default();
                for (answer, moved) in answers.into_iter().zip(moved) {
                    _ = answer.send(moved);
                }
            }
        });
        Self(sender)
    }

    /// Reports what came of a call; see [`Service::finish`].
    pub(super) async fn finish(&self, call: Call, told: Told) -> Result<Option<Claim>> {
        let (answer, answered) = oneshot::channel();
        _ = self.0.send(Report { call, told, answer });
        answered
            .await
            .unwrap_or_else(|gone| Err(Error::unavailable(gone)))
    }
}
