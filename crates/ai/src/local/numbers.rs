//! The functions of a network that are applied to each number, without branches, so that the
//! compiler computes several at once.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// The Gaussian error linear unit, x Φ(x) (Hendrycks and Gimpel, 2016,
/// <https://arxiv.org/abs/1606.08415>).
pub(super) fn gelu(numbers: &mut [f32]) {
    for number in numbers {
        let tail = 0.5 * erfc(number.abs() * FRAC_1_SQRT_2);
        *number = number.max(0.0) - number.abs() * tail;
    }
}

/// Turns scores into shares of 1.
pub(super) fn softmax(scores: &mut [f32]) {
    let most = fold(scores, f32::NEG_INFINITY, |a, b| if a > b { a } else { b });
    for score in &mut *scores {
        *score = exp(*score - most);
    }
    let all = fold(scores, 0.0, |a, b| a + b);
    for score in scores {
        *score /= all;
    }
}

/// Folds numbers in an order that lets several be folded at once.
fn fold(numbers: &[f32], start: f32, with: impl Fn(f32, f32) -> f32) -> f32 {
    let (groups, rest) = numbers.as_chunks::<8>();
    let lanes = groups.iter().fold([start; 8], |lanes, group| {
        std::array::from_fn(|at| with(lanes[at], group[at]))
    });
    lanes.iter().chain(rest).copied().fold(start, with)
}

/// The complementary error function of a number that is not negative, to 1.5e-7: formula 7.1.26
/// of Abramowitz and Stegun, Handbook of Mathematical Functions, 1964.
fn erfc(x: f32) -> f32 {
    #[expect(clippy::excessive_precision, reason = "as they are published")]
    const A: [f32; 5] = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let t = (1.0 + 0.327_591_1 * x).recip();
    let polynomial = A.iter().rev().fold(0.0, |sum, a| (sum + a) * t);
    polynomial * exp(-x * x)
}

/// The exponential of a number that is not positive, to a few units of the last place.
fn exp(x: f32) -> f32 {
    /// Added to a number, it leaves no room for a fraction: the sum's last bits are the number
    /// rounded, with the offset of an exponent.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    // What is less comes to the least there is, as good as nothing.
    let x = x.max(-87.0);
    let shifted = x * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first of which has few enough digits for an exact product.
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let taylor = [720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0_f32];
    let power = taylor.iter().fold(0.0, |sum, n| sum * rest + n.recip());
    power * f32::from_bits(shifted.to_bits() << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from `from` up to 0, evenly.
    fn below_zero(from: f32) -> impl Iterator<Item = f32> {
        (0..=50_000_u16).map(move |step| from * (1.0 - f32::from(step) / 5e4))
    }

    #[test]
    fn the_exponential_is_right() {
        for x in below_zero(-86.0) {
            let (found, expected) = (exp(x), x.exp());
            assert!((found / expected - 1.0).abs() < 1e-6, "{x}: {found}");
        }
        assert!((exp(0.0) - 1.0).abs() < f32::EPSILON);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn the_unit_is_right() {
        // Φ by its series, in double precision.
        let phi = |x: f64| {
            let mut term = x / std::f64::consts::TAU.sqrt();
            let mut sum = 0.5;
            for n in 1..200 {
                let n = f64::from(n);
                sum += term / (2.0 * n - 1.0);
                term *= -x * x / (2.0 * n);
            }
            sum
        };
        for x in below_zero(-5.0).flat_map(|x| [x, -x]) {
            let mut found = [x];
            gelu(&mut found);
            let expected = f64::from(x) * phi(x.into());
            let off = (f64::from(found[0]) - expected).abs();
            assert!(off < 5e-7, "{x}: {found:?} rather than {expected}");
        }
        let mut far = [-40.0, 40.0, 0.0];
        gelu(&mut far);
        assert!(far[0].abs() < 1e-30 && far[1..] == [40.0, 0.0], "{far:?}");
    }

    #[test]
    fn shares_are_of_one() {
        let mut scores = [1.0, 2.0, -1000.0, 3.0];
        softmax(&mut scores);
        for (share, expected) in scores
            .iter()
            .zip([0.090_030_6, 0.244_728_5, 0.0, 0.665_240_9])
        {
            assert!((share - expected).abs() < 1e-6, "{scores:?}");
        }
    }
}
