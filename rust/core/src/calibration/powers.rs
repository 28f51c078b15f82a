//! The powers of a row: p^(1/T) e^b of each cell, over the largest p^(1/T) and the largest e^b.

use super::Calibration;
use crate::entropy::Real;
use crate::error::Result;
use crate::format::{Bits, Format};
use crate::lanes::{PART, Sums, Terms, sum_of_row};
use crate::pred_probs::Kind;
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};
use crate::softmax::{Exponent, largest_lane, scale};
use crate::sparse::{Raise, Sparse};

/// What turns a row into powers.
pub(crate) struct Powers<R> {
    /// What cells are: probabilities, or logits.
    pub(crate) kind: Kind,
    /// What a difference of logarithms, as [`Real::ln_in_units`] counts them, is times to be an exponent of 2.
    scale: R,
    /// Exponents of 2 that are added: one a class, none above -1.
    shifts: Vec<R>,
}

/// What turns the powers of a row into probabilities.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Normalizer<R> {
    /// The largest cell, as a logarithm.
    max: R,
    /// 0 for a row of zeros.
    inverse_sum: R,
}

impl<R: Exponent> Powers<R> {
    /// Of a calibration that was checked.
    pub(crate) fn new(calibration: &Calibration, kind: Kind, n_classes: usize) -> Self {
        let Calibration { temperature, class_bias } = calibration;
        let unit = if kind == Kind::Logits { 1.0 } else { R::UNIT };
        let scale = scale("temperature", *temperature).expect("a temperature that was checked");
        let largest = class_bias.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shift = |bias: &f64| R::of((bias - largest) * std::f64::consts::LOG2_E - 1.0);
        let shifts = match &class_bias[..] {
            [] => vec![R::of(-1.0); n_classes],
            biases => biases.iter().map(shift).collect(),
        };
        Self { kind, scale: R::of(scale * unit), shifts }
    }

    /// Of probabilities of which a few are stored.
    pub(crate) fn of_entries<F: Format<Real = R>>(
        calibration: &Calibration,
        sparse: &Sparse<'_, F>,
    ) -> Result<Self> {
        let n_classes = sparse.shape().1;
        calibration.check(Kind::Probabilities, n_classes)?;
        Ok(Self::new(calibration, Kind::Probabilities, n_classes))
    }

    /// The power of a cell.
    #[inline(always)]
    fn power<const LOGITS: bool>(&self, cell: R, shift: R, max: R) -> R {
        raised(exponent::<LOGITS, R>(cell, self.scale, shift, max))
    }

    /// What the powers of a row of valid cells are divided by.
    #[inline(always)]
    pub(crate) fn normalizer<F: Format<Real = R>>(&self, cells: &[F::Bits]) -> Normalizer<R> {
        match self.kind {
            Kind::Logits => self.normalizer_of::<true, F>(cells),
            _ => self.normalizer_of::<false, F>(cells),
        }
    }

