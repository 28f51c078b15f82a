//! Which of 64 values something holds for: all of them compared at once, the few found one by one.

/// Values compared at once.
pub(super) const PIECE: usize = 64;

/// A bit for each of so many values: `mask_of!(values, value => value < 3)`. A macro, because a closure
/// would be compiled by itself, and not for the CPU level that it is used at.
macro_rules! mask_of {
    ($values:expr, $value:ident => $is:expr) => {{
        // Bytes of 0 or 1 first, which is compiled to comparisons of all lanes.
        let mut bytes = [0_u8; $crate::multilabel::bits::PIECE];
        for place in 0..$crate::multilabel::bits::PIECE {
            let $value = $values[place];
            bytes[place] = u8::from($is);
        }
        $crate::multilabel::bits::packed(&bytes)
    }};
}
pub(super) use mask_of;

/// The bits of bytes that are 0 or 1.
#[inline(always)]
pub(super) fn packed(bytes: &[u8; PIECE]) -> u64 {
    let mut mask = 0;
    for (eighth, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // Moves bit 8 i of eight bytes to bit 56 + i: all partial products are apart.
        let bits = u64::from_le_bytes(*bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * eighth);
    }
    mask
}

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
