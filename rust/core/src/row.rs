//! Everything the method wants to know of one row, from one look at it.
//!
//! The look itself is in [`crate::scan`]; here is what follows from it.

use serde::{Deserialize, Serialize};

use crate::format::{Bits, Format, Key, Meaning};
use crate::joint::Layout;
use crate::prune::Spread;
use crate::scan::{Fetch, Scan};

/// Slack of every comparison between probabilities: class j is confident at `P >= t_j - SLACK`
/// (the paper's Eq. 1, with room for rounding), and a given label agrees with the model if it would
/// be the most probable one after adding `SLACK` to it.
pub const SLACK: f64 = 1e-6;

/// "No class", among class numbers.
pub const NO_CLASS: u32 = u32::MAX;

/// Which class is the guessed truth when several are confident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Several {
    /// The most probable among the confident ones (the paper's Eq. 1).
    MostProbable,
    /// The most probable class of the whole row, even when it is not itself confident: what
    /// cleanlab does.
    RowArgmax,
}

impl Several {
    /// In which order the counted joint is added up when it is calibrated: cleanlab's lies in
    /// memory by true classes, and its last bit decides where a half is rounded to.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self {
            Self::MostProbable => Layout::ByGiven,
            Self::RowArgmax => Layout::ByTrue,
        }
    }

    /// Among how many entries a raised diagonal is shared.
    #[must_use]
    pub fn spread(self) -> Spread {
        match self {
            Self::MostProbable => Spread::OffDiagonal,
            Self::RowArgmax => Spread::NonzeroLessOne,
        }
    }
}

/// What a sweep keeps of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowFacts {
    /// P(given class), the "self-confidence".
    pub own: f64,
    /// The largest probability among the other classes.
    pub best_other: f64,
    /// The class that has it, the lowest on ties; [`NO_CLASS`] where the given class is more
    /// probable, so that it does not matter.
    pub best_other_class: u32,
    /// The guessed true class, or [`NO_CLASS`] where no class is confident.
    pub guess: u32,
}

impl RowFacts {
    /// The agreement rule: the given class would be the row's argmax after adding [`SLACK`].
    #[must_use]
    pub fn agrees(&self, given: usize) -> bool {
        let lifted = self.own + SLACK;
        lifted > self.best_other
            || (lifted == self.best_other && given < self.best_other_class as usize)
    }

    /// Counted off the diagonal of the confident joint.
    #[must_use]
    pub fn is_off_diagonal(&self, given: usize) -> bool {
        self.guess != NO_CLASS && self.guess as usize != given
    }

    /// argmax != given.
    #[must_use]
    pub fn predicts_another(&self, given: usize) -> bool {
        self.best_other > self.own
            || (self.best_other == self.own && (self.best_other_class as usize) < given)
    }
}

/// Where each class begins to be confident: `t_j - SLACK`.
#[derive(Debug)]
pub(crate) struct Cutoffs<F: Format> {
    values: Vec<f64>,
    keys: Vec<F::Key>,
}

impl<F: Format> Cutoffs<F> {
    /// Class j is confident at `P[i, j] >= values[j]`.
    pub(crate) fn at(values: Vec<f64>) -> Self {
        let keys = values.iter().map(|&value| F::round_up(value)).collect();
        Self { values, keys }
    }

    /// From the class thresholds.
    pub(crate) fn of_thresholds(thresholds: &[f64]) -> Self {
        Self::at(thresholds.iter().map(|threshold| threshold - SLACK).collect())
    }

    /// No class ever is: for questions that do not ask.
    pub(crate) fn never(n_classes: usize) -> Self {
        Self { values: vec![f64::INFINITY; n_classes], keys: vec![F::Key::MAX; n_classes] }
    }

    /// The cutoffs of all classes.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The cutoff of one class.
    pub(crate) fn value(&self, class: usize) -> f64 {
        self.values[class]
    }

    /// The same as keys, for all classes.
    pub(crate) fn keys(&self) -> &[F::Key] {
        &self.keys
    }
}

/// A row holds a cell whose value may not stand there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BadCell {
    pub(crate) column: usize,
    pub(crate) value: f64,
}

/// The first cell of a row whose value may not stand there.
pub(crate) fn check_row<F: Format>(row: &[F::Bits]) -> Result<(), BadCell> {
    for (column, &bits) in row.iter().enumerate() {
        let value = F::value(bits);
        if !F::MEANING.allows(value) {
            return Err(BadCell { column, value });
        }
    }
    Ok(())
}

