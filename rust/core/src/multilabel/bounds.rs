//! Questions about a cell as bounds on its key.
//!
//! With c_1 = t_1 - SLACK and c_0 = t_0 - SLACK, a cell p is confident of 1 when p >= c_1 and of 0 when
//! 1 - p >= c_0. Of two confident ones the more probable is the guess, on a tie 0. All of it is monotone
//! in p, so the guess is 1 from some key on, 0 up to another one, and there is none between. (With two
//! classes cleanlab's rule for several confident ones, the argmax of the row, is the same.)

use std::fmt::Debug;
use std::sync::OnceLock;

use crate::format::{Float32, Float64, Format, Key as _, Meaning, Scores};
use crate::row::SLACK;

use super::bits::PIECE;
use super::{complement, disagrees, own_and_other};

/// What [`crate::Scores`] are: keys are signed integers.
pub(crate) trait Cell: Format<Key: Tally> {
    /// Where the guesses of cells of this width are kept.
    fn kept(guesses: &KeptGuesses) -> &OnceLock<Guesses<Self>>;

    /// The bits of a cell, which are the key of one without a sign.
    fn plain(bits: Self::Bits) -> Self::Key;
}

impl Cell for Scores<Float32> {
    fn kept(guesses: &KeptGuesses) -> &OnceLock<Guesses<Self>> {
        &guesses.single
    }

    #[inline(always)]
    fn plain(bits: u32) -> i32 {
        bits.cast_signed()
    }
}

impl Cell for Scores<Float64> {
    fn kept(guesses: &KeptGuesses) -> &OnceLock<Guesses<Self>> {
        &guesses.double
    }

    #[inline(always)]
    fn plain(bits: u64) -> i64 {
        bits.cast_signed()
    }
}

/// A signed integer that can be counted in.
pub(crate) trait Tally: Copy + Ord + Into<i64> + TryFrom<i64> + Send + Sync {
    /// The same width, without a sign.
    type Distance: Copy + Ord + Default + Debug + Send + Sync;
    /// 0.
    const NONE_YET: Self;
    /// One more, if so.
    fn one_more_if(self, is: bool) -> Self;
    /// How far above another one, wrapped around: what is below it is further away than anything.
    fn distance_above(self, low: Self) -> Self::Distance;
    /// What is so far above it.
    fn plus(self, distance: Self::Distance) -> Self;
}

macro_rules! tally {
    ($($signed:ty, $unsigned:ty;)*) => {$(
        impl Tally for $signed {
            type Distance = $unsigned;
            const NONE_YET: Self = 0;
            #[inline(always)]
            fn one_more_if(self, is: bool) -> Self {
                self.wrapping_add(<$signed>::from(is))
            }
            #[inline(always)]
            fn distance_above(self, low: Self) -> $unsigned {
                self.wrapping_sub(low).cast_unsigned()
            }
            #[inline(always)]
            fn plus(self, distance: $unsigned) -> Self {
                self.wrapping_add(distance.cast_signed())
            }
        }
    )*};
}
tally! { i32, u32; i64, u64; }

/// Keys of valid cells, and what of them does not depend on the class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<F: Cell> {
    /// The smallest valid one.
    pub(crate) low: F::Key,
    /// How far the largest one is above it.
    pub(crate) width: <F::Key as Tally>::Distance,
    /// How far it is above 0.
    pub(crate) plain_width: <F::Key as Tally>::Distance,
    /// With the tag, a cell up to this one may be a candidate.
    pub(crate) tagged_up_to: F::Key,
    /// Without the tag, a cell so far above `low` may be one.
    pub(crate) untagged_from: <F::Key as Tally>::Distance,
    pub(crate) meaning: Meaning,
}

/// The key of an integer that is one.
fn key<F: Cell>(integer: i64) -> F::Key {
    F::Key::try_from(integer).unwrap_or_else(|_| unreachable!("beyond all keys"))
}

/// The first integer between two for which something holds that goes on to hold, else the one after.
fn first_where<F: Cell>((first, last): (i64, i64), holds: impl Fn(f64) -> bool) -> i64 {
    let (mut start, mut end) = (i128::from(first), i128::from(last) + 1);
    while start < end {
        let middle = (start + end) >> 1;
        if holds(F::widen(key::<F>(middle as i64))) {
            end = middle;
        } else {
            start = middle + 1;
        }
    }
    start as i64
}

