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
    /// Reads it.
    fn read(bits: Self::Bits) -> Self::Read;
}

macro_rules! class_numbers {
    ($($number:ty: $free:expr;)*) => {$(
        impl Stored for $number {
            type Bits = $number;
            type Read = u32;
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
    i8: Some(-1); i16: Some(-1); i32: Some(-1); i64: Some(-1);
    u8: None; u16: None; u32: None; u64: None;
}

macro_rules! values {
    ($($format:ty: $bits:ty, $read:ty;)*) => {$(
        impl Stored for $format {
            type Bits = $bits;
            type Read = $read;
            #[inline(always)]
            fn read(bits: $bits) -> $read {
                <$format>::real(bits).to_bits()
            }
        }
    )*};
}
values! {
    Float16: u16, u32;
    BFloat16: u16, u32;
    Float32: u32, u32;
    Float64: u64, u64;
}

/// Numbers of one kind, somewhere in memory.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a, T> {
    first: *const u8,
    /// Bytes from one row to the next, and from one number to the next.
    strides: (isize, isize),
    width: usize,
    read: unsafe fn(*const u8, isize, &mut [T]),
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
        Self { first, strides, width, read: read::<S>, array: PhantomData }
    }

    /// Bytes that a number takes.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Where a number lies.
    #[inline(always)]
    pub(super) fn address(&self, row: usize, place: usize) -> *const u8 {
        let down = (row as isize).wrapping_mul(self.strides.0);
        self.first.wrapping_offset(down.wrapping_add((place as isize).wrapping_mul(self.strides.1)))
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
