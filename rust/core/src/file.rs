//! Files that are read by position, by several threads at a time.
//!
//! What the system has in memory already is copied from there, and a copy that stays in the caches of
//! a core is free to look at. So a pass over a file has each thread read the rows that it looks at
//! itself, a few at a time: [`FileRows`].

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::{Bits, Format};
use crate::input::{Computed, Matrix, TILE_BYTES};

/// Fills a buffer from a position of a file on, and tells how much of it: less than all of it where
/// the file ends before.
///
/// # Errors
/// If the caller wants to stop; within, if the system cannot read the file.
pub fn read_at(
    file: &File,
    buffer: &mut [u8],
    position: u64,
    workers: &Workers<'_>,
) -> Result<io::Result<usize>> {
    struct Piece<'a> {
        buffer: &'a mut [u8],
        done: io::Result<usize>,
    }
    let piece = |buffer| Piece { buffer, done: Ok(0) };
    let mut pieces: Vec<_> = buffer.chunks_mut(TILE_BYTES).map(piece).collect();
    workers.each_mut(&mut pieces, |number, piece| {
        piece.done = fill(file, piece.buffer, position + (number * TILE_BYTES) as u64);
    })?;
    let mut all = 0;
    for Piece { buffer, done } in pieces {
        match done {
            Ok(n) if n < buffer.len() => return Ok(Ok(all + n)),
            Ok(n) => all += n,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(all))
}

/// Rows of a matrix that lie in a file one after another, as they would in memory: probabilities of
/// which no cell has been read yet.
#[derive(Debug)]
pub struct FileRows<F> {
    file: Arc<File>,
    /// What messages call it.
    name: String,
    position: u64,
    shape: (usize, usize),
    format: PhantomData<F>,
}

impl<F: Format> FileRows<F> {
    const CELL: usize = size_of::<F::Bits>();

    /// So many rows and columns, from a position on.
    #[must_use]
    pub fn new(file: Arc<File>, name: String, position: u64, shape: (usize, usize)) -> Self {
        Self { file, name, position, shape, format: PhantomData }
    }

    /// As the core takes it.
    #[must_use]
    pub fn matrix(&self) -> Matrix<'_, F> {
        Matrix::computed(self)
    }

    fn read(&self, row: usize, column: usize, cells: &mut [F::Bits]) -> Result<()> {
        let position = self.position + ((row * self.shape.1 + column) * Self::CELL) as u64;
        let bytes = F::Bits::as_bytes_mut(cells);
        let size = bytes.len();
        let name = || self.name.clone();
        match fill(&self.file, bytes, position) {
            Ok(n) if n == size => Ok(()),
            Ok(n) => {
                let seen = position + n as u64;
                let end = self.file.metadata().map_or(seen, |now| now.len().min(seen));
                let needed = position + size as u64;
                Err(Error::FileEnds { name: name(), end, needed })
            }
            Err(error) => {
                Err(Error::FileUnreadable { name: name(), position, reason: error.to_string() })
            }
        }
    }
}

impl<F: Format> Computed<F> for FileRows<F> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn fill(&self, row: usize, cells: &mut [F::Bits]) -> Result<()> {
        self.read(row, 0, cells)
    }

    fn fill_rows(&self, rows: Range<usize>, cells: &mut [F::Bits]) -> Result<()> {
        self.read(rows.start, 0, cells)
    }

    fn tile_bytes(&self) -> usize {
        TILE_BYTES
    }

    fn is_of_rows(&self) -> bool {
        true
    }

    fn cell(&self, row: usize, column: usize) -> F::Bits {
        let mut cell = [F::Bits::ZERO];
        match self.read(row, column, &mut cell) {
            Ok(()) => cell[0],
            Err(_) => F::Bits::ONES,
        }
    }

    fn fault(&self, row: usize, column: usize) -> Option<Error> {
        self.read(row, column, &mut [F::Bits::ZERO]).err()
    }

    fn prefetch(&self, _row: usize, _column: usize) {}

    fn row_bytes(&self) -> usize {
        self.shape.1 * Self::CELL
    }
}

/// Reads until a buffer is full, or the file ends.
fn fill(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some(file, &mut buffer[done..], position + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Float32;
    use crate::input::AllRows;
    use crate::threads::on_this_thread;

    /// A file that is gone in the end.
    struct Temporary(std::path::PathBuf);

    impl Temporary {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }

        fn open(&self) -> File {
            File::open(&self.0).unwrap()
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn reads_what_is_there() {
        let bytes: Vec<u8> = (0..3 * TILE_BYTES + 17).map(|n| (n % 251) as u8).collect();
        let there = Temporary::new("conflearn-bytes", &bytes);
        let file = there.open();
        for (position, size, n_there) in [
            (0, bytes.len(), bytes.len()),
            (5, 2 * TILE_BYTES, 2 * TILE_BYTES),
            (TILE_BYTES - 1, 3 * TILE_BYTES, 2 * TILE_BYTES + 18),
            (bytes.len() + 1, TILE_BYTES, 0),
        ] {
            let mut buffer = vec![0; size];
            let read =
                |workers: &Workers<'_>| read_at(&file, &mut buffer, position as u64, workers);
            let n = on_this_thread(read).unwrap().unwrap();
            assert_eq!(n, n_there);
            assert_eq!(buffer[..n], bytes[position.min(bytes.len())..][..n]);
        }
    }

    #[test]
    fn rows_are_those_of_the_file() {
        let cells: Vec<f32> = (0..7_000).map(|n| n as f32 / 7_000.0).collect();
        let mut bytes = b"before".to_vec();
        bytes.extend(cells.iter().flat_map(|cell| cell.to_ne_bytes()));
        let there = Temporary::new("conflearn-rows", &bytes);
        let file = Arc::new(there.open());
        let name = || "it".to_owned();
        let rows = FileRows::<Float32>::new(file.clone(), name(), 6, (1_000, 7));
        let matrix = rows.matrix();
        let mut tile = Vec::new();
        let all = AllRows(1_000);
        let lent = matrix.lend(&all, 3..999, &mut tile).unwrap();
        assert_eq!(lent.positions, 3..999);
        for row in 3..999 {
            for column in 0..7 {
                let cell = cells[row * 7 + column].to_bits();
                assert_eq!((lent.cells(row)[column], matrix.cell(row, column)), (cell, cell));
            }
        }
        let longer = FileRows::<Float32>::new(file, name(), 6, (1_001, 7));
        let ends = Error::FileEnds { name: name(), end: 28_006, needed: 28_034 };
        let all = AllRows(1_001);
        assert_eq!(longer.matrix().lend(&all, 1_000..1_001, &mut tile).err(), Some(ends));
        assert!(longer.fault(1_000, 6).is_some() && longer.fault(999, 6).is_none());
        assert!(f32::from_bits(longer.cell(1_000, 0)).is_nan());
    }
}
