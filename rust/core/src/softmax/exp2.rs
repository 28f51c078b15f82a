//! Powers of two, many at a time, that never fall where their exponent rises.
//!
//! Like the logarithm of [`crate::entropy`] this is our own because no library offers one that works
//! on many lanes on stable Rust and gives the same bits on every CPU.
//!
//! An exponent y <= -1 is cut into a whole number n and a rest f in [-1/2, 1/2]; then
//! 2^y = 2^n (1 + f q(f)) with a polynomial q. Since |y| >= 1, neighbouring exponents are 2^-23 (2^-52
//! in float64) or more apart. That moves the result further than the rounding of q does, which is
//! weighed by f: so it never falls where y rises, and the class with the largest logit is the most
//! probable one. A test looks at every float32.

use crate::entropy::Real;
use crate::format::{Float32, Float64, Format, Scores};

/// A float that logits are read in, and probabilities computed in.
pub trait Exponent: Real {
    /// How probabilities of this width are written.
    type Probability: Format<Real = Self>;
    /// The same, with keys in order on both sides of zero.
    type Signed: Format<Real = Self, Bits = <Self::Probability as Format>::Bits>;
    /// Below every logit.
    const LOWEST: Self;
    /// No exponent is lower: what would be is so close to 0 that it counts as 0. Far enough from the
    /// smallest float that dividing by the sum of a row leaves no denormal number.
    const LEAST_EXPONENT: Self;
    /// The difference.
    fn minus(self, other: Self) -> Self;
    /// The quotient.
    fn over(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once.
    fn times_plus(self, factor: Self, term: Self) -> Self;
    /// 2^self for an exponent from `LEAST_EXPONENT` to as far above 0.
    fn power_of_two(self) -> Self;
    /// As a cell.
    fn cell(self) -> <Self::Probability as Format>::Bits;
}

/// The largest of some lanes: of pairs, pairs of pairs and so on, which are whole registers at first.
#[inline(always)]
pub(crate) fn largest_lane<R: Exponent, const N: usize>(mut lanes: [R; N]) -> R {
    let mut n = N / 2;
    while n > 0 {
        for lane in 0..n {
            lanes[lane] = lanes[lane].or_larger(lanes[lane + n]);
        }
        n /= 2;
    }
    lanes[0]
}

/// The sum of some lanes, added up in the same way.
#[inline(always)]
pub(super) fn sum_of_lanes<R: Exponent, const N: usize>(mut lanes: [R; N]) -> R {
    let mut n = N / 2;
    while n > 0 {
        for lane in 0..n {
            lanes[lane] = lanes[lane].plus(lanes[lane + n]);
        }
        n /= 2;
    }
    lanes[0]
}

macro_rules! exponent {
    ($real:ty, $probability:ty, $least:literal, $half:literal, $mantissa:literal, $q:expr) => {
        impl Exponent for $real {
            type Probability = $probability;
            type Signed = Scores<$probability>;
            const LOWEST: Self = <$real>::NEG_INFINITY;
            const LEAST_EXPONENT: Self = $least;

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }

            #[inline(always)]
            fn over(self, other: Self) -> Self {
                self / other
            }

            #[inline(always)]
            fn times_plus(self, factor: Self, term: Self) -> Self {
                self.mul_add(factor, term)
            }

            #[inline(always)]
            #[allow(clippy::approx_constant)] // the first coefficient is near ln 2, and fits better
            fn power_of_two(self) -> Self {
                // Where the spacing of floats is 1, an addition rounds to whole numbers.
                let shifted = self + $half;
                let f = self - (shifted - $half);
                let q: &[$real] = &$q;
                let mut sum = q[q.len() - 1];
                for &coefficient in q[..q.len() - 1].iter().rev() {
                    sum = sum.mul_add(f, coefficient);
                }
                let power = f.mul_add(sum, 1.0);
                <$real>::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << $mantissa))
            }

            #[inline(always)]
            fn cell(self) -> <$probability as Format>::Bits {
                self.to_bits()
            }
        }
    };
}

// The q with the smallest relative error of 2^f, by Lawson's algorithm: 9.1e-8.
exponent!(
    f32,
    Float32,
    -100.0,
    12_582_912.0, // 1.5 * 2^23
    23,
    [0.693_147, 0.240_222_42, 0.055_507_336, 0.009_671_513, 0.001_326_472_4]
);

// 3.5e-18.
exponent!(
    f64,
    Float64,
    -900.0,
    6_755_399_441_055_744.0, // 1.5 * 2^52
    52,
    [
        std::f64::consts::LN_2,
        0.240_226_506_959_101_3,
        0.055_504_108_664_820_08,
        0.009_618_129_107_594_133,
        0.001_333_355_814_677_578_7,
        0.000_154_035_304_570_914_7,
        0.000_015_252_733_491_933_11,
        0.000_001_321_543_529_406_348_4,
        0.000_000_101_782_000_970_720_05,
        0.000_000_007_073_781_096_362_287,
        0.000_000_000_443_468_849_033_642_5
    ]
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_float32_power_falls_where_its_exponent_rises() {
        let (mut before, mut worst) = (0.0_f32, 0.0_f64);
        for bits in (1.0_f32.to_bits()..=100.0_f32.to_bits()).rev() {
            let exponent = -f32::from_bits(bits);
            let power = exponent.power_of_two();
            assert!(power >= before, "{exponent}");
            before = power;
            if bits % 64 == 0 {
                let exact = f64::from(exponent).exp2();
                worst = worst.max((f64::from(power) - exact).abs() / exact);
            }
        }
        assert!(worst < 1.7e-7, "{worst:e}");
        assert_eq!((-1.0_f32).power_of_two(), 0.5);
    }

    proptest! {
        #[test]
        fn float64_powers_are_close_and_rise(exponent in -900.0..900.0_f64) {
            let exact = f64::exp2(exponent);
            let power = Exponent::power_of_two(exponent);
            prop_assert!((power - exact).abs() <= 4e-16 * exact);
            let mut next = exponent;
            for _ in 0..8 {
                let below = Exponent::power_of_two(next);
                next = next.next_up();
                prop_assert!(Exponent::power_of_two(next) >= below);
            }
        }
    }
}
