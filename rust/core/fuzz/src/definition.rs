//! What the engine must answer, in plain loops over float64 rows.

use conflearn_core::issues::{Removals, Search};
use conflearn_core::prune::{Filter, PruneCounts};
use conflearn_core::quality::{Adjust, Method};
use conflearn_core::thresholds::{FLOOR, NEVER};
use conflearn_core::{Error, RANGE_TOLERANCE, SLACK, Several};

use crate::case::{Data, FuzzFormat};

/// The lowest of the classes with the largest value.
pub fn argmax(row: &[f64], keep: impl Fn(usize) -> bool) -> Option<usize> {
    let mut best = None;
    for class in 0..row.len() {
        if keep(class) && best.is_none_or(|best: usize| row[class] > row[best]) {
            best = Some(class);
        }
    }
    best
}

fn fault(row: usize, column: usize, value: f64) -> Option<Error> {
    if !value.is_finite() {
        Some(Error::NotFinite { row, column, value })
    } else if !(-RANGE_TOLERANCE..=1.0 + RANGE_TOLERANCE).contains(&value) {
        Some(Error::OutOfRange { row, column, value })
    } else {
        None
    }
}

impl<F: FuzzFormat> Data<F> {
    fn given(&self, row: usize) -> usize {
        self.given[row] as usize
    }

    fn own(&self, row: usize) -> f64 {
        self.values[row][self.given(row)]
    }

    fn best_other(&self, row: usize) -> usize {
        argmax(&self.values[row], |class| class != self.given(row)).expect("there are two classes")
    }

    /// The first cell of some rows that is no probability.
    pub fn fault(&self, rows: impl Iterator<Item = usize>) -> Option<Error> {
        let cells = |row: usize| self.values[row].iter().enumerate();
        let mut faults =
            rows.flat_map(|row| cells(row).filter_map(move |(k, &value)| fault(row, k, value)));
        faults.next()
    }

    /// The first own-class cell of some rows that is none.
    pub fn own_fault(&self, mut rows: impl Iterator<Item = usize>) -> Option<Error> {
        rows.find_map(|row| fault(row, self.given(row), self.own(row)))
    }

    pub fn thresholds(&self) -> Vec<f64> {
        let mean = |class| {
            let rows: Vec<_> = (0..self.n_rows()).filter(|&i| self.given(i) == class).collect();
            if rows.is_empty() {
                return NEVER;
            }
            (rows.iter().map(|&row| self.own(row)).sum::<f64>() / rows.len() as f64).max(FLOOR)
        };
        (0..self.n_classes).map(mean).collect()
    }

    fn guess(&self, row: usize, thresholds: &[f64], several: Several) -> Option<usize> {
        let values = &self.values[row];
        let is_confident = |class: usize| values[class] >= thresholds[class] - SLACK;
        let n_confident = (0..self.n_classes).filter(|&class| is_confident(class)).count();
        if n_confident > 1 && several == Several::RowArgmax {
            return argmax(values, |_| true);
        }
        argmax(values, is_confident)
    }

    fn agrees(&self, row: usize) -> bool {
        let mut values = self.values[row].clone();
        values[self.given(row)] += SLACK;
        argmax(&values, |_| true) == Some(self.given(row))
    }

    /// The confident joint, dense, and its off-diagonal examples.
    pub fn count_confident(&self, thresholds: &[f64], several: Several) -> (Vec<f64>, Vec<usize>) {
        let mut joint = vec![0.0_f64; self.n_classes * self.n_classes];
        let mut off_diagonal = Vec::new();
        for row in 0..self.n_rows() {
            if let Some(guess) = self.guess(row, thresholds, several) {
                joint[self.given(row) * self.n_classes + guess] += 1.0;
                if guess != self.given(row) {
                    off_diagonal.push(row);
                }
            }
        }
        for class in 0..self.n_classes {
            let diagonal = &mut joint[class * self.n_classes + class];
            *diagonal = diagonal.max(1.0);
        }
        (joint, off_diagonal)
    }

    pub fn confident_learning(&self, thresholds: &[f64], several: Several) -> Vec<bool> {
        let (_, off_diagonal) = self.count_confident(thresholds, several);
        let is_issue = |row| off_diagonal.contains(&row) && !self.agrees(row);
        (0..self.n_rows()).map(is_issue).collect()
    }

