//! Multi-label by definition: the single-label method, for each class on rows [1 - p, p].

use proptest::prelude::*;

use super::{
    Aggregate, Cuts, JointState, Removals, Rule, Search, SelectionState, TagLabels, ThresholdState,
    confident_joints, confident_thresholds, find_label_issues_per_class, label_quality_scores,
    label_quality_scores_per_class, num_label_issues, rank_label_issues,
};
use crate::blocks::Workers;
use crate::format::{Float32, Float64, Format, Scores};
use crate::input::{Labels, Matrix};
use crate::pred_probs::{Kind, PredProbs};
use crate::prune::Filter;
use crate::quality::{Adjust, Method};
use crate::row::Several;
use crate::simd::Level;
use crate::states::{RowNumbers, Spec};
use crate::threads::{on_pool, on_this_thread};
use crate::{issues, quality, thresholds};

const FILTERS: [Filter; 7] = [
    Filter::PruneByNoiseRate,
    Filter::PruneByClass,
    Filter::Both,
    Filter::ConfidentLearning,
    Filter::PredictedNeqGiven,
    Filter::LowNormalizedMargin,
    Filter::LowSelfConfidence,
];

const METHODS: [Method; 3] =
    [Method::SelfConfidence, Method::NormalizedMargin, Method::ConfidenceWeightedEntropy];

#[derive(Debug, Clone)]
struct Data {
    n_classes: usize,
    tags: Vec<Vec<bool>>,
    rows: Vec<Vec<f64>>,
}

/// Probabilities with many ties; tags that a model mostly agrees with, or not at all.
fn data() -> impl Strategy<Value = Data> {
    let sizes = (1..80_usize, prop_oneof![1..6_usize, 60..150_usize]);
    (sizes, 1..4_i32, 0.0..1.0_f64).prop_flat_map(|((n, k), digits, flipped)| {
        let grain = 10_f64.powi(digits);
        let cell = prop_oneof![4 => 0.0..0.3, 1 => 0.3..0.7, 2 => 0.7..1.0]
            .prop_map(move |p: f64| (p * grain).round() / grain);
        let cells = prop::collection::vec(prop::collection::vec(cell, k), n);
        let flips = prop::collection::vec(prop::collection::vec(0.0..1.0_f64, k), n);
        (cells, flips).prop_map(move |(rows, flips): (Vec<Vec<f64>>, Vec<Vec<f64>>)| {
            let tag = |(&p, &flip): (&f64, &f64)| (p > 0.5) != (flip < flipped / 2.0);
            let tags = rows.iter().zip(&flips);
            let tags = tags.map(|(row, flips)| row.iter().zip(flips).map(tag).collect()).collect();
            Data { n_classes: k, tags, rows }
        })
    })
}

impl Data {
    fn labels(&self, workers: &Workers<'_>) -> TagLabels {
        let (mut starts, mut classes) = (vec![0], Vec::new());
        for row in &self.tags {
            classes.extend((0..).zip(row).filter(|(_, is)| **is).map(|(class, _)| class));
            starts.push(classes.len() as i64);
        }
        TagLabels::from_rows(&starts, &classes, self.n_classes, workers).unwrap()
    }

