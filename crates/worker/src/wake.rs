//! Being woken when there is work.

/// Says when there may be work. A hint that may never come: whoever waits also
/// looks by themselves from time to time.
pub trait Wake: Send + Sync + 'static {
    /// Waits for the hint.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}
