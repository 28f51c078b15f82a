//! Calibration: probabilities that are raised to a power and weighted by class,
//! P'[i, k] = P[i, k]^(1/T) exp(b_k) / sum over j of P[i, j]^(1/T) exp(b_j).
//!
//! Of the probabilities of logits that is softmax(z / T + b): temperature scaling (Guo et al.: "On
//! Calibration of Modern Neural Networks", ICML 2017, section 4.2) with a bias for each class. A
//! probability of 0 stays 0. Calibrated twice is calibrated once, by the product of the temperatures
//! and the biases b / T' + b'.
//!
//! [`fit`] finds T and b from labels; [`Calibrated`] computes the cells when a sweep looks at them.

mod calibrated;
mod fit;
mod minimum;
mod powers;

use serde::{Deserialize, Serialize};

pub(crate) use calibrated::Calibrated;
pub use fit::{Contradictions, Reliability, Sample};
pub(crate) use powers::Powers;

use crate::error::{Error, Result};
use crate::pred_probs::Kind;

/// No bias is further from 0: its power of e, and that of the difference of two, are floats.
pub const LARGEST_BIAS: f64 = 30.0;

/// How cells become the probabilities that are looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// T.
    pub temperature: f64,
    /// b, one a class; or none, where all are 0.
    pub class_bias: Vec<f64>,
}

impl Calibration {
    /// Cells as they are.
    pub const NONE: Self = Self { temperature: 1.0, class_bias: Vec::new() };

    /// Whether it leaves the cells of this kind as they are, but for the temperature of logits, which
    /// they always have.
    #[must_use]
    pub fn is_plain(&self, kind: Kind) -> bool {
        self.class_bias.is_empty() && (kind == Kind::Logits || self.temperature == 1.0)
    }

    /// Checks what other code relies on.
    pub(crate) fn check(&self, kind: Kind, n_classes: usize) -> Result<()> {
        let Self { temperature, class_bias } = self;
        let is_divisor = (1e-30..=1e30).contains(temperature);
        if !is_divisor || (kind == Kind::Scores && *temperature != 1.0) {
            return Err(Error::Temperature { name: "temperature", value: *temperature });
        }
        if class_bias.is_empty() {
            return Ok(());
        }
        if kind == Kind::Scores {
            return Err(Error::NeedsProbabilities { what: "class_bias" });
        }
        let found = class_bias.len();
        if found != n_classes {
            return Err(Error::OnePerClass { name: "class_bias", n_classes, found });
        }
        let is_bias = |bias: &f64| (-LARGEST_BIAS..=LARGEST_BIAS).contains(bias);
        match class_bias.iter().position(|bias| !is_bias(bias)) {
            None => Ok(()),
            Some(class) => Err(Error::ClassBias { class, value: class_bias[class] }),
        }
    }
}
