//! How the bits of one cell are read: float16, bfloat16, float32 and float64, as probabilities or as
//! scores.
//!
//! A sweep compares integers, the *keys* of cells: no widening, no rounding, no NaN that fails a
//! comparison, and the same answer at every CPU level by construction. Arithmetic, where there is
//! any, is done on cells widened to float64, which is exact.
//!
//! Probabilities are never negative, and for such floats the order of the values is the order of
//! their bits read as unsigned integers (IEEE 754-2008, 5.10): their bits are their keys, and those
//! of a NaN are larger than any valid cell's. Scores have signs: sign and magnitude are turned into
//! a two's complement, which takes four operations, and the keys of NaNs lie beyond both ends.

use std::marker::PhantomData;

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use crate::softmax::Exponent;
use crate::thresholds::{FLOOR, NEVER};

/// How cells are written, and what they mean.
pub trait Format: Copy + Send + Sync + 'static {
    /// What lies in memory: an unsigned integer of the cell's width.
    type Bits: Bits;
    /// The integer whose order is that of the values.
    type Key: Key;
    /// The float that arithmetic on whole rows is done in.
    type Real: Exponent;
    /// What cells mean.
    const MEANING: Meaning;
    /// Whether they are probabilities. Where a constant says no, no code is made for them.
    const HAS_PROBABILITIES: bool = matches!(Self::MEANING, Meaning::Probability);

    /// The key of a cell.
    fn key(bits: Self::Bits) -> Self::Key;

    /// The cell that has a key.
    fn bits(key: Self::Key) -> Self::Bits;

    /// The value of a cell, exactly.
    fn value(bits: Self::Bits) -> f64;

    /// The value of a cell, exactly, without branches (a compiler can do many at once).
    fn real(bits: Self::Bits) -> Self::Real;

    /// A cell nearest to `value`.
    fn nearest(value: f64) -> Self::Bits;

    /// The value of the cell that has a key, exactly.
    #[must_use]
    #[inline(always)]
    fn widen(key: Self::Key) -> f64 {
        Self::value(Self::bits(key))
    }

    /// Key of the smallest cell that is not below `value`: for every valid cell, `cell >= value` in
    /// float64 equals `key(cell) >= round_up(value)`.
    ///
    /// Probabilities begin at the cell 0, so that is what it is at and below zero.
    #[must_use]
    fn round_up(value: f64) -> Self::Key {
        if Self::MEANING == Meaning::Probability && value <= 0.0 {
            return Self::Key::ZERO;
        }
        let nearest = Self::key(Self::nearest(value));
        if Self::widen(nearest) < value { nearest.next() } else { nearest }
    }

    /// Key of the largest valid cell.
    #[must_use]
    fn largest() -> Self::Key {
        let end = Self::MEANING.largest();
        let above = Self::round_up(end);
        if Self::widen(above) > end { above.previous() } else { above }
    }

    /// Key of the smallest valid cell whose key is in order.
    #[must_use]
    fn smallest() -> Self::Key {
        Self::round_up(-Self::MEANING.largest())
    }
}

/// What the cells of a matrix mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meaning {
    /// P(class), from 0 to 1.
    Probability,
    /// How much speaks for the class: any real numbers, such as SVM decision distances.
    Score,
}

/// How far outside [0, 1] a probability may lie: what rounding leaves in practice.
pub const RANGE_TOLERANCE: f64 = 1e-6;

/// No score is further from 0, so that sums of them are exact: 2^32.
pub const LARGEST_SCORE: f64 = 4_294_967_296.0;

impl Meaning {
    /// The largest value that a cell may have.
    #[must_use]
    pub fn largest(self) -> f64 {
        match self {
            Self::Probability => 1.0 + RANGE_TOLERANCE,
            Self::Score => LARGEST_SCORE,
        }
    }

    /// Threshold of a class that nobody was given: no cell reaches it.
    #[must_use]
    pub fn never(self) -> f64 {
        match self {
            Self::Probability => NEVER,
            Self::Score => f64::INFINITY,
        }
    }

    /// No threshold is lower, so that a probability of 0 is never confident.
    #[must_use]
    pub fn least_threshold(self) -> f64 {
        match self {
            Self::Probability => FLOOR,
            Self::Score => f64::NEG_INFINITY,
        }
    }

    /// Whether a cell may have a value.
    #[must_use]
    #[inline(always)]
    pub fn allows(self, value: f64) -> bool {
        // False for NaN, which fails every comparison.
        match self {
            Self::Probability => (-RANGE_TOLERANCE..=1.0 + RANGE_TOLERANCE).contains(&value),
            Self::Score => (-LARGEST_SCORE..=LARGEST_SCORE).contains(&value),
        }
    }
}

/// What lies in memory.
pub trait Bits: Copy + Ord + Send + Sync + 'static {
    /// All bits zero: the cell 0.
    const ZERO: Self;
    /// All bits one: no number, in any format.
    const ONES: Self;

    /// Cells as they lie in memory.
    fn as_bytes_mut(cells: &mut [Self]) -> &mut [u8];
}

