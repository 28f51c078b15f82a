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

/// A file, and what messages call it.
#[derive(Debug)]
pub struct NamedFile {
    file: File,
    name: String,
}

impl NamedFile {
    /// A file that is open for reading.
    #[must_use]
    pub fn new(file: File, name: String) -> Self {
        Self { file, name }
    }

    /// Fills a buffer from a position on, all threads at once.
    ///
    /// # Errors
    /// If the file ends before, the system cannot read it, or the caller wants to stop.
    pub fn read(&self, buffer: &mut [u8], position: u64, workers: &Workers<'_>) -> Result<()> {
        let mut pieces: Vec<_> =
            buffer.chunks_mut(TILE_BYTES).map(|piece| (piece, Ok(()))).collect();
        workers.each_mut(&mut pieces, |number, (piece, done)| {
            *done = self.fill(piece, position + (number * TILE_BYTES) as u64);
        })?;
        pieces.into_iter().try_for_each(|(_, done)| done)
    }

    /// The same by this thread.
    fn fill(&self, buffer: &mut [u8], position: u64) -> Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match read_some(&self.file, &mut buffer[done..], position + done as u64) {
                Ok(0) => {
                    let seen = position + done as u64;
                    let end = self.file.metadata().map_or(seen, |now| now.len().min(seen));
                    let needed = position + buffer.len() as u64;
                    return Err(Error::FileEnds { name: self.name.clone(), end, needed });
                }
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let (name, reason) = (self.name.clone(), error.to_string());
                    let position = position + done as u64;
                    return Err(Error::FileUnreadable { name, position, reason });
                }
            }
        }
        Ok(())
    }
}

/// Rows of a matrix that lie in a file one after another, as they would in memory: probabilities of
/// which no cell has been read yet.
#[derive(Debug)]
pub struct FileRows<F> {
    file: Arc<NamedFile>,
    position: u64,
    shape: (usize, usize),
    format: PhantomData<F>,
}

impl<F: Format> FileRows<F> {
    const CELL: usize = size_of::<F::Bits>();

    /// So many rows and columns, from a position on.
    #[must_use]
    pub fn new(file: Arc<NamedFile>, position: u64, shape: (usize, usize)) -> Self {
        Self { file, position, shape, format: PhantomData }
    }

    /// As the core takes it.
    #[must_use]
    pub fn matrix(&self) -> Matrix<'_, F> {
        Matrix::computed(self)
    }

    fn read(&self, row: usize, column: usize, cells: &mut [F::Bits]) -> Result<()> {
        let position = self.position + ((row * self.shape.1 + column) * Self::CELL) as u64;
        self.file.fill(F::Bits::as_bytes_mut(cells), position)
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

        fn open(&self) -> NamedFile {
            NamedFile::new(File::open(&self.0).unwrap(), "it".to_owned())
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
        let read = |position: usize, size: usize| {
            let mut buffer = vec![0; size];
            let read = |workers: &Workers<'_>| file.read(&mut buffer, position as u64, workers);
            on_this_thread(read).map(|()| buffer)
        };
        for (position, size) in [(0, bytes.len()), (5, 2 * TILE_BYTES), (TILE_BYTES - 1, 17)] {
            assert_eq!(read(position, size).unwrap(), bytes[position..position + size]);
        }
        for (position, size) in [(TILE_BYTES - 1, 3 * TILE_BYTES), (bytes.len() + 1, 1)] {
            match read(position, size) {
                Err(Error::FileEnds { name, end, needed }) => {
                    assert_eq!((&name[..], end), ("it", bytes.len() as u64));
                    assert!(needed > end && needed <= (position + size) as u64);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_system_does_not_read_is_an_error() {
        // Nothing is mapped at address 0.
        let memory = NamedFile::new(File::open("/proc/self/mem").unwrap(), "it".to_owned());
        match on_this_thread(|workers| memory.read(&mut [0; 9], 0, workers)) {
            Err(Error::FileUnreadable { name, position, reason }) => {
                assert_eq!((&name[..], position), ("it", 0));
                assert!(reason.contains("Input/output error"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_those_of_the_file() {
        let cells: Vec<f32> = (0..7_000).map(|n| n as f32 / 7_000.0).collect();
        let mut bytes = b"before".to_vec();
        bytes.extend(cells.iter().flat_map(|cell| cell.to_ne_bytes()));
        let there = Temporary::new("conflearn-rows", &bytes);
        let file = Arc::new(there.open());
        let rows = FileRows::<Float32>::new(file.clone(), 6, (1_000, 7));
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
        let longer = FileRows::<Float32>::new(file, 6, (1_001, 7));
        let ends = Error::FileEnds { name: "it".to_owned(), end: 28_006, needed: 28_034 };
        let all = AllRows(1_001);
        assert_eq!(longer.matrix().lend(&all, 1_000..1_001, &mut tile).err(), Some(ends));
        assert!(longer.fault(1_000, 6).is_some() && longer.fault(999, 6).is_none());
        assert!(f32::from_bits(longer.cell(1_000, 0)).is_nan());
    }
}
