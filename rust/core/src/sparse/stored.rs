//! Numbers as they are stored, and as the core reads them: class numbers of any integers as u32, values
//! of 16 bits as float32.

use std::marker::PhantomData;

use crate::format::{BFloat16, Float16, Float32, Float64, Format};

/// No class stands here: what is left free in a row of a fixed number of entries.
pub(super) const FREE: u32 = u32::MAX;

/// A number as it lies in memory.
pub trait Stored {
    /// Its bits.
    type Bits: Copy;
    /// What it is read as.
    type Read: Copy;
    /// Whether its bits are what it is read as.
    const IS_PLAIN: bool = false;
    /// Reads it.
    fn read(bits: Self::Bits) -> Self::Read;
}

macro_rules! class_numbers {
    ($($number:ty: $free:expr, $is_plain:literal;)*) => {$(
        impl Stored for $number {
            type Bits = $number;
            type Read = u32;
            // Negative numbers become larger than any class, and -1 what is free.
            const IS_PLAIN: bool = $is_plain;
            #[inline(always)]
            fn read(bits: $number) -> u32 {
                // What fits no class becomes one that there never is.
                let class = u32::try_from(bits).unwrap_or(FREE - 1).min(FREE - 1);
                if $free == Some(bits) { FREE } else { class }
            }
        }
    )*};
}
class_numbers! {
    i8: Some(-1), false; i16: Some(-1), false; i32: Some(-1), true; i64: Some(-1), false;
    u8: None, false; u16: None, false; u32: None, false; u64: None, false;
}

macro_rules! values {
    ($($format:ty: $bits:ty, $read:ty, $is_plain:literal;)*) => {$(
        impl Stored for $format {
            type Bits = $bits;
            type Read = $read;
            const IS_PLAIN: bool = $is_plain;
            #[inline(always)]
            fn read(bits: $bits) -> $read {
                <$format>::real(bits).to_bits()
            }
        }
    )*};
}
values! {
    Float16: u16, u32, false;
    BFloat16: u16, u32, false;
    Float32: u32, u32, true;
    Float64: u64, u64, true;
}

/// Numbers of one kind, somewhere in memory.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a, T> {
    first: *const u8,
    /// Bytes from one row to the next, and from one number to the next.
    strides: (isize, isize),
    width: usize,
    read: unsafe fn(*const u8, isize, &mut [T]),
    /// Whether those of a row lie side by side, as they are read.
    is_plain: bool,
    array: PhantomData<&'a T>,
}

// SAFETY: a shared view of plain numbers; reading them from several threads is fine.
unsafe impl<T> Send for Numbers<'_, T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Numbers<'_, T> {}

impl<T: Copy> Numbers<'_, T> {
    /// A view of numbers stored as `S`; strides in bytes, from row to row and within a row.
    ///
    /// # Safety
    /// Every number that is asked for must be readable for as long as `'a` lasts.
    #[must_use]
    pub unsafe fn new<S: Stored<Read = T>>(first: *const u8, strides: (isize, isize)) -> Self {
        let width = size_of::<S::Bits>();
        let is_plain = S::IS_PLAIN && strides.1 == width as isize;
        Self { first, strides, width, read: read::<S>, is_plain, array: PhantomData }
    }

    /// Bytes that a number takes.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Bytes from one row to the next.
    pub(super) fn row_stride(&self) -> isize {
        self.strides.0
    }

    /// Where a number lies.
    #[inline(always)]
    pub(super) fn address(&self, row: usize, place: usize) -> *const u8 {
        let down = (row as isize).wrapping_mul(self.strides.0);
        self.first.wrapping_offset(down.wrapping_add((place as isize).wrapping_mul(self.strides.1)))
    }

    /// Reads numbers of a row from a place on, in whole lanes of which some may be those of what
    /// lies behind; or none of them, and says so.
    ///
    /// # Safety
    /// As many as there is room for must be readable where they lie side by side.
    #[inline(always)]
    pub(super) unsafe fn read_lanes<const L: usize>(
        &self,
        row: usize,
        place: usize,
        into: &mut [T],
    ) -> bool {
        if self.is_plain {
            let first = self.address(row, place).cast::<[T; L]>();
            for (number, lanes) in into.as_chunks_mut::<L>().0.iter_mut().enumerate() {
                // SAFETY: that of the caller.
                *lanes = unsafe { first.add(number).read_unaligned() };
            }
        }
        self.is_plain
    }

    /// Some numbers of a row, where they lie side by side, aligned, as they are read.
    ///
    /// # Safety
    /// They must be within what `new` was told of.
    #[inline(always)]
    pub(super) unsafe fn slice(&self, row: usize, place: usize, n: usize) -> Option<&[T]> {
        let first = self.address(row, place).cast::<T>();
        // SAFETY: that of the caller.
        (self.is_plain && first.is_aligned())
            .then(|| unsafe { std::slice::from_raw_parts(first, n) })
    }

    /// Reads as many numbers of a row as there is room for, from a place on.
    ///
    /// # Safety
    /// They must be within what `new` was told of.
    #[inline(always)]
    pub(super) unsafe fn read(&self, row: usize, place: usize, into: &mut [T]) {
        // SAFETY: that of the caller.
        unsafe { (self.read)(self.address(row, place), self.strides.1, into) }
    }
}

/// Reads numbers of any stride and alignment.
unsafe fn read<S: Stored>(first: *const u8, stride: isize, into: &mut [S::Read]) {
    let width = size_of::<S::Bits>();
    if stride == width as isize {
        for (place, number) in into.iter_mut().enumerate() {
            // SAFETY: that of the caller.
            *number =
                S::read(unsafe { first.add(place * width).cast::<S::Bits>().read_unaligned() });
        }
        return;
    }
    for (place, number) in into.iter_mut().enumerate() {
        let address = first.wrapping_offset((place as isize).wrapping_mul(stride));
        // SAFETY: that of the caller.
        *number = S::read(unsafe { address.cast::<S::Bits>().read_unaligned() });
    }
}

/// A class number as it is stored, for a message.
///
/// # Safety
/// It must be a readable `S`.
pub(super) unsafe fn exact<S: Stored<Bits: Into<i128>>>(address: *const u8) -> i128 {
    // SAFETY: that of the caller.
    unsafe { address.cast::<S::Bits>().read_unaligned() }.into()
}
