//! A sample of rows, the same however they are dealt out: those whose numbers have the lowest hashes.

use serde::{Deserialize, Serialize};

use super::wire::Wire;
use super::{RowNumbers, Spec, sum_of_counts};
use crate::blocks::Workers;
use crate::calibration::Sample;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::hash::mixed;
use crate::input::{Labels, Matrix};
use crate::pred_probs::{PredProbs, with_matrix};
use crate::row::{BadCell, check_row};
use crate::sweep::{RowKernel, sweep};

const NAME: &str = "SampleState";

/// No more entries are kept, of many classes: 2^23 of them are 64 MB.
const MOST_ENTRIES: usize = 1 << 23;
/// But so many rows, if there are.
const FEWEST_ROWS: usize = 200;
/// So many rows are read at a time.
const READ_AT_ONCE: usize = 256;

/// A row of the sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SampledRow {
    hash: u64,
    given: u32,
    /// Ascending; what is left out is 0.
    classes: Vec<u32>,
    values: Vec<f32>,
}

/// The rows with the lowest hashes among those that were seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SampleState {
    spec: Spec,
    /// No more rows are kept.
    most: u64,
    n_examples: u64,
    /// Whether a row was left out.
    is_full: bool,
    /// By ascending hash.
    rows: Vec<SampledRow>,
}

impl SampleState {
    /// Of no rows, of which `most` are to be kept.
    ///
    /// # Errors
    /// If an argument is out of range.
    pub fn new(spec: Spec, most: u64) -> Result<Self> {
        spec.checked()?;
        Ok(Self { spec, most, n_examples: 0, is_full: false, rows: Vec::new() })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How many examples were seen.
    #[must_use]
    pub fn n_examples(&self) -> u64 {
        self.n_examples
    }

    /// The state of a batch by itself, of which the rows are read that would be kept.
    ///
    /// # Errors
    /// If the batch does not fit, or a cell of such a row may not stand there.
    pub fn of_batch(
        &self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        self.spec.fits(NAME, labels, pred_probs)?;
        let n_examples = labels.n_examples();
        rows.check(n_examples)?;
        let hashes = workers.each(n_examples, |place| (mixed(rows.of(place)), place))?;
        let last = self.rows.last().filter(|_| self.is_full);
        let bound = last.map_or(u64::MAX, |last| last.hash);
        let mut kept: Vec<_> = hashes.into_iter().filter(|(hash, _)| *hash <= bound).collect();
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let mut batch = Self { n_examples: n_examples as u64, ..self.empty() };
        batch.is_full = self.is_full || kept.len() > most;
        if kept.len() > most {
            kept.select_nth_unstable(most);
            kept.truncate(most);
        }
        kept.sort_unstable();
        if kept.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::SeenTwice { name: NAME });
        }
        for kept in kept.chunks(READ_AT_ONCE) {
            let places: Vec<usize> = kept.iter().map(|&(_, place)| place).collect();
            let read = with_matrix!(pred_probs, workers, matrix => {
                read(labels, matrix, &places, workers)?
            });
            batch.rows.extend(kept.iter().zip(read).map(|(&(hash, place), (classes, values))| {
                SampledRow { hash, given: labels.given(place) as u32, classes, values }
            }));
            let n_rows = batch.rows.len();
            batch.trim();
            if batch.rows.len() < n_rows {
                break;
            }
        }
        Ok(batch)
    }

    fn empty(&self) -> Self {
        let Self { spec, most, .. } = self;
        Self { spec: spec.clone(), most: *most, n_examples: 0, is_full: false, rows: Vec::new() }
    }

    /// Leaves out the rows that are too many, of all that are kept by ascending hash: whatever order
    /// rows are seen in, those that are left are the same.
    fn trim(&mut self) {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let mut n_entries = 0;
        let fits = |&(number, row): &(usize, &SampledRow)| {
            n_entries += row.classes.len();
            number < FEWEST_ROWS || n_entries <= MOST_ENTRIES
        };
        let kept = self.rows.iter().take(most).enumerate().take_while(fits).count();
        self.is_full |= kept < self.rows.len();
        self.rows.truncate(kept);
    }

    /// Adds what another one has seen.
    ///
    /// # Errors
    /// If it is of other classes, another kind or size, or has seen a row that this one has seen.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(NAME, &other.spec)?;
        if self.most != other.most {
            let describe = |most: u64| format!("at most {most} rows");
            let (ours, found) = (describe(self.most), describe(other.most));
            return Err(Error::StatesDiffer { name: NAME, ours, found });
        }
        let n_examples = sum_of_counts(NAME, self.n_examples, other.n_examples)?;
        let is_ours = |row: &SampledRow| self.rows.binary_search_by_key(&row.hash, |row| row.hash);
        if other.rows.iter().any(|row| is_ours(row).is_ok()) {
            return Err(Error::SeenTwice { name: NAME });
        }
        self.n_examples = n_examples;
        self.is_full |= other.is_full;
        self.rows.extend_from_slice(&other.rows);
        self.rows.sort_by_key(|row| row.hash);
        self.trim();
        Ok(())
    }

    /// The sample.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let rows = self.rows.iter();
        let rows = rows.map(|row| (row.given, &row.classes[..], &row.values[..]));
        Sample::of(self.spec.n_classes, rows)
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl PartialEq for SampleState {
    fn eq(&self, other: &Self) -> bool {
        (&self.spec, self.most, self.n_examples) == (&other.spec, other.most, other.n_examples)
            && (self.is_full, &self.rows) == (other.is_full, &other.rows)
    }
}

