//! Being woken when there is work.

/// Says when there may be work, whichever node made it. A hint that may never
/// come: whoever waits also looks by themselves from time to time.
pub trait Wake: Send + Sync + 'static {
    /// Waits for the hint. One that came while nobody waited is not lost; several
    /// of them are one.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}
