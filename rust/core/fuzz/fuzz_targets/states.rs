//! Any bytes are refused, or are a state that keeps its promises.
//!
//! On a stable compiler: `cargo fuzz run --fuzz-dir rust/core/fuzz --sanitizer none states`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| conflearn_fuzz::check_states(bytes));
