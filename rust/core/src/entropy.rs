//! The entropy of a row: -sum p ln p, many cells at a time.
//!
//! `ln` is our own because no library offers one that works on many lanes on stable Rust and gives
//! the same bits on every CPU: operations in a fixed order, and fused where they are written so. A
//! fused multiplication and addition is exact wherever it runs; an x86 CPU from before 2013, which
//! has none, computes it in software, and takes some twenty times longer for this one score.

use crate::format::Format;
use crate::scan::PREFETCH_BYTES;
use crate::simd::{self, Kernel, Level, prefetch};

/// Cells looked at together. Fixed, because the order of additions is part of the answer.
const LANES: usize = 16;
/// Float32 terms are added in float32 for this many steps, then in float64.
const STEPS: usize = 8;

/// -sum p ln p over a row of valid cells none of which is negative; a cell of 0 adds nothing.
pub(crate) fn entropy<F: Format>(row: &[F::Bits], level: Level) -> f64 {
    simd::dispatch(level, Entropy::<F>(row))
}

struct Entropy<'a, F: Format>(&'a [F::Bits]);

impl<F: Format> Kernel for Entropy<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        entropy_of_lanes::<F>(self.0)
    }
}

#[inline(always)]
fn entropy_of_lanes<F: Format>(row: &[F::Bits]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    for part in row.chunks(LANES * STEPS) {
        // The terms first, then their sums: as one loop, the compiler keeps the sums in memory.
        let mut terms = [[F::Real::ZERO; LANES]; STEPS];
        let (chunks, rest) = part.as_chunks::<LANES>();
        for (terms, cells) in terms.iter_mut().zip(chunks) {
            prefetch(cells.as_ptr().wrapping_byte_add(PREFETCH_BYTES));
            for lane in 0..LANES {
                terms[lane] = F::real(cells[lane]).x_ln_x();
            }
        }
        for (term, &bits) in terms.as_flattened_mut()[chunks.len() * LANES..].iter_mut().zip(rest) {
            *term = F::real(bits).x_ln_x();
        }
        let mut partial = [F::Real::ZERO; LANES];
        for terms in &terms {
            for lane in 0..LANES {
                partial[lane] = partial[lane].plus(terms[lane]);
            }
        }
        for lane in 0..LANES {
            sums[lane] += partial[lane].double();
        }
    }
    -sums.into_iter().sum::<f64>()
}

/// The float that rows are added up in.
pub trait Real: Copy {
    /// 0.
    const ZERO: Self;
    /// x ln x for 0 < x; 0 at 0.
    fn x_ln_x(self) -> Self;
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// As a float64.
    fn double(self) -> f64;
}

impl Real for f32 {
    const ZERO: Self = 0.0;

    /// ln within 2.4e-7 of itself for normal x; below, x ln x is under 1e-35 anyway.
    ///
    /// x = m 2^e with m in [sqrt(1/2), sqrt(2)), and ln(1 + f) = f + f^2 Q(f) for f = m - 1. Q is
    /// the polynomial of degree 6 with the smallest relative error of ln (1.8e-7, by Lawson's
    /// algorithm): one degree less shows in a float32, one more does not.
    #[inline(always)]
    fn x_ln_x(self) -> f32 {
        const SQRT_HALF: u32 = 0x3f35_04f3;
        let bits = self.to_bits();
        let exponent = bits.wrapping_sub(SQRT_HALF).cast_signed() >> 23;
        let f = f32::from_bits(bits.wrapping_sub((exponent << 23).cast_unsigned())) - 1.0;
        let q = (-0.100_823_79_f32)
            .mul_add(f, 0.161_805_02)
            .mul_add(f, -0.172_432_24)
            .mul_add(f, 0.199_068_83)
            .mul_add(f, -0.249_712_29)
            .mul_add(f, 0.333_347_14)
            .mul_add(f, -0.500_003_2);
        self * (exponent as f32).mul_add(std::f32::consts::LN_2, (f * q).mul_add(f, f))
    }

