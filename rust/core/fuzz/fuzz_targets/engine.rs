//! Any bytes in, and every promise of the engine kept.
//!
//! On a stable compiler: `cargo fuzz run --fuzz-dir rust/core/fuzz --sanitizer none engine`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| conflearn_fuzz::check(bytes));
