//! The look at the matrix that every search starts with: thresholds, then one sweep, and what is
//! kept of it.

use crate::blocks::Workers;
use crate::columns::sweep_columns;
use crate::error::Result;
use crate::format::Format;
use crate::input::{AllRows, Labels, Matrix};
use crate::joint::{ConfidentJoint, JointCounts};
use crate::prune::{Listed, Shortlist, list_floors, mask_where};
use crate::quality::WeightedEntropy;
use crate::rank::rows_of_mask;
use crate::row::{BadCell, Cutoffs, Kind, RowFacts, Several, ValidKeys, row_facts};
use crate::scan::Fetch;
use crate::sweep::{RowKernel, sweep};
use crate::thresholds::thresholds_before_sweep;

/// What a look is to keep beside the facts of each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep {
    /// Guess the true classes; without it no class is ever confident.
    pub(crate) guesses: bool,
    /// List the cells that may be among the largest margins.
    pub(crate) shortlists: bool,
    /// Score rows by their entropy.
    pub(crate) entropies: bool,
    /// Which class is the guess when several are confident.
    pub(crate) several: Several,
}

/// What is kept of the matrix.
pub(crate) struct Seen<F: Format> {
    /// One a class; empty unless something that was to be kept needed them.
    pub(crate) thresholds: Vec<f64>,
    /// One a row.
    pub(crate) facts: Vec<RowFacts>,
    /// One a row, or none.
    pub(crate) entropies: Vec<f64>,
    /// One a block of rows, empty unless kept.
    pub(crate) shortlists: Vec<Shortlist<F>>,
    /// From where on cells were listed.
    pub(crate) floors: Cutoffs<F>,
    /// Which class was the guess when several were confident.
    several: Several,
}

impl<F: Format> Seen<F> {
    /// Looks at every cell once, with the given thresholds or those of the data.
    pub(crate) fn look(
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        thresholds: Option<&[f64]>,
        keep: Keep,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let thresholds = match thresholds {
            Some(thresholds) => thresholds.to_vec(),
            None if keep.guesses || keep.shortlists => {
                thresholds_before_sweep(matrix, labels, workers)?
            }
            None => Vec::new(),
        };
        let cutoffs = if keep.guesses {
            Cutoffs::of_thresholds(&thresholds)
        } else {
            Cutoffs::never(labels.n_classes())
        };
        let floors = keep.shortlists.then(|| list_floors(matrix, &thresholds));
        let several = keep.several;
        let computed = matrix
            .as_computed()
            .and_then(|computed| computed.look(labels, &cutoffs, floors.as_ref(), keep, workers));
        let looked = if let Some(looked) = computed {
            looked?
        } else if matrix.columns_are_slices() && !keep.entropies {
            sweep_columns(matrix, labels, &cutoffs, floors.as_ref(), several, workers)?
        } else {
            let entropy = || WeightedEntropy::new(labels.n_classes(), workers.level());
            let kernel = Look {
                cutoffs: &cutoffs,
                valid: ValidKeys::new(),
                several,
                floors: floors.as_ref(),
                entropy: keep.entropies.then(entropy),
            };
            let all = AllRows(labels.n_examples());
            Looked::of_blocks(sweep(matrix, labels, &all, &kernel, workers)?)
        };
        let Looked { facts, entropies, shortlists } = looked;
        let floors = floors.unwrap_or_else(|| Cutoffs::never(labels.n_classes()));
        Ok(Self { thresholds, facts, entropies, shortlists, floors, several })
    }

    /// The confident joint of the guesses, not calibrated.
    pub(crate) fn joint(&self, labels: &Labels, workers: &Workers<'_>) -> Result<ConfidentJoint> {
        let mut counts = JointCounts::new(labels.n_classes());
        counts.add(&self.facts, labels, workers)?;
        Ok(counts.joint(workers))
    }

    /// The examples off its diagonal, ascending.
    pub(crate) fn off_diagonal_examples(
        &self,
        labels: &Labels,
        workers: &Workers<'_>,
    ) -> Result<Vec<usize>> {
        let mask = mask_where(&self.facts, labels, RowFacts::is_off_diagonal, workers)?;
        Ok(rows_of_mask(&mask))
    }

    /// The joint, calibrated.
    pub(crate) fn calibrated_joint(
        &self,
        labels: &Labels,
        workers: &Workers<'_>,
    ) -> Result<ConfidentJoint> {
        let joint = self.joint(labels, workers)?;
        Ok(joint.calibrated(labels.counts(), self.several.layout()))
    }
}

/// What one sweep gives.
pub(crate) struct Looked<F: Format> {
    /// One a row.
    pub(crate) facts: Vec<RowFacts>,
    /// One a row, or none.
    pub(crate) entropies: Vec<f64>,
    /// One a block of rows.
    pub(crate) shortlists: Vec<Shortlist<F>>,
}

impl<F: Format> Looked<F> {
    /// From what the rows and the blocks gave.
    pub(crate) fn of_blocks((facts, blocks): (Vec<RowFacts>, Vec<BlockFindings<F>>)) -> Self {
        let n_entropies = blocks.iter().map(|block| block.entropies.len()).sum();
        let mut entropies = Vec::with_capacity(n_entropies);
        let mut shortlists = Vec::with_capacity(blocks.len());
        for block in blocks {
            entropies.extend(block.entropies);
            shortlists.push(block.shortlist);
        }
        Self { facts, entropies, shortlists }
    }
}

/// What the sweep does with each row.
struct Look<'a, F: Format> {
    cutoffs: &'a Cutoffs<F>,
    valid: ValidKeys<F>,
    several: Several,
    floors: Option<&'a Cutoffs<F>>,
    entropy: Option<WeightedEntropy<F>>,
}

/// What a block of rows collects.
pub(crate) struct BlockFindings<F: Format> {
    pub(crate) shortlist: Shortlist<F>,
    pub(crate) entropies: Vec<f64>,
    /// Room for the cells of one row.
    pub(crate) listed: Vec<Listed<F>>,
}

impl<F: Format> BlockFindings<F> {
    /// Gives back what is not used of the memory.
    pub(crate) fn shrink(&mut self) {
        self.shortlist.shrink();
        self.listed = Vec::new();
    }
}

impl<F: Format> Default for BlockFindings<F> {
    fn default() -> Self {
        Self { shortlist: Shortlist::default(), entropies: Vec::new(), listed: Vec::new() }
    }
}

impl<F: Format> RowKernel<F> for Look<'_, F> {
    type Fact = RowFacts;
    type Side = BlockFindings<F>;

    #[inline(always)]
    fn row(
        &self,
        row: usize,
        cells: &[F::Bits],
        given: usize,
        side: &mut BlockFindings<F>,
    ) -> Result<RowFacts, BadCell> {
        // The entropy takes a second pass, which fetches the odd lines.
        let fetch = if self.entropy.is_some() { Fetch::Even } else { Fetch::All };
        let (facts, kind) =
            row_facts(cells, given, self.cutoffs, &self.valid, self.several, fetch)?;
        if let Some(floors) = self.floors
            && facts.best_other > facts.own
        {
            match kind {
                Kind::Usual => side.shortlist.push(row, cells, given, &facts, floors),
                Kind::Unusual => side.shortlist.push_unlisted(row, given, &facts),
            }
        }
        if F::HAS_PROBABILITIES
            && let Some(entropy) = &self.entropy
        {
            side.entropies.push(match kind {
                Kind::Usual => entropy.score(cells, given),
                Kind::Unusual => entropy.score_unusual(cells, given),
            });
        }
        Ok(facts)
    }
}