    #[inline(always)]
    fn plus(self, other: f32) -> f32 {
        self + other
    }

    #[inline(always)]
    fn double(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;

    /// Within 1 ulp of ln for normal x: the method of Sun's fdlibm, `e_log.c`, without its cases.
    #[inline(always)]
    fn x_ln_x(self) -> f64 {
        const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
        const LN2_HEAD: f64 = 6.931_471_803_691_238e-1;
        const LN2_TAIL: f64 = 1.908_214_929_270_587_7e-10;
        let x = self;
        let exponent = (x.to_bits().wrapping_sub(SQRT_HALF)).cast_signed() >> 52;
        let m = f64::from_bits(x.to_bits().wrapping_sub((exponent << 52).cast_unsigned()));
        let e = f64::from(exponent as i32);
        let f = m - 1.0;
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let even = w
            * (3.999_999_999_940_942e-1
                + w * (2.222_219_843_214_978_4e-1 + w * 1.531_383_769_920_937_3e-1));
        let odd = z
            * (6.666_666_666_666_735e-1
                + w * (2.857_142_874_366_239e-1
                    + w * (1.818_357_216_161_805e-1 + w * 1.479_819_860_511_658_6e-1)));
        let half_square = 0.5 * f * f;
        let tail = s * (half_square + (even + odd)) + e * LN2_TAIL;
        x * (e * LN2_HEAD - ((half_square - tail) - f))
    }

    #[inline(always)]
    fn plus(self, other: f64) -> f64 {
        self + other
    }

    #[inline(always)]
    fn double(self) -> f64 {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Float16, Float32, Float64};
    use proptest::prelude::*;

    #[test]
    fn nothing_is_added_at_zero_and_one() {
        for x in [0.0_f64, 1.0] {
            assert_eq!(x.x_ln_x(), 0.0);
            assert_eq!((x as f32).x_ln_x(), 0.0);
        }
        assert!(f32::from_bits(1).x_ln_x().abs() < 1e-35);
        assert!(f64::from_bits(1).x_ln_x().abs() < 1e-300);
    }

    proptest! {
        #[test]
        fn x_ln_x_is_close(x in prop_oneof![1e-300..1e-6_f64, 1e-6..1.000_001_f64]) {
            let exact = x * x.ln();
            prop_assert!((x.x_ln_x() - exact).abs() <= 3e-16 * exact.abs().max(x));
            let narrow = x as f32;
            if narrow.is_normal() {
                let exact = f64::from(narrow) * f64::from(narrow).ln();
                let error = (f64::from(narrow.x_ln_x()) - exact).abs();
                prop_assert!(error <= 4e-7 * exact.abs());
            }
        }

        #[test]
        fn entropy_is_the_sum(row in prop::collection::vec(0.0..1.0_f64, 2..400)) {
            let total: f64 = row.iter().sum();
            let row: Vec<f64> = row.iter().map(|p| p / total).collect();
            let exact = |row: &[f64]| -row.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>();
            let bits: Vec<u64> = row.iter().map(|p| p.to_bits()).collect();
            prop_assert!((entropy::<Float64>(&bits, Level::chosen()) - exact(&row)).abs() < 1e-13);
            let bits: Vec<u32> = row.iter().map(|p| (*p as f32).to_bits()).collect();
            prop_assert!((entropy::<Float32>(&bits, Level::chosen()) - exact(&row)).abs() < 1e-5);
            let narrow: Vec<half::f16> = row.iter().map(|p| half::f16::from_f64(*p)).collect();
            let widened: Vec<f64> = narrow.iter().map(|p| p.to_f64()).collect();
            let bits: Vec<u16> = narrow.iter().map(|p| p.to_bits()).collect();
            prop_assert!((entropy::<Float16>(&bits, Level::chosen()) - exact(&widened)).abs() < 1e-5);
        }
    }
}
