//! numpy's sum of a mostly empty array, bit for bit.
//!
//! Calibration divides by a sum, and then rounds: one unit in the last place can decide where a
//! half goes. The rule is therefore the one that people have compared against for years: numpy's
//! pairwise summation (`numpy/_core/src/umath/loops_utils.h.src`), which adds at most 128 terms in
//! eight interleaved sums and halves longer runs. Zeros are not stored, and skipped.

/// The sum of an array of `len` values, of which only `entries` (place, value), by ascending
/// place, are not zero.
pub(crate) fn pairwise_sum(len: usize, entries: &[(usize, f64)]) -> f64 {
    sum_range(0, len, entries)
}

fn sum_range(start: usize, len: usize, entries: &[(usize, f64)]) -> f64 {
    // One or two are added up alike in whatever tree they stand.
    match entries {
        [] => return 0.0,
        [(_, value)] => return *value,
        [(_, left), (_, right)] => return left + right,
        _ => {}
    }
    if len > 128 {
        let half = len / 2;
        let half = half - half % 8;
        let (left, right) =
            entries.split_at(entries.partition_point(|(place, _)| *place < start + half));
        return sum_range(start, half, left) + sum_range(start + half, len - half, right);
    }
    if len < 8 {
        return entries.iter().map(|(_, value)| value).sum();
    }
    let interleaved = len - len % 8;
    let (body, rest) =
        entries.split_at(entries.partition_point(|(place, _)| *place < start + interleaved));
    let mut sums = [0.0; 8];
    for (place, value) in body {
        sums[(place - start) % 8] += value;
    }
    let sum =
        ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    rest.iter().fold(sum, |sum, (_, value)| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy's own loop, in full.
    fn dense(values: &[f64]) -> f64 {
        let n = values.len();
        if n < 8 {
            return values.iter().sum();
        }
        if n <= 128 {
            let mut r = [0.0; 8];
            r.copy_from_slice(&values[..8]);
            let mut i = 8;
            while i < n - n % 8 {
                for j in 0..8 {
                    r[j] += values[i + j];
                }
                i += 8;
            }
            let sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
            return values[i..].iter().fold(sum, |sum, value| sum + value);
        }
        let half = n / 2 - (n / 2) % 8;
        dense(&values[..half]) + dense(&values[half..])
    }

    #[test]
    fn zeros_can_be_left_out() {
        for len in [1, 3, 8, 9, 50, 128, 129, 400, 10_000] {
            let values: Vec<f64> = (0..len)
                .map(|i| if i * 7 % 3 == 0 { 1.0 / (i as f64 + 3.0) } else { 0.0 })
                .collect();
            let entries: Vec<_> =
                values.iter().copied().enumerate().filter(|e| e.1 != 0.0).collect();
            assert_eq!(pairwise_sum(len, &entries), dense(&values));
        }
    }
}
