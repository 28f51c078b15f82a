//! What is counted, against plain loops; however rows lie in memory and are cut.

use proptest::prelude::*;

use super::{DuplicateCounts, OFF_BOUNDS};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::{Bits, Float16, Float32, Float64, Format, Scores};
use crate::input::{Labels, Matrix};
use crate::pred_probs::{Kind, PredProbs};
use crate::row::{RowFacts, Several, defined_row_facts};
use crate::simd::Level;
use crate::sparse::{Numbers, Sparse, StoredRows};
use crate::states::{CheckState, Look, RowNumbers, Spec};
use crate::threads::{on_pool, on_this_thread};

/// Rows that are often the same, of cells that are often 0.
#[derive(Debug, Clone)]
struct Data {
    given: Vec<u32>,
    rows: Vec<Vec<f64>>,
}

fn data() -> impl Strategy<Value = Data> {
    let cell = || {
        prop_oneof![
            4 => 0.0..=1.0,
            2 => Just(0.0),
            1 => (0..=4_u32).prop_map(|n| f64::from(n) / 4.0),
            1 => -9e-7..0.0,
            1 => 1.0..1.000_000_9,
        ]
    };
    (1..40_usize, 2..40_usize, 1..20_usize).prop_flat_map(move |(n, k, n_different)| {
        let rows = prop::collection::vec(prop::collection::vec(cell(), k), n_different);
        let chosen = prop::collection::vec((0..n_different, 0..k as u32), n);
        (rows, chosen).prop_map(|(rows, chosen)| Data {
            given: chosen.iter().map(|&(_, given)| given).collect(),
            rows: chosen.iter().map(|&(row, _)| rows[row].clone()).collect(),
        })
    })
}

impl Data {
    fn n_classes(&self) -> usize {
        self.rows[0].len()
    }

    fn spec(&self, kind: Kind) -> Spec {
        Spec { n_classes: self.n_classes(), kind, calibration: crate::Calibration::NONE }
    }

    fn labels(&self, rows: std::ops::Range<usize>) -> Labels {
        Labels::new(self.given[rows].iter().copied(), self.n_classes()).unwrap()
    }

    /// The same cells, as a format has them.
    fn rounded<F: Format>(&self) -> Self {
        let cell = |&value: &f64| F::value(F::bits(F::round_up(value).min(F::largest())));
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        Self { given: self.given.clone(), rows }
    }

    /// The cells of a format, by rows or by columns.
    fn cells<F: Format>(&self, by_rows: bool) -> (Vec<F::Bits>, (isize, isize)) {
        let (n, k, size) = (self.rows.len(), self.n_classes(), size_of::<F::Bits>() as isize);
        let mut cells = vec![F::Bits::ZERO; n * k];
        for (i, row) in self.rows.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                cells[if by_rows { i * k + j } else { j * n + i }] = F::nearest(value);
            }
        }
        let strides = if by_rows { (size * k as isize, size) } else { (size, size * n as isize) };
        (cells, strides)
    }

    fn facts(&self) -> Vec<RowFacts> {
        let never = vec![f64::INFINITY; self.n_classes()];
        let rows = self.rows.iter().zip(&self.given);
        rows.map(|(row, &given)| {
            defined_row_facts(row, given as usize, &never, Several::MostProbable)
        })
        .collect()
    }
}

