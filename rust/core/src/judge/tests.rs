//! Judges against their definition in plain loops, whichever way rows are stored.

use proptest::prelude::*;

use super::{Judge, Judgement, RelativeConfidence, Scratch};
use crate::calibration::Calibration;
use crate::entropy::Real;
use crate::error::Error;
use crate::format::{BFloat16, Float16, Float32, Float64, Format};
use crate::pred_probs::Kind;
use crate::row::NO_CLASS;
use crate::scan::Fetch;
use crate::simd::Level;
use crate::states::Spec;
use crate::thresholds::{FLOOR, NEVER};

const LEVELS: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];

fn spec(n_classes: usize) -> Spec {
    Spec { n_classes, kind: Kind::Probabilities, calibration: Calibration::NONE }
}

fn fitted(spec: Spec, thresholds: &[f64]) -> Judge {
    Judge::RelativeConfidence(RelativeConfidence::new(spec, thresholds).unwrap())
}

/// A row with ties and zeros, the given class, and thresholds of which some are of absent classes.
fn row_given_thresholds() -> impl Strategy<Value = (Vec<f64>, usize, Vec<f64>)> {
    let n_classes = prop_oneof![4 => 2..40_usize, 1 => 120..300_usize];
    n_classes.prop_flat_map(|n_classes| {
        let cell = prop_oneof![
            3 => Just(0.0),
            4 => (0..=8_u32).prop_map(|n| f64::from(n) / 8.0),
            4 => 0.0..=1.0,
            1 => Just(1.0),
        ];
        let threshold = prop_oneof![
            4 => (1..=8_u32).prop_map(|n| f64::from(n) / 8.0),
            4 => 0.01..=1.0,
            1 => Just(NEVER),
            1 => Just(FLOOR),
        ];
        (
            prop::collection::vec(cell, n_classes),
            0..n_classes,
            prop::collection::vec(threshold, n_classes),
        )
    })
}

/// The relative confidence in plain loops. Weights are rounded as they are in rows; their sum is not.
fn defined<F: Format>(row: &[F::Bits], given: usize, thresholds: &[f64]) -> Judgement {
    let weight =
        |class: usize| F::real(row[class]).times(F::Real::of(1.0 / thresholds[class])).double();
    let largest = |mut classes: Box<dyn Iterator<Item = usize>>| {
        let first = classes.next()?;
        let best = classes.fold(first, |a, b| if weight(b) > weight(a) { b } else { a });
        (weight(best) > 0.0).then_some(best)
    };
    let other = largest(Box::new((0..row.len()).filter(move |&class| class != given)));
    let best = largest(Box::new(0..row.len()));
    let sum: f64 = (0..row.len()).map(weight).sum();
    let score = if sum > 0.0 { weight(given) / sum } else { 0.0 };
    let other = other.filter(|&other| weight(other) >= weight(given));
    Judgement {
        score,
        other: other.map_or(NO_CLASS, |class| class as u32),
        beats: best.is_some_and(|best| best != given),
    }
}

fn judges_as_defined<F: Format>(values: &[f64], given: usize, thresholds: &[f64]) {
    let row: Vec<F::Bits> = values.iter().map(|&value| F::nearest(value)).collect();
    let expected = defined::<F>(&row, given, thresholds);
    let judge = fitted(spec(row.len()), thresholds);
    let stored: (Vec<u32>, Vec<F::Bits>) =
        (0..).zip(&row).filter(|(_, cell)| F::value(**cell) != 0.0).map(|(k, &p)| (k, p)).unzip();
    let mut first: Option<Judgement> = None;
    for level in LEVELS {
        let ready = judge.ready::<F::Real>(level);
        let mut scratch = Scratch::new();
        let dense = ready.judge::<F>(&row, given, &mut scratch, Fetch::Nothing);
        let by_entries = ready.judge_entries::<F>((&stored.0, &stored.1), given, &mut scratch);
        assert_eq!(dense, by_entries, "zeros add nothing");
        assert_eq!(*first.get_or_insert(dense), dense, "{level:?}");
        assert_eq!((dense.other, dense.beats), (expected.other, expected.beats));
        assert!((0.0..=1.0).contains(&dense.score), "{}", dense.score);
        let tolerance = if size_of::<F::Real>() == 4 { 1e-6 } else { 1e-14 };
        assert!((dense.score - expected.score).abs() < tolerance, "{dense:?} {expected:?}");
    }
}

