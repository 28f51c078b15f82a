//! Confident learning, without Python.
//!
//! Given the labels of a data set and a model's out-of-sample predicted probabilities, confident
//! learning (Northcutt, Jiang, Chuang: "Confident Learning: Estimating Uncertainty in Dataset
//! Labels", JAIR 70, 2021) estimates the joint distribution of given and true labels, and from it
//! which labels are wrong.
//!
//! # The method on one page
//!
//! | paper | here | what |
//! | --- | --- | --- |
//! | n, m | `n_examples`, `n_classes` (N, K in text) | examples, classes |
//! | ỹ | `labels`, "given" | the labels of the data set |
//! | y* | "true" | the unknown labels |
//! | p̂(ỹ = j; x) | `pred_probs`, P[i, j] | out-of-sample probabilities |
//! | t_j (Eq. 2) | [`thresholds`] | mean P[i, j] over examples given j |
//! | C_{ỹ,y*} (Eq. 1) | [`joint::ConfidentJoint`] | counts of (given, confidently true) |
//! | Q_{ỹ,y*} (Eq. 3) | [`joint::ConfidentJoint::calibrated`] | C scaled to the label counts |
//! | Q_{ỹ\|y*}, Q_{y*\|ỹ} | [`noise::NoiseModel`] | noise matrix and its inverse |
//! | PBC, PBNR, C+NR, C_confusion | [`prune::Filter`] | which examples to prune |
//!
//! # How data flows
//!
//! `input` (shapes, labels) → [`thresholds`] (reads N cells) → `look` (what to keep) → the sweep
//! (reads every cell once: `sweep`, `row` and `scan`, or `columns` in Fortran order; spread over threads
//! by [`blocks`] and [`threads`], compiled per CPU level by [`simd`]) → [`joint`], [`noise`] (only entries
//! that are not 0) → [`prune`], [`rank`] (from what the sweep kept of each row) → [`issues`], [`health`] and
//! [`analysis`], which put them together. [`quality`] scores rows by itself. [`multilabel`] has two
//! sweeps of its own, over cells instead of rows. [`states`] are for rows that are not all there at once.
//! [`calibration`] fits a temperature and class biases to a sample, [`judge`] looks at each row by itself in the
//! sweep, and [`checks`] counts what shows that labels and matrix are not what they should be.

pub mod analysis;
pub mod blocks;
pub mod calibration;
pub mod checks;
mod columns;
mod entropy;
mod error;
pub mod file;
mod format;
mod hash;
pub mod health;
mod input;
pub mod issues;
pub mod joint;
pub mod judge;
mod lanes;
mod look;
mod mean;
pub mod multilabel;
pub mod noise;
mod pred_probs;
pub mod prune;
pub mod quality;
pub mod rank;
#[cfg(test)]
mod reference;
mod row;
mod scan;
pub mod simd;
mod softmax;
mod sparse;
pub mod states;
mod sweep;
pub mod threads;
pub mod thresholds;
mod widened;

pub use calibration::{Calibration, Reliability, Sample};
pub use error::{Error, Result};
pub use format::{
    BFloat16, Bits, Float16, Float32, Float64, Format, Key, LARGEST_SCORE, Meaning,
    RANGE_TOLERANCE, Scores,
};
pub use input::{Labels, Matrix, RowsByClass};
pub use mean::Mean;
pub use pred_probs::{Kind, PredProbs, Uncalibrated};
pub use row::{NO_CLASS, RowFacts, SLACK, Several};
pub use sparse::{Numbers, Sparse, Stored, StoredRows};
pub use widened::Widened;