/// The definition of what a state tells.
fn agrees_with_definition(state: &CheckState, data: &Data, is_sparse: bool) {
    let (n, k) = (data.rows.len(), data.n_classes());
    let is_of_scores = state.spec().kind == Kind::Scores;
    let argmax = |row: &[f64]| (0..k).reduce(|best, j| if row[j] > row[best] { j } else { best });
    let predicted: Vec<usize> = data.rows.iter().map(|row| argmax(row).unwrap()).collect();
    let mut pairs = std::collections::BTreeMap::new();
    for (&given, &predicted) in data.given.iter().zip(&predicted) {
        *pairs.entry((given, predicted as u32)).or_insert(0_u64) += 1;
    }
    let pairs: Vec<_> = pairs.into_iter().map(|((given, class), n)| (given, class, n)).collect();
    assert_eq!(state.pairs(), pairs);

    let duplicates = state.duplicates();
    assert_eq!(duplicates, defined_duplicates(data));
    if is_of_scores {
        assert_eq!(state.cell_counts(), [0; 3]);
        assert!(state.class_means().is_empty() && state.bins().iter().all(|bin| bin.n == 0));
        return;
    }

    let facts = data.facts();
    let most = |i: usize| facts[i].own.max(facts[i].best_other);
    for (number, bin) in state.bins().iter().enumerate() {
        let is_in = |&i: &usize| ((most(i) * 15.0).max(0.0) as usize).min(14) == number;
        let rows: Vec<usize> = (0..n).filter(is_in).collect();
        let hits = rows.iter().filter(|&&i| predicted[i] == data.given[i] as usize).count();
        assert_eq!((bin.n, bin.n_hits), (rows.len() as u64, hits as u64));
        let mean = rows.iter().map(|&i| most(i)).sum::<f64>() / rows.len().max(1) as f64;
        assert!((bin.confidence() - mean).abs() < 1e-11);
    }
    let mean = |of: &dyn Fn(usize) -> f64| (0..n).map(of).sum::<f64>() / n as f64;
    let (own, loss) = (state.self_confidence(), state.log_loss());
    assert!((own - mean(&|i| facts[i].own)).abs() < 1e-11);
    assert!((loss - mean(&|i| -facts[i].own.max(1e-6).ln())).abs() < 1e-11);
    let (largest, least) = state.extremes();
    let count = |value: f64, of: &dyn Fn(usize) -> f64| (0..n).filter(|&i| of(i) == value).count();
    assert_eq!(largest.value, (0..n).map(most).fold(f64::NEG_INFINITY, f64::max));
    assert_eq!(largest.n, count(largest.value, &most) as u64);
    let owns = |i: usize| facts[i].own;
    assert_eq!(least.value, (0..n).map(owns).fold(f64::INFINITY, f64::min));
    assert_eq!(least.n, count(least.value, &owns) as u64);

    for (j, class_mean) in state.class_means().into_iter().enumerate() {
        assert!((class_mean - mean(&|i| data.rows[i][j])).abs() < 1e-11);
    }
    let given = |class: usize| data.given.iter().filter(|&&given| given as usize == class).count();
    let counts: Vec<u64> = (0..k).map(|class| given(class) as u64).collect();
    assert_eq!((state.given_counts(), state.sampled_counts()), (&counts[..], &counts[..]));
    let sums: Vec<f64> = data.rows.iter().map(|row| row.iter().sum()).collect();
    let n_zeros = data.rows.iter().flatten().filter(|&&cell| cell <= 0.0).count();
    let [below, above] = state.sums_off();
    for (number, bound) in OFF_BOUNDS.into_iter().enumerate() {
        // What lies on a bound is left to rounding.
        let off = |sign: f64, slack: f64| {
            sums.iter().filter(|&sum| sign * (sum - 1.0) > bound + slack).count() as u64
        };
        assert!((off(1.0, 1e-10)..=off(1.0, -1e-10)).contains(&above[number]));
        if !is_sparse {
            assert!((off(-1.0, 1e-10)..=off(-1.0, -1e-10)).contains(&below[number]));
        }
    }
    if is_sparse {
        assert_eq!(state.cell_counts(), [n as u64, n as u64, 0]);
        assert_eq!((below, state.row_sums()), ([0; 4], None));
        return;
    }
    assert_eq!(state.cell_counts(), [n as u64, 0, n_zeros as u64]);
    let (least, largest) = state.row_sums().unwrap();
    for sum in [least, largest] {
        assert!((sum.value() - sums[sum.row as usize]).abs() < 1e-10);
    }
    assert!(sums.iter().all(|sum| least.value() < sum + 1e-10 && *sum < largest.value() + 1e-10));
}

fn defined_duplicates(data: &Data) -> DuplicateCounts {
    let n_bits = |value: &f64| {
        let fraction = value.to_bits() << 12;
        if fraction == 0 { 0 } else { 52 - (fraction.trailing_zeros() - 12) }
    };
    let is_rich = |row: &Vec<f64>| row.iter().map(n_bits).sum::<u32>() >= 64;
    let rich: Vec<usize> = (0..data.rows.len()).filter(|&i| is_rich(&data.rows[i])).collect();
    let odd = |i: usize| data.rows[i].iter().skip(1).step_by(2).collect::<Vec<_>>();
    let shares = |i: &usize, is: &dyn Fn(usize) -> bool| rich.iter().any(|&j| j != *i && is(j));
    let same = |i: usize, j: usize| data.rows[i] == data.rows[j];
    let conflicts = |i: &usize| shares(i, &|j| same(*i, j) && data.given[*i] != data.given[j]);
    let conflicting: Vec<usize> = rich.iter().copied().filter(conflicts).collect();
    let firsts: Vec<usize> = conflicting
        .iter()
        .copied()
        .filter(|&i| !conflicting.iter().any(|&j| j < i && same(i, j)))
        .collect();
    let named = |&i: &usize| {
        let is_other = |&&j: &&usize| same(i, j) && data.given[i] != data.given[j];
        let j = *conflicting.iter().find(is_other).unwrap();
        [(i as u64, data.given[i]), (j as u64, data.given[j])]
    };
    DuplicateCounts {
        n_rows: data.rows.len() as u64,
        n_compared: rich.len() as u64,
        n_alike: rich.iter().filter(|i| shares(i, &|j| odd(**i) == odd(j))).count() as u64,
        n_same: rich.iter().filter(|i| shares(i, &|j| same(**i, j))).count() as u64,
        n_conflicting: conflicting.len() as u64,
        n_groups: firsts.len() as u64,
        named: firsts.iter().take(5).map(named).collect(),
    }
}

