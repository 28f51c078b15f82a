//! Judges: rules that look at each row by itself once they are fitted to all of them.
//!
//! A judge gives every class of a row a weight, how far it believes that the label should be that
//! class. The score of a label is the share of its own weight, from 0 (likely wrong) to 1 (likely
//! right), so it is a score to rank by and a filter at once. What a judge is fitted to is small, and
//! can be sent to whoever holds rows ([`Judge::to_bytes`]).
//!
//! A judge is asked in the same sweep as everything else ([`crate::look`]). Of a row that stores a
//! few entries it looks at those alone: a zero has the weight 0.

mod noise_floor;
mod relative;
mod scores;
#[cfg(test)]
mod tests;

pub use noise_floor::NoiseFloor;
pub use relative::RelativeConfidence;
pub use scores::label_quality_scores;
pub(crate) use scores::scores_of_rows;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::entropy::Real;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::Labels;
use crate::pred_probs::{Kind, PredProbs};
use crate::quality::{Adjust, Method, check_kind};
use crate::row::NO_CLASS;
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};
use crate::softmax::Exponent;
use crate::states::Spec;
use crate::states::wire::Wire;
use noise_floor::Posterior;
use relative::Weights;

/// Below which score a posterior flags a row, unless another cut is given.
pub const CUT: f64 = 0.5;

const NAME: &str = "Judge";

/// A fitted judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Judge {
    /// Each class relative to its own confidence.
    RelativeConfidence(RelativeConfidence),
    /// How much of a class's probability stands above what wrong labels alone explain.
    NoiseFloor(Box<NoiseFloor>),
}

/// What a judge says of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// From 0 to 1; high where the label is right.
    pub score: f64,
    /// The class with the largest weight among those that are not given, the lowest on ties;
    /// [`NO_CLASS`] where all of them have the weight 0. A judge that flags no row of which the given
    /// class has the largest weight does not tell it there.
    pub other: u32,
    /// Whether that class has a larger weight than the given one, or as large a one and a lower
    /// number.
    pub beats: bool,
}

impl Judgement {
    /// From the weights of a row: that of the given class, the largest of the others and its class
    /// ([`NO_CLASS`] where it is 0).
    #[inline(always)]
    pub(crate) fn of_weights<R: Real>(
        score: f64,
        given: usize,
        own: R,
        (largest, other): (R, u32),
    ) -> Self {
        let wins = largest > own || (largest == own && (other as usize) < given);
        Self { score, other, beats: other != NO_CLASS && wins }
    }
}

impl Judge {
    /// Its score.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            Self::RelativeConfidence(_) => Method::RelativeConfidence,
            Self::NoiseFloor(_) => Method::NoiseFloor,
        }
    }

    /// What the matrices have in common that it can judge.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        match self {
            Self::RelativeConfidence(judge) => judge.spec(),
            Self::NoiseFloor(judge) => judge.spec(),
        }
    }

    /// Checks that rows are of the kind and the classes that it was fitted to.
    pub(crate) fn check(&self, labels: &Labels, pred_probs: &PredProbs<'_>) -> Result<()> {
        self.spec().fits(NAME, labels, pred_probs)
    }

    /// As it looks at rows that are added up in one float.
    pub(crate) fn ready<R: Exponent>(&self, level: Level) -> Ready<'_, R> {
        match self {
            Self::RelativeConfidence(judge) => Ready::by_thresholds(judge.thresholds(), level),
            Self::NoiseFloor(judge) => {
                Ready { rule: Rule::NoiseFloor(Box::new(Posterior::new(judge))), level }
            }
        }
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of a judge.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl Wire for Judge {
    const NUMBER: u16 = 5;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec().check()?;
        if self.spec().kind == Kind::Scores {
            return Err("it judges probabilities, which scores are not");
        }
        match self {
            Self::RelativeConfidence(judge) => judge.check(),
            Self::NoiseFloor(judge) => judge.check(),
        }
    }
}

/// Whom a look asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// A judge that is fitted.
    Fitted(&'a Judge),
    /// The relative confidence, of which the look knows the thresholds.
    ByThresholds,
}

