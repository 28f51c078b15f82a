//! Which candidates a filter flags: in each group of them the first few, in one order.

use std::ops::Range;

use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Meaning;
use crate::input::{AllRows, Matrix};
use crate::rank::n_smallest;

use super::bounds::{self, Cell, Tally};
use super::look::Candidate;
use super::{TagLabels, disagrees, own_and_other};

/// What cells are ordered by, the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// What speaks for the given side.
    Own,
    /// The same less what speaks for the other side.
    Lead,
    /// The score `self_confidence`.
    SelfConfidence,
    /// The score `normalized_margin`.
    NormalizedMargin,
}

impl By {
    fn value(self, candidate: &Candidate, meaning: Meaning) -> f64 {
        let (own, other) = own_and_other(candidate.p, candidate.tagged(), meaning);
        match (self, meaning) {
            (Self::Own, _) | (Self::SelfConfidence, Meaning::Score) => own,
            (Self::Lead, _) | (Self::NormalizedMargin, Meaning::Score) => own - other,
            (Self::SelfConfidence, Meaning::Probability) => own.clamp(0.0, 1.0),
            (Self::NormalizedMargin, Meaning::Probability) => {
                f64::midpoint(own - other, 1.0).clamp(0.0, 1.0)
            }
        }
    }
}

/// The first few of each group.
#[derive(Debug, Clone)]
pub(super) struct Quotas {
    pub(super) by: By,
    /// Of each class and side, or of each class.
    pub(super) most: Vec<usize>,
    /// Whether groups are classes, not their sides.
    pub(super) both_sides: bool,
    /// Whether the agreement rule holds.
    pub(super) spares_agreeing: bool,
}

impl Quotas {
    fn group(&self, candidate: &Candidate) -> usize {
        if self.both_sides { candidate.class() } else { candidate.class_and_side() }
    }

    /// Those of candidates that were kept.
    pub(super) fn choose(
        &self,
        candidates: &[Candidate],
        meaning: Meaning,
        workers: &Workers<'_>,
    ) -> Result<Vec<(usize, u32)>> {
        let mut starts = vec![0; self.most.len() + 1];
        candidates.iter().for_each(|candidate| starts[self.group(candidate) + 1] += 1);
        (0..self.most.len()).for_each(|group| starts[group + 1] += starts[group]);
        let mut by_group = Vec::new();
        by_group.try_reserve_exact(candidates.len())?;
        by_group.resize(candidates.len(), 0_usize);
        let mut next = starts.clone();
        for (number, candidate) in candidates.iter().enumerate() {
            let place = &mut next[self.group(candidate)];
            by_group[*place] = number;
            *place += 1;
        }
        let chosen = workers.map(self.most.len(), Vec::new, |keyed, group| {
            let members = &by_group[starts[group]..starts[group + 1]];
            keyed.clear();
            keyed.extend(
                members
                    .iter()
                    .map(|&number| &candidates[number])
                    .map(|candidate| (self.by.value(candidate, meaning), candidate.row())),
            );
            Ok(self.first(keyed, group, members.iter().map(|&number| candidates[number]), meaning))
        })?;
        Ok(chosen.into_iter().flatten().collect())
    }

    /// The cells of a group that are among the first.
    fn first(
        &self,
        keyed: &mut [(f64, usize)],
        group: usize,
        members: impl Iterator<Item = Candidate>,
        meaning: Meaning,
    ) -> Vec<(usize, u32)> {
        let class = (if self.both_sides { group } else { group / 2 }) as u32;
        let mut rows: Vec<usize> =
            n_smallest(keyed, self.most[group]).iter().map(|&(_, row)| row).collect();
        if !self.spares_agreeing {
            return rows.into_iter().map(|row| (row, class)).collect();
        }
        rows.sort_unstable();
        members
            .filter(|member| disagrees(member.p, member.tagged(), meaning))
            .filter(|member| rows.binary_search(&member.row()).is_ok())
            .map(|member| (member.row(), class))
            .collect()
    }

