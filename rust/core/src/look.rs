//! The look at the matrix that every search starts with: thresholds, then one sweep, and what is
//! kept of it.

use crate::blocks::Workers;
use crate::columns::sweep_columns;
use crate::error::Result;
use crate::format::Format;
use crate::input::{AllRows, Labels, Matrix};
use crate::joint::{ConfidentJoint, JointCounts};
use crate::judge::{Asked, Judgement, Ready, Scratch};
use crate::prune::{Filter, Listed, Shortlist, list_floors, mask_where};
use crate::quality::{Method, WeightedEntropy};
use crate::rank::rows_of_mask;
use crate::row::{BadCell, Cutoffs, Kind, RowFacts, Several, ValidKeys, row_facts, without_signs};
use crate::scan::Fetch;
use crate::sweep::{RowKernel, sweep};
use crate::thresholds::thresholds_before_sweep;

/// What a look is to keep beside the facts of each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep<'a> {
    /// Guess the true classes; without it no class is ever confident.
    pub(crate) guesses: bool,
    /// List the cells that may be among the largest margins.
    pub(crate) shortlists: bool,
    /// Score rows by their entropy.
    pub(crate) entropies: bool,
    /// Ask these judges about each row.
    pub(crate) judges: &'a [Asked<'a>],
    /// Which class is the guess when several are confident.
    pub(crate) several: Several,
}

impl Keep<'_> {
    /// The facts alone.
    pub(crate) fn facts(several: Several) -> Self {
        Self { guesses: false, shortlists: false, entropies: false, judges: &[], several }
    }

    /// Whether the class thresholds are asked for.
    fn needs_thresholds(&self) -> bool {
        let is_fitted_here = |asked: &Asked<'_>| matches!(asked, Asked::ByThresholds);
        self.guesses || self.shortlists || self.judges.iter().any(is_fitted_here)
    }
}

/// What is kept of the matrix.
pub(crate) struct Seen<F: Format> {
    /// One a class; empty unless something that was to be kept needed them.
    pub(crate) thresholds: Vec<f64>,
    /// One a row.
    pub(crate) facts: Vec<RowFacts>,
    /// One a row, or none.
    pub(crate) entropies: Vec<f64>,
    /// What the judges say.
    pub(crate) judged: Judged,
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
        keep: Keep<'_>,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let thresholds = match thresholds {
            Some(thresholds) => thresholds.to_vec(),
            None if keep.needs_thresholds() => thresholds_before_sweep(matrix, labels, workers)?,
            None => Vec::new(),
        };
        let cutoffs = if keep.guesses {
            Cutoffs::of_thresholds(&thresholds)
        } else {
            Cutoffs::never(labels.n_classes())
        };
        let floors = keep.shortlists.then(|| list_floors(matrix, &thresholds));
        let several = keep.several;
        let ready: Vec<Ready<'_, F::Real>> =
            keep.judges.iter().map(|asked| asked.ready(&thresholds, workers.level())).collect();
        let bounds = (&cutoffs, floors.as_ref());
        let computed = matrix
            .as_computed()
            .and_then(|computed| computed.look(labels, bounds, keep, &ready, workers));
        let looked = if let Some(looked) = computed {
            looked?
        } else if matrix.columns_are_slices() && !keep.entropies && ready.is_empty() {
            sweep_columns(matrix, labels, &cutoffs, floors.as_ref(), several, workers)?
        } else {
            let entropy = || WeightedEntropy::new(labels.n_classes(), workers.level());
            let kernel = Look {
                cutoffs: &cutoffs,
                valid: ValidKeys::new(),
                several,
                floors: floors.as_ref(),
                entropy: keep.entropies.then(entropy),
                judges: &ready,
            };
            let all = AllRows(labels.n_examples());
            Looked::of_blocks(sweep(matrix, labels, &all, &kernel, workers)?)
        };
        let Looked { facts, entropies, judgements, shortlists } = looked;
        let floors = floors.unwrap_or_else(|| Cutoffs::never(labels.n_classes()));
        let methods = keep.judges.iter().map(|asked| asked.method()).collect();
        let judged = Judged { methods, judgements };
        Ok(Self { thresholds, facts, entropies, judged, shortlists, floors, several })
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

/// What judges say of some rows.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The score of each judge.
    methods: Vec<Method>,
    /// One a judge, of one row after the other.
    judgements: Vec<Judgement>,
}

