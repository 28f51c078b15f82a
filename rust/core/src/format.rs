//! How the bits of one cell are read: float16, bfloat16, float32 and float64.
//!
//! The cells that the method compares are never negative, and for such floats the order of the
//! values is the order of their bits read as unsigned integers (IEEE 754-2008, 5.10). So the sweep
//! compares integers: no widening, no rounding, no NaN that fails a comparison (its bits are larger
//! than those of any valid cell), and the same answer at every CPU level by construction.
//! Arithmetic, where there is any, is done on cells widened to float64, which is exact.

use half::{bf16, f16};

use crate::entropy::Real;

/// How far outside [0, 1] a probability may lie: what rounding leaves in practice.
pub const RANGE_TOLERANCE: f64 = 1e-6;

/// A float format, told by the integer that carries its bits.
pub trait Format: Copy + Send + Sync + 'static {
    /// Unsigned integer of the same width.
    type Bits: Bits;
    /// The float that arithmetic on whole rows is done in.
    type Real: Real;

    /// The value of a cell, exactly.
    fn widen(bits: Self::Bits) -> f64;

    /// The value of a valid cell, exactly, without branches (a compiler can do many at once).
    fn real(bits: Self::Bits) -> Self::Real;

    /// Bits of the smallest cell that is not below `value`: for every valid cell,
    /// `cell >= value` in float64 equals `bits(cell) >= round_up(value)`.
    ///
    /// At and below zero that is the cell 0, at which valid cells begin.
    fn round_up(value: f64) -> Self::Bits;

    /// Bits of the largest valid cell: the largest one not above `1 + RANGE_TOLERANCE`.
    #[must_use]
    fn largest() -> Self::Bits {
        let above = Self::round_up(1.0 + RANGE_TOLERANCE);
        if Self::widen(above) > 1.0 + RANGE_TOLERANCE { above.previous() } else { above }
    }
}

/// The integer that carries a cell.
pub trait Bits: Copy + Ord + Send + Sync + 'static {
    /// Signed integer of the same width, to have a value below every valid cell.
    type Signed: Copy + Ord;
    /// All bits zero: the cell 0.
    const ZERO: Self;
    /// All bits one: above every cell.
    const MAX: Self;
    /// -1: below every valid cell.
    const NONE: Self::Signed;
    /// The same bits, signed: keeps the order of valid cells.
    fn signed(self) -> Self::Signed;
    /// The bits of a signed integer.
    fn of_signed(signed: Self::Signed) -> Self;
    /// The next smaller integer.
    #[must_use]
    fn previous(self) -> Self;
    /// The next larger integer.
    #[must_use]
    fn next(self) -> Self;
}

macro_rules! bits {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl Bits for $unsigned {
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
    )*};
}
bits! { u16, i16; u32, i32; u64, i64; }

/// Rounds to the nearest cell with `$narrow`, then steps up if that fell below.
macro_rules! round_up {
    ($value:expr, $narrow:expr) => {{
        let value: f64 = $value;
        if value <= 0.0 {
            Self::Bits::ZERO
        } else {
            let nearest = $narrow(value).to_bits();
            if Self::widen(nearest) < value { nearest.next() } else { nearest }
        }
    }};
}

/// IEEE 754 binary16.
#[derive(Debug, Clone, Copy)]
pub struct Float16;

impl Format for Float16 {
    type Bits = u16;
    type Real = f32;
    #[inline(always)]
    fn widen(bits: u16) -> f64 {
        f16::from_bits(bits).to_f64()
    }
    #[inline(always)]
    fn real(bits: u16) -> f32 {
        // The exponent is rebased from 15 to 127. A subnormal has an implied 0, not 1, before the
        // point: the 1 that rebasing gave it is taken off again.
        let magnitude = u32::from(bits & 0x7fff) << 13;
        let normal = f32::from_bits(magnitude + (112 << 23));
        let subnormal = f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23);
        let value = if magnitude < 1 << 23 { subnormal } else { normal };
        if bits > 0x7fff { -value } else { value }
    }
    fn round_up(value: f64) -> u16 {
        round_up!(value, f16::from_f64)
    }
}

/// The upper half of a float32.
#[derive(Debug, Clone, Copy)]
pub struct BFloat16;

impl Format for BFloat16 {
    type Bits = u16;
    type Real = f32;
    #[inline(always)]
    fn widen(bits: u16) -> f64 {
        f64::from(Self::real(bits))
    }
    #[inline(always)]
    fn real(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }
    fn round_up(value: f64) -> u16 {
        round_up!(value, bf16::from_f64)
    }
}

/// IEEE 754 binary32.
#[derive(Debug, Clone, Copy)]
pub struct Float32;

impl Format for Float32 {
    type Bits = u32;
    type Real = f32;
    #[inline(always)]
    fn widen(bits: u32) -> f64 {
        f64::from(f32::from_bits(bits))
    }
    #[inline(always)]
    fn real(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
    fn round_up(value: f64) -> u32 {
        round_up!(value, |value: f64| value as f32)
    }
}

/// IEEE 754 binary64.
#[derive(Debug, Clone, Copy)]
pub struct Float64;

impl Format for Float64 {
    type Bits = u64;
    type Real = f64;
    #[inline(always)]
    fn widen(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn real(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    fn round_up(value: f64) -> u64 {
        round_up!(value, std::convert::identity::<f64>)
    }
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

    #[test]
    fn round_up_is_the_smallest_cell_not_below() {
        let odd = [1e-9, 1e-6, 0.1, 1.0 / 3.0, 0.5, 0.7, 0.999_999_9, 1.0, 1.000_001, 2.0];
        for value in odd {
            rounds_up::<Float16>(value);
            rounds_up::<BFloat16>(value);
            rounds_up::<Float32>(value);
            rounds_up::<Float64>(value);
        }
        assert_eq!(Float32::round_up(-3.0), 0);
        assert_eq!(Float16::widen(Float16::round_up(1e300)), f64::INFINITY);
    }

    #[test]
    fn every_float16_cell_in_range_is_read_exactly() {
        for bits in (0..=0x7bff).chain(0x8000..=0xfbff_u16) {
            assert_eq!(f64::from(Float16::real(bits)), Float16::widen(bits), "{bits:#x}");
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
