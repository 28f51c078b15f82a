//! One matrix, laid out in memory in many ways.

use conflearn_core::{Bits, Matrix};

use crate::case::{Data, FuzzFormat, Source};

/// Memory that a matrix lies in.
pub struct Memory {
    bytes: Vec<u8>,
    first: isize,
    shape: (usize, usize),
    strides: (isize, isize),
}

/// The cells of a format as bytes.
pub trait ToBytes: Bits + std::fmt::Debug {
    fn to_bytes(self) -> Vec<u8>;
}

macro_rules! to_bytes {
    ($($unsigned:ty)*) => {$(
        impl ToBytes for $unsigned {
            fn to_bytes(self) -> Vec<u8> {
                self.to_ne_bytes().to_vec()
            }
        }
    )*};
}
to_bytes! { u16 u32 u64 }

/// Bytes between the cells, which nothing may read: as cells, all NaN.
const UNREAD: u8 = 0xff;

impl Memory {
    /// C order, without gaps.
    pub fn plain<F: FuzzFormat>(data: &Data<F>) -> Self {
        let cell = size_of::<F::Bits>() as isize;
        Self::strided(data, (cell * data.n_classes as isize, cell), 0)
    }

    /// C or Fortran order, either way round, with gaps, aligned or not.
    pub fn any<F: FuzzFormat>(data: &Data<F>, source: &mut Source<'_>) -> Self {
        let cell = size_of::<F::Bits>() as isize;
        let (n, k) = (data.n_rows() as isize, data.n_classes as isize);
        let gap = if source.one_in(2) { 0 } else { source.below(3 * cell as usize) as isize };
        let next = cell * source.pick(&[1, 1, 2]) + source.pick(&[0, 0, 0, 1]);
        let (mut row, mut column) =
            if source.one_in(2) { (next, next * n + gap) } else { (next * k + gap, next) };
        let mut rows = data.cells.chunks_exact(data.n_classes);
        let is_broadcast = rows.len() > 1 && rows.all(|row| row == &data.cells[..data.n_classes]);
        if is_broadcast {
            row = 0;
        }
        if source.one_in(4) {
            row = -row;
        }
        if source.one_in(4) {
            column = -column;
        }
        Self::strided(data, (row, column), source.pick(&[0, 0, 1, 2, 4, 8]))
    }

    fn strided<F: FuzzFormat>(data: &Data<F>, strides: (isize, isize), offset: usize) -> Self {
        let cell = size_of::<F::Bits>();
        let shape = (data.n_rows(), data.n_classes);
        let span = |n: usize, stride: isize| (n as isize - 1) * stride;
        let (down, right) = (span(shape.0, strides.0), span(shape.1, strides.1));
        let n_bytes = offset + down.unsigned_abs() + right.unsigned_abs() + cell;
        // Exactly as much as there is to read, so that an address sanitizer sees every other read.
        let mut bytes = vec![UNREAD; n_bytes];
        let first = offset as isize - down.min(0) - right.min(0);
        for (number, bits) in data.cells.iter().enumerate() {
            let (row, column) = (number / shape.1, number % shape.1);
            let place = first + row as isize * strides.0 + column as isize * strides.1;
            let place = place as usize;
            bytes[place..place + cell].copy_from_slice(&bits.to_bytes());
        }
        Self { bytes, first, shape, strides }
    }

    /// The matrix that lies here.
    pub fn matrix<F: FuzzFormat>(&self) -> Matrix<'_, F> {
        let first = self.bytes.as_ptr().wrapping_offset(self.first);
        // SAFETY: `strided` made room for every cell within the shape, and the view borrows it.
        unsafe { Matrix::new(first, self.shape, self.strides) }
    }

    /// The matrix with its rows in the opposite order.
    pub fn upside_down<F: FuzzFormat>(&self) -> Matrix<'_, F> {
        let last_row = self.first + (self.shape.0 as isize - 1) * self.strides.0;
        let first = self.bytes.as_ptr().wrapping_offset(last_row);
        // SAFETY: the same cells as in `matrix`.
        unsafe { Matrix::new(first, self.shape, (-self.strides.0, self.strides.1)) }
    }
}
