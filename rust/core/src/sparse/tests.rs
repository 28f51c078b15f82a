//! Entries against the matrix with the zeros written out: the same answers, to the bit.

use proptest::prelude::*;

use super::{Numbers, Sparse, Stored, StoredRows};
use crate::analysis::analyze;
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::{BFloat16, Float16, Float32, Float64, Format};
use crate::input::{Labels, Matrix};
use crate::issues::{
    Search, count_confident, find_label_issues, num_label_issues, order_label_issues,
    rank_label_issues,
};
use crate::pred_probs::PredProbs;
use crate::prune::Filter;
use crate::quality::{Adjust, Method, accuracy, label_quality_scores};
use crate::row::Several;
use crate::simd::Level;
use crate::threads::{on_pool, on_this_thread};
use crate::thresholds::confident_thresholds;

/// Rows of entries (class, value), the classes of each in any order and each but once.
#[derive(Debug, Clone)]
struct Data {
    given: Vec<u32>,
    n_classes: usize,
    rows: Vec<Vec<(u32, f64)>>,
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (0..=10_u32).prop_map(|n| f64::from(n) / 10.0),
        4 => 0.0..=1.0,
        1 => Just(-0.0),
        1 => -9e-7..0.0,
        1 => 1.0..1.000_000_9,
    ]
}

/// Few classes and entries, so that rows are full; or many of both, so that all lanes are used.
fn data() -> impl Strategy<Value = Data> {
    let shape = prop_oneof![
        4 => (1..30_usize, 2..8_usize, 0..8_usize),
        4 => (1..30_usize, 2..400_usize, 0..40_usize),
        1 => (1..6_usize, 90..400_usize, 80..90_usize),
    ];
    (shape, any::<bool>()).prop_flat_map(|((n, n_classes, most), is_odd)| {
        let classes: Vec<u32> = (0..n_classes as u32).collect();
        let least = if is_odd { 0 } else { most.min(n_classes) / 2 };
        let chosen = prop::sample::subsequence(classes, least..=most.min(n_classes)).prop_shuffle();
        let cell = if is_odd {
            value().boxed()
        } else {
            (0..=20_u32).prop_map(|n| f64::from(n) / 20.0).boxed()
        };
        let row = chosen.prop_flat_map(move |classes| {
            let values = prop::collection::vec(cell.clone(), classes.len());
            values.prop_map(move |values| classes.iter().copied().zip(values).collect::<Vec<_>>())
        });
        let given = (0..n_classes as u32, 0..n_classes as u32).prop_map(|(a, b)| a.min(b));
        (prop::collection::vec(given, n), prop::collection::vec(row, n))
            .prop_map(move |(given, rows)| Data { given, n_classes, rows })
    })
}

impl Data {
    fn labels(&self) -> Labels {
        Labels::new(self.given.iter().copied(), self.n_classes).unwrap()
    }

    fn dense<F: Format>(&self) -> Vec<F::Bits> {
        let mut cells = vec![F::nearest(0.0); self.rows.len() * self.n_classes];
        for (row, entries) in self.rows.iter().enumerate() {
            for &(class, value) in entries {
                cells[row * self.n_classes + class as usize] = cell::<F>(value);
            }
        }
        cells
    }
}

/// A cell that is valid in the format.
fn cell<F: Format>(value: f64) -> F::Bits {
    let bits = F::nearest(value);
    if F::MEANING.allows(F::value(bits)) { bits } else { F::nearest(1.0) }
}