    #[inline(always)]
    fn normalizer_of<const LOGITS: bool, F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
    ) -> Normalizer<R> {
        let max = log::<LOGITS, R>(largest::<LOGITS, F>(cells));
        let mut row = Row::<R, LOGITS, false> { powers: self, max, apart: NO_PLACE };
        let sum = sum_of_row::<F, _>(cells, &mut row, &mut [], Fetch::Nothing);
        Self::of_sum(max, sum)
    }

    /// The powers of a row of valid probabilities of which none is negative, in room for whole parts;
    /// what they are multiplied by to sum to 1. One class has so much instead of 0, unless all have
    /// nothing.
    #[inline(always)]
    pub(crate) fn raise<F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
        (class, least): (usize, R),
        powers: &mut [R],
        fetch: Fetch,
    ) -> R {
        let raw = F::real(cells[class]);
        let own = if raw > R::ZERO { raw } else { least };
        let max = largest::<false, F>(cells).or_larger(own).ln_in_units();
        let mut row = Row::<R, false, true> { powers: self, max, apart: class };
        let sum = sum_of_row::<F, _>(cells, &mut row, powers, fetch);
        let own = if sum > 0.0 { own } else { raw };
        let (own, inverse) = self.with_own(own, class, max, sum);
        powers[class] = own;
        inverse
    }

    /// The same of a row of which a few are stored, by ascending class; and the power of that class, if
    /// there is one.
    #[inline(always)]
    pub(crate) fn raise_entries<F: Format<Real = R>>(
        &self,
        classes: &[u32],
        cells: &[F::Bits],
        least: Option<(usize, R)>,
        powers: &mut [R],
    ) -> (R, R) {
        let real = |&cell: &F::Bits| F::real(cell);
        let largest = cells.iter().map(real).fold(R::ZERO, R::or_larger);
        let stored = |class: usize| classes.binary_search(&(class as u32)).ok();
        let raw = least.and_then(|(class, _)| stored(class)).map_or(R::ZERO, |at| real(&cells[at]));
        let own = if raw > R::ZERO { raw } else { least.map_or(R::ZERO, |(_, least)| least) };
        let max = largest.or_larger(own).ln_in_units();
        for ((power, &cell), &class) in powers.iter_mut().zip(cells).zip(classes) {
            *power = self.power::<false>(F::real(cell), self.shifts[class as usize], max);
        }
        let mut sums = Sums::ZERO;
        let Some((class, _)) = least else {
            sums.add_entries(classes, powers);
            return (Self::of_sum(max, sums.total()).inverse_sum, R::ZERO);
        };
        if let Some(place) = stored(class) {
            powers[place] = R::ZERO;
        }
        sums.add_entries(classes, powers);
        let own = if sums.total() > 0.0 { own } else { raw };
        let (own, inverse) = self.with_own(own, class, max, sums.total());
        (inverse, own)
    }

    fn of_sum(max: R, sum: f64) -> Normalizer<R> {
        // At least that of the largest cell, unless all are 0.
        let inverse_sum = if sum > 0.0 { R::of(1.0 / sum) } else { R::ZERO };
        Normalizer { max, inverse_sum }
    }

    /// The power of one more class, and what all are multiplied by to sum to 1.
    #[inline(always)]
    fn with_own(&self, own: R, class: usize, max: R, sum: f64) -> (R, R) {
        let own = self.power::<false>(own, self.shifts[class], max);
        (own, Self::of_sum(max, sum + own.double()).inverse_sum)
    }

    /// The probability that a cell becomes.
    #[inline(always)]
    pub(crate) fn probability(&self, cell: R, class: usize, normalizer: &Normalizer<R>) -> R {
        let Normalizer { max, inverse_sum } = *normalizer;
        let power = match self.kind {
            Kind::Logits => self.power::<true>(cell, self.shifts[class], max),
            _ => self.power::<false>(cell, self.shifts[class], max),
        };
        power.times(inverse_sum)
    }

    /// The probabilities of a row.
    #[inline(always)]
    pub(crate) fn fill<F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
        normalizer: &Normalizer<R>,
        probabilities: &mut [<R::Probability as Format>::Bits],
    ) {
        match self.kind {
            Kind::Logits => self.fill_of::<true, F>(cells, normalizer, probabilities),
            _ => self.fill_of::<false, F>(cells, normalizer, probabilities),
        }
    }

    #[inline(always)]
    fn fill_of<const LOGITS: bool, F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
        normalizer: &Normalizer<R>,
        probabilities: &mut [<R::Probability as Format>::Bits],
    ) {
        let Normalizer { max, inverse_sum } = *normalizer;
        let shifted = cells.iter().zip(&self.shifts);
        for (probability, (&cell, &shift)) in probabilities.iter_mut().zip(shifted) {
            let power = self.power::<LOGITS>(F::real(cell), shift, max);
            *probability = power.times(inverse_sum).cell();
        }
    }
}

/// A row as its powers are added up. Those of one class may be left out: it is added by itself, as
/// where it is not stored.
struct Row<'a, R, const LOGITS: bool, const KEPT: bool> {
    powers: &'a Powers<R>,
    /// The largest cell, as a logarithm.
    max: R,
    apart: usize,
}

/// No class is left out.
const NO_PLACE: usize = usize::MAX;

