//! The promises.

use conflearn_core::analysis::{Analysis, analyze};
use conflearn_core::blocks::Workers;
use conflearn_core::issues::{
    count_confident, find_label_issues, num_label_issues, order_label_issues, rank_label_issues,
};
use conflearn_core::joint::{ConfidentJoint, Layout};
use conflearn_core::noise::{NoiseModel, PriorMethod};
use conflearn_core::quality::{Adjust, Method, label_quality_scores};
use conflearn_core::rank::rows_of_mask;
use conflearn_core::threads::on_this_thread;
use conflearn_core::thresholds::confident_thresholds;
use conflearn_core::{BFloat16, Error, Float16, Float32, Float64, Labels, PredProbs, Result};

use crate::case::{Data, FuzzFormat, METHODS, Options, Source, workers};
use crate::definition::prune_counts;
use crate::layout::Memory;

/// Panics if the engine breaks a promise on what these bytes stand for.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    match source.below(4) {
        0 => check_format::<Float16>(&mut source),
        1 => check_format::<BFloat16>(&mut source),
        2 => check_format::<Float32>(&mut source),
        _ => check_format::<Float64>(&mut source),
    }
}

fn check_format<F: FuzzFormat>(source: &mut Source<'_>) {
    let data = Data::<F>::new(source);
    let options = Options::new(source, &data);
    if std::env::var_os("CONFLEARN_FUZZ_SHOW").is_some() {
        eprintln!("{data:?}\n{options:?}");
    }
    let (plain, other) = (Memory::plain(&data), Memory::any(&data, source));
    let labels = Labels::new(data.given.iter().copied(), data.n_classes).expect("valid labels");
    check_labels(&data);

    let asked = |matrix, workers: &Workers<'_>| {
        Answers::ask(&labels, &F::pred_probs(matrix), &options, workers)
    };
    let answers = on_this_thread(|workers| Ok(asked(plain.matrix(), workers)));
    let answers = answers.expect("the questions keep their own errors");
    let again = on_this_thread(|alone| Ok(asked(other.matrix(), &workers(source, alone))));
    assert_eq!(again.expect("as above"), answers, "another memory order, block size or CPU level");

    check_thresholds(&data, &answers);
    check_count(&data, &options, &answers);
    check_search(&data, &options, &answers);
    check_scores(&data, &options, &answers);
    check_upside_down(&data, &options, &answers, &F::pred_probs(other.upside_down()));
    if let Ok((joint, _)) = &answers.count {
        check_calibrated(joint, &data.counts());
        check_noise_model(joint, &data.counts());
    }
}

/// Floats as bits, errors as text: equal only if they are the same, NaN among them.
type Answer<T> = std::result::Result<T, String>;

#[derive(Debug, PartialEq)]
struct Answers {
    thresholds: Answer<Vec<u64>>,
    count: Answer<(ConfidentJoint, Vec<usize>)>,
    n_issues: Answer<usize>,
    mask: Answer<Vec<bool>>,
    ranked: Answer<Vec<usize>>,
    analysis: Answer<Everything>,
    scores: Answer<Vec<u64>>,
    ordered: Answer<Vec<usize>>,
}

#[derive(Debug, PartialEq)]
struct Everything {
    mask: Vec<bool>,
    ranked: Vec<usize>,
    scores: [Vec<u64>; 3],
    judged: Vec<(Method, Vec<u64>)>,
    suggested_labels: Vec<i64>,
    thresholds: Vec<u64>,
    confident_joint: ConfidentJoint,
    given_counts: Vec<usize>,
    n_issues: usize,
}

impl Answers {
    fn ask(
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        options: &Options,
        workers: &Workers<'_>,
    ) -> Self {
        let Options { search, rank_by, method, adjust, thresholds, rows, mask } = options;
        let (method, adjust, rank_by, rows) = (*method, *adjust, *rank_by, rows.as_deref());
        let thresholds = thresholds.as_deref();
        let several = search.several;
        Self {
            thresholds: answer(confident_thresholds(labels, pred_probs, workers)).map(bits),
            count: answer(count_confident(labels, pred_probs, thresholds, several, workers)),
            n_issues: answer(num_label_issues(labels, pred_probs, several, workers)),
            mask: answer(find_label_issues(labels, pred_probs, search, workers)),
            ranked: answer(rank_label_issues(labels, pred_probs, search, rank_by, workers)),
            analysis: answer(analyze(labels, pred_probs, search, rank_by, workers))
                .map(Everything::from),
            scores: answer(label_quality_scores(
                labels,
                pred_probs,
                rows,
                method,
                (adjust, None),
                workers,
            ))
            .map(bits),
            ordered: answer(order_label_issues(mask, labels, pred_probs, rank_by, adjust, workers)),
        }
    }
}