/// All answers, floats as their bits.
fn answers(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    thresholds: Option<&[f64]>,
    workers: &Workers<'_>,
) -> Result<Vec<String>> {
    let bits = |scores: Vec<f64>| scores.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let mut all = Vec::new();
    let mut add = |answer: &dyn std::fmt::Debug| all.push(format!("{answer:?}"));
    add(&bits(confident_thresholds(labels, pred_probs, workers)?));
    add(&accuracy(labels, pred_probs, workers)?);
    let mask: Vec<bool> = (0..labels.n_examples()).map(|row| row % 3 != 1).collect();
    let methods = [
        Method::SelfConfidence,
        Method::NormalizedMargin,
        Method::ConfidenceWeightedEntropy,
        Method::RelativeConfidence,
    ];
    for method in methods {
        for adjust in [Adjust::No, Adjust::PresentClasses, Adjust::AllClasses] {
            let may_be_adjusted = [Method::SelfConfidence, Method::NormalizedMargin];
            if adjust != Adjust::No && !may_be_adjusted.contains(&method) {
                continue;
            }
            add(&bits(label_quality_scores(
                labels,
                pred_probs,
                None,
                method,
                (adjust, None),
                workers,
            )?));
            add(&order_label_issues(&mask, labels, pred_probs, method, adjust, workers)?);
        }
    }
    for several in [Several::MostProbable, Several::RowArgmax] {
        add(&num_label_issues(labels, pred_probs, several, workers)?);
        add(&count_confident(labels, pred_probs, None, several, workers)?);
        add(&count_confident(labels, pred_probs, thresholds, several, workers)?);
        for filter in [
            Filter::PruneByNoiseRate,
            Filter::PruneByClass,
            Filter::Both,
            Filter::ConfidentLearning,
            Filter::PredictedNeqGiven,
            Filter::LowNormalizedMargin,
            Filter::LowSelfConfidence,
            Filter::RelativeConfidence,
        ] {
            let search = Search { several, ..Search::of(filter) };
            add(&find_label_issues(labels, pred_probs, &search, workers)?);
            for method in methods {
                add(&rank_label_issues(labels, pred_probs, &search, method, workers)?);
            }
            let rank_by = Method::RelativeConfidence;
            let found = analyze(labels, pred_probs, &search, rank_by, workers)?;
            add(&found.judged.into_iter().map(|(_, scores)| bits(scores)).collect::<Vec<_>>());
            add(&bits(found.self_confidence));
            add(&bits(found.normalized_margin));
            add(&bits(found.confidence_weighted_entropy));
            add(&(found.mask, found.ranked, found.suggested_labels, found.num_issues));
            add(&(bits(found.thresholds), found.confident_joint, found.given_counts));
        }
    }
    Ok(all)
}

