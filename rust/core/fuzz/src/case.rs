//! A data set and options, made of bytes.

use arbitrary::Unstructured;
use conflearn_core::blocks::Workers;
use conflearn_core::issues::{Removals, Search};
use conflearn_core::joint::ConfidentJoint;
use conflearn_core::prune::{Filter, PruneCounts};
use conflearn_core::quality::{Adjust, Method};
use conflearn_core::simd::Level;
use conflearn_core::{Bits, Format, Matrix, PredProbs, Several};

use crate::layout::ToBytes;

/// Every score.
pub const METHODS: [Method; 4] = [
    Method::SelfConfidence,
    Method::NormalizedMargin,
    Method::ConfidenceWeightedEntropy,
    Method::RelativeConfidence,
];
const FILTERS: [Filter; 8] = [
    Filter::PruneByNoiseRate,
    Filter::PruneByClass,
    Filter::Both,
    Filter::ConfidentLearning,
    Filter::PredictedNeqGiven,
    Filter::LowNormalizedMargin,
    Filter::LowSelfConfidence,
    Filter::RelativeConfidence,
];
const LEVELS: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];
const BLOCK_BYTES: [usize; 6] = [0, 1, 64, 300, 5000, 1 << 20];

/// The bytes, and pseudo-random ones after them: a few bytes make a large matrix.
pub struct Source<'a> {
    bytes: Unstructured<'a>,
    state: u64,
}

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let state = bytes.iter().fold(0, |mut state, &byte| {
            state ^= u64::from(byte);
            splitmix(&mut state)
        });
        Self { bytes: Unstructured::new(bytes), state }
    }

    fn u8(&mut self) -> u8 {
        if self.bytes.is_empty() {
            return splitmix(&mut self.state) as u8;
        }
        self.bytes.arbitrary().expect("a byte is left")
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.u8()))
    }

    /// A number below `n`, for `n` up to 256.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.u8()) % n
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.u8()) / 255.0
    }
}

/// Steele, Lea and Flood's generator.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Labels and a matrix, in C order.
#[derive(Debug)]
pub struct Data<F: FuzzFormat> {
    pub given: Vec<u32>,
    pub n_classes: usize,
    pub cells: Vec<F::Bits>,
    /// The same, widened.
    pub values: Vec<Vec<f64>>,
}