impl Judged {
    /// What the judge says who gives a score; `None` if nobody has asked it.
    pub(crate) fn by(&self, method: Method) -> Option<JudgedBy<'_>> {
        let place = self.methods.iter().position(|&one| one == method)?;
        Some(JudgedBy { all: self, place })
    }

    /// The scores of all judges.
    pub(crate) fn scores(&self) -> Vec<(Method, Vec<f64>)> {
        let judges = (0..self.methods.len()).map(|place| JudgedBy { all: self, place });
        self.methods.iter().copied().zip(judges.map(JudgedBy::scores)).collect()
    }

    /// A mask of the rows that a filter flags, if it goes by a judge that was asked.
    pub(crate) fn mask(
        &self,
        filter: Filter,
        cut: f64,
        workers: &Workers<'_>,
    ) -> Result<Option<Vec<bool>>> {
        let judgements = filter.judge().and_then(|method| self.by(method));
        let flags = |judgements: JudgedBy<'_>| {
            workers.each(judgements.len(), |row| filter.flags(judgements.of(row), cut))
        };
        judgements.map(flags).transpose()
    }
}

/// What one judge says of some rows.
#[derive(Clone, Copy)]
pub(crate) struct JudgedBy<'a> {
    all: &'a Judged,
    place: usize,
}

impl<'a> JudgedBy<'a> {
    /// Of how many rows.
    pub(crate) fn len(self) -> usize {
        self.all.judgements.len() / self.all.methods.len()
    }

    /// Of one row.
    #[inline(always)]
    pub(crate) fn of(self, row: usize) -> &'a Judgement {
        &self.all.judgements[row * self.all.methods.len() + self.place]
    }

    /// The scores of all.
    pub(crate) fn scores(self) -> Vec<f64> {
        (0..self.len()).map(|row| self.of(row).score).collect()
    }
}

/// What one sweep gives.
pub(crate) struct Looked<F: Format> {
    /// One a row.
    pub(crate) facts: Vec<RowFacts>,
    /// One a row, or none.
    pub(crate) entropies: Vec<f64>,
    /// One a judge, of one row after the other.
    pub(crate) judgements: Vec<Judgement>,
    /// One a block of rows.
    pub(crate) shortlists: Vec<Shortlist<F>>,
}

impl<F: Format> Looked<F> {
    /// From what the rows and the blocks gave.
    pub(crate) fn of_blocks((facts, blocks): (Vec<RowFacts>, Vec<BlockFindings<F>>)) -> Self {
        let n_entropies = blocks.iter().map(|block| block.entropies.len()).sum();
        let n_judgements = blocks.iter().map(|block| block.judgements.len()).sum();
        let mut entropies = Vec::with_capacity(n_entropies);
        let mut judgements = Vec::with_capacity(n_judgements);
        let mut shortlists = Vec::with_capacity(blocks.len());
        for block in blocks {
            entropies.extend(block.entropies);
            judgements.extend(block.judgements);
            shortlists.push(block.shortlist);
        }
        Self { facts, entropies, judgements, shortlists }
    }
}

/// What the sweep does with each row.
struct Look<'a, F: Format> {
    cutoffs: &'a Cutoffs<F>,
    valid: ValidKeys<F>,
    several: Several,
    floors: Option<&'a Cutoffs<F>>,
    entropy: Option<WeightedEntropy<F>>,
    judges: &'a [Ready<'a, F::Real>],
}

/// What a block of rows collects.
pub(crate) struct BlockFindings<F: Format> {
    pub(crate) shortlist: Shortlist<F>,
    pub(crate) entropies: Vec<f64>,
    pub(crate) judgements: Vec<Judgement>,
    /// Room for the cells of one row.
    pub(crate) listed: Vec<Listed<F>>,
    pub(crate) cells: Vec<F::Bits>,
    /// Room for what judges compute of them.
    pub(crate) scratch: Scratch<F::Real>,
}

impl<F: Format> BlockFindings<F> {
    /// Gives back what is not used of the memory.
    pub(crate) fn shrink(&mut self) {
        self.shortlist.shrink();
        self.listed = Vec::new();
        self.cells = Vec::new();
        self.scratch = Scratch::new();
    }
}

impl<F: Format> Default for BlockFindings<F> {
    fn default() -> Self {
        Self {
            shortlist: Shortlist::default(),
            entropies: Vec::new(),
            judgements: Vec::new(),
            listed: Vec::new(),
            cells: Vec::new(),
            scratch: Scratch::new(),
        }
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
        // An entropy or a judge takes a second pass, which fetches the odd lines.
        let is_alone = self.entropy.is_none() && self.judges.is_empty();
        let fetch = if is_alone { Fetch::All } else { Fetch::Even };
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
        if F::HAS_PROBABILITIES && !self.judges.is_empty() {
            let unsigned;
            let cells = match kind {
                Kind::Usual => cells,
                Kind::Unusual => {
                    unsigned = without_signs::<F>(cells);
                    &unsigned
                }
            };
            let mut fetch = if self.entropy.is_some() { Fetch::Nothing } else { Fetch::Odd };
            for judge in self.judges {
                let BlockFindings { judgements, scratch, .. } = side;
                judgements.push(judge.judge::<F>(cells, given, scratch, fetch));
                fetch = Fetch::Nothing;
            }
        }
        Ok(facts)
    }
}