/// The last integer for which something holds that held before, else the one before them all.
fn last_where<F: Cell>(range: (i64, i64), holds: impl Fn(f64) -> bool) -> i64 {
    first_where::<F>(range, |value| !holds(value)) - 1
}

impl<F: Cell> Range<F> {
    pub(crate) fn new(meaning: Meaning) -> Self {
        let all = (F::smallest().into(), F::largest().into());
        let low = first_where::<F>(all, |value| meaning.allows(value) || value > 0.0);
        let high = last_where::<F>(all, |value| meaning.allows(value) || value < 0.0);
        let range = (low, high);
        let tagged_up_to = last_where::<F>(range, |p| disagrees(p, true, meaning));
        let disagreeing = first_where::<F>(range, |p| disagrees(p, false, meaning));
        // The largest own probability among candidates with the tag. Where one without it is just
        // as large, the two are compared by their rows, so that one is a candidate too.
        let untagged_from = if tagged_up_to < low {
            disagreeing
        } else {
            let (most, _) = own_and_other(F::widen(key::<F>(tagged_up_to)), true, meaning);
            disagreeing.min(first_where::<F>(range, |p| complement(p, meaning) <= most))
        };
        let low = key::<F>(low);
        let distance = |integer: i64| key::<F>(integer).distance_above(low);
        Self {
            low,
            width: distance(high),
            plain_width: key::<F>(high).distance_above(F::Key::NONE_YET),
            tagged_up_to: key::<F>(tagged_up_to),
            untagged_from: distance(untagged_from),
            meaning,
        }
    }

    fn ends(&self) -> (i64, i64) {
        let low: i64 = self.low.into();
        let high = last_where::<F>((low, F::largest().into()), |value| {
            self.meaning.allows(value) || value < 0.0
        });
        (low, high)
    }
}

/// Where the guess of each class begins to be 1, and up to where it is 0; after the last class bounds
/// that nothing reaches, to whole pieces.
#[derive(Debug)]
pub(crate) struct Guesses<F: Cell> {
    pub(crate) one_from: Vec<F::Key>,
    pub(crate) zero_to: Vec<F::Key>,
}

/// The guesses for thresholds that stay the same, of each width of cells. Where there are many classes,
/// finding them takes as long as a look at a batch.
#[derive(Debug, Default)]
pub(crate) struct KeptGuesses {
    single: OnceLock<Guesses<Scores<Float32>>>,
    double: OnceLock<Guesses<Scores<Float64>>>,
}

impl KeptGuesses {
    /// Those for these thresholds, which are the same each time.
    pub(crate) fn of<F: Cell>(&self, thresholds: &[[f64; 2]], meaning: Meaning) -> &Guesses<F> {
        F::kept(self).get_or_init(|| Guesses::new(thresholds, &Range::new(meaning)))
    }
}

/// They can be found again.
impl Clone for KeptGuesses {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// They follow from the thresholds.
impl PartialEq for KeptGuesses {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<F: Cell> Guesses<F> {
    pub(crate) fn new(thresholds: &[[f64; 2]], range: &Range<F>) -> Self {
        let (ends, meaning) = (range.ends(), range.meaning);
        let rather_zero = last_where::<F>(ends, |p| p <= complement(p, meaning));
        let of_class = |&[t_0, t_1]: &[f64; 2]| {
            let (zero, one) = (t_0 - SLACK, t_1 - SLACK);
            let zero_to = last_where::<F>(ends, |p| complement(p, meaning) >= zero);
            let one_from = first_where::<F>(ends, |p| p >= one);
            let both_zero = zero_to.min((one_from - 1).max(rather_zero));
            let both_one = one_from.max(zero_to.min(rather_zero) + 1);
            (key::<F>(both_one), key::<F>(both_zero))
        };
        let mut guesses = Self::none(thresholds.len());
        let bounds = guesses.one_from.iter_mut().zip(&mut guesses.zero_to);
        for ((one_from, zero_to), of_class) in bounds.zip(thresholds.iter().map(of_class)) {
            (*one_from, *zero_to) = of_class;
        }
        guesses
    }

    /// The guesses of no class, for questions that do not ask.
    pub(crate) fn none(n_classes: usize) -> Self {
        let (never, nor) = (F::largest().next(), F::smallest().previous());
        let n = n_classes.next_multiple_of(PIECE);
        Self { one_from: vec![never; n], zero_to: vec![nor; n] }
    }
}
