//! Makes read models from the event log.

use std::time::{Duration, SystemTime};

use archesai_platform::{
    Result,
    events::{Changes, Mark, Piece},
    projections::Projection,
};
use tokio::time::Instant;

use crate::Stop;

/// How many events are read at once.
const PIECE: u32 = 1_000;

/// How often to look for more.
const RHYTHM: Duration = Duration::from_secs(1);

/// How long it may stay unwritten that the log was read and held nothing: whoever begins with an old
/// checkpoint reads that again.
const UNWRITTEN: Duration = Duration::from_mins(1);

/// Keeps a read model up with the log until it is stopped. Any number of nodes may do so at once.
pub async fn project<L: Changes, P: Projection>(log: L, projection: P, stop: Stop) {
    let mut projector = Projector::new(log, projection);
    while !stop.is_cancelled() {
        match projector.pass().await {
            Ok(Pass { more: true, .. }) => continue,
            Ok(_) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(read_model = P::NAME, error, "reading the log");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RHYTHM) => {}
        }
    }
}

/// How long the oldest event waits that a read model has not taken in.
///
/// # Errors
///
/// If the database fails.
pub async fn lag<L: Changes, P: Projection>(
    log: &L,
    projection: &P,
    now: SystemTime,
) -> Result<Duration> {
    let (_, mark) = projection.checkpoint().await?;
    let Piece { events, .. } = log.since(mark, P::KINDS, 1).await?;
    let waits = events
        .first()
        .map(|event| now.duration_since(event.occurred_at));
    Ok(waits.and_then(std::result::Result::ok).unwrap_or_default())
}

/// What came of one look at the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// How many events were taken in.
    pub events: usize,
    /// When the last of them happened.
    pub up_to: Option<SystemTime>,
    /// Whether there is more to be read.
    pub more: bool,
}

/// Reads the log into a read model, piece by piece.
pub struct Projector<L, P: Projection> {
    log: L,
    projection: P,
    /// How far the log was read beyond a checkpoint, where it held nothing.
    beyond: Option<(P::Checkpoint, Mark)>,
    written_at: Instant,
}

impl<L: Changes, P: Projection> Projector<L, P> {
    /// Goes on where the read model is.
    pub fn new(log: L, projection: P) -> Self {
        Self {
            log,
            projection,
            beyond: None,
            written_at: Instant::now(),
        }
    }

    /// Reads one piece, and has it taken in unless another was faster.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn pass(&mut self) -> Result<Pass> {
        let (from, mark) = self.projection.checkpoint().await?;
        let mark = match self.beyond.take() {
            Some((of, beyond)) if of == from => beyond,
            _ => mark,
        };
        let piece = self.log.since(mark, P::KINDS, PIECE).await?;
        if piece.events.is_empty() && self.written_at.elapsed() < UNWRITTEN {
            self.beyond = Some((from, piece.mark));
            return Ok(Pass::default());
        }
        let Piece { events, mark, .. } = &piece;
        let taken = self.projection.take_in(events, &from, mark).await?;
        self.written_at = Instant::now();
        if !taken {
            return Ok(Pass::default());
        }
        Ok(Pass {
            events: events.len(),
            up_to: events.last().map(|event| event.occurred_at),
            more: !piece.is_last,
        })
    }
}

#[cfg(test)]
mod tests;