/// Runs in some way, which must not show.
fn in_any_way<R: Send>(way: usize, work: impl Fn(&Workers<'_>) -> Result<R> + Sync + Send) -> R {
    let level = [Level::Baseline, Level::Avx2, Level::Avx512][way % 3];
    let run = |workers: &Workers<'_>| work(&workers.with_level(level).with_block_bytes(64 << way));
    if way < 3 { on_this_thread(run) } else { on_pool(2, || false, run) }.unwrap()
}

fn counts_of<F: Format>(
    data: &Data,
    wrap: impl Fn(Matrix<'static, F>) -> PredProbs<'static>,
    kind: Kind,
) {
    let data = data.rounded::<F>();
    let (n, k) = (data.rows.len(), data.n_classes());
    let empty = CheckState::new(data.spec(kind)).unwrap();
    let mut whole: Option<CheckState> = None;
    for way in 0..6 {
        let (cells, strides) = data.cells::<F>(way % 2 == 0);
        // SAFETY: all cells are within the vector.
        let matrix = unsafe { Matrix::<F>::new(cells.as_ptr().cast(), (n, k), strides) };
        let labels = data.labels(0..n);
        let matrix = wrap(matrix);
        let state = in_any_way(way, |workers| {
            empty.of_batch(&labels, &matrix, RowNumbers::From(0), workers)
        });
        agrees_with_definition(&state, &data, false);
        assert_eq!(CheckState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
        assert_eq!(whole.get_or_insert_with(|| state.clone()), &state);
    }
    let Some(whole) = whole else { return };
    // In batches, that are merged the other way round.
    let (cells, strides) = data.cells::<F>(true);
    let mut merged = empty.clone();
    for start in (0..n).step_by(7).rev() {
        let end = n.min(start + 7);
        // SAFETY: all cells are within the vector.
        let matrix = unsafe {
            Matrix::<F>::new(cells[start * k..].as_ptr().cast(), (end - start, k), strides)
        };
        let numbers: Vec<i64> = (start as i64..end as i64).collect();
        let batch = on_this_thread(|workers| {
            let labels = data.labels(start..end);
            empty.of_batch(&labels, &wrap(matrix), RowNumbers::Each(&numbers), workers)
        });
        merged.merge(&batch.unwrap()).unwrap();
    }
    assert_eq!(merged, whole);
    assert_eq!(merged.to_bytes(), whole.to_bytes());
}

/// Entries that are 0 stay away, or do not: that makes no difference.
fn counts_of_entries(data: &Data, keeps_zeros: bool) {
    let (n, k) = (data.rows.len(), data.n_classes());
    let is_stored = |&(_, &value): &(u32, &f64)| keeps_zeros || value != 0.0;
    let entries = |row: &Vec<f64>| -> Vec<(u32, f64)> {
        let entries = (0..k as u32).zip(row).rev().filter(is_stored);
        entries.map(|(class, &value)| (class, value)).collect()
    };
    let stored: Vec<Vec<(u32, f64)>> = data.rows.iter().map(entries).collect();
    let mut starts = vec![0_i64];
    for row in &stored {
        starts.push(starts[starts.len() - 1] + row.len() as i64);
    }
    let classes: Vec<u32> = stored.iter().flatten().map(|&(class, _)| class).collect();
    let values: Vec<u64> = stored.iter().flatten().map(|&(_, value)| value.to_bits()).collect();
    // SAFETY: both slices live as long as the view.
    let sparse = unsafe {
        let numbers = Numbers::new::<Float64>(values.as_ptr().cast(), (0, 8));
        let classes = (classes.as_ptr().cast(), (0, 4));
        let rows = StoredRows::Starts64(&starts);
        Sparse::<Float64>::compressed::<u32>(k, rows, values.len(), classes, numbers)
    };
    let empty = CheckState::new(data.spec(Kind::Probabilities)).unwrap();
    let matrix = PredProbs::Sparse64(sparse);
    for way in [0, 4] {
        let state = in_any_way(way, |workers| {
            empty.of_batch(&data.labels(0..n), &matrix, RowNumbers::From(0), workers)
        });
        agrees_with_definition(&state, data, true);
    }
}

/// What a changed payload says, under a header that is right.
fn read_changed(bytes: &[u8], place: usize, flip: u8) -> Result<CheckState> {
    let mut bytes = bytes.to_vec();
    let place = 24 + place % (bytes.len() - 24);
    bytes[place] ^= flip;
    let sum = crc32fast::hash(&bytes[24..]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    CheckState::from_bytes(&bytes)
}

proptest! {
    #[test]
    fn a_state_of_a_stranger_keeps_its_promises(
        data in data(),
        changes in prop::collection::vec((any::<usize>(), 1..=255_u8), 40),
    ) {
        let (n, k) = (data.rows.len(), data.n_classes());
        let (cells, strides) = data.cells::<Float64>(true);
        // SAFETY: all cells are within the vector.
        let matrix = unsafe { Matrix::<Float64>::new(cells.as_ptr().cast(), (n, k), strides) };
        let empty = CheckState::new(data.spec(Kind::Probabilities)).unwrap();
        let state = on_this_thread(|workers| {
            let matrix = PredProbs::Float64(matrix);
            empty.of_batch(&data.labels(0..n), &matrix, RowNumbers::From(0), workers)
        });
        let bytes = state.unwrap().to_bytes();
        for (place, flip) in changes {
            let Ok(mut state) = read_changed(&bytes, place, flip) else { continue };
            prop_assert_eq!(CheckState::from_bytes(&state.to_bytes()), Ok(state.clone()));
            let n: u64 = state.given_counts().iter().sum();
            prop_assert_eq!(state.pairs().iter().map(|pair| pair.2).sum::<u64>(), n);
            prop_assert!(state.duplicates().n_compared <= n);
            prop_assert!(state.bins().iter().all(|bin| bin.confidence().is_finite()));
            prop_assert!(state.class_means().iter().all(|mean| mean.abs() < 1.1));
            let once = state.clone();
            if state.merge(&once).is_ok() {
                prop_assert_eq!(CheckState::from_bytes(&state.to_bytes()), Ok(state.clone()));
            }
        }
    }

    #[test]
    fn counts_are_those_of_plain_loops(data in data()) {
        counts_of::<Float16>(&data, PredProbs::Float16, Kind::Probabilities);
        counts_of::<Float32>(&data, PredProbs::Float32, Kind::Probabilities);
        counts_of::<Float64>(&data, PredProbs::Float64, Kind::Probabilities);
        counts_of::<Scores<Float32>>(&data, PredProbs::Scores32, Kind::Scores);
        counts_of_entries(&data.rounded::<Float64>(), false);
        counts_of_entries(&data.rounded::<Float64>(), true);
    }

    #[test]
    fn a_look_leaves_the_same_counts_but_of_duplicates(data in data()) {
        let data = data.rounded::<Float32>();
        let (n, k) = (data.rows.len(), data.n_classes());
        let (cells, strides) = data.cells::<Float32>(true);
        // SAFETY: all cells are within the vector.
        let matrix = unsafe { Matrix::<Float32>::new(cells.as_ptr().cast(), (n, k), strides) };
        let matrix = PredProbs::Float32(matrix);
        let empty = CheckState::new(data.spec(Kind::Probabilities)).unwrap();
        let (whole, seen) = on_this_thread(|workers| {
            let labels = data.labels(0..n);
            let whole = empty.of_batch(&labels, &matrix, RowNumbers::From(0), workers)?;
            let (several, sample) = (Several::MostProbable, super::Sample::new(0, n as u64));
            let look =
                Look::sampled(labels, &matrix, None, several, false, (&[], Some(sample)), workers)?;
            let mut seen = empty.clone();
            seen.add(&look, workers)?;
            Ok((whole, seen))
        }).unwrap();
        prop_assert_eq!(seen.pairs(), whole.pairs());
        prop_assert_eq!(seen.bins(), whole.bins());
        prop_assert_eq!(seen.extremes(), whole.extremes());
        prop_assert_eq!(seen.class_means(), whole.class_means());
        prop_assert_eq!(seen.cell_counts(), whole.cell_counts());
        prop_assert_eq!(seen.row_sums(), whole.row_sums());
        prop_assert_eq!(seen.sums_off(), whole.sums_off());
        prop_assert_eq!(seen.self_confidence(), whole.self_confidence());
        prop_assert_eq!(seen.log_loss(), whole.log_loss());
        prop_assert_eq!(seen.duplicates().n_rows, 0);
    }
}