/// A format that cells can be made of.
pub trait FuzzFormat: Format<Bits: ToBytes> + std::fmt::Debug {
    /// A cell of any bits.
    fn any(bits: u64) -> Self::Bits;
    /// A matrix of it.
    fn pred_probs(matrix: Matrix<'_, Self>) -> PredProbs<'_>;
    /// How far an entropy score, or that of a judge, may be from its definition: the engine adds up
    /// the narrow formats in float32.
    const SUM_TOLERANCE: f64;
    /// A cell times a weight, rounded as the engine rounds it.
    fn times(value: f64, weight: f64) -> f64;
}

macro_rules! fuzz_format {
    ($($format:ident, $unsigned:ty, $real:ty, $tolerance:expr;)*) => {$(
        impl FuzzFormat for conflearn_core::$format {
            fn any(bits: u64) -> $unsigned {
                bits as $unsigned
            }
            fn pred_probs(matrix: Matrix<'_, Self>) -> PredProbs<'_> {
                PredProbs::$format(matrix)
            }
            const SUM_TOLERANCE: f64 = $tolerance;
            fn times(value: f64, weight: f64) -> f64 {
                f64::from(value as $real * weight as $real)
            }
        }
    )*};
}
fuzz_format! {
    Float16, u16, f32, 1e-5;
    BFloat16, u16, f32, 1e-5;
    Float32, u32, f32, 1e-5;
    Float64, u64, f64, 1e-12;
}

impl<F: FuzzFormat> Data<F> {
    pub fn new(source: &mut Source<'_>) -> Self {
        let n_classes = 2 + source.below(39);
        let n_rows = 1 + source.below(64);
        // Some classes may be absent.
        let n_given = 1 + source.below(n_classes);
        let is_faulty = source.one_in(8);
        let is_broadcast = source.one_in(16);
        let mut given = Vec::with_capacity(n_rows);
        let mut cells: Vec<F::Bits> = Vec::with_capacity(n_rows * n_classes);
        for row in 0..n_rows {
            given.push(source.below(n_given) as u32);
            if row > 0 && is_broadcast {
                cells.extend_from_within(..n_classes);
                continue;
            }
            match source.below(if is_faulty { 7 } else { 6 }) {
                0 => normalized::<F>(source, n_classes, &mut cells),
                1 => cells.extend((0..n_classes).map(|_| quantized::<F>(source))),
                2 => cells.extend((0..n_classes).map(|_| valid::<F>(source.u64()))),
                3 => cells.extend((0..n_classes).map(|_| at_the_edge::<F>(source))),
                4 => {
                    let hot = source.below(n_classes);
                    let cell = |class| F::nearest(if class == hot { 1.0 } else { 0.0 });
                    cells.extend((0..n_classes).map(cell));
                }
                // An earlier row again: ties between rows.
                5 if row > 0 => {
                    let start = source.below(row) * n_classes;
                    cells.extend_from_within(start..start + n_classes);
                }
                5 => cells.extend((0..n_classes).map(|_| F::Bits::ZERO)),
                _ => {
                    normalized::<F>(source, n_classes, &mut cells);
                    let faulty = cells.len() - 1 - source.below(n_classes);
                    cells[faulty] = if source.one_in(2) {
                        F::any(source.u64())
                    } else {
                        F::nearest(source.pick(&[
                            f64::NAN,
                            -f64::NAN,
                            f64::INFINITY,
                            f64::NEG_INFINITY,
                            -1.1e-6,
                            1.000_001_1,
                            1.02,
                            -0.5,
                            7.0,
                        ]))
                    };
                }
            }
        }
        let widened = |row: &[F::Bits]| row.iter().map(|&bits| F::value(bits)).collect();
        let values = cells.chunks_exact(n_classes).map(widened).collect();
        Self { given, n_classes, cells, values }
    }

    pub fn n_rows(&self) -> usize {
        self.given.len()
    }

    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.n_classes];
        self.given.iter().for_each(|&class| counts[class as usize] += 1);
        counts
    }
}

/// A row that sums to 1 but for rounding.
fn normalized<F: FuzzFormat>(source: &mut Source<'_>, n_classes: usize, cells: &mut Vec<F::Bits>) {
    let weights: Vec<f64> = (0..n_classes).map(|_| source.unit().powi(3)).collect();
    let total = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    cells.extend(weights.iter().map(|weight| F::nearest(weight / total)));
}

/// Few values, so many ties.
fn quantized<F: FuzzFormat>(source: &mut Source<'_>) -> F::Bits {
    F::nearest(source.below(11) as f64 / 10.0)
}

/// Any valid cell without a sign, subnormal ones too.
fn valid<F: FuzzFormat>(bits: u64) -> F::Bits {
    let cell = F::any(bits >> 1);
    // A uniform integer below the largest cell's is mostly a tiny number: keep half of them large.
    let large = F::nearest((bits >> 32) as f64 / f64::from(u32::MAX));
    if bits & 1 == 0 || cell > F::bits(F::largest()) { large } else { cell }
}

/// Zeros of both signs, what rounding leaves around 0 and 1, and the largest cell.
fn at_the_edge<F: FuzzFormat>(source: &mut Source<'_>) -> F::Bits {
    match source.below(10) {
        0 => F::bits(F::largest()),
        1 => F::nearest(-0.0),
        2 => F::nearest(-9e-7),
        3 => F::nearest(1.000_000_9).min(F::bits(F::largest())),
        4 => F::nearest(1e-6),
        5 => F::nearest(2e-6),
        6 => F::nearest(0.5 + 1e-6),
        7 => F::nearest(-1e-30),
        8 => F::nearest(0.5),
        _ => F::Bits::ZERO,
    }
}

