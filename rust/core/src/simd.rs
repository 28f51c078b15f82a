//! The only file that knows of CPUs.
//!
//! A kernel is written once, as plain loops over fixed lanes, and compiled once per level; the
//! level is chosen when the program runs. No level may change an answer: kernels compare integers
//! or add and multiply in a fixed order, and Rust fuses a multiplication with an addition only where
//! `mul_add` says so.

use std::sync::OnceLock;

/// Instruction sets that a kernel is compiled for, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every CPU of the target has (SSE2 on x86-64, NEON on AArch64).
    Baseline,
    /// 256-bit lanes, fused multiply-add.
    Avx2,
    /// 512-bit lanes with byte, word and double-word instructions.
    Avx512,
}

impl Level {
    /// The highest level this CPU has.
    #[must_use]
    pub fn highest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Baseline
    }

    /// The level to use: the highest, or a lower one that `CONFLEARN_SIMD` (`baseline`, `avx2`,
    /// `avx512`) asks for. Read once.
    #[must_use]
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Level> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let asked = match std::env::var("CONFLEARN_SIMD").as_deref() {
                Ok("baseline") => Self::Baseline,
                Ok("avx2") => Self::Avx2,
                _ => Self::Avx512,
            };
            asked.min(Self::highest())
        })
    }

    /// Its name, as `CONFLEARN_SIMD` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Work to be compiled for each level. `run` and all that it calls must be `inline(always)`.
pub(crate) trait Kernel {
    type Output;
    fn run(self) -> Self::Output;
}

/// Runs a kernel at a level that this CPU has (a higher one is lowered).
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        // Each kernel stands by itself, so that it has all registers to itself.
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        match level.min(Level::chosen()) {
            // SAFETY: `chosen` is never above what the CPU was found to have.
            Level::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { avx2(kernel) },
            Level::Baseline => {}
        }
    }
    let _ = level;
    kernel.run()
}

/// A bit for each of 64 bytes, all of whose bits are equal.
#[inline(always)]
pub(crate) fn mask_of_bytes(bytes: &[u8; 64]) -> u64 {
    let mut mask = 0;
    #[cfg(target_arch = "x86_64")]
    for (number, bytes) in bytes.as_chunks::<16>().0.iter().enumerate() {
        use std::arch::x86_64::{_mm_loadu_si128, _mm_movemask_epi8};
        // SAFETY: 16 bytes are loaded, of any alignment; SSE2 is part of x86-64.
        let bits = unsafe { _mm_movemask_epi8(_mm_loadu_si128(bytes.as_ptr().cast())) };
        mask |= u64::from(bits.cast_unsigned()) << (16 * number);
    }
    #[cfg(not(target_arch = "x86_64"))]
    for (number, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // Moves bit 8 i to bit 56 + i: all partial products are apart.
        let ones = u64::from_le_bytes(*bytes) & 0x0101_0101_0101_0101;
        mask |= (ones.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * number);
    }
    mask
}

/// Asks for a cache line ahead of its use. Any address will do: a bad one is ignored.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