/// The entries of a row that are not 0: classes, and cells in float32.
type Entries = (Vec<u32>, Vec<f32>);

fn read<F: Format>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    places: &[usize],
    workers: &Workers<'_>,
) -> Result<Vec<Entries>> {
    if let Some(entries) = matrix.by_entries() {
        let narrow = |(class, value): (u32, f64)| (class, value as f32);
        let of_row = |&row: &usize| {
            entries.check(row)?;
            let stored = entries.entries(row).into_iter().map(narrow);
            Ok(stored.filter(|entry| entry.1 > 0.0).unzip())
        };
        return places.iter().map(of_row).collect();
    }
    Ok(sweep(matrix, labels, &places, &Copied, workers)?.0)
}

/// Copies rows.
struct Copied;

impl<F: Format> RowKernel<F> for Copied {
    type Fact = Entries;
    type Side = ();

    #[inline(always)]
    fn row(
        &self,
        _row: usize,
        cells: &[F::Bits],
        _given: usize,
        (): &mut (),
    ) -> Result<Entries, BadCell> {
        check_row::<F>(cells)?;
        let values: Vec<f32> = cells.iter().map(|&cell| F::value(cell) as f32).collect();
        let classes = 0..values.len() as u32;
        if values.iter().all(|&value| value > 0.0) {
            return Ok((classes.collect(), values));
        }
        Ok(classes.zip(values).filter(|entry| entry.1 > 0.0).unzip())
    }
}

impl Wire for SampleState {
    const NUMBER: u16 = 6;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        let n_classes = self.spec.n_classes;
        let is_sound = |row: &SampledRow| {
            (row.given as usize) < n_classes
                && row.classes.len() == row.values.len()
                && row.classes.is_sorted_by(|left, right| left < right)
                && row.classes.last().is_none_or(|&class| (class as usize) < n_classes)
                && row.values.iter().all(|&value| value > 0.0 && value <= 1.000_001)
        };
        let kept = self.rows.len() as u64;
        if kept > self.most || kept > self.n_examples || i64::try_from(self.n_examples).is_err() {
            return Err("it keeps more rows than it has seen");
        }
        if !self.rows.is_sorted_by(|left, right| left.hash < right.hash)
            || !self.rows.iter().all(is_sound)
        {
            return Err("its rows are not those of a matrix");
        }
        Ok(())
    }
}