/// The format that entries are read in.
trait Wrap: Format {
    fn wrap(sparse: Sparse<'_, Self>) -> PredProbs<'_>;
}

impl Wrap for Float32 {
    fn wrap(sparse: Sparse<'_, Self>) -> PredProbs<'_> {
        PredProbs::Sparse32(sparse)
    }
}

impl Wrap for Float64 {
    fn wrap(sparse: Sparse<'_, Self>) -> PredProbs<'_> {
        PredProbs::Sparse64(sparse)
    }
}

/// Compares both ways of storing entries of a format with the dense matrix.
fn same<S, F>(data: &Data, dense: &PredProbs<'_>)
where
    S: Format + Stored<Bits = <S as Format>::Bits, Read = F::Bits>,
    F: Wrap,
{
    let labels = data.labels();
    let thresholds: Vec<f64> =
        (0..data.n_classes).map(|class| [0.4, 0.0, -1.0, 0.6, 2.0][class % 5]).collect();
    let k = data.rows.iter().map(Vec::len).max().unwrap_or(0) + 1;
    let n = data.rows.len();
    // What is left free stands anywhere.
    let mut classes = vec![-1_i64; n * k];
    let mut values = vec![cell::<S>(0.0); n * k];
    let (mut starts, mut flat_classes, mut flat_values) = (vec![0_i32], Vec::new(), Vec::new());
    for (row, entries) in data.rows.iter().enumerate() {
        let gap = row % k;
        for (place, &(class, value)) in entries.iter().enumerate() {
            let place = row * k + if place < gap { place } else { place + 1 };
            classes[place.min(row * k + k - 1)] = i64::from(class);
            values[place.min(row * k + k - 1)] = cell::<S>(value);
        }
        for &(class, value) in entries {
            flat_classes.push(class as u16);
            flat_values.push(cell::<S>(value));
        }
        starts.push(flat_classes.len() as i32);
    }
    let size = size_of::<<S as Format>::Bits>() as isize;
    let strides = (8 * k as isize, 8);
    // SAFETY: all of these are within the vectors.
    let top_k = unsafe {
        let values = Numbers::new::<S>(values.as_ptr().cast(), (size * k as isize, size));
        Sparse::<F>::top_k::<i64>(
            (n, data.n_classes),
            k,
            (classes.as_ptr().cast(), strides),
            values,
        )
    };
    // SAFETY: as above.
    let compressed = unsafe {
        let values = Numbers::new::<S>(flat_values.as_ptr().cast(), (0, size));
        Sparse::<F>::compressed::<u16>(
            data.n_classes,
            StoredRows::Starts32(&starts),
            flat_classes.len(),
            (flat_classes.as_ptr().cast(), (0, 2)),
            values,
        )
    };
    let expected = on_this_thread(|workers| answers(&labels, dense, Some(&thresholds), workers));
    for (what, sparse) in [("top k", top_k), ("compressed", compressed)] {
        let sparse = F::wrap(sparse);
        let found = on_this_thread(|workers| answers(&labels, &sparse, Some(&thresholds), workers));
        assert_eq!(found, expected, "{what}");
        let found = on_pool(
            2,
            || false,
            |workers| {
                let workers = workers.with_block_bytes(100).with_level(Level::Baseline);
                answers(&labels, &sparse, Some(&thresholds), &workers)
            },
        );
        assert_eq!(found, expected, "{what} on threads");
    }
}

fn view<F: Format>(cells: &[F::Bits], (n, k): (usize, usize)) -> Matrix<'_, F> {
    let size = size_of::<F::Bits>() as isize;
    // SAFETY: all cells are within the slice.
    unsafe { Matrix::new(cells.as_ptr().cast(), (n, k), (size * k as isize, size)) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn entries_answer_as_the_dense_matrix_does(data in data()) {
        let shape = (data.rows.len(), data.n_classes);
        let cells = data.dense::<Float64>();
        same::<Float64, Float64>(&data, &PredProbs::Float64(view(&cells, shape)));
        let cells = data.dense::<Float32>();
        same::<Float32, Float32>(&data, &PredProbs::Float32(view(&cells, shape)));
        let cells = data.dense::<Float16>();
        same::<Float16, Float32>(&data, &PredProbs::Float16(view(&cells, shape)));
        let cells = data.dense::<BFloat16>();
        same::<BFloat16, Float32>(&data, &PredProbs::BFloat16(view(&cells, shape)));
    }
}

/// The error of a look at two rows of two entries.
fn fault(classes: [i64; 4], values: [f64; 4]) -> Error {
    let labels = Labels::new([0_u32, 1].into_iter(), 5).unwrap();
    // SAFETY: all entries are within the arrays.
    let sparse = unsafe {
        let values = Numbers::new::<Float64>(values.as_ptr().cast(), (16, 8));
        Sparse::<Float64>::top_k::<i64>((2, 5), 2, (classes.as_ptr().cast(), (16, 8)), values)
    };
    let sparse = PredProbs::Sparse64(sparse);
    let several = Several::MostProbable;
    on_this_thread(|workers| num_label_issues(&labels, &sparse, several, workers)).unwrap_err()
}

#[test]
fn faults_are_named() {
    let good = [0.6, 0.4, 0.6, 0.4];
    let error = fault([0, 1, 0, 5], good);
    assert_eq!(error, Error::EntryClass { row: 1, place: 1, class: 5, n_classes: 5 });
    let error = fault([0, 1, -2, 1], good);
    assert_eq!(error, Error::EntryClass { row: 1, place: 0, class: -2, n_classes: 5 });
    let error = fault([0, 1, 4, i64::MAX], good);
    assert_eq!(
        error,
        Error::EntryClass { row: 1, place: 1, class: i128::from(i64::MAX), n_classes: 5 }
    );
    assert_eq!(fault([3, 3, 1, 1], good), Error::EntryTwice { row: 0, class: 3 });
    // Of one that only the look meets, and of one that the thresholds meet, the first.
    assert_eq!(fault([0, 1, 1, 1], good), Error::EntryTwice { row: 1, class: 1 });
    let error = fault([1, 0, 1, 0], [1.5, 0.4, 0.6, f64::NAN]);
    assert_eq!(error, Error::OutOfRange { row: 0, column: 1, value: 1.5 });
    let error = fault([1, 0, 2, 1], [0.5, 0.4, 1.5, -0.5]);
    assert_eq!(error, Error::OutOfRange { row: 1, column: 1, value: -0.5 });
}

#[test]
fn starts_that_go_nowhere_are_named() {
    let labels = Labels::new([0_u32, 1].into_iter(), 5).unwrap();
    let (classes, values) = ([0_i32, 1], [0.5_f64, 0.5]);
    for starts in [[0_i64, 2, 1], [0, 1, 3], [-1, 1, 2]] {
        // SAFETY: both entries are within the arrays.
        let sparse = unsafe {
            let values = Numbers::new::<Float64>(values.as_ptr().cast(), (0, 8));
            let classes = (classes.as_ptr().cast(), (0, 4));
            let starts = StoredRows::Starts64(&starts);
            Sparse::<Float64>::compressed::<i32>(5, starts, 2, classes, values)
        };
        let sparse = PredProbs::Sparse64(sparse);
        let error = on_this_thread(|workers| confident_thresholds(&labels, &sparse, workers));
        assert!(matches!(error, Err(Error::EntryStarts { .. })), "{error:?}");
    }
}
