//! Vectors: how they are kept, compared, and the best of them picked.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// How many products are summed side by side: enough to fill the widest
/// registers that compilers use, twice.
const LANES: usize = 16;

/// How many bytes a number takes.
const WIDTH: usize = size_of::<f32>();

/// A vector as little-endian numbers of 32 bits.
pub(super) fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The dot product of a vector and one that is kept: of unit vectors, their
/// cosine. Where one is longer, the rest of it counts as zeros.
pub(super) fn dot(vector: &[f32], kept: &[u8]) -> f32 {
    let (heads, tail) = vector.as_chunks::<LANES>();
    let (kept_heads, kept_tail) = kept.as_chunks::<{ LANES * WIDTH }>();
    let mut sums = [0.0_f32; LANES];
    for (head, kept_head) in heads.iter().zip(kept_heads) {
        let (numbers, _) = kept_head.as_chunks::<WIDTH>();
        for ((sum, x), y) in sums.iter_mut().zip(head).zip(numbers) {
            *sum += x * f32::from_le_bytes(*y);
        }
    }
    let (numbers, _) = kept_tail.as_chunks::<WIDTH>();
    let tail: f32 = tail
        .iter()
        .zip(numbers)
        .map(|(x, y)| x * f32::from_le_bytes(*y))
        .sum();
    sums.iter().sum::<f32>() + tail
}

/// A vector as a bit for each number, set where that is not negative; the lowest bit first.
pub(super) fn code(vector: &[f32]) -> Vec<u8> {
    let bits = |numbers: &[f32]| {
        let bit = |(at, x): (usize, &f32)| u8::from(*x >= 0.0) << at;
        numbers.iter().enumerate().map(bit).sum()
    };
    vector.chunks(8).map(bits).collect()
}

/// Estimates how near vectors are by their codes: the dot product with the signs of their
/// numbers. What a byte of a code adds to it is looked up.
pub(super) struct Estimate(Vec<[f32; 256]>);

impl Estimate {
    pub(super) fn of(vector: &[f32]) -> Self {
        let table = |numbers: &[f32]| {
            let mut table = [0.0_f32; 256];
            for (byte, sum) in (0_u8..=255).zip(&mut table) {
                let signed = |(at, x): (usize, &f32)| if byte >> at & 1 == 1 { *x } else { -x };
                *sum = numbers.iter().enumerate().map(signed).sum();
            }
            table
        };
        Self(vector.chunks(8).map(table).collect())
    }

    pub(super) fn to(&self, code: &[u8]) -> f32 {
        let tables = self.0.iter().zip(code);
        tables.map(|(table, byte)| table[usize::from(*byte)]).sum()
    }
}

/// Adds kept vectors up.
#[derive(Default)]
pub(super) struct Sum {
    sums: Vec<f32>,
    pub(super) count: u64,
}

impl Sum {
    pub(super) fn add(&mut self, kept: &[u8]) {
        let (numbers, _) = kept.as_chunks::<WIDTH>();
        let length = self.sums.len().max(numbers.len());
        self.sums.resize(length, 0.0);
        for (sum, x) in self.sums.iter_mut().zip(numbers) {
            *sum += f32::from_le_bytes(*x);
        }
        self.count += 1;
    }

    /// The direction between them: the unit vector of the sum, as bytes. `None` of none, or of
    /// ones that cancel each other out.
    pub(super) fn direction(&self) -> Option<Vec<u8>> {
        let length = self.sums.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length == 0.0 || !length.is_finite() {
            return None;
        }
        let unit: Vec<f32> = self.sums.iter().map(|sum| sum / length).collect();
        Some(to_bytes(&unit))
    }
}

/// Keeps the best of what it is shown, in little memory.
pub(super) struct Best {
    limit: usize,
    /// The worst of the kept ones is on top.
    heap: BinaryHeap<Reverse<Scored>>,
}

/// A passage with its score.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    pub(super) score: f32,
    pub(super) chunk: i64,
    pub(super) id: u128,
}

impl Ord for Scored {
    /// The greater the better: a higher score, and of equal ones the lower id.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scored {}

impl Best {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            heap: BinaryHeap::with_capacity(limit + 1),
        }
    }

    pub(super) fn show(&mut self, scored: Scored) {
        if self.heap.len() < self.limit {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && scored > worst.0
        {
            *worst = Reverse(scored);
        }
    }

    /// What was kept, the best first.
    pub(super) fn into_sorted(self) -> Vec<Scored> {
        // Ascending order of `Reverse` is descending order of what it reverses.
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|Reverse(scored)| scored).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dot_product_is_that_of_the_definition() {
        for length in [0, 1, 15, 16, 17, 64, 100] {
            let a: Vec<f32> = (0_u8..length).map(|i| f32::from(i) - 7.5).collect();
            let b: Vec<f32> = (0_u8..length).map(|i| 3.0 - f32::from(i) / 2.0).collect();
            let expected: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            let found = dot(&a, &to_bytes(&b));
            assert!(
                (found - expected).abs() <= expected.abs() * 1e-5,
                "{length}"
            );
        }
    }

    #[test]
    fn the_mean_direction_has_length_one() {
        let mut sum = Sum::default();
        assert_eq!(sum.direction(), None);
        sum.add(&to_bytes(&[1.0, 0.0]));
        sum.add(&to_bytes(&[0.0, 1.0]));
        let mean = sum.direction().expect("it has a direction");
        assert!((dot(&[1.0, 0.0], &mean) - 0.5_f32.sqrt()).abs() < 1e-6);
        sum.add(&to_bytes(&[-1.0, -1.0]));
        assert_eq!(sum.direction(), None);
    }

    #[test]
    fn the_estimate_is_the_product_with_the_signs() {
        let query: Vec<f32> = (0_u8..21).map(|i| f32::from(i) - 8.5).collect();
        let kept: Vec<f32> = (0_u8..21).map(|i| f32::from(i % 3) - 1.0).collect();
        let signs = kept.iter().map(|x| if *x >= 0.0 { 1.0 } else { -1.0 });
        let expected: f32 = query.iter().zip(signs).map(|(x, sign)| x * sign).sum();
        let found = Estimate::of(&query).to(&code(&kept));
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        assert_eq!(code(&kept).len(), 3);
    }

    #[test]
    fn the_best_come_first_and_equal_ones_by_id() {
        let mut best = Best::new(3);
        for (id, score) in [(5, 0.1), (4, 0.9), (3, 0.5), (2, 0.5), (1, 0.2)] {
            best.show(Scored {
                score,
                chunk: 0,
                id,
            });
        }
        let ids: Vec<_> = best.into_sorted().iter().map(|kept| kept.id).collect();
        assert_eq!(ids, [4, 2, 3]);
    }

    #[test]
    fn no_room_keeps_nothing() {
        let mut best = Best::new(0);
        best.show(Scored {
            score: 1.0,
            chunk: 0,
            id: 1,
        });
        assert!(best.into_sorted().is_empty());
    }
}