/// Those who give some scores, each once.
///
/// # Errors
/// [`Error::NeedsJudge`] where one is not among the fitted, and cannot be fitted on the way; or if rows
/// are not what they judge.
pub(crate) fn asked<'a>(
    methods: impl IntoIterator<Item = Method>,
    fitted: &'a [Arc<Judge>],
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
) -> Result<Vec<Asked<'a>>> {
    let mut asked: Vec<Asked<'a>> = Vec::new();
    for method in methods.into_iter().filter(|method| method.is_of_judge()) {
        check_kind(method, Adjust::No, pred_probs.kind().0.meaning())?;
        if asked.iter().all(|one| one.method() != method) {
            let judge = fitted.iter().find(|judge| judge.method() == method);
            if let Some(judge) = judge {
                judge.check(labels, pred_probs)?;
            }
            asked.push(Asked::of(method, judge.map(Arc::as_ref))?);
        }
    }
    Ok(asked)
}

impl<'a> Asked<'a> {
    /// Who gives a score.
    pub(crate) fn of(method: Method, fitted: Option<&'a Judge>) -> Result<Self> {
        match (fitted.filter(|judge| judge.method() == method), method) {
            (Some(judge), _) => Ok(Self::Fitted(judge)),
            (None, Method::RelativeConfidence) => Ok(Self::ByThresholds),
            (None, _) => Err(Error::NeedsJudge { what: method.name() }),
        }
    }

    pub(crate) fn method(self) -> Method {
        match self {
            Self::Fitted(judge) => judge.method(),
            Self::ByThresholds => Method::RelativeConfidence,
        }
    }

    /// As it looks at rows, given the thresholds of the look.
    pub(crate) fn ready<R: Exponent>(self, thresholds: &[f64], level: Level) -> Ready<'a, R> {
        match self {
            Self::Fitted(judge) => judge.ready(level),
            Self::ByThresholds => Ready::by_thresholds(thresholds, level),
        }
    }
}

/// A judge, ready to look at rows that are added up in one float.
pub(crate) struct Ready<'a, R: Exponent> {
    rule: Rule<'a, R>,
    level: Level,
}

/// What it goes by.
enum Rule<'a, R: Exponent> {
    RelativeConfidence(Weights<R>),
    NoiseFloor(Box<Posterior<'a, R>>),
}

impl<R: Exponent> Ready<'_, R> {
    /// The relative confidence.
    pub(crate) fn by_thresholds(thresholds: &[f64], level: Level) -> Self {
        Self { rule: Rule::RelativeConfidence(Weights::new(thresholds)), level }
    }

    /// Judges a row of valid cells of which none is negative, and fetches what lies ahead.
    pub(crate) fn judge<F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
        given: usize,
        scratch: &mut Scratch<R>,
        fetch: Fetch,
    ) -> Judgement {
        simd::dispatch(self.level, Dense::<F> { rule: &self.rule, cells, given, scratch, fetch })
    }

    /// Judges a row of which a few such cells are stored, each but once, by ascending class.
    pub(crate) fn judge_entries<F: Format<Real = R>>(
        &self,
        (classes, cells): (&[u32], &[F::Bits]),
        given: usize,
        scratch: &mut Scratch<R>,
    ) -> Judgement {
        let stored = Stored::<F> { rule: &self.rule, classes, cells, given, scratch };
        simd::dispatch(self.level, stored)
    }
}

/// Room for numbers of one row, from one row to the next.
pub(crate) type Scratch<R> = Vec<R>;

/// A row of all cells, as compiled for a CPU level.
struct Dense<'a, F: Format> {
    rule: &'a Rule<'a, F::Real>,
    cells: &'a [F::Bits],
    given: usize,
    scratch: &'a mut Scratch<F::Real>,
    fetch: Fetch,
}

impl<F: Format> Kernel for Dense<'_, F> {
    type Output = Judgement;

    #[inline(always)]
    fn run(self) -> Judgement {
        let Self { rule, cells, given, scratch, fetch } = self;
        match rule {
            Rule::RelativeConfidence(weights) => weights.judge::<F>(cells, given, scratch, fetch),
            Rule::NoiseFloor(posterior) => posterior.judge::<F>(cells, given, scratch, fetch),
        }
    }
}

/// A row of a few entries, as compiled for a CPU level.
struct Stored<'a, F: Format> {
    rule: &'a Rule<'a, F::Real>,
    classes: &'a [u32],
    cells: &'a [F::Bits],
    given: usize,
    scratch: &'a mut Scratch<F::Real>,
}

impl<F: Format> Kernel for Stored<'_, F> {
    type Output = Judgement;

    #[inline(always)]
    fn run(self) -> Judgement {
        let Self { rule, classes, cells, given, scratch } = self;
        match rule {
            Rule::RelativeConfidence(weights) => {
                weights.judge_entries::<F>((classes, cells), given, scratch)
            }
            Rule::NoiseFloor(posterior) => {
                posterior.judge_entries::<F>((classes, cells), given, scratch)
            }
        }
    }
}
