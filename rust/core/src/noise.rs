//! The noise model: how given labels come from true ones, and the prior of the true classes.
//!
//! From a confident joint C[given k, true j] and the given labels' frequencies p(k):
//! - noise matrix        P(given = k | true = j) = C[k, j] / sum over k of C[k, j];
//! - inverse noise matrix P(true = j | given = k) = C[k, j] / sum over j of C[k, j];
//! - prior               P(true = j), four ways (see [`PriorMethod`]).
//!
//! All three follow the joint's own pattern of zeros, so they are kept as one value per entry.

use nalgebra::{DMatrix, DVector};

use crate::error::{Error, Result};
use crate::joint::{ConfidentJoint, TINY};

/// No prior is lower (before it is normalised), so that none is 0.
const PRIOR_FLOOR: f64 = 1e-6;
/// The same after the estimates were made to agree.
const CONVERGED_PRIOR_FLOOR: f64 = 1e-5;
/// No noise rate is higher (before its column is normalised).
const NOISE_RATE_CEILING: f64 = 0.9999;
/// Rounds in which the three estimates are made to agree, and alternations in each: more would
/// magnify their errors.
const ROUNDS: usize = 3;
const ALTERNATIONS: usize = 5;

/// How the prior of the true classes is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorMethod {
    /// diag(inverse) / diag(noise) * p(given): uses the diagonals only, so it is robust.
    Cnt,
    /// noise^-1 p(given).
    Eqn,
    /// Column sums of the joint.
    Marginal,
    /// inverse p(given).
    MarginalPs,
}

/// Prior, noise matrix and inverse noise matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseModel {
    entries: Vec<(usize, usize)>, // (given, true), by rows
    prior: Vec<f64>,
    noise: Vec<f64>,
    inverse: Vec<f64>,
}

impl NoiseModel {
    /// Estimates the model from a confident joint and the number of examples given each class.
    ///
    /// # Errors
    /// [`Error::OnePerClass`], [`Error::Empty`], or [`Error::SingularNoiseMatrix`] for
    /// [`PriorMethod::Eqn`].
    pub fn estimate(
        joint: &ConfidentJoint,
        counts: &[usize],
        method: PriorMethod,
        converge: bool,
    ) -> Result<Self> {
        let n_classes = joint.n_classes();
        if counts.len() != n_classes {
            return Err(Error::JointShape { n_classes: counts.len(), found: n_classes });
        }
        let n_examples: usize = counts.iter().sum();
        if n_examples == 0 {
            return Err(Error::Empty);
        }
        let p_given: Vec<f64> = counts.iter().map(|&n| n as f64 / n_examples as f64).collect();
        let column_sums = joint.column_sums();
        let mut model =
            Self { entries: Vec::new(), prior: Vec::new(), noise: Vec::new(), inverse: Vec::new() };
        for given in 0..n_classes {
            let row_sum = joint.row(given).map(|(_, count)| count).sum::<f64>().max(TINY);
            for (true_class, count) in joint.row(given) {
                model.entries.push((given, true_class));
                model.noise.push(count / column_sums[true_class].max(TINY));
                model.inverse.push(count / row_sum);
            }
        }
        let prior = match method {
            PriorMethod::Cnt => model.prior_from_diagonals(&p_given),
            PriorMethod::Eqn => model.prior_from_inverse(&p_given)?,
            PriorMethod::Marginal => {
                let total = column_sums.iter().sum::<f64>().max(TINY);
                column_sums.iter().map(|sum| sum / total).collect()
            }
            PriorMethod::MarginalPs => {
                let mut prior = vec![0.0; n_classes];
                for (&(given, true_class), rate) in model.entries.iter().zip(&model.inverse) {
                    prior[true_class] += rate * p_given[given];
                }
                prior
            }
        };
        model.prior = normalized_prior(prior, PRIOR_FLOOR);
        model.clip_noise();
        model.clip_inverse();
        if converge {
            model.converge(&p_given);
        }
        Ok(model)
    }

    /// P(true = j), of shape (K,).
    #[must_use]
    pub fn prior(&self) -> &[f64] {
        &self.prior
    }

