//! Passages of text, and the model that turns them into vectors.

use serde::{Deserialize, Serialize};

use crate::{ArtifactId, ChunkId};

/// A passage of an artifact's text: what a search finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Identity; never reused.
    pub id: ChunkId,
    /// Whose text it is from.
    pub artifact_id: ArtifactId,
    /// Its place among the passages of the artifact, from 0.
    pub position: u32,
    /// The passage.
    pub text: String,
    /// Where it begins in the artifact's text, in bytes of UTF-8.
    pub start: u64,
    /// Where it ends there.
    pub end: u64,
    /// Its meaning as a vector of unit length, once a model was asked.
    pub embedding: Option<Vec<f32>>,
}

/// An embedding model. Vectors of different models cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What it is called.
    pub name: String,
    /// How many numbers its vectors have.
    pub dimensions: u32,
}

/// Scales a vector to unit length, so that the dot product of two is their
/// cosine. `None` for one without direction: all zeros, or not all finite.
pub(crate) fn to_unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector
        .iter()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt();
    if !length.is_finite() || length == 0.0 {
        return None;
    }
    for x in &mut vector {
        *x = narrow(f64::from(*x) / length);
    }
    Some(vector)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "vectors are kept in single precision"
)]
const fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_vectors_have_length_one() {
        let unit = to_unit(vec![3.0, 4.0]).expect("it has a direction");
        assert!((unit[0] - 0.6).abs() < 1e-6 && (unit[1] - 0.8).abs() < 1e-6);
        assert!(to_unit(vec![1e-30; 8]).is_some());
        for broken in [
            vec![],
            vec![0.0; 3],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY],
        ] {
            assert_eq!(to_unit(broken), None);
        }
    }
}