impl<R: Exponent, const LOGITS: bool, const KEPT: bool> Row<'_, R, LOGITS, KEPT> {
    /// In two loops: a chain of operations that is half as long keeps a CPU twice as busy.
    #[inline(always)]
    fn write<F: Format<Real = R>>(&self, terms: &mut [R], first: usize, cells: &[F::Bits]) {
        let Self { powers, max, .. } = *self;
        let (scale, shifts) = (powers.scale, &powers.shifts[first..first + cells.len()]);
        for (term, (&cell, &shift)) in terms.iter_mut().zip(cells.iter().zip(shifts)) {
            *term = exponent::<LOGITS, R>(F::real(cell), scale, shift, max);
        }
        for term in &mut terms[..cells.len()] {
            *term = raised(*term);
        }
        if let Some(term) = terms.get_mut(self.apart.wrapping_sub(first)) {
            *term = R::ZERO;
        }
    }
}

impl<F, R, const LOGITS: bool, const KEPT: bool> Terms<F> for Row<'_, R, LOGITS, KEPT>
where
    R: Exponent,
    F: Format<Real = R>,
{
    const ARE_KEPT: bool = KEPT;

    #[inline(always)]
    fn fill<const N: usize>(&self, terms: &mut [R; N], first: usize, cells: &[F::Bits; N]) {
        self.write::<F>(terms, first, cells);
    }

    #[inline(always)]
    fn fill_rest(&self, terms: &mut [R; PART], first: usize, cells: &[F::Bits]) {
        self.write::<F>(terms, first, cells);
    }
}

impl<F: Format<Real: Exponent>> Raise<F> for Powers<F::Real> {
    fn raise(&self, classes: &[u32], cells: &mut [F::Bits], terms: &mut Vec<F::Real>) {
        simd::dispatch(Level::chosen(), Entries::<F> { powers: self, classes, cells, terms });
    }
}

/// The probabilities of the entries of a row, as compiled for a CPU level.
struct Entries<'a, F: Format> {
    powers: &'a Powers<F::Real>,
    classes: &'a [u32],
    cells: &'a mut [F::Bits],
    terms: &'a mut Vec<F::Real>,
}

impl<F: Format<Real: Exponent>> Kernel for Entries<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { powers, classes, cells, terms } = self;
        terms.clear();
        terms.resize(cells.len(), F::Real::ZERO);
        let (inverse_sum, _) = powers.raise_entries::<F>(classes, cells, None, terms);
        for (cell, &term) in cells.iter_mut().zip(&*terms) {
            let probability = term.times(inverse_sum).double();
            *cell = if probability > 0.0 { F::nearest(probability) } else { F::Bits::ZERO };
        }
    }
}

/// A cell as a logarithm.
#[inline(always)]
fn log<const LOGITS: bool, R: Real>(cell: R) -> R {
    if LOGITS { cell } else { cell.ln_in_units() }
}

/// The logarithm of the power of a cell, to base 2.
#[inline(always)]
fn exponent<const LOGITS: bool, R: Exponent>(cell: R, scale: R, shift: R, max: R) -> R {
    let exponent = log::<LOGITS, R>(cell).minus(max).times_plus(scale, shift);
    let exponent = exponent.or_larger(R::LEAST_EXPONENT);
    // What has a sign counts as 0 too.
    if LOGITS || cell > R::ZERO { exponent } else { R::LEAST_EXPONENT }
}

/// 2 to an exponent, unless it is so low that the power counts as 0.
#[inline(always)]
fn raised<R: Exponent>(exponent: R) -> R {
    let power = exponent.power_of_two();
    if exponent > R::LEAST_EXPONENT { power } else { R::ZERO }
}

/// The largest of some cells, or what lies below all that are not ruled out.
#[inline(always)]
fn largest<const LOGITS: bool, F: Format>(cells: &[F::Bits]) -> F::Real {
    let least = if LOGITS { F::Real::LOWEST } else { F::Real::ZERO };
    let mut largest = [least; PART];
    let (parts, rest) = cells.as_chunks::<PART>();
    for cells in parts {
        for (largest, &cell) in largest.iter_mut().zip(cells) {
            *largest = largest.or_larger(F::real(cell));
        }
    }
    for (largest, &cell) in largest.iter_mut().zip(rest) {
        *largest = largest.or_larger(F::real(cell));
    }
    largest_lane(largest)
}
