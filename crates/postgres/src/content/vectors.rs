//! Vectors, as they are sent to the database.

/// How many numbers a vector is kept with. That of a model with fewer dimensions ends in zeros,
/// which changes no angle.
pub(super) const DIMENSIONS: usize = 1_536;

/// A vector at its full length.
pub(super) fn padded(vector: &[f32]) -> Vec<f32> {
    let mut vector = vector.to_vec();
    vector.resize(DIMENSIONS, 0.0);
    vector
}
