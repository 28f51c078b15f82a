//! The method in plain loops: the readable definition that every fast path is tested against.
//!
//! Everything here works on `f64` rows, one cell at a time, in the words of the paper.

use proptest::prelude::*;

use crate::blocks::Workers;
use crate::entropy::Real;
use crate::format::{BFloat16, Float16, Float32, Float64, Format, Meaning, Scores};
use crate::input::{Labels, Matrix};
use crate::issues::{Removals, Search, count_confident, find_label_issues, rank_label_issues};
use crate::joint::{ConfidentJoint, Layout};
use crate::pred_probs::PredProbs;
use crate::prune::{Filter, PruneCounts};
use crate::quality::{Adjust, Method, label_quality_scores};
use crate::row::{NO_CLASS, SLACK, Several, defined_row_facts};
use crate::simd::Level;
use crate::threads::{on_pool, on_this_thread};
use crate::thresholds::confident_thresholds;

/// A small data set: probabilities with many ties, some classes absent.
#[derive(Debug, Clone)]
struct Data {
    given: Vec<u32>,
    rows: Vec<Vec<f64>>,
}

impl Data {
    fn n_classes(&self) -> usize {
        self.rows[0].len()
    }

    fn labels(&self) -> Labels {
        Labels::new(self.given.iter().copied(), self.n_classes()).unwrap()
    }

    /// The same cells, rounded to a format.
    fn rounded<F: Format>(&self) -> Self {
        let cell = |&value: &f64| F::widen(F::round_up(value).min(F::largest()));
        Self {
            given: self.given.clone(),
            rows: self.rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
        }
    }

    /// Laid out in one of several ways in memory, and looked at there.
    fn with_matrix<F: Format, R>(&self, layout: Memory, look: impl Fn(Matrix<'_, F>) -> R) -> R {
        let (n, k) = (self.rows.len(), self.n_classes());
        let size = size_of::<F::Bits>();
        let (down, right, offset) = match layout {
            Memory::C => (k, 1, 0),
            Memory::Fortran => (1, n, 0),
            Memory::Padded => (2 * k + 3, 2, 1),
        };
        let mut bits = vec![F::nearest(0.5); offset + n * k * 4 + 4 * n + 8];
        for (i, row) in self.rows.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                let key = F::round_up(value).min(F::largest());
                bits[offset + i * down + j * right] = F::bits(key);
            }
        }
        let strides = ((down * size) as isize, (right * size) as isize);
        // SAFETY: the last cell is within `bits`, which outlives the look.
        look(unsafe { Matrix::new(bits[offset..].as_ptr().cast(), (n, k), strides) })
    }
}

#[derive(Debug, Clone, Copy)]
enum Memory {
    C,
    Fortran,
    Padded,
}

fn data() -> impl Strategy<Value = Data> {
    (1..60_usize, 2..24_usize, 1..5_u32).prop_flat_map(|(n, k, digits)| {
        let weight = prop_oneof![3 => 0.0..0.3, 1 => 0.3..1.0, 1 => Just(0.0)];
        let row = prop::collection::vec(weight, k).prop_map(move |weights| {
            // Few digits make ties.
            let grain = 10_f64.powi(digits as i32);
            let total: f64 = weights.iter().sum::<f64>().max(1e-9);
            weights.iter().map(|w| (w / total * grain).round() / grain).collect::<Vec<_>>()
        });
        let given = (0..k as u32, 0..k as u32).prop_map(|(a, b)| a.min(b));
        (prop::collection::vec(given, n), prop::collection::vec(row, n))
            .prop_map(|(given, rows)| Data { given, rows })
    })
}

/// The same with signs.
fn scores() -> impl Strategy<Value = Data> {
    let sign = |value: f64| if value < 0.1 { -3.0 * value } else { 4.0 * value };
    data().prop_map(move |mut data| {
        data.rows.iter_mut().flatten().for_each(|value| *value = sign(*value));
        data
    })
}

