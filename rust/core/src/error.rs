//! Everything that can be wrong, one variant per cause.
//!
//! A message names the argument, the rule, the first offending row, column and value, and what to
//! do. The bindings turn each variant into a Python exception in one `match`.

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Why a call could not give an answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `labels` and `pred_probs` do not describe the same examples.
    #[error(
        "labels and pred_probs must have the same length, but labels has {labels} entries and \
         pred_probs has {rows} rows"
    )]
    LengthsDiffer {
        /// Entries in `labels`.
        labels: usize,
        /// Rows in `pred_probs`.
        rows: usize,
    },
    /// No examples at all.
    #[error("pred_probs has no rows: at least one example is needed")]
    Empty,
    /// A single column: there is no other class that a label could be mistaken for.
    #[error(
        "pred_probs must have at least two columns (one per class), but has {n_classes}; for a \
         binary problem given as P(class 1), pass np.column_stack([1 - p, p])"
    )]
    TooFewClasses {
        /// Columns in `pred_probs`.
        n_classes: usize,
    },
    /// More classes than class numbers can hold.
    #[error("pred_probs has {n_classes} columns, but at most 2,097,152 classes are supported")]
    TooManyClasses {
        /// Columns in `pred_probs`.
        n_classes: usize,
    },
    /// A label that names no column.
    #[error(
        "labels must be integers from 0 to {} (pred_probs has {n_classes} columns), but \
         labels[{row}] is {label}; if your labels are names or do not start at 0, pass \
         classes=[...] naming the columns in order",
        n_classes - 1
    )]
    LabelOutOfRange {
        /// First offending row.
        row: usize,
        /// The value found there.
        label: i128,
        /// Number of classes.
        n_classes: usize,
    },
    /// No columns at all.
    #[error("pred_probs has no columns: at least one class is needed")]
    NoClasses,
    /// A tag that names no column.
    #[error(
        "labels must hold class numbers from 0 to {} (pred_probs has {n_classes} columns), but \
         labels[{row}] holds {class}; if your tags are names or do not start at 0, pass \
         classes=[...] naming the columns in order",
        n_classes - 1
    )]
    TagOutOfRange {
        /// First offending row.
        row: usize,
        /// The value found there.
        class: i64,
        /// Number of classes.
        n_classes: usize,
    },
    /// A cell of an array of zeros and ones that is neither.
    #[error(
        "labels must hold 0 and 1, one row an example and one column a class, but \
         labels[{row}, {column}] is {value}; put 1 where the example has the tag, else 0"
    )]
    TagValue {
        /// First offending row.
        row: usize,
        /// First offending column of that row.
        column: usize,
        /// The value found there.
        value: f64,
    },
    /// A weight of the exponential moving average outside [0, 1].
    #[error("alpha must lie between 0 and 1, but is {value}")]
    Alpha {
        /// The value found.
        value: f64,
    },
    /// NaN or infinity among the probabilities.
    #[error(
        "pred_probs must be finite, but pred_probs[{row}, {column}] is {value}; drop or repair \
         such rows first"
    )]
    NotFinite {
        /// First offending row.
        row: usize,
        /// First offending column of that row.
        column: usize,
        /// The value found there.
        value: f64,
    },
    /// A number that is no probability.
    #[error(
        "pred_probs must lie between 0 and 1 (within {tolerance:e}), but pred_probs[{row}, \
         {column}] is {value}; pass kind=\"logits\" for logits, kind=\"scores\" for other numbers",
        tolerance = crate::format::RANGE_TOLERANCE
    )]
    OutOfRange {
        /// First offending row.
        row: usize,
        /// First offending column of that row.
        column: usize,
        /// The value found there.
        value: f64,
    },
    /// A stored entry of a class that there is not.
    #[error(
        "pred_probs must store classes from 0 to {}, but entry {place} of row {row} is of class \
         {class}; pass the right n_classes, or leave the entry out",
        n_classes - 1
    )]
    EntryClass {
        /// First offending row.
        row: usize,
        /// First offending entry of that row.
        place: usize,
        /// The class number found there.
        class: i128,
        /// Number of classes.
        n_classes: usize,
    },
    /// Two entries of one row for the same class.
    #[error(
        "pred_probs must store each class of a row once, but row {row} stores class {class} more \
         than once; keep one of the entries, or add them up (of a scipy matrix: \
         pred_probs.sum_duplicates())"
    )]
    EntryTwice {
        /// First offending row.
        row: usize,
        /// First such class of that row.
        class: usize,
    },
    /// Compressed rows that do not stand one after the other.
    #[error(
        "pred_probs must be compressed rows that stand one after the other, but row {row} goes from \
         entry {start} to entry {end} of {n_entries}; check how its indptr was made"
    )]
    EntryStarts {
        /// First offending row.
        row: usize,
        /// Where it starts.
        start: i64,
        /// Where it ends.
        end: i64,
        /// How many entries there are.
        n_entries: usize,
    },
    /// Multi-label data of which rows store a few entries.
    #[error(
        "multi-label functions read all cells of pred_probs, but pred_probs stores a few entries a \
         row; pass a dense array"
    )]
    SparseTags,
    /// What was asked for has no meaning for scores.
    #[error(
        "{what} needs probabilities, which kind=\"scores\" does not give; with scores, use the scores \
         self_confidence and normalized_margin, filters that are no judges, thresholds, joints and \
         counts"
    )]
    NeedsProbabilities {
        /// What was asked for.
        what: &'static str,
    },
    /// A judge is asked that nobody has fitted.
    #[error(
        "{what} needs a Judge that is fitted to all rows, but there is none; fit one, and pass it on"
    )]
    NeedsJudge {
        /// The score that it gives.
        what: &'static str,
    },
    /// A judge cannot go by a threshold.
    #[error(
        "thresholds must lie between 2e-6 and 1, or be 2 for a class that no example is given, but \
         thresholds[{class}] is {value}; pass what ThresholdState.finish() returned"
    )]
    JudgeThreshold {
        /// The class.
        class: usize,
        /// The value found.
        value: f64,
    },
    /// What was asked for is not told of tags.
    #[error("{what} is not for multi-label data; choose another one")]
    NotOfTags {
        /// What was asked for.
        what: &'static str,
    },
    /// Logits, or scores, cannot be divided by it.
    #[error("{name} must lie between 1e-30 and 1e30, but is {value}")]
    Temperature {
        /// The argument.
        name: &'static str,
        /// The value found.
        value: f64,
    },
    /// Entries that are calibrated are those of one matrix.
    #[error("sparse matrices that are calibrated have no mean; look at each by itself")]
    SparseMember,
    /// Tags have no classes that exclude each other.
    #[error(
        "class_bias, and the temperature of probabilities, are for classes of which each example has \
         one, but labels are tags; leave them out"
    )]
    CalibratedTags,
    /// A bias that no float could hold the power of.
    #[error(
        "class_bias must be numbers from -{most} to {most}, but class_bias[{class}] is {value}; a bias \
         is added to the logarithm of a class's probability",
        most = crate::calibration::LARGEST_BIAS
    )]
    ClassBias {
        /// The class.
        class: usize,
        /// The value found.
        value: f64,
    },
    /// Matrices of one ensemble that do not describe the same examples and classes.
    #[error(
        "all matrices of pred_probs must have the same shape, but pred_probs[0] has {first:?} and \
         pred_probs[{number}] has {found:?}"
    )]
    ShapesDiffer {
        /// Rows and columns of the first one.
        first: (usize, usize),
        /// Which one differs.
        number: usize,
        /// Its rows and columns.
        found: (usize, usize),
    },
    /// Something is wrong with one of several matrices.
    #[error("of the matrices in pred_probs, number {number} (from 0) is at fault: {fault}")]
    InMatrix {
        /// Which one.
        number: usize,
        /// What is wrong with it.
        fault: Box<Error>,
    },
    /// A score too far from 0 to be added up exactly.
    #[error(
        "scores must lie within {largest} of 0, but pred_probs[{row}, {column}] is {value}; divide \
         all of them by their largest magnitude",
        largest = crate::format::LARGEST_SCORE
    )]
    ScoreTooLarge {
        /// First offending row.
        row: usize,
        /// First offending column of that row.
        column: usize,
        /// The value found there.
        value: f64,
    },
    /// A vector with one entry per class is needed.
    #[error("{name} must have one entry per class ({n_classes}), but has {found}")]
    OnePerClass {
        /// The argument.
        name: &'static str,
        /// Number of classes.
        n_classes: usize,
        /// Entries found.
        found: usize,
    },
    /// `confident_joint` of another number of classes.
    #[error(
        "confident_joint must have shape ({n_classes}, {n_classes}), one row per given and one \
         column per true class, but has shape ({found}, {found})"
    )]
    JointShape {
        /// Number of classes.
        n_classes: usize,
        /// Rows (and columns) found.
        found: usize,
    },
    /// Negative or non-finite entry of `confident_joint`.
    #[error(
        "confident_joint must hold finite counts of at least 0, but confident_joint[{given}, \
         {true_class}] is {value}"
    )]
    JointValue {
        /// First offending row.
        given: usize,
        /// First offending column of that row.
        true_class: usize,
        /// The value found there.
        value: f64,
    },
    /// Compressed rows of a joint that are not in order.
    #[error(
        "confident_joint must be compressed rows, each with its classes ascending, but row {given} \
         is none; call its sum_duplicates()"
    )]
    JointRows {
        /// First such row.
        given: usize,
    },
    /// `frac_noise` outside [0, 1].
    #[error("frac_noise must lie between 0 and 1, but is {value}")]
    FracNoise {
        /// The value found.
        value: f64,
    },
    /// More examples to remove from a class than it has.
    #[error(
        "num_to_remove_per_class[{class}] is {asked}, but only {available} examples are given \
         class {class}; ask for at most that many"
    )]
    TooManyToRemove {
        /// The class.
        class: usize,
        /// What was asked for.
        asked: usize,
        /// Examples given that class.
        available: usize,
    },
    /// The same, of the examples without or with a tag.
    #[error(
        "num_to_remove_per_class[{class}, {given}] is {asked}, but only {available} examples are \
         {}the tag {class}; ask for at most that many",
        if *.given == 0 { "without " } else { "with " }
    )]
    TooManyTagsToRemove {
        /// The class.
        class: usize,
        /// 0 for those without the tag, 1 for those with it.
        given: usize,
        /// What was asked for.
        asked: usize,
        /// Examples there are.
        available: usize,
    },
    /// A row number past the end.
    #[error("row {row} does not exist: there are {n_examples} examples")]
    RowOutOfRange {
        /// The row.
        row: usize,
        /// Number of examples.
        n_examples: usize,
    },
    /// The noise matrix has no inverse, so `prior_method="eqn"` has no answer.
    #[error(
        "prior_method=\"eqn\" needs an invertible noise matrix, but this one is singular; use \
         prior_method=\"cnt\" (the default), \"marginal\" or \"marginal_ps\""
    )]
    SingularNoiseMatrix,
    /// The system gives no threads.
    #[error("could not start {n_threads} threads: {reason}; ask for fewer with n_threads")]
    NoThreads {
        /// How many were asked for.
        n_threads: usize,
        /// What the system said.
        reason: String,
    },
    /// What is to be kept of each example does not fit in memory.
    #[error("not enough memory for what is kept of each example: {0}")]
    OutOfMemory(#[from] std::collections::TryReserveError),
    /// Bytes that hold no such state.
    #[error("these bytes hold no {name}: {why}; use what to_bytes() returned, as it was")]
    StateDamaged {
        /// What they should hold.
        name: &'static str,
        /// Why they do not.
        why: &'static str,
    },
    /// Bytes of another version.
    #[error(
        "these bytes hold a state of version {found}, but this version of conflearn reads version \
         {ours}; use the version of conflearn that wrote them, or count again"
    )]
    StateVersion {
        /// Theirs.
        found: u16,
        /// The one that can be read.
        ours: u16,
    },
    /// Bytes that hold another kind of state.
    #[error(
        "these bytes hold another kind of state (number {found}), not a {name} (number {ours}); read \
         them with the class that wrote them"
    )]
    StateKind {
        /// The number found.
        found: u16,
        /// What they should hold.
        name: &'static str,
        /// Its number.
        ours: u16,
    },
    /// States, or a state and a batch, that do not belong together.
    #[error(
        "{name} is for {ours}, but what it is to take up is for {found}; states belong together that \
         were made with the same arguments"
    )]
    StatesDiffer {
        /// The state.
        name: &'static str,
        /// What it was made for.
        ours: String,
        /// What the other one was made for.
        found: String,
    },
    /// Two rows of one number.
    #[error(
        "two rows that the {name} has seen have the same number, so which of them is in the sample would \
         hang on their order; number the rows of all batches differently (rows=), and let each be seen \
         once"
    )]
    SeenTwice {
        /// The state.
        name: &'static str,
    },
    /// A state has not seen what it is to tell about.
    #[error(
        "the selection has seen {seen} of {n_examples} examples; let it see every batch of the pass \
         once, and merge every part of it once, before it tells"
    )]
    SelectionIncomplete {
        /// How many it has seen.
        seen: u64,
        /// How many there are.
        n_examples: u64,
    },
    /// A state has left out rows for the sake of others that it was not merged with.
    #[error(
        "the selection left out rows because another one has seen enough that are worse, but that \
         one is missing; merge it with the selection that it was narrowed by before it tells"
    )]
    SelectionNarrowed,
    /// A filter that needs no selection.
    #[error(
        "this filter looks at each row by itself, so there is nothing to plan; use a Rule, or the \
         mask of a look"
    )]
    NothingToPlan,
    /// A file is shorter than it was.
    #[error(
        "{name} ends at byte {}, but must reach byte {} for what its header promises; it was cut \
         short, so make it anew",
        grouped(*end),
        grouped(*needed)
    )]
    FileEnds {
        /// The argument, and the file.
        name: String,
        /// Its size.
        end: u64,
        /// Up to where it is read.
        needed: u64,
    },
    /// The system does not read a file.
    #[error("{name} cannot be read from byte {} on ({reason}); check the disk", grouped(*position))]
    FileUnreadable {
        /// The argument, and the file.
        name: String,
        /// From where on.
        position: u64,
        /// What it says.
        reason: String,
    },
    /// Counts that no machine holds.
    #[error("{name} would count more examples than 64 bits hold; its bytes are no honest ones")]
    StateOverflow {
        /// The state.
        name: &'static str,
    },
    /// The numbers of rows do not fit a batch.
    #[error(
        "rows must hold one number of at least 0 for each of the {n_examples} examples of the batch, \
         {why}"
    )]
    RowNumbers {
        /// How many examples.
        n_examples: usize,
        /// What is wrong.
        why: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether a cell of the matrix is what is wrong.
    pub(crate) fn is_of_a_cell(&self) -> bool {
        match self {
            Self::NotFinite { .. }
            | Self::OutOfRange { .. }
            | Self::ScoreTooLarge { .. }
            | Self::EntryClass { .. }
            | Self::EntryTwice { .. }
            | Self::EntryStarts { .. } => true,
            Self::InMatrix { fault, .. } => fault.is_of_a_cell(),
            _ => false,
        }
    }

    /// The same fault, of a batch whose first row has this number.
    #[must_use]
    pub fn of_rows_from(mut self, first_row: usize) -> Self {
        match &mut self {
            Self::LabelOutOfRange { row, .. }
            | Self::TagOutOfRange { row, .. }
            | Self::TagValue { row, .. }
            | Self::NotFinite { row, .. }
            | Self::OutOfRange { row, .. }
            | Self::ScoreTooLarge { row, .. }
            | Self::EntryClass { row, .. }
            | Self::EntryTwice { row, .. }
            | Self::EntryStarts { row, .. } => *row += first_row,
            Self::InMatrix { fault, .. } => {
                let moved = std::mem::replace(&mut **fault, Self::Interrupted);
                **fault = moved.of_rows_from(first_row);
            }
            _ => (),
        }
        self
    }

    /// The same fault, of one of several matrices.
    pub(crate) fn in_matrix(self, number: usize) -> Self {
        if self.is_of_a_cell() { Self::InMatrix { number, fault: Box::new(self) } } else { self }
    }
}

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
