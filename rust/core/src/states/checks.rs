//! A pass by itself, or a by-product of another: what shows that inputs are not what they should be.

use serde::{Deserialize, Serialize};

use super::wire::Wire;
use super::{Look, RowNumbers, Spec, given_counts, sums_of_counts};
use crate::blocks::Workers;
use crate::checks::{
    Agreement, Bin, CellSums, DuplicateCounts, Duplicates, Extreme, OFF_BOUNDS, RowSum, Tally,
};
use crate::error::Result;
use crate::input::Labels;
use crate::pred_probs::{PredProbs, with_matrix};
use crate::row::RowFacts;

const NAME: &str = "CheckState";

/// What is counted of labels and matrix to check them, see [`crate::checks`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    spec: Spec,
    given_counts: Vec<u64>,
    agreement: Agreement,
    cells: CellSums,
    duplicates: Duplicates,
}

impl CheckState {
    /// Of no rows.
    ///
    /// # Errors
    /// If the number of classes or the temperature is out of range.
    pub fn new(spec: Spec) -> Result<Self> {
        spec.checked()?;
        let (n_classes, meaning) = (spec.n_classes, spec.kind.meaning());
        Ok(Self {
            spec,
            given_counts: vec![0; n_classes],
            agreement: Agreement::new(n_classes, meaning),
            cells: CellSums::new(n_classes, meaning),
            duplicates: Duplicates::default(),
        })
    }

    /// The state of a batch by itself, of which every cell is read.
    ///
    /// # Errors
    /// If the batch does not fit, a cell may not stand there, or there is not a number for each row.
    pub fn of_batch(
        &self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        self.spec.fits(NAME, labels, pred_probs)?;
        rows.check(labels.n_examples())?;
        let Tally { agreement, cells, duplicates } = with_matrix!(pred_probs, workers, matrix => {
            Tally::of_rows(labels, matrix, rows, workers)?
        });
        let given_counts = given_counts(labels);
        Ok(Self { spec: self.spec.clone(), given_counts, agreement, cells, duplicates })
    }

    /// The state of rows by what a sweep has kept of each, and by the cells of some.
    pub(crate) fn of_facts(
        spec: Spec,
        facts: &[RowFacts],
        labels: &Labels,
        cells: CellSums,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        Ok(Self {
            given_counts: given_counts(labels),
            agreement: Agreement::of_facts(facts, labels, spec.kind.meaning(), workers)?,
            spec,
            cells,
            duplicates: Duplicates::default(),
        })
    }

    /// Adds a batch of rows.
    ///
    /// # Errors
    /// Those of [`CheckState::of_batch`]; then nothing is added.
    pub fn update(
        &mut self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        let batch = self.of_batch(labels, pred_probs, rows, workers)?;
        self.merge(&batch)
    }

    /// Adds what a look at a batch has found: its cells are those of a sample, and duplicates are not
    /// looked for.
    ///
    /// # Errors
    /// If it is of other classes or another kind; then nothing is added.
    pub fn add(&mut self, look: &Look, workers: &Workers<'_>) -> Result<()> {
        self.spec.same(NAME, &look.spec)?;
        let (n_classes, meaning) = (self.spec.n_classes, self.spec.kind.meaning());
        let cells = look.cells.clone().unwrap_or_else(|| CellSums::new(n_classes, meaning));
        let batch = Self::of_facts(self.spec.clone(), &look.facts, &look.labels, cells, workers)?;
        self.merge(&batch)
    }

    /// Adds what another one has seen.
    ///
    /// # Errors
    /// If it is of other classes, or another kind.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(NAME, &other.spec)?;
        // No other count is larger than that of all rows, so none is too large if this is not.
        self.given_counts = sums_of_counts(NAME, &self.given_counts, &other.given_counts)?;
        self.agreement.merge(&other.agreement);
        self.cells.merge(&other.cells);
        self.duplicates.merge(&other.duplicates);
        Ok(())
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How many examples are given each class.
    #[must_use]
    pub fn given_counts(&self) -> &[u64] {
        &self.given_counts
    }

    /// How many there are of each given and most probable class, ascending, without those of 0.
    #[must_use]
    pub fn pairs(&self) -> Vec<(u32, u32, u64)> {
        self.agreement.clone().settled().pairs.entries()
    }

    /// Rows by their largest probability, in bins of equal width; empty of scores.
    #[must_use]
    pub fn bins(&self) -> &[Bin] {
        &self.agreement.bins
    }

    /// The mean of P(given class); 0 of scores.
    #[must_use]
    pub fn self_confidence(&self) -> f64 {
        self.agreement.self_confidence()
    }

    /// The mean of its negative logarithm in nats, of rows of which all cells were looked at.
    #[must_use]
    pub fn log_loss(&self) -> f64 {
        self.cells.log_loss()
    }

    /// The largest of the largest probabilities of rows, and the smallest P(given class).
    #[must_use]
    pub fn extremes(&self) -> (Extreme, Extreme) {
        (self.agreement.largest, self.agreement.least_own)
    }

    /// Of how many rows all cells were looked at, how many of these store a few entries, and how many
    /// cells of the others are 0.
    #[must_use]
    pub fn cell_counts(&self) -> [u64; 3] {
        [self.cells.n_rows, self.cells.n_sparse, self.cells.n_zeros]
    }

    /// How many of these rows are given each class; empty of scores.
    #[must_use]
    pub fn sampled_counts(&self) -> &[u64] {
        &self.cells.given_counts
    }

    /// The mean of each class's cells in these rows; empty of scores.
    #[must_use]
    pub fn class_means(&self) -> Vec<f64> {
        self.cells.means()
    }

    /// How many of them sum to less than 1 by more than each of [`OFF_BOUNDS`], and to more.
    #[must_use]
    pub fn sums_off(&self) -> [[u64; OFF_BOUNDS.len()]; 2] {
        self.cells.off()
    }

    /// The smallest and the largest sum of a row that stores all cells, if there is one.
    #[must_use]
    pub fn row_sums(&self) -> Option<(RowSum, RowSum)> {
        self.cells.least.zip(self.cells.largest)
    }

    /// Rows that are the same to the bit.
    #[must_use]
    pub fn duplicates(&self) -> DuplicateCounts {
        self.duplicates.counts()
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut state = self.clone();
        state.agreement = state.agreement.settled();
        state.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl Wire for CheckState {
    const NUMBER: u16 = 8;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        let (n_classes, meaning) = (self.spec.n_classes, self.spec.kind.meaning());
        if self.given_counts.len() != n_classes {
            return Err("it does not hold one number a class");
        }
        let Some(n) = super::total(&self.given_counts) else {
            return Err("it counts too many examples");
        };
        if !self.agreement.could_be_of(&self.given_counts, n, meaning) {
            return Err("its counts are not those of so many examples");
        }
        if !self.cells.could_be_of(&self.given_counts, meaning) {
            return Err("its sums are not those of so many rows");
        }
        if !self.duplicates.could_be_of(n, n_classes) {
            return Err("its duplicates are not among so many rows");
        }
        Ok(())
    }
}