/// An integer whose order is that of the cells.
pub trait Key: Copy + Ord + Send + Sync + 'static {
    /// Signed integer of the same width, to have a value below every valid cell.
    type Signed: Copy + Ord + Send + Sync;
    /// Not above any valid cell. Of probabilities the cell 0.
    const ZERO: Self;
    /// Above every valid cell.
    const MAX: Self;
    /// Below every valid cell.
    const NONE: Self::Signed;
    /// The same, signed: keeps the order of valid cells.
    fn signed(self) -> Self::Signed;
    /// The key of a signed integer.
    fn of_signed(signed: Self::Signed) -> Self;
    /// The next smaller integer.
    #[must_use]
    fn previous(self) -> Self;
    /// The next larger integer.
    #[must_use]
    fn next(self) -> Self;
}

macro_rules! bits_and_keys {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl Bits for $unsigned {
            const ZERO: Self = 0;
            const ONES: Self = Self::MAX;

            fn as_bytes_mut(cells: &mut [Self]) -> &mut [u8] {
                let size = size_of_val(cells);
                // SAFETY: they are integers, which any bytes are, and stay borrowed.
                unsafe { std::slice::from_raw_parts_mut(cells.as_mut_ptr().cast(), size) }
            }
        }

        /// Of probabilities.
        impl Key for $unsigned {
            type Signed = $signed;
            const ZERO: Self = 0;
            const MAX: Self = <$unsigned>::MAX;
            const NONE: $signed = -1;
            #[inline(always)]
            fn signed(self) -> $signed {
                self.cast_signed()
            }
            #[inline(always)]
            fn of_signed(signed: $signed) -> Self {
                signed.cast_unsigned()
            }
            fn previous(self) -> Self {
                self - 1
            }
            fn next(self) -> Self {
                self + 1
            }
        }

        /// Of scores.
        impl Key for $signed {
            type Signed = $signed;
            const ZERO: Self = <$signed>::MIN;
            const MAX: Self = <$signed>::MAX;
            const NONE: $signed = <$signed>::MIN;
            #[inline(always)]
            fn signed(self) -> $signed {
                self
            }
            #[inline(always)]
            fn of_signed(signed: $signed) -> Self {
                signed
            }
            fn previous(self) -> Self {
                self - 1
            }
            fn next(self) -> Self {
                self + 1
            }
        }
    )*};
}
bits_and_keys! { u16, i16; u32, i32; u64, i64; }

/// A format of probabilities: cells are their own keys.
macro_rules! probability {
    ($bits:ty, $real:ty) => {
        type Bits = $bits;
        type Key = $bits;
        type Real = $real;
        const MEANING: Meaning = Meaning::Probability;
        #[inline(always)]
        fn key(bits: $bits) -> $bits {
            bits
        }
        #[inline(always)]
        fn bits(key: $bits) -> $bits {
            key
        }
    };
}

/// IEEE 754 binary16.
#[derive(Debug, Clone, Copy)]
pub struct Float16;

impl Format for Float16 {
    probability!(u16, f32);
    #[inline(always)]
    fn value(bits: u16) -> f64 {
        f16::from_bits(bits).to_f64()
    }
    #[inline(always)]
    fn real(bits: u16) -> f32 {
        // The exponent is rebased from 15 to 127. A subnormal has an implied 0, not 1, before the
        // point: the 1 that rebasing gave it is taken off again.
        let magnitude = u32::from(bits & 0x7fff) << 13;
        let normal = f32::from_bits(magnitude + (112 << 23));
        let subnormal = f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23);
        // Infinities and NaNs, which logits are checked for after they are widened.
        let special = f32::from_bits(magnitude | 0xff << 23);
        let value = if magnitude < 1 << 23 { subnormal } else { normal };
        let value = if magnitude < 31 << 23 { value } else { special };
        if bits > 0x7fff { -value } else { value }
    }
    fn nearest(value: f64) -> u16 {
        f16::from_f64(value).to_bits()
    }
}

/// The upper half of a float32.
#[derive(Debug, Clone, Copy)]
pub struct BFloat16;

impl Format for BFloat16 {
    probability!(u16, f32);
    #[inline(always)]
    fn value(bits: u16) -> f64 {
        f64::from(Self::real(bits))
    }
    #[inline(always)]
    fn real(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }
    fn nearest(value: f64) -> u16 {
        bf16::from_f64(value).to_bits()
    }
}

/// IEEE 754 binary32.
#[derive(Debug, Clone, Copy)]
pub struct Float32;