fn mean_own(data: &Data, meaning: Meaning) -> Vec<f64> {
    (0..data.n_classes())
        .map(|class| {
            let rows = data.rows.iter().zip(&data.given);
            let own: Vec<f64> = rows
                .filter(|(_, given)| **given as usize == class)
                .map(|(row, _)| row[class])
                .collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            if own.is_empty() { meaning.never() } else { mean.max(meaning.least_threshold()) }
        })
        .collect()
}

/// Which examples to flag, given the thresholds (whose own test is elsewhere: masks are compared
/// exactly, means within rounding).
fn flagged<F: Format>(data: &Data, thresholds: &[f64], search: &Search) -> Vec<bool> {
    let (n, k) = (data.rows.len(), data.n_classes());
    let cutoffs: Vec<f64> = thresholds.iter().map(|t| t - SLACK).collect();
    let facts: Vec<_> = (0..n)
        .map(|i| defined_row_facts(&data.rows[i], data.given[i] as usize, &cutoffs, search.several))
        .collect();
    let given = |i: usize| data.given[i] as usize;
    let own = |i: usize| data.rows[i][given(i)];
    let agrees = |i: usize| {
        let mut lifted = data.rows[i].clone();
        lifted[given(i)] += SLACK;
        (0..k).reduce(|best, j| if lifted[j] > lifted[best] { j } else { best }) == Some(given(i))
    };
    let off = |i: usize| facts[i].guess != NO_CLASS && facts[i].guess as usize != given(i);
    let n_issues = (0..n).filter(|&i| off(i) && !agrees(i)).count();
    let head = |rows: Vec<usize>, n: usize, key: &dyn Fn(usize) -> f64| {
        let mut rows = rows;
        rows.sort_by(|&a, &b| key(a).partial_cmp(&key(b)).unwrap().then(a.cmp(&b)));
        rows.truncate(n);
        rows
    };
    let lowest = |key: &dyn Fn(usize) -> f64| {
        let rows = head((0..n).collect(), n_issues, key);
        (0..n).map(|i| rows.contains(&i)).collect::<Vec<_>>()
    };
    match search.filter {
        Filter::ConfidentLearning => return (0..n).map(|i| off(i) && !agrees(i)).collect(),
        Filter::PredictedNeqGiven => {
            let argmax = |i: usize| {
                let row = &data.rows[i];
                (0..k).reduce(|best, j| if row[j] > row[best] { j } else { best })
            };
            return (0..n).map(|i| argmax(i) != Some(given(i)) && !agrees(i)).collect();
        }
        Filter::RelativeConfidence => {
            let weight = |row: &[f64], class: usize| {
                F::Real::of(row[class]).times(F::Real::of(1.0 / thresholds[class]))
            };
            let beats = |i: usize| {
                let weights: Vec<_> = (0..k).map(|class| weight(&data.rows[i], class)).collect();
                let best = (0..k).reduce(|a, b| if weights[b] > weights[a] { b } else { a });
                best.is_some_and(|best| weights[best].double() > 0.0 && best != given(i))
            };
            return (0..n).map(beats).collect();
        }
        Filter::LowSelfConfidence => return lowest(&own),
        Filter::LowNormalizedMargin => {
            return lowest(&|i| f64::midpoint(own(i) - facts[i].best_other, 1.0));
        }
        _ => {}
    }
    let mut joint = vec![0.0; k * k];
    (0..n).filter(|&i| facts[i].guess != NO_CLASS).for_each(|i| {
        joint[given(i) * k + facts[i].guess as usize] += 1.0;
    });
    (0..k).for_each(|class| joint[class * k + class] = f64::max(joint[class * k + class], 1.0));
    let Removals::Joint { frac_noise, .. } = search.removals else { unreachable!() };
    let labels = data.labels();
    let joint = ConfidentJoint::from_dense(&joint, k)
        .unwrap()
        .calibrated(labels.counts(), search.several.layout());
    let least = search.min_examples_per_class;
    let counts = PruneCounts::new(&joint, least, frac_noise, search.several.spread()).to_dense();
    let mut by_class = vec![false; n];
    let mut by_noise_rate = vec![false; n];
    for class in 0..k {
        let rows: Vec<usize> = (0..n).filter(|&i| given(i) == class).collect();
        if rows.len() <= least {
            continue;
        }
        let n_pruned = (rows.len() as i64 - counts[class * k + class]).max(0) as usize;
        head(rows.clone(), n_pruned, &own).into_iter().for_each(|i| by_class[i] = true);
        for other in (0..k).filter(|&other| other != class) {
            let n_pruned = counts[other * k + class] as usize;
            let key = |i: usize| own(i) - data.rows[i][other];
            head(rows.clone(), n_pruned, &key).into_iter().for_each(|i| by_noise_rate[i] = true);
        }
    }
    (0..n)
        .map(|i| {
            let pruned = match search.filter {
                Filter::PruneByClass => by_class[i],
                Filter::PruneByNoiseRate => by_noise_rate[i],
                _ => by_class[i] && by_noise_rate[i],
            };
            pruned && !agrees(i)
        })
        .collect()
}