impl From<Analysis> for Everything {
    fn from(analysis: Analysis) -> Self {
        Self {
            mask: analysis.mask,
            ranked: analysis.ranked,
            scores: [
                bits(analysis.self_confidence),
                bits(analysis.normalized_margin),
                bits(analysis.confidence_weighted_entropy),
            ],
            judged: analysis
                .judged
                .into_iter()
                .map(|(name, scores)| (name, bits(scores)))
                .collect(),
            suggested_labels: analysis.suggested_labels,
            thresholds: bits(analysis.thresholds),
            confident_joint: analysis.confident_joint,
            given_counts: analysis.given_counts,
            n_issues: analysis.num_issues,
        }
    }
}

fn answer<T>(result: Result<T>) -> Answer<T> {
    result.map_err(|error| error_text(&error))
}

fn error_text(error: &Error) -> String {
    // The message is part of it: writing it must not panic either.
    format!("{error:?}: {error}")
}

fn bits(values: Vec<f64>) -> Vec<u64> {
    values.into_iter().map(f64::to_bits).collect()
}

fn floats(bits: &[u64]) -> Vec<f64> {
    bits.iter().copied().map(f64::from_bits).collect()
}

/// Asserts that there is an error exactly if there should be, and that it is that one.
fn assert_error<T>(answer: &Answer<T>, expected: Option<&Error>, what: &str) {
    assert_eq!(answer.as_ref().err(), expected.map(error_text).as_ref(), "{what}");
}

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found:e} is not {expected:e}");
}

fn check_labels<F: FuzzFormat>(data: &Data<F>) {
    let n_classes = data.n_classes - 1;
    let first = data.given.iter().position(|&class| class as usize >= n_classes);
    let expected = if n_classes < 2 {
        Some(Error::TooFewClasses { n_classes })
    } else {
        first.map(|row| Error::LabelOutOfRange { row, label: data.given[row].into(), n_classes })
    };
    let found = Labels::new(data.given.iter().copied(), n_classes);
    assert_eq!(found.err(), expected, "a class too few");
    let shifted = data.given.iter().map(|&class| i64::from(class) - 1);
    let found = Labels::new(shifted, data.n_classes).err();
    let first = data.given.iter().position(|&class| class == 0);
    let negative =
        first.map(|row| Error::LabelOutOfRange { row, label: -1, n_classes: data.n_classes });
    assert_eq!(found, negative, "labels from -1");
}

fn check_thresholds<F: FuzzFormat>(data: &Data<F>, answers: &Answers) {
    let fault = data.own_fault(0..data.n_rows());
    assert_error(&answers.thresholds, fault.as_ref(), "thresholds");
    let Ok(found) = &answers.thresholds else { return };
    for (class, (found, expected)) in floats(found).into_iter().zip(data.thresholds()).enumerate() {
        assert_close(found, expected, 1e-12, &format!("the threshold of class {class}"));
    }
}

fn check_count<F: FuzzFormat>(data: &Data<F>, options: &Options, answers: &Answers) {
    let n_classes = data.n_classes;
    let found = options.thresholds.as_ref().map_or(n_classes, Vec::len);
    let shape =
        (found != n_classes).then_some(Error::OnePerClass { name: "thresholds", n_classes, found });
    let fault = data.fault(0..data.n_rows());
    assert_error(&answers.count, shape.or(fault.clone()).as_ref(), "count_confident");
    assert_error(&answers.n_issues, fault.as_ref(), "num_label_issues");
    if fault.is_some() {
        return;
    }
    // Their last bit is the engine's, so that it decides here what it decides there.
    let own = floats(answers.thresholds.as_ref().expect("no fault, so thresholds"));
    let several = options.search.several;
    let issues = data.confident_learning(&own, several);
    assert_eq!(answers.n_issues, Ok(rows_of_mask(&issues).len()), "num_label_issues");
    if let Ok((joint, off_diagonal)) = &answers.count {
        let thresholds = options.thresholds.as_ref().unwrap_or(&own);
        let (dense, expected) = data.count_confident(thresholds, several);
        assert_eq!(*joint, ConfidentJoint::from_dense(&dense, n_classes).expect("counts"));
        assert_eq!(*off_diagonal, expected, "off-diagonal examples");
    }
}

