//! Which of 64 values something holds for: all of them compared at once, the few found one by one.

/// Values compared at once.
pub(super) const PIECE: usize = 64;

/// A bit for each of so many values: `mask_of!(values, value => value < 3)`. A macro, because a closure
/// would be compiled by itself, and not for the CPU level that it is used at.
macro_rules! mask_of {
    ($values:expr, $value:ident => $is:expr) => {{
        // Bytes first, which is compiled to comparisons of all lanes.
        let mut bytes = [0_u8; $crate::multilabel::bits::PIECE];
        for place in 0..$crate::multilabel::bits::PIECE {
            let $value = $values[place];
            bytes[place] = u8::from($is).wrapping_neg();
        }
        $crate::simd::mask_of_bytes(&bytes)
    }};
}
pub(super) use mask_of;

/// Takes the first place out of a mask.
#[inline(always)]
pub(super) fn take_first(mask: &mut u64) -> Option<usize> {
    if *mask == 0 {
        return None;
    }
    let place = mask.trailing_zeros() as usize;
    *mask &= *mask - 1;
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_place_is_found(values in any::<[u32; 32]>(), others in any::<[u32; 32]>()) {
            let values: Vec<u32> = values.into_iter().chain(others).map(|n| n % 2).collect();
            let mut mask = mask_of!(values, value => value == 1);
            let found: Vec<usize> = std::iter::from_fn(|| take_first(&mut mask)).collect();
            let expected: Vec<usize> = (0..PIECE).filter(|&place| values[place] == 1).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