    /// The examples that a filter flags; `counts` are the dense prune counts, rows true.
    pub fn mask(&self, search: &Search, thresholds: &[f64], counts: &[i64]) -> Vec<bool> {
        let n_rows = self.n_rows();
        let issues = || self.confident_learning(thresholds, search.several);
        let n_issues = || issues().into_iter().filter(|&is| is).count();
        let lowest = |method| {
            let all: Vec<_> = (0..n_rows).collect();
            let scores: Vec<_> = all.iter().map(|&row| self.score(row, method)).collect();
            self.first(&all, n_issues(), |row| scores[row])
        };
        let disagreeing = |rows: Vec<usize>| -> Vec<bool> {
            (0..n_rows).map(|row| rows.contains(&row) && !self.agrees(row)).collect()
        };
        let count = |true_class: usize, given: usize| counts[true_class * self.n_classes + given];
        let at_most = |n: i64, rows: &[usize]| n.clamp(0, rows.len() as i64) as usize;
        let mut by_class = Vec::new();
        let mut by_noise_rate = Vec::new();
        for given in 0..self.n_classes {
            let rows: Vec<_> = (0..n_rows).filter(|&row| self.given(row) == given).collect();
            if rows.len() <= search.min_examples_per_class || !search.filter.prunes() {
                continue;
            }
            let n = (rows.len() as i64).saturating_sub(count(given, given));
            by_class.extend(self.first(&rows, at_most(n, &rows), |row| self.own(row)));
            for class in (0..self.n_classes).filter(|&class| class != given) {
                let n = at_most(count(class, given), &rows);
                let key = |row: usize| self.own(row) - self.values[row][class];
                by_noise_rate.extend(self.first(&rows, n, key));
            }
        }
        match search.filter {
            Filter::ConfidentLearning => issues(),
            Filter::PredictedNeqGiven => (0..n_rows)
                .map(|row| {
                    argmax(&self.values[row], |_| true) != Some(self.given(row))
                        && !self.agrees(row)
                })
                .collect(),
            Filter::LowNormalizedMargin => mask_of(n_rows, &lowest(Method::NormalizedMargin)),
            Filter::LowSelfConfidence => mask_of(n_rows, &lowest(Method::SelfConfidence)),
            Filter::RelativeConfidence => {
                let beats = |row: usize| {
                    let weights = self.weights(row, thresholds);
                    let best = argmax(&weights, |_| true).filter(|&best| weights[best] > 0.0);
                    best.is_some_and(|best| best != self.given(row))
                };
                (0..n_rows).map(beats).collect()
            }
            Filter::NoiseFloor => unreachable!("nobody asks for it"),
            Filter::PruneByClass => disagreeing(by_class),
            Filter::PruneByNoiseRate => disagreeing(by_noise_rate),
            Filter::Both => {
                by_class.retain(|row| by_noise_rate.contains(row));
                disagreeing(by_class)
            }
        }
    }

    /// Each class of a row relative to its own confidence.
    fn weights(&self, row: usize, thresholds: &[f64]) -> Vec<f64> {
        let weight = |(value, threshold): (&f64, &f64)| {
            let weight = 1.0 / threshold;
            F::times(value.max(0.0), weight)
        };
        self.values[row].iter().zip(thresholds).map(weight).collect()
    }

    /// The first `n` of some rows, by (key, row).
    fn first(&self, rows: &[usize], n: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
        let mut rows = rows.to_vec();
        rows.sort_by(|&left, &right| key(left).partial_cmp(&key(right)).expect("no NaN"));
        rows.truncate(n);
        rows
    }

    /// The score of a row as it is.
    pub fn score(&self, row: usize, method: Method) -> f64 {
        let own = self.own(row);
        match method {
            Method::SelfConfidence => own.clamp(0.0, 1.0),
            Method::NormalizedMargin => {
                let best_other = self.values[row][self.best_other(row)];
                ((own - best_other + 1.0) / 2.0).clamp(0.0, 1.0)
            }
            Method::ConfidenceWeightedEntropy => {
                let positive = self.values[row].iter().filter(|&&value| value > 0.0);
                let entropy = -positive.map(|value| value * value.ln()).sum::<f64>();
                let weighted = (entropy / (self.n_classes as f64).ln()).max(0.0) / own.max(SLACK);
                if weighted > 0.0 { weighted.ln_1p() / weighted } else { 1.0 }
            }
            Method::RelativeConfidence => {
                let weights = self.weights(row, &self.thresholds());
                let sum: f64 = weights.iter().sum();
                if sum > 0.0 { weights[self.given(row)] / sum } else { 0.0 }
            }
            Method::NoiseFloor => unreachable!("nobody asks for it"),
        }
    }

