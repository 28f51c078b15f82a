//! A hash of numbers, so that any of them are a random sample.

/// Mixes 64 bits so that each depends on each: the finalizer of `SplitMix64` (Steele, Lea, Flood: "Fast
/// splittable pseudorandom number generators", OOPSLA 2014). No two numbers have the same.
#[inline(always)]
pub(crate) fn mixed(number: u64) -> u64 {
    let bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