/// What is asked for, beside the data.
#[derive(Debug)]
pub struct Options {
    pub search: Search,
    pub rank_by: Method,
    pub method: Method,
    pub adjust: Adjust,
    pub thresholds: Option<Vec<f64>>,
    pub rows: Option<Vec<usize>>,
    pub mask: Vec<bool>,
}

impl Options {
    pub fn new<F: FuzzFormat>(source: &mut Source<'_>, data: &Data<F>) -> Self {
        let (n_rows, n_classes) = (data.n_rows(), data.n_classes);
        let several = source.pick(&[Several::MostProbable, Several::RowArgmax]);
        let min_examples_per_class = source.pick(&[1, 0, 2, 5, 1000]);
        let filter = source.pick(&FILTERS);
        let removals = removals(source, data);
        let search = Search { removals, min_examples_per_class, several, ..Search::of(filter) };
        let thresholds = source.one_in(3).then(|| {
            let n = if source.one_in(16) { n_classes + 1 } else { n_classes };
            (0..n).map(|_| source.pick(&[0.0, 0.1, 0.3, 0.5, 0.9, 2.0, -1.0, 1.000_001])).collect()
        });
        let rows = source.one_in(2).then(|| {
            let past_the_end = usize::from(source.one_in(16));
            let n = source.below(2 * n_rows);
            (0..n).map(|_| source.below(n_rows + past_the_end)).collect()
        });
        let n_mask = if source.one_in(16) { n_rows + source.below(3) } else { n_rows };
        Self {
            search,
            rank_by: source.pick(&METHODS),
            method: source.pick(&METHODS),
            adjust: source.pick(&[Adjust::No, Adjust::PresentClasses, Adjust::AllClasses]),
            thresholds,
            rows,
            mask: (0..n_mask).map(|_| source.one_in(2)).collect(),
        }
    }
}

fn removals<F: FuzzFormat>(source: &mut Source<'_>, data: &Data<F>) -> Removals {
    let n_classes = data.n_classes;
    match source.below(4) {
        0 => {
            let few = |source: &mut Source<'_>| source.below(10) as i64 - 4;
            let dense: Vec<i64> = (0..n_classes * n_classes).map(|_| few(source)).collect();
            Removals::Counts(PruneCounts::from_dense(&dense, n_classes))
        }
        number => {
            let confident_joint = (number == 1).then(|| {
                let n = if source.one_in(16) { n_classes + 1 } else { n_classes };
                joint(source, n)
            });
            let usual = [1.0, 0.0, 0.5, 0.3, 0.99];
            let unusual = [-0.1, 1.1, f64::NAN, f64::INFINITY];
            let frac_noise =
                if source.one_in(16) { source.pick(&unusual) } else { source.pick(&usual) };
            let per_class = (number == 2).then(|| {
                let too_many = usize::from(source.one_in(16));
                let mut asked: Vec<usize> =
                    data.counts().iter().map(|n| source.below(n + 1 + too_many)).collect();
                if source.one_in(32) {
                    asked.push(0);
                }
                asked
            });
            Removals::Joint { confident_joint, frac_noise, per_class }
        }
    }
}

/// A joint that nobody counted: fractions, tiny and huge entries, empty rows.
fn joint(source: &mut Source<'_>, n_classes: usize) -> ConfidentJoint {
    let kinds = 1 + source.below(7);
    let entry = |source: &mut Source<'_>| match source.below(kinds) {
        0 => source.below(20) as f64,
        1 => 0.0,
        2 => f64::from(source.u8()) / 7.0,
        3 => 1e-9,
        4 => f64::MIN_POSITIVE,
        5 => 1e15,
        _ => 1e18,
    };
    let dense: Vec<f64> = (0..n_classes * n_classes).map(|_| entry(source)).collect();
    ConfidentJoint::from_dense(&dense, n_classes).expect("all entries are finite and not negative")
}

/// How the engine is to work: none of it may show in an answer.
pub fn workers<'a>(source: &mut Source<'_>, workers: &Workers<'a>) -> Workers<'a> {
    workers.with_block_bytes(source.pick(&BLOCK_BYTES)).with_level(source.pick(&LEVELS))
}