fn check_search<F: FuzzFormat>(data: &Data<F>, options: &Options, answers: &Answers) {
    let Options { search, rank_by, .. } = options;
    let (before, after) = data.search_faults(search);
    let fault = before.or(data.fault(0..data.n_rows())).or(after);
    assert_error(&answers.mask, fault.as_ref(), "find_label_issues");
    assert_error(&answers.ranked, fault.as_ref(), "rank_label_issues");
    assert_error(&answers.analysis, fault.as_ref(), "analyze");
    let (Ok(mask), Ok(ranked), Ok(all)) = (&answers.mask, &answers.ranked, &answers.analysis)
    else {
        return;
    };
    let thresholds = floats(&all.thresholds);
    let (dense, _) = data.count_confident(&thresholds, search.several);
    let counts = data.counts();
    let joint = ConfidentJoint::from_dense(&dense, data.n_classes).expect("counts");
    let joint = joint.calibrated(&counts, search.several.layout());
    assert_eq!(all.confident_joint, joint, "the joint of the data, whichever one was used");
    let prune_counts = prune_counts(search, &joint, &counts);
    assert_eq!(*mask, data.mask(search, &thresholds, &prune_counts), "{:?}", search.filter);
    check_order(data, ranked, &rows_of_mask(mask), *rank_by);

    assert_eq!((&all.mask, &all.ranked), (mask, ranked), "analyze finds the same");
    assert_eq!(Ok(&all.thresholds), answers.thresholds.as_ref(), "and the same thresholds");
    assert_eq!(Ok(&all.n_issues), answers.n_issues.as_ref(), "and as many");
    assert_eq!(all.given_counts, counts, "examples given each class");
    let suggested = data.suggested_labels(mask, search.filter, &thresholds);
    assert_eq!(all.suggested_labels, suggested, "suggested labels");
    let asked = [search.filter.judge(), Some(*rank_by)].contains(&Some(Method::RelativeConfidence));
    assert_eq!(all.judged.len(), usize::from(asked), "scores of judges that were asked");
    let judged = all.judged.iter().map(|(method, scores)| (*method, scores));
    for (method, scores) in METHODS.into_iter().zip(&all.scores).chain(judged) {
        for (row, score) in floats(scores).into_iter().enumerate() {
            check_score(data, row, score, method);
        }
    }
}

fn check_score<F: FuzzFormat>(data: &Data<F>, row: usize, score: f64, method: Method) {
    let tolerance = if adds_up(method) { F::SUM_TOLERANCE } else { 1e-15 };
    assert!((0.0..=1.0).contains(&score), "{method:?} of row {row} is {score:e}");
    assert_close(score, data.score(row, method), tolerance, &format!("{method:?} of row {row}"));
}

/// Whether a score is of a sum, which has no exact value.
fn adds_up(method: Method) -> bool {
    method == Method::ConfidenceWeightedEntropy || method.is_of_judge()
}

/// All of the rows, the lowest score first.
fn check_order<F: FuzzFormat>(data: &Data<F>, ranked: &[usize], rows: &[usize], rank_by: Method) {
    let mut sorted = ranked.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, rows, "ranked are those that are flagged");
    let is_exact = !adds_up(rank_by);
    for pair in ranked.windows(2) {
        let (left, right) = (data.score(pair[0], rank_by), data.score(pair[1], rank_by));
        if is_exact {
            assert!((left, pair[0]) < (right, pair[1]), "{pair:?} of {ranked:?}");
        } else {
            assert!(left <= right + 2.0 * F::SUM_TOLERANCE, "{pair:?} of {ranked:?}");
        }
    }
}

