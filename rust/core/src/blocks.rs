//! How work is cut into blocks and spread over threads.
//!
//! Everything parallel in this crate goes through [`Workers`]. What a block gives depends on the
//! block alone, and results come back in the order of the blocks, so threads cannot show in an
//! answer; every block first looks whether the caller wants to stop.

use std::cmp::Ordering as Order;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::simd::Level;

/// Bytes of the matrix in one block: long enough that starting one costs nothing, short enough
/// that stopping takes no time and that the threads finish together.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// What a row counts as that is not read from the matrix, but only from what was kept of it.
const CHEAP_ROW_BYTES: usize = 64;

/// So many blocks let threads finish together even where blocks take unequal time.
const BLOCKS_PER_THREAD: usize = 8;

/// Below this many bytes one thread is done sooner than a second one wakes up.
pub const ALONE_BYTES: usize = 1 << 18;

/// The threads of one call.
#[derive(Debug, Clone, Copy)]
pub struct Workers<'a> {
    cancelled: &'a AtomicBool,
    parallel: bool,
    block_bytes: usize,
    level: Level,
}

impl<'a> Workers<'a> {
    /// Work is spread over the pool that the caller runs on.
    pub(crate) fn on_pool(cancelled: &'a AtomicBool) -> Self {
        Self { cancelled, parallel: true, block_bytes: BLOCK_BYTES, level: Level::chosen() }
    }

    /// Work is done where it is asked for.
    pub(crate) fn alone(cancelled: &'a AtomicBool) -> Self {
        Self { parallel: false, ..Self::on_pool(cancelled) }
    }

    /// The same threads with other block sizes: no size may change an answer.
    #[must_use]
    pub fn with_block_bytes(self, block_bytes: usize) -> Self {
        Self { block_bytes, ..self }
    }

    /// The same threads at another CPU level: no level may change an answer.
    #[must_use]
    pub fn with_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The CPU level that kernels run at.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// [`Error::Interrupted`] once the caller wants to stop.
    ///
    /// # Errors
    /// Only that one.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// How many threads share the work.
    pub(crate) fn n_threads(&self) -> usize {
        if self.parallel { rayon::current_num_threads() } else { 1 }
    }

    /// How many rows of that many bytes make a block: fewer where there would not be enough blocks
    /// for all threads.
    fn block_rows(&self, n_rows: usize, row_bytes: usize) -> usize {
        let most = (self.block_bytes / row_bytes.max(1)).max(1);
        if self.parallel {
            most.min(n_rows.div_ceil(BLOCKS_PER_THREAD * rayon::current_num_threads())).max(1)
        } else {
            most
        }
    }