    /// Those of a matrix that has more candidates than are kept: one more sweep, in which a thread
    /// keeps of each group no more than a few times what is asked for.
    pub(super) fn choose_again<F: Cell>(
        &self,
        matrix: &Matrix<'_, F>,
        labels: &TagLabels,
        meaning: Meaning,
        workers: &Workers<'_>,
    ) -> Result<Vec<(usize, u32)>> {
        let new = || vec![Vec::<Candidate>::new(); self.most.len()];
        let cut = |group: usize, kept: &mut Vec<Candidate>| {
            let order = |left: &Candidate, right: &Candidate| {
                let key = |one: &Candidate| (self.by.value(one, meaning), one.row());
                crate::rank::by_score_then_row(&key(left), &key(right))
            };
            match self.most[group] {
                0 => kept.clear(),
                most if most < kept.len() => {
                    kept.select_nth_unstable_by(most - 1, order);
                    kept.truncate(most);
                }
                _ => {}
            }
        };
        let kept = sweep_again(
            matrix,
            labels,
            meaning,
            new,
            workers,
            |kept, candidate| {
                let group = self.group(&candidate);
                let most = self.most[group];
                if most > 0 {
                    kept[group].push(candidate);
                    if kept[group].len() >= 2 * most + 64 {
                        cut(group, &mut kept[group]);
                    }
                }
            },
            |mut left: Vec<Vec<Candidate>>, right| {
                for (group, (kept, more)) in left.iter_mut().zip(right).enumerate() {
                    kept.extend(more);
                    cut(group, kept);
                }
                left
            },
        )?;
        let mut chosen = Vec::new();
        for (group, mut kept) in kept.into_iter().enumerate() {
            cut(group, &mut kept);
            chosen.extend(
                kept.iter()
                    .filter(|one| !self.spares_agreeing || disagrees(one.p, one.tagged(), meaning))
                    .map(|one| (one.row(), one.class() as u32)),
            );
        }
        Ok(chosen)
    }
}

/// All cells that disagree and for which something holds, in one more sweep.
pub(super) fn all_again<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    meaning: Meaning,
    holds: impl Fn(&Candidate) -> bool + Sync + Send,
    workers: &Workers<'_>,
) -> Result<Vec<(usize, u32)>> {
    sweep_again(
        matrix,
        labels,
        meaning,
        Vec::new,
        workers,
        |found, one| {
            if holds(&one) && disagrees(one.p, one.tagged(), meaning) {
                found.push((one.row(), one.class() as u32));
            }
        },
        |mut left: Vec<(usize, u32)>, right| {
            left.extend(right);
            left
        },
    )
}

/// Offers each candidate to what a thread keeps. For models that know nothing: in plain loops.
fn sweep_again<F: Cell, S: Send>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    meaning: Meaning,
    new: impl Fn() -> S + Sync + Send,
    workers: &Workers<'_>,
    offer: impl Fn(&mut S, Candidate) + Sync + Send,
    merge: impl Fn(S, S) -> S + Sync + Send,
) -> Result<S> {
    let range = bounds::Range::<F>::new(meaning);
    let all = AllRows(labels.n_examples());
    let add = |state: &mut (S, Vec<F::Bits>), mut rows: Range<usize>| {
        let (kept, tile) = state;
        while !rows.is_empty() {
            let lent = matrix.lend(&all, rows.clone(), tile)?;
            for row in lent.positions.clone() {
                let mut tags = labels.of(row);
                for (class, &cell) in lent.cells(row).iter().enumerate() {
                    let tagged = tags.first() == Some(&(class as u32));
                    if tagged {
                        tags = &tags[1..];
                    }
                    let key = F::key(cell);
                    let is_one = if tagged {
                        key <= range.tagged_up_to
                    } else {
                        key.distance_above(range.low) >= range.untagged_from
                    };
                    if is_one {
                        offer(kept, Candidate::new(F::value(cell), row, class, tagged));
                    }
                }
            }
            rows.start = lent.positions.end;
        }
        Ok(())
    };
    let merge = |(left, tile): (S, Vec<F::Bits>), (right, _)| (merge(left, right), tile);
    let row_bytes = matrix.row_bytes();
    let new = || (new(), Vec::new());
    Ok(workers.fold(labels.n_examples(), row_bytes, new, add, merge)?.0)
}
