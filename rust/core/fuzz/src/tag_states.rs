//! States of tags, as [`crate::states`].

use conflearn_core::Several;
use conflearn_core::multilabel::{
    Cuts, JointState, Removals, Search, SelectionState, ThresholdState,
};
use conflearn_core::prune::Filter;
use conflearn_core::threads::on_this_thread;

use crate::states::sealed;

/// Reads some bytes as every kind of state, as they are and as the payload of one.
pub(crate) fn check_tag_states(bytes: &[u8]) {
    thresholds(bytes);
    thresholds(&sealed(101, bytes));
    joint(bytes);
    joint(&sealed(102, bytes));
    cuts(bytes);
    cuts(&sealed(103, bytes));
    selection(bytes);
    selection(&sealed(104, bytes));
}

fn thresholds(bytes: &[u8]) {
    let Ok(mut state) = ThresholdState::from_bytes(bytes) else { return };
    assert_eq!(ThresholdState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    assert_eq!(state.finish().len(), state.spec().n_classes);
    let once = state.clone();
    // Twice as many may be too many.
    if state.merge(&once).is_ok() {
        assert_eq!(state.finish().len(), state.spec().n_classes);
    }
}

fn joint(bytes: &[u8]) {
    let Ok(mut state) = JointState::from_bytes(bytes) else { return };
    assert_eq!(JointState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let once = state.clone();
    let _ = state.merge(&once);
    for calibrate in [false, true] {
        let joints = state.joints(calibrate, Several::MostProbable).unwrap();
        assert_eq!(joints.len(), state.spec().n_classes);
    }
    for filter in [Filter::Both, Filter::LowNormalizedMargin] {
        let removals =
            Removals::Joints { confident_joints: None, frac_noise: 1.0, per_class: None };
        let several = Several::MostProbable;
        let search = Search { filter, removals, min_examples_per_class: 1, several };
        let plan = Cuts::plan(&state, &search).unwrap();
        assert_eq!(Cuts::from_bytes(&plan.to_bytes()), Ok(plan));
    }
}

fn cuts(bytes: &[u8]) {
    let Ok(mut state) = Cuts::from_bytes(bytes) else { return };
    assert_eq!(Cuts::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    // So few at a time that there are several rounds, in which nothing is found.
    for _ in 0..4 {
        let round = SelectionState::new(&state, None, 3).unwrap();
        state.close(&round).unwrap();
    }
}

fn selection(bytes: &[u8]) {
    let Ok(mut state) = SelectionState::from_bytes(bytes) else { return };
    assert_eq!(SelectionState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let once = state.clone();
    state.merge(&once).unwrap();
    let flagged = on_this_thread(|workers| state.flagged(workers)).unwrap();
    if let Some(flags) = flagged {
        assert!(flags.is_sorted_by_key(|flag| (flag.number, flag.class)));
    }
}
