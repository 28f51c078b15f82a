//! The entropy of a row: -sum p ln p, many cells at a time.
//!
//! `ln` is our own because no library offers one that works on many lanes on stable Rust and gives
//! the same bits on every CPU: operations in a fixed order, and fused where they are written so. A
//! fused multiplication and addition is exact wherever it runs; an x86 CPU from before 2013, which
//! has none, computes it in software, and takes some twenty times longer for this one score.

use crate::format::Format;
use crate::lanes::{Terms, sum_of_entries, sum_of_row};
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};

/// -sum p ln p over a row of valid cells none of which is negative; a cell of 0 adds nothing.
///
/// Whoever checks the row before fetches the even lines of the matrix ahead, this the odd ones.
pub(crate) fn entropy<F: Format>(row: &[F::Bits], level: Level) -> f64 {
    simd::dispatch(level, Entropy::<F>(row))
}

struct Entropy<'a, F: Format>(&'a [F::Bits]);

impl<F: Format> Kernel for Entropy<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        -sum_of_row::<F, _>(self.0, &mut XLogX, &mut [], Fetch::Odd) * F::Real::UNIT
    }
}

/// The terms of an entropy.
struct XLogX;

impl<F: Format> Terms<F> for XLogX {
    const ARE_KEPT: bool = false;

    #[inline(always)]
    fn fill<const N: usize>(&self, terms: &mut [F::Real; N], _first: usize, cells: &[F::Bits; N]) {
        for (term, &bits) in terms.iter_mut().zip(cells) {
            *term = F::real(bits).x_log_x();
        }
    }
}

/// The same of a row of which a few entries are stored, each but once, by ascending class, and their
/// terms have been computed.
#[inline(always)]
pub(crate) fn entropy_of_entries<R: Real>(classes: &[u32], terms: &[R]) -> f64 {
    -sum_of_entries(classes, terms) * R::UNIT
}

/// The float that rows are added up in.
pub trait Real: Copy + PartialOrd + Default + Send + Sync + 'static {
    /// 0.
    const ZERO: Self;
    /// Above every number.
    const HIGHEST: Self;
    /// In what unit logarithms are counted.
    const UNIT: f64;
    /// ln x / UNIT for 0 < x; some finite number at 0.
    fn ln_in_units(self) -> Self;
    /// x ln x / UNIT for 0 < x; 0 at 0.
    fn x_log_x(self) -> Self;
    /// The nearest one.
    fn of(value: f64) -> Self;
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// The product.
    fn times(self, other: Self) -> Self;
    /// As a float64.
    fn double(self) -> f64;

    /// The larger one.
    #[inline(always)]
    #[must_use]
    fn or_larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const HIGHEST: Self = f32::INFINITY;
    // ln 2 / 2^23: so the bits of a float, as an integer, are nearly its logarithm.
    const UNIT: f64 = std::f64::consts::LN_2 / 8_388_608.0;

    /// log2 within 2.6e-7 of itself for normal x up to 1; below, x ln x is under 1e-35 anyway.
    ///
    /// With x = m 2^e and m in [1, 2), the bits of x less those of 1 are 2^23 (e + m - 1). What
    /// lacks is log2 m - (m - 1) = (m - 1)(m - 2) H(m - 1), which is 0 at both ends, so that nothing
    /// cancels next to 1. H is the polynomial of degree 6 with the smallest relative error of
    /// log2 below 1 (1.7e-7, by Lawson's algorithm): one degree less shows in a float32, one more
    /// does not.
    #[inline(always)]
    fn ln_in_units(self) -> f32 {
        const SCALE: f32 = 8_388_608.0; // 2^23
        const ONE: u32 = 0x3f80_0000;
        const MANTISSA: u32 = 0x007f_ffff;
        let bits = self.to_bits();
        let linear = bits.wrapping_sub(ONE).cast_signed() as f32;
        let t = f32::from_bits(bits & MANTISSA | ONE) - 1.0;
        let h = (-0.006_863_312_3 * SCALE)
            .mul_add(t, 0.035_247_296 * SCALE)
            .mul_add(t, -0.085_831_68 * SCALE)
            .mul_add(t, 0.141_894_2 * SCALE)
            .mul_add(t, -0.198_693_32 * SCALE)
            .mul_add(t, 0.278_275_37 * SCALE)
            .mul_add(t, -0.442_681_16 * SCALE);
        t.mul_add(t, -t).mul_add(h, linear)
    }

    #[inline(always)]
    fn x_log_x(self) -> f32 {
        self * self.ln_in_units()
    }

    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn plus(self, other: f32) -> f32 {
        self + other
    }

    #[inline(always)]
    fn times(self, other: f32) -> f32 {
        self * other
    }

    #[inline(always)]
    fn double(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const HIGHEST: Self = f64::INFINITY;
    const UNIT: f64 = 1.0;

    #[inline(always)]
    fn ln_in_units(self) -> f64 {
        ln(self)
    }

    #[inline(always)]
    fn x_log_x(self) -> f64 {
        self * self.ln_in_units()
    }

    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn plus(self, other: f64) -> f64 {
        self + other
    }

    #[inline(always)]
    fn times(self, other: f64) -> f64 {
        self * other
    }

    #[inline(always)]
    fn double(self) -> f64 {
        self
    }
}

/// Within 1 ulp of the logarithm of normal x: the method of Sun's fdlibm, `e_log.c`, without its
/// cases.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const LN2_HEAD: f64 = 6.931_471_803_691_238e-1;
    const LN2_TAIL: f64 = 1.908_214_929_270_587_7e-10;
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
    e * LN2_HEAD - ((half_square - tail) - f)
}

/// ln(1 + x) for x >= 0: the logarithm of the rounded sum, and what was rounded off.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    ln(sum) + (x - (sum - 1.0)) / sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Float16, Float32, Float64};
    use proptest::prelude::*;

    #[test]
    fn nothing_is_added_at_zero_and_one() {
        for x in [0.0_f64, 1.0] {
            assert_eq!(x.x_log_x(), 0.0);
            assert_eq!((x as f32).x_log_x(), 0.0);
        }
        assert!((f64::from(f32::from_bits(1).x_log_x()) * f32::UNIT).abs() < 1e-35);
        assert!(f64::from_bits(1).x_log_x().abs() < 1e-300);
    }

    proptest! {
        #[test]
        fn x_log_x_is_close(x in prop_oneof![1e-300..1e-6_f64, 1e-6..1.000_001_f64]) {
            let exact = x * x.ln();
            prop_assert!((x.x_log_x() - exact).abs() <= 5e-16 * exact.abs().max(x));
            let narrow = x as f32;
            if narrow.is_normal() && narrow <= 1.0 {
                let exact = f64::from(narrow) * f64::from(narrow).ln();
                let error = (f64::from(narrow.x_log_x()) * f32::UNIT - exact).abs();
                prop_assert!(error <= 4e-7 * exact.abs());
            }
        }

        #[test]
        fn ln_1p_is_close(x in prop_oneof![1e-20..1e-6_f64, 1e-6..1.0_f64, 1.0..1e8_f64]) {
            prop_assert!((ln_1p(x) - x.ln_1p()).abs() <= 5e-16 * x.ln_1p());
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
