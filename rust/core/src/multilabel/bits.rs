//! Which of many values something holds for: all of them compared at once, the few found one by one.

/// Values compared at once.
pub(super) const PIECE: usize = 64;

/// Calls `each` with the place of every value for which `is` holds.
#[inline(always)]
pub(super) fn for_each<T: Copy>(values: &[T], is: impl Fn(T) -> bool, mut each: impl FnMut(usize)) {
    let (pieces, rest) = values.as_chunks::<PIECE>();
    let mut first = 0;
    for piece in pieces {
        let mut mask = mask_of(piece, &is);
        while mask != 0 {
            each(first + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
        first += PIECE;
    }
    for (place, &value) in (first..).zip(rest) {
        if is(value) {
            each(place);
        }
    }
}

/// The same for so many values as are compared at once.
#[inline(always)]
pub(super) fn for_each_of<T: Copy>(
    values: &[T; PIECE],
    is: impl Fn(T) -> bool + Copy,
    mut each: impl FnMut(usize),
) {
    let mut mask = mask_of(values, is);
    while mask != 0 {
        each(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

/// A bit a value.
#[inline(always)]
fn mask_of<T: Copy>(values: &[T; PIECE], is: impl Fn(T) -> bool + Copy) -> u64 {
    // Bytes of 0 or 1 first, which is compiled to comparisons of all lanes. A multiplication then
    // moves bit 8 i of eight bytes to bit 56 + i: all its partial products are apart.
    let mut bytes = [0_u8; PIECE];
    for place in 0..PIECE {
        bytes[place] = u8::from(is(values[place]));
    }
    let mut mask = 0;
    for (eighth, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let packed = u64::from_le_bytes(*bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= packed << (8 * eighth);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_place_is_found(values in prop::collection::vec(any::<bool>(), 0..300)) {
            let mut found = Vec::new();
            for_each(&values, |value| value, |place| found.push(place));
            let expected: Vec<usize> = (0..values.len()).filter(|&place| values[place]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