const FILTERS: [Filter; 8] = [
    Filter::RelativeConfidence,
    Filter::PruneByNoiseRate,
    Filter::PruneByClass,
    Filter::Both,
    Filter::ConfidentLearning,
    Filter::PredictedNeqGiven,
    Filter::LowNormalizedMargin,
    Filter::LowSelfConfidence,
];

fn search() -> impl Strategy<Value = Search> {
    let several = prop_oneof![Just(Several::MostProbable), Just(Several::RowArgmax)];
    let frac_noise = prop_oneof![Just(1.0), 0.0..1.0];
    (prop::sample::select(&FILTERS), frac_noise, 0..4_usize, several).prop_map(
        |(filter, frac_noise, min_examples_per_class, several)| Search {
            removals: Removals::Joint { confident_joint: None, frac_noise, per_class: None },
            min_examples_per_class,
            several,
            ..Search::of(filter)
        },
    )
}

/// Every way of doing the same: CPU levels, blocks of one and of a few rows.
fn every_way<'a>(workers: &Workers<'a>) -> Vec<Workers<'a>> {
    [Level::Baseline, Level::Avx2, Level::Avx512]
        .into_iter()
        .flat_map(|level| [1, 200, 1 << 20].map(|n| workers.with_level(level).with_block_bytes(n)))
        .collect()
}

/// A matrix of one format as one of any.
trait AnyFormat: Format {
    fn any(matrix: Matrix<'_, Self>) -> PredProbs<'_>;
}

macro_rules! any_format {
    ($($format:ty: $variant:ident),*) => {$(
        impl AnyFormat for $format {
            fn any(matrix: Matrix<'_, Self>) -> PredProbs<'_> {
                PredProbs::$variant(matrix)
            }
        }
    )*};
}
any_format! {
    Float16: Float16, BFloat16: BFloat16, Float32: Float32, Float64: Float64,
    Scores<Float32>: Scores32, Scores<Float64>: Scores64
}

fn finds_as_defined<F: AnyFormat>(data: &Data, search: &Search) {
    let data = data.rounded::<F>();
    let labels = data.labels();
    on_this_thread(|workers| {
        let thresholds = data.with_matrix::<F, _>(Memory::C, |matrix| {
            confident_thresholds(&labels, &F::any(matrix), workers)
        })?;
        for (found, defined) in thresholds.iter().zip(mean_own(&data, F::MEANING)) {
            assert!(*found == defined || (found - defined).abs() < 1e-12);
        }
        let expected = flagged::<F>(&data, &thresholds, search);
        for memory in [Memory::C, Memory::Fortran, Memory::Padded] {
            for workers in every_way(workers) {
                let found = data.with_matrix::<F, _>(memory, |matrix| {
                    find_label_issues(&labels, &F::any(matrix), search, &workers)
                })?;
                assert_eq!(found, expected, "{memory:?} {workers:?}");
            }
        }
        Ok(())
    })
    .unwrap();
}

proptest! {
    #[test]
    fn issues_are_those_of_the_definition(data in data(), search in search()) {
        finds_as_defined::<Float64>(&data, &search);
        finds_as_defined::<Float32>(&data, &search);
        finds_as_defined::<Float16>(&data, &search);
        finds_as_defined::<BFloat16>(&data, &search);
    }

    #[test]
    fn issues_of_scores_are_those_of_the_definition(data in scores(), search in search()) {
        prop_assume!(search.filter.judge().is_none());
        finds_as_defined::<Scores<Float64>>(&data, &search);
        finds_as_defined::<Scores<Float32>>(&data, &search);
    }

    #[test]
    fn scores_are_the_same_every_way(data in data()) {
        let labels = data.labels();
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
                on_this_thread(|workers| {
                    let mut first: Option<Vec<u64>> = None;
                    for memory in [Memory::C, Memory::Fortran, Memory::Padded] {
                        for workers in every_way(workers) {
                            let scores = data.with_matrix::<Float32, _>(memory, |matrix| {
                                let matrix = PredProbs::Float32(matrix);
                                label_quality_scores(&labels, &matrix, None, method, (adjust, None), &workers)
                            })?;
                            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
                            let bits = scores.iter().map(|score| score.to_bits()).collect();
                            assert_eq!(first.get_or_insert_with(|| Vec::clone(&bits)), &bits);
                        }
                    }
                    Ok(())
                }).unwrap();
            }
        }
    }

