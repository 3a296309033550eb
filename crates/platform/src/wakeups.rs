//! Being woken when there is work.

/// Says when there may be work, whichever node made it. A hint that may never
/// come: whoever waits also looks by themselves from time to time.
pub trait Wake: Send + Sync + 'static {
    /// Waits for the hint. One that came while nobody waited is not lost; several
    /// of them are one.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}

/// Says that there may be work, to whichever node waits for it. Only a hint.
pub trait Wakeups: Send + Sync + 'static {
    /// Wakes whoever waits. Never blocks, and never fails where anyone could tell.
    fn wake(&self);
}
