//! States of a stranger: any bytes are refused, or read as a state that keeps its promises.

use conflearn_core::issues::Search;
use conflearn_core::judge::Judge;
use conflearn_core::prune::Filter;
use conflearn_core::quality::Method;
use conflearn_core::states::{CheckState, Cuts, JointState, SelectionState, ThresholdState};
use conflearn_core::threads::on_this_thread;

use crate::tag_states::check_tag_states;

/// What a header of version 2 and this kind says of a payload: fuzzing hardly guesses a checksum.
pub(crate) fn sealed(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"conflern".to_vec();
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// Reads some bytes as every kind of state, as they are and as the payload of one.
pub fn check_states(bytes: &[u8]) {
    thresholds(bytes);
    thresholds(&sealed(1, bytes));
    joint(bytes);
    joint(&sealed(2, bytes));
    selection(bytes);
    selection(&sealed(3, bytes));
    cuts(bytes);
    cuts(&sealed(4, bytes));
    checks(bytes);
    checks(&sealed(8, bytes));
    judge(bytes);
    judge(&sealed(5, bytes));
    check_tag_states(bytes);
}

fn judge(bytes: &[u8]) {
    let Ok(judge) = Judge::from_bytes(bytes) else { return };
    assert_eq!(Judge::from_bytes(&judge.to_bytes()), Ok(judge));
}

fn thresholds(bytes: &[u8]) {
    let Ok(mut state) = ThresholdState::from_bytes(bytes) else { return };
    assert_eq!(ThresholdState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    assert_eq!(state.finish().len(), state.spec().n_classes);
    let once = state.clone();
    // Twice as many may be too many.
    if state.merge(&once).is_ok() {
        assert_eq!(state.finish().len(), state.spec().n_classes);
        assert_eq!(ThresholdState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
}

fn joint(bytes: &[u8]) {
    let Ok(mut state) = JointState::from_bytes(bytes) else { return };
    assert_eq!(JointState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let once = state.clone();
    let _ = state.merge(&once);
    assert_eq!(JointState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let filters = [Filter::Both, Filter::LowNormalizedMargin];
    on_this_thread(|workers| {
        assert_eq!(state.joint(workers).n_classes(), state.spec().n_classes);
        for filter in filters {
            let plan = Cuts::plan(&state, &Search::of(filter), workers)?;
            assert_eq!(Cuts::from_bytes(&plan.to_bytes()), Ok(plan));
        }
        Ok(())
    })
    .unwrap();
}

fn selection(bytes: &[u8]) {
    let Ok(mut state) = SelectionState::from_bytes(bytes) else { return };
    assert_eq!(SelectionState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let once = state.clone();
    // Together they may have seen too many rows.
    if state.merge(&once).is_err() {
        return;
    }
    assert_eq!(SelectionState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    if let Ok(Some(flagged)) = state.flagged() {
        assert!(flagged.rows.is_sorted());
    }
}

fn cuts(bytes: &[u8]) {
    let Ok(mut state) = Cuts::from_bytes(bytes) else { return };
    assert_eq!(Cuts::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    // So few at a time that there are several rounds, in which nothing is found.
    for _ in 0..4 {
        let round = SelectionState::new(&state, Method::SelfConfidence, 3).unwrap();
        // It has seen no rows, so it is told to have.
        let _ = state.close(&round);
    }
}

fn checks(bytes: &[u8]) {
    let Ok(mut state) = CheckState::from_bytes(bytes) else { return };
    assert_eq!(CheckState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let once = state.clone();
    // Twice as many may be too many.
    if state.merge(&once).is_ok() {
        assert_eq!(CheckState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
    let n: u64 = state.given_counts().iter().sum();
    assert_eq!(state.pairs().iter().map(|pair| pair.2).sum::<u64>(), n);
    assert!(state.duplicates().n_compared <= n);
    assert!(state.cell_counts()[0] <= n && state.class_means().len() <= state.spec().n_classes);
}