    /// The entries of the noise matrix that are not zero: (given, true, rate).
    pub fn noise_entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        self.entries
            .iter()
            .zip(&self.noise)
            .map(|(&(given, true_class), &rate)| (given, true_class, rate))
    }

    /// The entries of the inverse noise matrix that are not zero: (true, given, rate).
    pub fn inverse_entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        self.entries
            .iter()
            .zip(&self.inverse)
            .map(|(&(given, true_class), &rate)| (true_class, given, rate))
    }

    /// The same, one a stored entry of the joint.
    #[must_use]
    pub fn noise_rates(&self) -> &[f64] {
        &self.noise
    }

    /// P(true | given), one a stored entry of the joint.
    #[must_use]
    pub fn inverse_rates(&self) -> &[f64] {
        &self.inverse
    }

    /// Makes the three estimates agree: each is computed from the two others, in turn.
    fn converge(&mut self, p_given: &[f64]) {
        for _ in 0..ROUNDS {
            for _ in 0..ALTERNATIONS {
                for (e, &(given, true_class)) in self.entries.iter().enumerate() {
                    self.inverse[e] =
                        self.noise[e] * self.prior[true_class] / p_given[given].max(TINY);
                }
                self.clip_inverse();
                self.prior = normalized_prior(self.prior_from_diagonals(p_given), PRIOR_FLOOR);
            }
            for (e, &(given, true_class)) in self.entries.iter().enumerate() {
                self.noise[e] = self.inverse[e] * p_given[given] / self.prior[true_class].max(TINY);
            }
            self.clip_noise();
        }
        self.prior = normalized_prior(std::mem::take(&mut self.prior), CONVERGED_PRIOR_FLOOR);
        self.clip_noise();
        self.clip_inverse();
    }

    fn prior_from_diagonals(&self, p_given: &[f64]) -> Vec<f64> {
        let mut prior = vec![0.0; p_given.len()];
        for (e, &(given, true_class)) in self.entries.iter().enumerate() {
            if given == true_class {
                prior[given] = self.inverse[e] / self.noise[e].max(TINY) * p_given[given];
            }
        }
        prior
    }

    /// Solves noise * prior = `p_given`.
    fn prior_from_inverse(&self, p_given: &[f64]) -> Result<Vec<f64>> {
        let n_classes = p_given.len();
        let mut noise = DMatrix::zeros(n_classes, n_classes);
        for (given, true_class, rate) in self.noise_entries() {
            noise[(given, true_class)] = rate;
        }
        let solved = noise.lu().solve(&DVector::from_column_slice(p_given));
        let prior = solved.ok_or(Error::SingularNoiseMatrix)?;
        if prior.iter().all(|p| p.is_finite()) {
            Ok(prior.as_slice().to_vec())
        } else {
            Err(Error::SingularNoiseMatrix)
        }
    }

    /// Columns of the noise matrix: one a true class.
    fn clip_noise(&mut self) {
        clip_noise_rates(&mut self.noise, &self.entries, self.prior.len(), |(_, true_class)| {
            true_class
        });
    }

    /// Columns of the inverse noise matrix: one a given class.
    fn clip_inverse(&mut self) {
        clip_noise_rates(&mut self.inverse, &self.entries, self.prior.len(), |(given, _)| given);
    }
}

/// Clips the rates off the diagonal, then normalises columns.
fn clip_noise_rates(
    rates: &mut [f64],
    entries: &[(usize, usize)],
    n_classes: usize,
    column: impl Fn((usize, usize)) -> usize,
) {
    let mut sums = vec![0.0; n_classes];
    for (rate, &entry) in rates.iter_mut().zip(entries) {
        if entry.0 != entry.1 {
            *rate = rate.clamp(0.0, NOISE_RATE_CEILING);
        }
        sums[column(entry)] += *rate;
    }
    for (rate, &entry) in rates.iter_mut().zip(entries) {
        *rate /= sums[column(entry)].max(TINY);
    }
}

fn normalized_prior(mut prior: Vec<f64>, floor: f64) -> Vec<f64> {
    for p in &mut prior {
        *p = p.clamp(floor, 1.0);
    }
    let total = prior.iter().sum::<f64>().max(TINY);
    for p in &mut prior {
        *p /= total;
    }
    prior
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(method: PriorMethod, converge: bool) -> NoiseModel {
        let joint = ConfidentJoint::from_dense(&[8.0, 2.0, 1.0, 9.0], 2).unwrap();
        NoiseModel::estimate(&joint, &[10, 10], method, converge).unwrap()
    }

    #[test]
    fn columns_are_conditional_probabilities() {
        let model = model(PriorMethod::Cnt, false);
        let noise: Vec<_> = model.noise_entries().collect();
        assert_eq!(
            noise,
            [(0, 0, 8.0 / 9.0), (0, 1, 2.0 / 11.0), (1, 0, 1.0 / 9.0), (1, 1, 9.0 / 11.0)]
        );
        let inverse: Vec<_> = model.inverse_entries().collect();
        assert_eq!(inverse, [(0, 0, 0.8), (1, 0, 0.2), (0, 1, 0.1), (1, 1, 0.9)]);
    }

    #[test]
    fn all_priors_agree_on_an_exact_joint() {
        let methods =
            [PriorMethod::Cnt, PriorMethod::Eqn, PriorMethod::Marginal, PriorMethod::MarginalPs];
        for method in methods {
            for converge in [false, true] {
                let prior = model(method, converge).prior;
                assert!((prior[0] - 0.45).abs() < 1e-12, "{method:?} {converge} {prior:?}");
            }
        }
    }

    #[test]
    fn a_singular_noise_matrix_is_refused() {
        let joint = ConfidentJoint::from_dense(&[1.0; 4], 2).unwrap();
        let model = NoiseModel::estimate(&joint, &[2, 2], PriorMethod::Eqn, false);
        assert_eq!(model, Err(Error::SingularNoiseMatrix));
    }
}