    /// Lets every thread take piece after piece, until none is left or one of them has failed.
    ///
    /// Work is handed to threads as a `dyn` function: so all that rayon does is compiled once, not
    /// for every kind of work, of which there are nearly two hundred.
    fn share<I: Iterator + Send>(
        &self,
        pieces: I,
        work: &(dyn Fn(&Queue<'_, I>) -> Result<()> + Sync),
    ) -> Result<()> {
        let queue =
            Queue { workers: self, pieces: Mutex::new(pieces), failed: AtomicBool::new(false) };
        let work = || {
            let _stop = StopOnPanic(&queue.failed);
            work(&queue).inspect_err(|_| queue.failed.store(true, Ordering::Relaxed))
        };
        if self.parallel { on_all_threads(&work) } else { work() }
    }

    /// One value for each of `n` pieces of work, in order; each thread works with a `scratch`.
    pub(crate) fn map<S, T: Send>(
        &self,
        n: usize,
        scratch: impl Fn() -> S + Sync + Send,
        work: impl Fn(&mut S, usize) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        let done = Mutex::new(Vec::new());
        self.share(0..n, &|queue| {
            let (mut scratch, mut mine) = (scratch(), Vec::new());
            while let Some(piece) = queue.take()? {
                mine.push((piece, work(&mut scratch, piece)?));
            }
            lock(&done).append(&mut mine);
            Ok(())
        })?;
        Ok(in_order(done))
    }

    /// Cuts `0..n_rows` into blocks and folds them into an accumulator for each thread, which are
    /// then merged in some order: for sums that have none.
    pub(crate) fn fold<A: Send>(
        &self,
        n_rows: usize,
        row_bytes: usize,
        empty: impl Fn() -> A + Sync + Send,
        add: impl Fn(&mut A, Range<usize>) -> Result<()> + Sync + Send,
        merge: impl Fn(A, A) -> A + Sync + Send,
    ) -> Result<A> {
        let block_rows = self.block_rows(n_rows, row_bytes);
        let sums = Mutex::new(Vec::new());
        self.share(0..n_rows.div_ceil(block_rows), &|queue| {
            // A thread for which no block is left needs no accumulator, which may be large.
            let mut sum = None;
            while let Some(number) = queue.take()? {
                let start = number * block_rows;
                let rows = start..n_rows.min(start + block_rows);
                add(sum.get_or_insert_with(&empty), rows)?;
            }
            lock(&sums).extend(sum);
            Ok(())
        })?;
        let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(sums.into_iter().reduce(merge).unwrap_or_else(empty))
    }

    /// Fills an array of `n_rows` values block by block. `fill` writes every value of its block
    /// and returns what else the block found; those come back in order.
    pub(crate) fn fill<T: Send, S, R: Send>(
        &self,
        n_rows: usize,
        row_bytes: usize,
        scratch: impl Fn() -> S + Sync + Send,
        fill: impl Fn(&mut S, Range<usize>, &mut Filling<'_, T>) -> Result<R> + Sync + Send,
    ) -> Result<(Vec<T>, Vec<R>)> {
        let block_rows = self.block_rows(n_rows, row_bytes);
        let mut values = Vec::new();
        values.try_reserve_exact(n_rows)?;
        let found = Mutex::new(Vec::new());
        let slots = &mut values.spare_capacity_mut()[..n_rows];
        self.share(slots.chunks_mut(block_rows).enumerate(), &|queue| {
            let (mut scratch, mut mine) = (scratch(), Vec::new());
            while let Some((number, slots)) = queue.take()? {
                let start = number * block_rows;
                let rows = start..start + slots.len();
                let mut filling = Filling { slots, filled: 0 };
                mine.push((number, fill(&mut scratch, rows, &mut filling)?));
                assert_eq!(filling.filled, filling.slots.len(), "a block must fill all its values");
            }
            lock(&found).append(&mut mine);
            Ok(())
        })?;
        // SAFETY: every block has filled all its slots, else we would not be here.
        unsafe { values.set_len(n_rows) };
        Ok((values, in_order(found)))
    }

    /// One value for each of `n` rows that are cheap to compute.
    pub(crate) fn each<T: Send>(
        &self,
        n: usize,
        value: impl Fn(usize) -> T + Sync + Send,
    ) -> Result<Vec<T>> {
        let fill = |(): &mut (), rows: Range<usize>, values: &mut Filling<'_, T>| {
            rows.for_each(|row| values.push(value(row)));
            Ok(())
        };
        Ok(self.fill(n, CHEAP_ROW_BYTES, || (), fill)?.0)
    }

    /// Does something with each of many values by itself.
    pub(crate) fn each_mut<T: Send>(
        &self,
        values: &mut [T],
        work: impl Fn(usize, &mut T) + Sync + Send,
    ) -> Result<()> {
        let n_together = self.block_rows(values.len(), CHEAP_ROW_BYTES);
        self.share(values.chunks_mut(n_together).enumerate(), &|queue| {
            while let Some((number, values)) = queue.take()? {
                let places = number * n_together..;
                places.zip(values).for_each(|(place, value)| work(place, value));
            }
            Ok(())
        })
    }

    /// Sorts by a total order, in which no two values are equal.
    pub(crate) fn sort<T: Send>(&self, values: &mut [T], order: impl Fn(&T, &T) -> Order + Sync) {
        if self.parallel {
            values.par_sort_unstable_by(order);
        } else {
            values.sort_unstable_by(order);
        }
    }
}

/// Runs `work` on every thread of the pool that the caller runs on.
fn on_all_threads(work: &(dyn Fn() -> Result<()> + Sync)) -> Result<()> {
    rayon::broadcast(|_| work()).into_iter().collect()
}

/// Pieces of work that threads take one after the other.
struct Queue<'a, I> {
    workers: &'a Workers<'a>,
    pieces: Mutex<I>,
    failed: AtomicBool,
}

impl<I: Iterator> Queue<'_, I> {
    /// The next one.
    fn take(&self) -> Result<Option<I::Item>> {
        self.workers.check()?;
        let failed = self.failed.load(Ordering::Relaxed);
        Ok(if failed { None } else { lock(&self.pieces).next() })
    }
}

/// Stops the other threads where one panics, so that nobody waits for what is thrown away.
struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Where a thread has panicked, so does the call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What pieces of work gave, in the order of the pieces.
fn in_order<T>(numbered: Mutex<Vec<(usize, T)>>) -> Vec<T> {
    let mut numbered = numbered.into_inner().unwrap_or_else(PoisonError::into_inner);
    numbered.sort_unstable_by_key(|&(number, _)| number);
    numbered.into_iter().map(|(_, value)| value).collect()
}

/// The part of an array that one block fills, value after value.
pub(crate) struct Filling<'a, T> {
    slots: &'a mut [MaybeUninit<T>],
    filled: usize,
}

impl<T> Filling<'_, T> {
    /// The next value.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) {
        self.slots[self.filled].write(value);
        self.filled += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::on_pool;

    #[test]
    fn a_thread_without_work_makes_no_accumulator() {
        let made = Mutex::new(0);
        let sum = on_pool(
            4,
            || false,
            |workers| {
                let empty = || {
                    *lock(&made) += 1;
                    0
                };
                workers.fold(
                    1,
                    1,
                    empty,
                    |sum, rows| {
                        *sum += rows.len();
                        Ok(())
                    },
                    |left, right| left + right,
                )
            },
        );
        assert_eq!(sum.unwrap(), 1);
        assert_eq!(*lock(&made), 1);
    }
}