fn check_scores<F: FuzzFormat>(data: &Data<F>, options: &Options, answers: &Answers) {
    let Options { method, adjust, rank_by, rows, mask, .. } = options;
    let n_examples = data.n_rows();
    let rows = rows.clone().unwrap_or_else(|| (0..n_examples).collect());
    let fault = |rows: &[usize], method: Method| {
        if let Some(&row) = rows.iter().find(|&&row| row >= n_examples) {
            return Some(Error::RowOutOfRange { row, n_examples });
        }
        let all = || 0..n_examples;
        let rows = || rows.iter().copied();
        if *adjust != Adjust::No || method.is_of_judge() {
            return data.own_fault(all()).and(data.fault(all())).or(data.fault(rows()));
        }
        if method == Method::SelfConfidence { data.own_fault(rows()) } else { data.fault(rows()) }
    };
    assert_error(&answers.scores, fault(&rows, *method).as_ref(), "label_quality_scores");
    if let Ok(scores) = &answers.scores {
        assert_eq!(scores.len(), rows.len(), "one score for each of the rows");
        for (&row, score) in rows.iter().zip(floats(scores)) {
            if *adjust == Adjust::No || method.is_of_judge() {
                check_score(data, row, score, *method);
                continue;
            }
            assert!((0.0..=1.0).contains(&score), "{method:?} of row {row} is {score:e}");
            let expected = data.adjusted_score(row, *method, *adjust, &data.thresholds());
            if let Some(expected) = expected {
                assert_close(score, expected, 1e-11, &format!("adjusted {method:?} of {row}"));
            }
        }
    }
    let flagged = rows_of_mask(mask);
    assert_error(&answers.ordered, fault(&flagged, *rank_by).as_ref(), "order_label_issues");
    if let (Ok(ordered), Adjust::No) = (&answers.ordered, adjust) {
        check_order(data, ordered, &flagged, *rank_by);
    }
}

/// The order of the rows does not show.
fn check_upside_down<F: FuzzFormat>(
    data: &Data<F>,
    options: &Options,
    answers: &Answers,
    pred_probs: &PredProbs<'_>,
) {
    let last = data.n_rows() - 1;
    let labels = Labels::new(data.given.iter().rev().copied(), data.n_classes);
    let labels = labels.expect("valid labels");
    let turned: Option<Vec<usize>> = options
        .rows
        .as_ref()
        .and_then(|rows| rows.iter().map(|&row| last.checked_sub(row)).collect());
    if options.rows.is_some() && turned.is_none() {
        return;
    }
    let options = Options {
        search: options.search.clone(),
        thresholds: options.thresholds.clone(),
        rows: turned,
        mask: Vec::new(),
        ..*options
    };
    let again = on_this_thread(|workers| Ok(Answers::ask(&labels, pred_probs, &options, workers)));
    let again = again.expect("the questions keep their own errors");
    if answers.thresholds.is_ok() {
        assert_eq!(again.thresholds, answers.thresholds, "thresholds upside down");
    }
    if answers.n_issues.is_ok() {
        assert_eq!(again.n_issues, answers.n_issues, "num_label_issues upside down");
    }
    if let (Ok((found, found_rows)), Ok((joint, rows))) = (&again.count, &answers.count) {
        let turned: Vec<usize> = rows.iter().rev().map(|row| last - row).collect();
        assert_eq!((found, found_rows), (joint, &turned), "count_confident upside down");
    }
    if let (Ok(found), Ok(scores)) = (&again.scores, &answers.scores) {
        let mut scores = scores.clone();
        if options.rows.is_none() {
            scores.reverse();
        }
        assert_eq!(*found, scores, "scores upside down");
    }
    assert_eq!(again.analysis.is_ok(), answers.analysis.is_ok(), "analyze upside down");
}

fn check_calibrated(joint: &ConfidentJoint, counts: &[usize]) {
    for layout in [Layout::ByGiven, Layout::ByTrue] {
        let calibrated = joint.calibrated(counts, layout);
        for (given, &count) in counts.iter().enumerate() {
            let row = || calibrated.row(given).map(|(_, n)| n);
            assert_eq!(row().sum::<f64>(), count as f64, "calibrated row {given}");
            assert!(row().all(|n| n >= 0.0 && n.fract() == 0.0), "calibrated row {given}");
        }
    }
}

fn check_noise_model(joint: &ConfidentJoint, counts: &[usize]) {
    let methods =
        [PriorMethod::Cnt, PriorMethod::Eqn, PriorMethod::Marginal, PriorMethod::MarginalPs];
    for method in methods {
        for converge in [false, true] {
            let model = match NoiseModel::estimate(joint, counts, method, converge) {
                Ok(model) => model,
                Err(Error::SingularNoiseMatrix) if method == PriorMethod::Eqn => continue,
                Err(error) => panic!("{method:?}: {error}"),
            };
            assert_close(model.prior().iter().sum(), 1.0, 1e-9, "the sum of the prior");
            assert!(model.prior().iter().all(|&p| p > 0.0), "{:?}", model.prior());
            let rates = model.noise_entries().chain(model.inverse_entries());
            for (row, column, rate) in rates {
                assert!((0.0..=1.0).contains(&rate), "{method:?} [{row}, {column}] is {rate:e}");
            }
        }
    }
}