    /// The rows [complement, own] of a class, and its labels.
    fn with_class<R>(
        &self,
        class: usize,
        is_scores: bool,
        ask: impl FnOnce(&Labels, &PredProbs<'_>) -> R,
    ) -> R {
        let labels = Labels::new(self.tags.iter().map(|row| u32::from(row[class])), 2).unwrap();
        let both = |row: &Vec<f64>| {
            let p = row[class];
            [if is_scores { -p } else { 1.0 - p }, p]
        };
        let cells: Vec<f64> = self.rows.iter().flat_map(both).collect();
        let (first, shape) = (cells.as_ptr().cast(), (self.rows.len(), 2));
        if is_scores {
            // SAFETY: all cells are within the vector.
            let matrix = unsafe { Matrix::<Scores<Float64>>::new(first, shape, (16, 8)) };
            ask(&labels, &PredProbs::Scores64(matrix))
        } else {
            // SAFETY: as above.
            let matrix = unsafe { Matrix::<Float64>::new(first, shape, (16, 8)) };
            ask(&labels, &PredProbs::Float64(matrix))
        }
    }

    /// The cells in some order in memory.
    fn cells<T>(&self, fortran: bool, cell: impl Fn(f64) -> T) -> (Vec<T>, (isize, isize)) {
        let (n, k, size) = (self.rows.len(), self.n_classes, size_of::<T>());
        if fortran {
            let columns = (0..k).flat_map(|class| self.rows.iter().map(move |row| row[class]));
            (columns.map(cell).collect(), (size as isize, (n * size) as isize))
        } else {
            let rows = self.rows.iter().flatten().copied();
            (rows.map(cell).collect(), ((k * size) as isize, size as isize))
        }
    }

    fn with_matrix<F: Format, R>(&self, fortran: bool, ask: impl Fn(Matrix<'_, F>) -> R) -> R {
        let (cells, strides) = self.cells(fortran, F::nearest);
        let shape = (self.rows.len(), self.n_classes);
        // SAFETY: all cells are within the vector, which outlives the question.
        ask(unsafe { Matrix::new(cells.as_ptr().cast(), shape, strides) })
    }

    /// Rounded to float32.
    fn narrow(&self) -> Self {
        let round = |&p: &f64| f64::from(p as f32);
        let rows = self.rows.iter().map(|row| row.iter().map(round).collect()).collect();
        Self { rows, ..self.clone() }
    }
}

fn search(filter: Filter) -> Search {
    Search {
        filter,
        removals: Removals::Joints { confident_joints: None, frac_noise: 1.0, per_class: None },
        min_examples_per_class: 1,
        several: Several::MostProbable,
    }
}

/// All answers about a matrix are those of the single-label method.
fn check(
    data: &Data,
    pred_probs: &PredProbs<'_>,
    is_scores: bool,
    workers: &Workers<'_>,
) -> Result<(), TestCaseError> {
    let labels = &data.labels(workers);
    let found = confident_thresholds(labels, pred_probs, workers).unwrap();
    let how = (true, Several::MostProbable);
    let joints = confident_joints(labels, pred_probs, None, how, workers).unwrap();
    let issues_of = num_label_issues(labels, pred_probs, workers).unwrap();
    for class in 0..data.n_classes {
        data.with_class(class, is_scores, |given, binary| {
            let expected = thresholds::confident_thresholds(given, binary, workers).unwrap();
            for (found, expected) in found[class].iter().zip(expected) {
                let is_same = *found == expected || (found - expected).abs() < 1e-13;
                prop_assert!(is_same, "{found} {expected}");
            }
            let several = Several::MostProbable;
            let (joint, _) =
                issues::count_confident(given, binary, None, several, workers).unwrap();
            let joint = joint.calibrated(given.counts(), several.layout());
            let dense = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(k, j)| joint.get(k, j) as i64);
            prop_assert_eq!(joints[class], dense);
            let total = issues::num_label_issues(given, binary, several, workers).unwrap();
            prop_assert_eq!(issues_of[class].iter().sum::<usize>(), total);
            Ok(())
        })?;
    }
    for filter in FILTERS {
        let (cells, tagged) =
            find_label_issues_per_class(labels, pred_probs, &search(filter), workers).unwrap();
        for class in 0..data.n_classes {
            let mask: Vec<bool> = (0..data.rows.len()).map(|row| cells.has(row, class)).collect();
            let expected = data.with_class(class, is_scores, |given, binary| {
                issues::find_label_issues(given, binary, &issues::Search::of(filter), workers)
                    .unwrap()
            });
            prop_assert_eq!(mask, expected, "{:?} of class {}", filter, class);
        }
        let (starts, classes) = cells.into_parts();
        for row in 0..data.rows.len() {
            for place in starts[row]..starts[row + 1] {
                prop_assert_eq!(tagged[place], data.tags[row][classes[place] as usize]);
            }
        }
    }
    let (no, as_they_are) = (Adjust::No, (Adjust::No, None));
    for method in METHODS {
        if is_scores && method == Method::ConfidenceWeightedEntropy {
            continue;
        }
        let scores =
            label_quality_scores_per_class(labels, pred_probs, method, as_they_are, workers)
                .unwrap();
        for class in 0..data.n_classes {
            let expected = data.with_class(class, is_scores, |given, binary| {
                quality::label_quality_scores(given, binary, None, method, (no, None), workers)
                    .unwrap()
            });
            for (row, expected) in expected.into_iter().enumerate() {
                let score = scores[row * data.n_classes + class];
                prop_assert!((score - expected).abs() < 1e-13, "{score} {expected}");
            }
        }
        let aggregate = Aggregate::ExponentialMovingAverage { alpha: 0.8 };
        let averages =
            label_quality_scores(labels, pred_probs, method, as_they_are, aggregate, workers)
                .unwrap();
        for (scores, average) in scores.chunks(data.n_classes).zip(averages) {
            let mut scores = scores.to_vec();
            scores.sort_by(|left, right| right.total_cmp(left));
            let expected = scores.into_iter().reduce(|e, score| 0.8 * score + (1.0 - 0.8) * e);
            let expected = expected.unwrap();
            prop_assert!((average - expected).abs() <= 1e-14 * expected.abs().max(1.0));
        }
    }
    Ok(())
}

/// Everything that a matrix is asked, as text.
fn answers(labels: &TagLabels, pred_probs: &PredProbs<'_>, workers: &Workers<'_>) -> String {
    let aggregates = [
        Aggregate::ExponentialMovingAverage { alpha: 0.3 },
        Aggregate::Softmin { temperature: 0.1 },
        Aggregate::Mean,
        Aggregate::Median,
        Aggregate::Min,
    ];
    let scores = METHODS.map(|method| {
        aggregates.map(|aggregate| {
            label_quality_scores(labels, pred_probs, method, (Adjust::No, None), aggregate, workers)
        })
    });
    let adjusted = [Adjust::PresentClasses, Adjust::AllClasses].map(|adjust| {
        let method = Method::NormalizedMargin;
        label_quality_scores_per_class(labels, pred_probs, method, (adjust, None), workers)
    });
    let found = FILTERS
        .map(|filter| find_label_issues_per_class(labels, pred_probs, &search(filter), workers));
    let how = (Method::SelfConfidence, Aggregate::Min);
    let ranked = rank_label_issues(labels, pred_probs, &search(FILTERS[0]), how, workers);
    let thresholds = confident_thresholds(labels, pred_probs, workers);
    format!("{thresholds:?} {found:?} {ranked:?} {scores:?} {adjusted:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn each_class_is_a_problem_of_two_classes(data in data(), fortran in any::<bool>()) {
        on_this_thread(|workers| {
            data.with_matrix::<Float64, _>(fortran, |matrix| {
                Ok(check(&data, &PredProbs::Float64(matrix), false, workers))
            })
        }).unwrap()?;
        let narrow = data.narrow();
        on_this_thread(|workers| {
            narrow.with_matrix::<Float32, _>(fortran, |matrix| {
                Ok(check(&narrow, &PredProbs::Float32(matrix), false, workers))
            })
        }).unwrap()?;
    }

    #[test]
    fn scores_are_compared_with_their_negatives(data in data(), scale in 1e-3..1e3_f64) {
        let mut data = data;
        data.rows.iter_mut().flatten().for_each(|cell| *cell = (*cell - 0.5) * scale);
        on_this_thread(|workers| {
            data.with_matrix::<Scores<Float64>, _>(false, |matrix| {
                Ok(check(&data, &PredProbs::Scores64(matrix), true, workers))
            })
        }).unwrap()?;
    }

    #[test]
    fn threads_blocks_levels_and_layouts_do_not_show(data in data()) {
        let expected = on_this_thread(|workers| {
            let labels = data.labels(workers);
            data.with_matrix::<Float32, _>(false, |matrix| {
                Ok(answers(&labels, &PredProbs::Float32(matrix), workers))
            })
        }).unwrap();
        for level in [Level::Baseline, Level::Avx2, Level::Avx512] {
            for fortran in [false, true] {
                let found = on_pool(3, || false, |workers| {
                    let workers = workers.with_level(level).with_block_bytes(1000);
                    let labels = data.labels(&workers);
                    data.with_matrix::<Float32, _>(fortran, |matrix| {
                        Ok(answers(&labels, &PredProbs::Float32(matrix), &workers))
                    })
                }).unwrap();
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    #[test]
    fn batches_are_merged_to_what_all_rows_leave(
        data in data(),
        cut in 0.0..1.0_f64,
        most in prop_oneof![Just(u64::MAX), 1..9_u64],
    ) {
        let cut = (data.rows.len() as f64 * cut) as usize;
        let batch = |rows: std::ops::Range<usize>| Data {
            tags: data.tags[rows.clone()].to_vec(),
            rows: data.rows[rows].to_vec(),
            ..data.clone()
        };
        let all = batch(0..data.rows.len());
        let parts = [(cut, batch(cut..data.rows.len())), (0, batch(0..cut))];
        let parts: Vec<_> = parts.iter().filter(|(_, part)| !part.rows.is_empty()).collect();
        on_this_thread(|workers| {
            // What a state has seen of some rows: `update!(data, |labels, matrix| ...)`.
            macro_rules! update {
                ($part:expr, $update:expr) => {
                    $part.with_matrix::<Float64, _>(false, |matrix| {
                        $update(&$part.labels(workers), &PredProbs::Float64(matrix)).unwrap();
                    })
                };
            }
            macro_rules! merged {
                ($new:expr, $part:ident, $update:expr) => {{
                    let mut merged = $new;
                    for (_first, $part) in &parts {
                        let state = std::cell::RefCell::new($new);
                        update!($part, |labels: &TagLabels, matrix: &PredProbs<'_>| {
                            $update(&mut state.borrow_mut(), *_first as u64, labels, matrix)
                        });
                        merged.merge(&state.into_inner()).unwrap();
                    }
                    merged
                }};
            }
            let spec = Spec {
                n_classes: all.n_classes,
                kind: Kind::Probabilities,
                calibration: crate::Calibration::NONE,
            };
            let sums = merged!(ThresholdState::new(spec.clone()).unwrap(), part,
                |state: &mut ThresholdState, _, labels: &_, matrix: &_| {
                    state.update(labels, matrix, workers)
                });
            let sums = ThresholdState::from_bytes(&sums.to_bytes()).unwrap();
            let thresholds = sums.finish();
            let joint = merged!(JointState::new(spec.clone(), thresholds.clone()).unwrap(), part,
                |state: &mut JointState, _, labels: &_, matrix: &_| {
                    state.update(labels, matrix, workers)
                });
            let joint = JointState::from_bytes(&joint.to_bytes()).unwrap();
            let labels = all.labels(workers);
            all.with_matrix::<Float64, _>(false, |matrix| {
                let pred_probs = PredProbs::Float64(matrix);
                let expected = confident_thresholds(&labels, &pred_probs, workers).unwrap();
                assert_eq!(thresholds, expected);
                assert_eq!(
                    joint.num_issues(),
                    num_label_issues(&labels, &pred_probs, workers).unwrap()
                );
            });
            for filter in FILTERS {
                let mut cuts = Cuts::plan(&joint, &search(filter)).unwrap();
                while !cuts.is_done() {
                    let round = merged!(SelectionState::new(&cuts, None, most).unwrap(), part,
                        |state: &mut SelectionState, first, labels: &_, matrix: &_| {
                            state.update(labels, matrix, RowNumbers::From(first), workers)
                        });
                    let read = SelectionState::from_bytes(&round.to_bytes()).unwrap();
                    assert_eq!(read, round);
                    cuts.close(&read).unwrap();
                    assert_eq!(Cuts::from_bytes(&cuts.to_bytes()).unwrap(), cuts);
                }
                let cuts = (filter.prunes() || matches!(
                    filter,
                    Filter::LowSelfConfidence | Filter::LowNormalizedMargin
                )).then_some(&cuts);
                let rule = Rule::new(spec.clone(), filter, thresholds.clone(), cuts).unwrap();
                let mut found = Vec::new();
                for (first, part) in &parts {
                    part.with_matrix::<Float64, _>(false, |matrix| {
                        let labels = part.labels(workers);
                        let numbers = RowNumbers::From(*first as u64);
                        rule.apply(&labels, &PredProbs::Float64(matrix), numbers, workers).unwrap()
                    })
                    .into_iter()
                    .for_each(|flag| found.push((flag.number as usize + first, flag.class)));
                }
                found.sort_unstable();
                let (cells, _) = all.with_matrix::<Float64, _>(false, |matrix| {
                    let pred_probs = PredProbs::Float64(matrix);
                    find_label_issues_per_class(&labels, &pred_probs, &search(filter), workers)
                        .unwrap()
                });
                let expected: Vec<_> = (0..all.rows.len())
                    .flat_map(|row| cells.of(row).iter().map(move |&class| (row, class)))
                    .collect();
                assert_eq!(found, expected, "{filter:?}");
            }
            Ok(())
        }).unwrap();
    }

    #[test]
    fn logits_become_probabilities(data in data(), temperature in 0.1..5.0_f64) {
        let logit = |p: f64| ((p + 1e-3) / (1.001 - p)).ln() * 3.0;
        let logits = Data {
            rows: data.rows.iter().map(|row| row.iter().map(|&p| logit(p)).collect()).collect(),
            ..data.clone()
        };
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z / temperature).exp());
        let how = (Method::SelfConfidence, (Adjust::No, None));
        on_this_thread(|workers| {
            let labels = data.labels(workers);
            let scores = |pred_probs: &PredProbs<'_>| {
                label_quality_scores_per_class(&labels, pred_probs, how.0, how.1, workers).unwrap()
            };
            let wide = logits.with_matrix::<Float64, _>(false, |matrix| {
                scores(&PredProbs::Logits64(matrix, temperature))
            });
            let narrow = logits.with_matrix::<Float32, _>(true, |matrix| {
                scores(&PredProbs::Logits32(matrix, temperature))
            });
            let cells = logits.rows.iter().flatten().zip(data.tags.iter().flatten());
            for ((z, tagged), (wide, narrow)) in cells.zip(wide.iter().zip(narrow)) {
                let exact = sigmoid(if *tagged { *z } else { -z });
                assert!((wide - exact).abs() < 1e-14, "{wide} {exact}");
                assert!((narrow - exact).abs() < 1e-5, "{narrow} {exact}");
            }
            Ok(())
        }).unwrap();
    }
}