proptest! {
    #[test]
    fn relative_confidence_is_as_defined((row, given, thresholds) in row_given_thresholds()) {
        judges_as_defined::<Float16>(&row, given, &thresholds);
        judges_as_defined::<BFloat16>(&row, given, &thresholds);
        judges_as_defined::<Float32>(&row, given, &thresholds);
        judges_as_defined::<Float64>(&row, given, &thresholds);
    }
}

fn judged(row: &[f64], given: usize, thresholds: &[f64]) -> Judgement {
    let bits: Vec<u64> = row.iter().map(|value| value.to_bits()).collect();
    let judge = fitted(spec(row.len()), thresholds);
    let ready = judge.ready::<f64>(Level::chosen());
    ready.judge::<Float64>(&bits, given, &mut Scratch::new(), Fetch::Nothing)
}

#[test]
fn each_class_is_relative_to_its_own_confidence() {
    // 0.5 is more than usual of class 1, less than usual of class 0.
    let found = judged(&[0.5, 0.5], 0, &[1.0, 0.25]);
    assert_eq!(found, Judgement { score: 0.2, other: 1, beats: true });
    assert_eq!(judged(&[0.5, 0.5], 1, &[1.0, 0.25]).score, 0.8);
}

#[test]
fn of_equal_weights_the_lowest_class_wins() {
    let thresholds = [0.5, 0.25, 0.5, 0.25];
    let row = [0.5, 0.25, 0.0, 0.25];
    let found: Vec<_> = (0..4).map(|given| judged(&row, given, &thresholds)).collect();
    assert_eq!(found.iter().map(|one| one.other).collect::<Vec<_>>(), [1, 0, 0, 0]);
    assert_eq!(judged(&[0.5, 0.125, 0.0, 0.25], 0, &[0.25, 0.25, 0.5, 0.25]).other, NO_CLASS);
    assert_eq!(found.iter().map(|one| one.beats).collect::<Vec<_>>(), [false, true, true, true]);
}

#[test]
fn nobody_is_believed_where_nothing_speaks_for_any_class() {
    let nothing = Judgement { score: 0.0, other: NO_CLASS, beats: false };
    assert_eq!(judged(&[0.0, 0.0], 1, &[0.5, 0.5]), nothing);
    // Nobody is given class 0.
    let known = Judgement { score: 0.0, other: 0, beats: true };
    assert_eq!(judged(&[1.0, 0.0], 1, &[NEVER, 0.5]), known);
}

#[test]
fn judges_are_read_as_they_were_written() {
    let spec = Spec {
        n_classes: 3,
        kind: Kind::Logits,
        calibration: Calibration { temperature: 2.0, ..Calibration::NONE },
    };
    let judge = fitted(spec, &[0.5, NEVER, 1.0]);
    let bytes = judge.to_bytes();
    assert_eq!(Judge::from_bytes(&bytes), Ok(judge));
    for length in 0..bytes.len() {
        let cut = Judge::from_bytes(&bytes[..length]);
        assert!(matches!(cut, Err(Error::StateDamaged { .. })));
    }
}

#[test]
fn what_no_judge_goes_by_is_refused() {
    let found = RelativeConfidence::new(spec(3), &[0.5, 0.5]);
    let error = Error::OnePerClass { name: "thresholds", n_classes: 3, found: 2 };
    assert_eq!(found, Err(error));
    for value in [0.0, -1.0, 3.0, f64::INFINITY] {
        let found = RelativeConfidence::new(spec(2), &[0.5, value]);
        assert_eq!(found, Err(Error::JudgeThreshold { class: 1, value }));
    }
    assert!(RelativeConfidence::new(spec(2), &[0.5, f64::NAN]).is_err());
    let scores = Spec { kind: Kind::Scores, ..spec(2) };
    let found = RelativeConfidence::new(scores, &[0.5, 0.5]);
    assert_eq!(found, Err(Error::NeedsProbabilities { what: "relative_confidence" }));
}
