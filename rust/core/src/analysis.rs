//! Everything there is to know, from one sweep.

use crate::blocks::Workers;
use crate::checks::{CellSums, Sample};
use crate::error::Result;
use crate::format::{Format, Meaning};
use crate::input::{Labels, Matrix};
use crate::issues::{Findings, Ranking, Search, num_off_diagonal};
use crate::joint::ConfidentJoint;
use crate::judge::{self, Asked};
use crate::look::Keep;
use crate::pred_probs::{PredProbs, with_matrix};
use crate::quality::{Method, normalized_margin, self_confidence};
use crate::row::NO_CLASS;
use crate::states::{CheckState, Spec};

/// What [`analyze`] finds.
#[derive(Debug)]
pub struct Analysis {
    /// The flagged examples.
    pub mask: Vec<bool>,
    /// The same, the worst label first.
    pub ranked: Vec<usize>,
    /// One self confidence a row.
    pub self_confidence: Vec<f64>,
    /// One normalized margin a row.
    pub normalized_margin: Vec<f64>,
    /// One confidence-weighted entropy a row; none for scores.
    pub confidence_weighted_entropy: Vec<f64>,
    /// Of each judge that was asked, its score and one number a row.
    pub judged: Vec<(Method, Vec<f64>)>,
    /// The given class where not flagged, else the most probable other class, or the one that the
    /// judge believes in that flags.
    pub suggested_labels: Vec<i64>,
    /// One a class.
    pub thresholds: Vec<f64>,
    /// Of the data, calibrated.
    pub confident_joint: ConfidentJoint,
    /// How many examples are given each class.
    pub given_counts: Vec<usize>,
    /// Off-diagonal examples that the agreement rule leaves.
    pub num_issues: usize,
    /// What the sweep has shown of the inputs, and a look at all cells of some rows.
    pub checks: CheckState,
}

/// Finds, ranks, scores and counts in one sweep.
///
/// # Errors
/// Those of [`crate::issues::rank_label_issues`].
pub fn analyze(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    search: &Search,
    rank_by: Method,
    workers: &Workers<'_>,
) -> Result<Analysis> {
    pred_probs.check_shape(labels)?;
    let ranking = Ranking::new(rank_by, search, labels, pred_probs)?;
    let methods = search.filter.judge().into_iter().chain([rank_by]);
    let asked = judge::asked(methods, &search.judges, labels, pred_probs)?;
    let spec = Spec::of(labels, pred_probs);
    with_matrix!(pred_probs, workers, matrix => {
        analyze_matrix(labels, matrix, spec, search, (&asked, ranking), workers)
    })
}

fn analyze_matrix<F: Format>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    spec: Spec,
    search: &Search,
    (judges, ranking): (&[Asked<'_>], Ranking<'_>),
    workers: &Workers<'_>,
) -> Result<Analysis> {
    let keep = Keep {
        guesses: true,
        shortlists: search.filter.wants_shortlists(),
        entropies: F::MEANING == Meaning::Probability,
        judges,
        several: search.several,
    };
    let findings = Findings::new(labels, matrix, search, keep, true, workers)?;
    let ranked = findings.ranked(labels, matrix, ranking, workers)?;
    let Findings { mask, seen, calibrated_joint } = findings;
    let confident_joint = match calibrated_joint {
        Some(joint) => joint,
        None => seen.calibrated_joint(labels, workers)?,
    };
    let facts = &seen.facts;
    let flagging = search.filter.judge().and_then(|method| seen.judged.by(method));
    let suggested = |row: usize| {
        if !mask[row] {
            labels.given(row) as i64
        } else if let Some(judgements) = flagging {
            // One that believes in no other class has none to suggest.
            let other = Some(judgements.of(row).other).filter(|&other| other != NO_CLASS);
            other.map_or(labels.given(row) as i64, i64::from)
        } else if facts[row].best_other_class != NO_CLASS {
            i64::from(facts[row].best_other_class)
        } else {
            most_probable_other(matrix, row, labels.given(row)) as i64
        }
    };
    let n = facts.len();
    let cells = CellSums::of_sample(labels, matrix, Sample::new(0, n as u64), workers)?;
    Ok(Analysis {
        checks: CheckState::of_facts(spec, facts, labels, cells, workers)?,
        ranked,
        self_confidence: workers.each(n, |row| self_confidence::<F>(&facts[row]))?,
        normalized_margin: workers.each(n, |row| normalized_margin::<F>(&facts[row]))?,
        judged: seen.judged.scores(),
        confidence_weighted_entropy: seen.entropies,
        suggested_labels: workers.each(n, suggested)?,
        thresholds: seen.thresholds,
        confident_joint,
        given_counts: labels.counts().to_vec(),
        num_issues: num_off_diagonal(facts, labels),
        mask,
    })
}

/// The most probable class but the given one, the lowest on ties: for the few rows that are flagged
/// though the model agrees with their label (by the lowest scores), of which no sweep keeps it.
pub(crate) fn most_probable_other<F: Format>(
    matrix: &Matrix<'_, F>,
    row: usize,
    given: usize,
) -> usize {
    if let Some(entries) = matrix.by_entries() {
        return entries.most_probable_other(row, given);
    }
    let value = |class| F::value(matrix.cell(row, class));
    let others = (0..matrix.n_columns()).filter(|&class| class != given);
    let most = others.reduce(|most, class| if value(class) > value(most) { class } else { most });
    most.unwrap_or(given)
}
