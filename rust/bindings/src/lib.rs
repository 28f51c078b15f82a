//! `conflearn._core`: each function takes arrays, enters the core once, and gives arrays back.
//!
//! No loop over data and no arithmetic lives here. Arguments are checked for type by the Python
//! package and for value by the core.

// Python hands arguments over by value; a binding names the lifetime of what it returns.
#![allow(clippy::needless_pass_by_value, clippy::elidable_lifetime_names)]

mod analysis;
mod arrays;
mod calibration;
mod checks;
mod enter;
mod error;
mod file;
mod health;
mod issues;
mod joint;
mod judges;
mod multilabel;
mod multilabel_states;
mod names;
mod noise;
mod quality;
mod states;
mod thresholds;

use pyo3::prelude::*;

/// The Rust core of conflearn. Its functions expect what `conflearn._coerce` prepares.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::{
        analysis::{Analysis, analyze},
        calibration::{PySample, PySampleState},
        checks::PyCheckState,
        enter::{default_n_threads, simd_level},
        file::{PyFile, PyFileRows},
        health::dataset_health,
        issues::{find_label_issues, num_label_issues, order_label_issues, rank_label_issues},
        joint::{
            calibrate_confident_joint, calibrate_confident_joint_rows, count_confident,
            count_confident_rows, label_counts, num_off_diagonal, off_diagonal_examples,
            prune_counts, round_preserving_row_totals,
        },
        judges::PyJudge,
        multilabel::{
            count_confident_tags, find_tag_issues, find_tag_issues_per_class, num_tag_issues,
            rank_tag_issues, tag_counts, tag_quality_scores, tag_quality_scores_per_class,
            tag_thresholds,
        },
        multilabel_states::{
            PyTagCuts, PyTagJointState, PyTagRule, PyTagSelectionState, PyTagThresholdState,
        },
        noise::{estimate_noise_model, estimate_noise_model_rows},
        quality::{accuracy, label_quality_scores},
        states::{PyCuts, PyJointState, PyLook, PySelectionState, PyThresholdState},
        thresholds::confident_thresholds,
    };
}