/// The cells of a row of valid ones, of which those with a sign count as zeros.
#[cold]
#[inline(never)]
pub(crate) fn without_signs<F: Format>(row: &[F::Bits]) -> Vec<F::Bits> {
    let without_sign = |&bits| if F::value(bits) > 0.0 { bits } else { F::Bits::ZERO };
    row.iter().map(without_sign).collect()
}

/// The facts of one row.
#[inline(always)]
pub(crate) fn row_facts<F: Format>(
    row: &[F::Bits],
    given: usize,
    cutoffs: &Cutoffs<F>,
    valid: &ValidKeys<F>,
    several: Several,
    fetch: Fetch,
) -> Result<(RowFacts, Kind), BadCell> {
    let own = F::key(row[given]);
    let seen = Scan::<F>::of(row, given, &cutoffs.keys, fetch);
    if !valid.hold(&seen, own) {
        let facts = unusual_row_facts(row, given, cutoffs, several)?;
        return Ok((facts, Kind::Unusual));
    }
    let other_class = (seen.other >= own).then(|| seen.other_class(row, given));
    let candidates = Candidates { given, own, seen, other_class };
    let guess = candidates.guess(
        &cutoffs.keys,
        several,
        || seen.confident_class(row, given, &cutoffs.keys),
        || has_several::<F>(row, &cutoffs.keys),
    );
    Ok((candidates.facts(guess), Kind::Usual))
}

/// Between which keys those of valid cells lie.
#[derive(Debug)]
pub(crate) struct ValidKeys<F: Format> {
    smallest: F::Key,
    largest: F::Key,
}

impl<F: Format> ValidKeys<F> {
    pub(crate) fn new() -> Self {
        Self { smallest: F::smallest(), largest: F::largest() }
    }

    /// Whether all keys of a row do.
    #[inline(always)]
    pub(crate) fn hold(&self, seen: &Scan<F>, own: F::Key) -> bool {
        let too_large = seen.other.max(own) > self.largest;
        let too_small = F::MEANING == Meaning::Score && seen.least.min(own) < self.smallest;
        !(too_large | too_small)
    }
}

/// Whether the keys of a row's cells are in the order of their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They are.
    Usual,
    /// Some probability has a sign: a zero, or a tiny negative number within tolerance.
    Unusual,
}

/// A row with cells whose keys are no order: an error, or a zero with a sign, or a tiny negative
/// number within tolerance. Rare, so it is done by the definition.
#[cold]
#[inline(never)]
pub(crate) fn unusual_row_facts<F: Format>(
    row: &[F::Bits],
    given: usize,
    cutoffs: &Cutoffs<F>,
    several: Several,
) -> Result<RowFacts, BadCell> {
    check_row::<F>(row)?;
    let values: Vec<f64> = row.iter().map(|&bits| F::value(bits)).collect();
    Ok(defined_row_facts(&values, given, &cutoffs.values, several))
}

/// The definition: what [`row_facts`] must give, in plain loops.
pub(crate) fn defined_row_facts(
    row: &[f64],
    given: usize,
    cutoffs: &[f64],
    several: Several,
) -> RowFacts {
    let argmax = |keep: &dyn Fn(usize) -> bool| {
        let classes = (0..row.len()).filter(|&class| keep(class));
        classes.reduce(|best, class| if row[class] > row[best] { class } else { best })
    };
    let confident = |class: usize| row[class] >= cutoffs[class];
    // K >= 2, so there is another class.
    let best_other_class = argmax(&|class| class != given).unwrap_or(given);
    let best_other = row[best_other_class];
    let is_several = (0..row.len()).filter(|&class| confident(class)).count() > 1;
    let guess = match several {
        Several::RowArgmax if is_several => argmax(&|_| true),
        _ => argmax(&confident),
    };
    RowFacts {
        own: row[given],
        best_other,
        best_other_class: if best_other < row[given] { NO_CLASS } else { best_other_class as u32 },
        guess: guess.map_or(NO_CLASS, |class| class as u32),
    }
}

/// Between which classes a row decides.
pub(crate) struct Candidates<F: Format> {
    pub(crate) given: usize,
    pub(crate) own: F::Key,
    /// The other classes.
    pub(crate) seen: Scan<F>,
    /// The most probable of them, unless the given class is more probable.
    pub(crate) other_class: Option<usize>,
}