    /// The score of a row after adjustment, where its sum is far enough from 0 to tell.
    pub fn adjusted_score(
        &self,
        row: usize,
        method: Method,
        adjust: Adjust,
        thresholds: &[f64],
    ) -> Option<f64> {
        let takes_part = |&threshold: &f64| adjust == Adjust::AllClasses || threshold != NEVER;
        let top = thresholds.iter().copied().filter(takes_part).fold(0.0, f64::max);
        let shifted = |(value, threshold): (&f64, &f64)| {
            if takes_part(threshold) { value - threshold + top } else { *value }
        };
        let mut values: Vec<f64> = self.values[row].iter().zip(thresholds).map(shifted).collect();
        let sum: f64 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
        let given = self.given(row);
        let best_other = argmax(&values, |class| class != given)?;
        let score = match method {
            Method::NormalizedMargin => (values[given] - values[best_other] + 1.0) / 2.0,
            _ => values[given],
        };
        (sum > 1e-3).then(|| score.clamp(0.0, 1.0))
    }

    pub fn suggested_labels(&self, mask: &[bool], filter: Filter, thresholds: &[f64]) -> Vec<i64> {
        let suggested = |row| {
            let given = self.given(row);
            match filter {
                _ if !mask[row] => given,
                Filter::RelativeConfidence => {
                    argmax(&self.weights(row, thresholds), |class| class != given).expect("K >= 2")
                }
                _ => self.best_other(row),
            }
        };
        (0..self.n_rows()).map(|row| suggested(row) as i64).collect()
    }

    /// What is wrong with a search, before and after the matrix has been read.
    pub fn search_faults(&self, search: &Search) -> (Option<Error>, Option<Error>) {
        let Removals::Joint { confident_joint, frac_noise, per_class } = &search.removals else {
            return (None, None);
        };
        let frac_noise =
            (!(0.0..=1.0).contains(frac_noise)).then_some(Error::FracNoise { value: *frac_noise });
        let shape = confident_joint.as_ref().and_then(|joint| {
            let (n_classes, found) = (self.n_classes, joint.n_classes());
            (found != n_classes).then_some(Error::JointShape { n_classes, found })
        });
        let asked = per_class.as_ref().filter(|_| search.filter.prunes());
        let removals = asked.and_then(|asked| {
            if asked.len() != self.n_classes {
                return Some(Error::OnePerClass {
                    name: "num_to_remove_per_class",
                    n_classes: self.n_classes,
                    found: asked.len(),
                });
            }
            let mut classes = asked.iter().zip(self.counts()).enumerate();
            classes.find_map(|(class, (&asked, available))| {
                (asked > available).then_some(Error::TooManyToRemove { class, asked, available })
            })
        });
        (frac_noise.or(shape), removals)
    }
}

/// The prune counts of a search without faults, dense; none where its filter asks for none.
pub fn prune_counts(
    search: &Search,
    calibrated: &conflearn_core::joint::ConfidentJoint,
    given_counts: &[usize],
) -> Vec<i64> {
    match &search.removals {
        _ if !search.filter.prunes() => Vec::new(),
        Removals::Counts(counts) => counts.to_dense(),
        Removals::Joint { confident_joint, frac_noise, per_class } => {
            let joint = confident_joint.as_ref().unwrap_or(calibrated);
            let least = search.min_examples_per_class;
            let counts = PruneCounts::new(joint, least, *frac_noise, search.several.spread());
            let counts = match per_class {
                Some(asked) => counts.with_removals(asked, given_counts).expect("no fault"),
                None => counts,
            };
            counts.to_dense()
        }
    }
}

pub fn mask_of(n_rows: usize, rows: &[usize]) -> Vec<bool> {
    (0..n_rows).map(|row| rows.contains(&row)).collect()
}