impl Format for Float32 {
    probability!(u32, f32);
    #[inline(always)]
    fn value(bits: u32) -> f64 {
        f64::from(f32::from_bits(bits))
    }
    #[inline(always)]
    fn real(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
    fn nearest(value: f64) -> u32 {
        (value as f32).to_bits()
    }
}

/// IEEE 754 binary64.
#[derive(Debug, Clone, Copy)]
pub struct Float64;

impl Format for Float64 {
    probability!(u64, f64);
    #[inline(always)]
    fn value(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn real(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    fn nearest(value: f64) -> u64 {
        value.to_bits()
    }
}

/// Scores in the cells of a format of probabilities.
#[derive(Debug, Clone, Copy)]
pub struct Scores<F>(PhantomData<F>);

macro_rules! scores {
    ($($format:ty, $bits:ty, $signed:ty, $real:ty;)*) => {$(
        impl Format for Scores<$format> {
            type Bits = $bits;
            type Key = $signed;
            type Real = $real;
            const MEANING: Meaning = Meaning::Score;
            #[inline(always)]
            fn key(bits: $bits) -> $signed {
                let is_negative = bits.cast_signed() >> (<$bits>::BITS - 1);
                let magnitude = (bits & (<$bits>::MAX >> 1)).cast_signed();
                (magnitude ^ is_negative).wrapping_sub(is_negative)
            }
            #[inline(always)]
            fn bits(key: $signed) -> $bits {
                let sign = key.cast_unsigned() & !(<$bits>::MAX >> 1);
                key.unsigned_abs() | sign
            }
            #[inline(always)]
            fn value(bits: $bits) -> f64 {
                <$format>::value(bits)
            }
            #[inline(always)]
            fn real(bits: $bits) -> $real {
                <$format>::real(bits)
            }
            fn nearest(value: f64) -> $bits {
                <$format>::nearest(value)
            }
        }
    )*};
}
scores! {
    Float32, u32, i32, f32;
    Float64, u64, i64, f64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds_up<F: Format>(value: f64) {
        let up = F::round_up(value);
        assert!(F::widen(up) >= value, "{value:e}");
        if value > 0.0 {
            assert!(F::widen(up.previous()) < value, "{value:e}");
        }
    }

    fn scores_round_up<F>(value: f64)
    where
        Scores<F>: Format,
    {
        let up = Scores::<F>::round_up(value);
        assert!(Scores::<F>::widen(up) >= value, "{value:e}");
        assert!(Scores::<F>::widen(up.previous()) < value, "{value:e}");
    }

    #[test]
    fn keys_of_scores_are_in_the_order_of_their_values() {
        let odd = [
            f32::NEG_INFINITY,
            -f32::MAX,
            -2.0,
            -1e-40,
            0.0,
            1e-40,
            0.5,
            3.0,
            f32::MAX,
            f32::INFINITY,
        ];
        let keys = odd.map(|value| Scores::<Float32>::key(value.to_bits()));
        assert!(keys.is_sorted());
        for (value, key) in odd.iter().zip(keys) {
            assert_eq!(Scores::<Float32>::widen(key), f64::from(*value));
        }
        let zero = Scores::<Float32>::key(0.0_f32.to_bits());
        assert_eq!(Scores::<Float32>::key((-0.0_f32).to_bits()), zero);
        for nan in [f32::NAN, -f32::NAN] {
            let key = Scores::<Float32>::key(nan.to_bits());
            assert!(key > Scores::<Float32>::largest() || key < Scores::<Float32>::smallest());
        }
        assert_eq!(Scores::<Float64>::widen(Scores::<Float64>::smallest()), -LARGEST_SCORE);
    }

    #[test]
    fn round_up_is_the_smallest_cell_not_below() {
        let odd = [1e-9, 1e-6, 0.1, 1.0 / 3.0, 0.5, 0.7, 0.999_999_9, 1.0, 1.000_001, 2.0];
        for value in odd {
            rounds_up::<Float16>(value);
            rounds_up::<BFloat16>(value);
            rounds_up::<Float32>(value);
            rounds_up::<Float64>(value);
        }
        for value in odd.into_iter().flat_map(|value| [1e3 * value, -1e3 * value]) {
            scores_round_up::<Float32>(value);
            scores_round_up::<Float64>(value);
        }
        assert_eq!(Float32::round_up(-3.0), 0);
        assert_eq!(Float16::widen(Float16::round_up(1e300)), f64::INFINITY);
    }

    #[test]
    fn every_float16_cell_is_read_exactly() {
        for bits in 0..=u16::MAX {
            let (real, value) = (f64::from(Float16::real(bits)), Float16::widen(bits));
            assert!(real == value || real.is_nan() && value.is_nan(), "{bits:#x}");
        }
    }

    #[test]
    fn the_largest_cell_is_one_or_just_above() {
        assert_eq!(Float16::widen(Float16::largest()), 1.0);
        assert_eq!(BFloat16::widen(BFloat16::largest()), 1.0);
        assert_eq!(Float64::widen(Float64::largest()), 1.0 + RANGE_TOLERANCE);
        let largest = Float32::widen(Float32::largest());
        assert!(largest > 1.0 && largest <= 1.0 + RANGE_TOLERANCE);
    }
}
