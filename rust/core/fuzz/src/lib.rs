//! Checks of the engine on arbitrary input.
//!
//! [`check`] makes a data set and options of any bytes ([`case`]), lays the matrix out in memory in
//! two ways ([`layout`]), asks the engine everything, with other block sizes and CPU levels for
//! each, and compares with plain loops over float64 ([`definition`]). [`check_states`] reads any bytes
//! as states.

mod case;
mod check;
mod definition;
mod layout;
mod states;
mod tag_states;

pub use check::check;
pub use states::check_states;

#[cfg(test)]
mod tests {
    use crate::case::splitmix;

    /// What the fuzzer does, without its coverage and without what it needs to build.
    #[test]
    fn pseudo_random_bytes() {
        let n_cases = std::env::var("FUZZ_CASES").map_or(500, |n| n.parse().unwrap());
        for seed in 0..n_cases {
            let mut state = seed;
            let n_bytes = splitmix(&mut state) % 400;
            let bytes: Vec<u8> = (0..n_bytes).map(|_| splitmix(&mut state) as u8).collect();
            crate::check(&bytes);
            crate::check_states(&bytes);
        }
    }
}