    #[test]
    fn ranks_are_sorted_and_threads_do_not_show(data in data(), search in search()) {
        let labels = data.labels();
        data.with_matrix::<Float64, _>(Memory::C, |matrix| {
            let matrix = PredProbs::Float64(matrix);
            let rank_by = Method::SelfConfidence;
            let alone =
                on_this_thread(|w| rank_label_issues(&labels, &matrix, &search, rank_by, w)).unwrap();
            let keys: Vec<_> =
                alone.iter().map(|&i| (data.rows[i][data.given[i] as usize], i)).collect();
            assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
            for n_threads in [1, 3] {
                let together = on_pool(n_threads, || false, |workers| {
                    let workers = workers.with_block_bytes(64);
                    rank_label_issues(&labels, &matrix, &search, rank_by, &workers)
                });
                assert_eq!(together.unwrap(), alone);
            }
        });
    }

    #[test]
    fn joints_count_every_confident_example(data in data()) {
        let labels = data.labels();
        data.with_matrix::<Float64, _>(Memory::C, |matrix| {
            let matrix = PredProbs::Float64(matrix);
            let thresholds = vec![0.4; data.n_classes()];
            let several = Several::MostProbable;
            let (joint, off) = on_this_thread(|workers| {
                count_confident(&labels, &matrix, Some(&thresholds), several, workers)
            }).unwrap();
            let cutoffs: Vec<f64> = thresholds.iter().map(|t| t - SLACK).collect();
            let mut expected = vec![0.0_f64; data.n_classes().pow(2)];
            let mut expected_off = Vec::new();
            for (i, row) in data.rows.iter().enumerate() {
                let given = data.given[i] as usize;
                let guess = defined_row_facts(row, given, &cutoffs, several).guess;
                if guess != NO_CLASS {
                    expected[given * data.n_classes() + guess as usize] += 1.0;
                    if guess as usize != given {
                        expected_off.push(i);
                    }
                }
            }
            for class in 0..data.n_classes() {
                let diagonal = &mut expected[class * data.n_classes() + class];
                *diagonal = diagonal.max(1.0);
            }
            assert_eq!(joint, ConfidentJoint::from_dense(&expected, data.n_classes()).unwrap());
            assert_eq!(off, expected_off);
            for layout in [Layout::ByGiven, Layout::ByTrue] {
                let total = joint.calibrated(labels.counts(), layout).total();
                assert_eq!(total, data.rows.len() as f64);
            }
        });
    }
}