impl<F: Format> Candidates<F> {
    /// The guessed true class. Of the other classes, which is the most probable confident one, and
    /// whether there are several with the given one, is hardly ever asked.
    #[inline(always)]
    pub(crate) fn guess(
        &self,
        cutoffs: &[F::Key],
        several: Several,
        confident_class: impl FnOnce() -> usize,
        has_several: impl FnOnce() -> bool,
    ) -> u32 {
        let Self { given, own, seen, other_class } = *self;
        let own_is_confident = own >= cutoffs[given];
        if seen.confident_other == F::Key::NONE {
            return if own_is_confident { given as u32 } else { NO_CLASS };
        }
        let (best, cell) = match other_class {
            Some(other) if own < seen.other || other < given => (other, seen.other),
            _ => (given, own),
        };
        // Where the row's argmax is itself confident, both rules agree.
        if cell >= cutoffs[best] {
            return best as u32;
        }
        // The row's argmax is not confident, but some other class is.
        if several == Several::RowArgmax && has_several() {
            return best as u32;
        }
        let other = confident_class();
        let own_is_most_probable = own.signed() > seen.confident_other
            || (own.signed() == seen.confident_other && given < other);
        let guess = if own_is_confident && own_is_most_probable { given } else { other };
        guess as u32
    }

    /// The facts of the row.
    #[inline(always)]
    pub(crate) fn facts(&self, guess: u32) -> RowFacts {
        RowFacts {
            own: F::widen(self.own),
            best_other: F::widen(self.seen.other),
            best_other_class: self.other_class.map_or(NO_CLASS, |class| class as u32),
            guess,
        }
    }
}

/// Whether more than one class of a row is confident.
#[inline(always)]
fn has_several<F: Format>(row: &[F::Bits], cutoffs: &[F::Key]) -> bool {
    row.iter().zip(cutoffs).filter(|&(&cell, &cutoff)| F::key(cell) >= cutoff).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Float16, Float32, Float64};
    use proptest::prelude::*;

    /// Cells with many ties, zeros of both signs, and numbers just outside [0, 1].
    fn cell() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (0..=20_u32).prop_map(|n| f64::from(n) / 20.0),
            4 => 0.0..=1.0,
            1 => Just(-0.0),
            1 => -9e-7..0.0,
            1 => 1.0..1.000_000_9,
        ]
    }

    fn row_given_cutoffs() -> impl Strategy<Value = (Vec<f64>, usize, Vec<f64>)> {
        (2..90_usize).prop_flat_map(|n_classes| {
            let cutoff = prop_oneof![cell(), Just(2.0), -1.0..0.0];
            (
                prop::collection::vec(cell(), n_classes),
                0..n_classes,
                prop::collection::vec(cutoff, n_classes),
            )
        })
    }

    fn agrees_with_definition<F: Format>(
        values: &[f64],
        given: usize,
        cutoffs: &[f64],
        several: Several,
    ) {
        let row: Vec<F::Bits> =
            values.iter().map(|&value| F::bits(F::round_up(value).min(F::largest()))).collect();
        let widened: Vec<f64> = row.iter().map(|&bits| F::value(bits)).collect();
        let expected = defined_row_facts(&widened, given, cutoffs, several);
        let cutoffs = Cutoffs::<F>::at(cutoffs.to_vec());
        let found =
            row_facts::<F>(&row, given, &cutoffs, &ValidKeys::new(), several, Fetch::Nothing);
        assert_eq!(found, Ok((expected, Kind::Usual)));
    }

    proptest! {
        #[test]
        fn fast_rows_are_as_defined((values, given, cutoffs) in row_given_cutoffs()) {
            for several in [Several::MostProbable, Several::RowArgmax] {
                agrees_with_definition::<Float16>(&values, given, &cutoffs, several);
                agrees_with_definition::<Float32>(&values, given, &cutoffs, several);
                agrees_with_definition::<Float64>(&values, given, &cutoffs, several);
            }
        }

        #[test]
        fn rows_with_signs_are_as_defined((values, given, cutoffs) in row_given_cutoffs()) {
            let row: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
            let several = Several::MostProbable;
            let expected = defined_row_facts(&values, given, &cutoffs, several);
            let cutoffs = Cutoffs::<Float64>::at(cutoffs);
            let found = row_facts::<Float64>(&row, given, &cutoffs, &ValidKeys::new(), several, Fetch::Nothing);
            prop_assert_eq!(found.map(|(facts, _)| facts), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_probability_is_found() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, -0.5, 1.1, f32::NEG_INFINITY] {
            let mut row = [0.0_f32; 40];
            row[37] = bad;
            let bits: Vec<u32> = row.iter().map(|value| value.to_bits()).collect();
            let cutoffs = Cutoffs::<Float32>::never(40);
            for given in [0, 37, 39] {
                let facts = row_facts::<Float32>(
                    &bits,
                    given,
                    &cutoffs,
                    &ValidKeys::new(),
                    Several::MostProbable,
                    Fetch::Nothing,
                );
                assert_eq!(facts.unwrap_err().column, 37);
            }
        }
    }
}
