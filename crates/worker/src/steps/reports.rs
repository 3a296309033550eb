//! Reporting what came of steps: those that end while others are being written
//! wait for each other and share the next transaction.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    slice,
    sync::Arc,
    thread,
};

use archesai_workflows::{
    Adapters, Call, Error, Move, Outcome, Result, Service, ToolError, engine::Claim,
};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::Stop;

/// How many share a transaction at most.
const BATCH: usize = 100;

/// What came of a call, as its tool tells.
pub(super) type Told = Result<Outcome, ToolError>;

struct Report {
    step: Move,
    /// Gets what came of it, or the panic it led to.
    answer: oneshot::Sender<thread::Result<Result<Option<Claim>>>>,
}

/// Where steps report.
pub(super) struct Reports {
    sender: mpsc::UnboundedSender<Report>,
    /// Once it is told to stop, a worker is not given steps to go on with.
    pub(super) stopping: Stop,
}

impl Reports {
    /// Takes reports until nobody has any more.
    pub(super) fn take<A: Adapters>(service: Arc<Service<A>>, stopping: Stop) -> Self {
        let (sender, waiting) = mpsc::unbounded_channel();
        tokio::spawn(write(service, waiting, sender.downgrade()));
        Self { sender, stopping }
    }

    /// Reports what came of a call; see [`Service::finish`].
    pub(super) async fn finish<A: Adapters>(
        &self,
        service: &Service<A>,
        call: Call,
        told: Told,
    ) -> Result<Option<Claim>> {
        let step = service.report(call, told, !self.stopping.is_cancelled());
        let (answer, answered) = oneshot::channel();
        _ = self.sender.send(Report { step, answer });
        match answered.await {
            Ok(Ok(moved)) => moved,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(gone) => Err(Error::unavailable(gone)),
        }
    }
}

async fn write<A: Adapters>(
    service: Arc<Service<A>>,
    mut waiting: mpsc::UnboundedReceiver<Report>,
    sender: mpsc::WeakUnboundedSender<Report>,
) {
    let mut reports = Vec::new();
    while waiting.recv_many(&mut reports, BATCH).await > 0 {
        let reports = reports.drain(..);
        let (mut steps, answers): (Vec<_>, Vec<_>) =
            reports.map(|report| (report.step, report.answer)).unzip();
        let together = advance(&service, &mut steps).await;
        for (mut step, answer) in steps.into_iter().zip(answers) {
            // Whichever of them led to a panic, the others are none the worse for it.
            let ended = match together {
                Ok(()) => Ok(()),
                Err(_) => advance(&service, slice::from_mut(&mut step)).await,
            };
            match ended {
                Ok(()) if step.is_open() => {
                    let (service, sender) = (Arc::clone(&service), sender.clone());
                    tokio::spawn(work_out(service, Report { step, answer }, sender));
                }
                Ok(()) => _ = answer.send(Ok(step.moved())),
                Err(panic) => _ = answer.send(Err(panic)),
            }
        }
    }
}

async fn advance<A: Adapters>(service: &Service<A>, steps: &mut [Move]) -> thread::Result<()> {
    AssertUnwindSafe(service.advance(steps))
        .catch_unwind()
        .await
}

/// Works out the outputs of a run that a report ends, and reports again.
async fn work_out<A: Adapters>(
    service: Arc<Service<A>>,
    mut report: Report,
    sender: mpsc::WeakUnboundedSender<Report>,
) {
    service.work_out(&mut report.step).await;
    if let Some(sender) = sender.upgrade() {
        _ = sender.send(report);
    }
}
