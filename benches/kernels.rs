//! The kernels on one thread, at each CPU level that this machine has.
//!
//!     cargo bench -p conflearn-core
//!
//! A matrix of 2,000 x 1,000 cells is larger than most caches of one core. What a call takes is to
//! be held against the group `read`, which does nothing but read the same bytes.

use std::hint::black_box;
use std::time::Duration;

use conflearn_core::blocks::Workers;
use conflearn_core::issues::{Search, find_label_issues};
use conflearn_core::prune::Filter;
use conflearn_core::quality::{Adjust, Method, label_quality_scores};
use conflearn_core::simd::Level;
use conflearn_core::threads::on_this_thread;
use conflearn_core::thresholds::confident_thresholds;
use conflearn_core::{Labels, Matrix, PredProbs, Result};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use half::f16;

const N_EXAMPLES: usize = 2_000;
const N_CLASSES: usize = 1_000;
const LEVELS: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let examples = Examples::new();
    examples.of_all_formats(&mut criterion, "read", |_, pred_probs, _| {
        black_box(read(pred_probs));
        Ok(())
    });
    let filters =
        [("sweep", Filter::ConfidentLearning), ("sweep_and_prune", Filter::PruneByNoiseRate)];
    for (name, filter) in filters {
        let search = Search::of(filter);
        examples.of_all_formats(&mut criterion, name, |labels, pred_probs, workers| {
            find_label_issues(labels, &pred_probs.view(), &search, workers).map(drop)
        });
    }
    examples.of_all_formats(&mut criterion, "thresholds", |labels, pred_probs, workers| {
        confident_thresholds(labels, &pred_probs.view(), workers).map(drop)
    });
    let scores = [
        ("margin", Method::NormalizedMargin),
        ("entropy", Method::ConfidenceWeightedEntropy),
        ("relative", Method::RelativeConfidence),
    ];
    for (name, method) in scores {
        examples.of_all_formats(&mut criterion, name, |labels, pred_probs, workers| {
            let view = pred_probs.view();
            label_quality_scores(labels, &view, None, method, (Adjust::No, None), workers).map(drop)
        });
    }
    criterion.final_summary();
}

/// The same rows in every width.
struct Examples {
    labels: Labels,
    pred_probs: [Cells; 3],
}

/// A matrix in C order.
enum Cells {
    Float16(Vec<f16>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
}

impl Examples {
    /// Rows as a trained classifier gives them: one class stands out, the rest shares what is left
    /// unevenly. Of the labels, one in ten is another class.
    fn new() -> Self {
        let mut state = 1;
        let mut given = Vec::with_capacity(N_EXAMPLES);
        let mut float64 = Vec::with_capacity(N_EXAMPLES * N_CLASSES);
        for _ in 0..N_EXAMPLES {
            let truth = (uniform(&mut state) * N_CLASSES as f64) as usize;
            let other = (uniform(&mut state) * N_CLASSES as f64) as usize;
            given.push(if uniform(&mut state) < 0.1 { other } else { truth } as u32);
            let row: Vec<f64> = (0..N_CLASSES)
                .map(|class| {
                    let weight = uniform(&mut state).powi(6);
                    if class == truth { weight + 300.0 * uniform(&mut state) } else { weight }
                })
                .collect();
            let total: f64 = row.iter().sum();
            float64.extend(row.iter().map(|weight| weight / total));
        }
        let labels = Labels::new(given.into_iter(), N_CLASSES).expect("labels name classes");
        let float32 = float64.iter().map(|&cell| cell as f32).collect();
        let float16 = float64.iter().map(|&cell| f16::from_f64(cell)).collect();
        let pred_probs =
            [Cells::Float16(float16), Cells::Float32(float32), Cells::Float64(float64)];
        Self { labels, pred_probs }
    }

    /// Benchmarks `work` on each format at each level.
    fn of_all_formats(
        &self,
        criterion: &mut Criterion,
        name: &str,
        work: impl Fn(&Labels, &Cells, &Workers<'_>) -> Result<()>,
    ) {
        let mut group = criterion.benchmark_group(name);
        for pred_probs in &self.pred_probs {
            group.throughput(Throughput::Bytes(pred_probs.view().n_bytes() as u64));
            // Levels above the highest would be lowered to it, and measure it again.
            for level in LEVELS.into_iter().filter(|level| *level <= Level::highest()) {
                self.of_one(&mut group, pred_probs, level, &work);
            }
        }
        group.finish();
    }

    fn of_one(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        pred_probs: &Cells,
        level: Level,
        work: impl Fn(&Labels, &Cells, &Workers<'_>) -> Result<()>,
    ) {
        let id = BenchmarkId::new(pred_probs.name(), level.name());
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                on_this_thread(|workers| {
                    work(&self.labels, pred_probs, &workers.with_level(level))
                })
                .expect("the rows are probabilities");
            });
        });
    }
}

impl Cells {
    fn name(&self) -> &'static str {
        match self {
            Self::Float16(_) => "float16",
            Self::Float32(_) => "float32",
            Self::Float64(_) => "float64",
        }
    }

    fn view(&self) -> PredProbs<'_> {
        match self {
            Self::Float16(cells) => PredProbs::Float16(view(cells)),
            Self::Float32(cells) => PredProbs::Float32(view(cells)),
            Self::Float64(cells) => PredProbs::Float64(view(cells)),
        }
    }
}

/// Cells in C order as a matrix of their format.
fn view<T, F: conflearn_core::Format>(cells: &[T]) -> Matrix<'_, F> {
    assert_eq!((cells.len(), size_of::<T>()), (N_EXAMPLES * N_CLASSES, size_of::<F::Bits>()));
    let cell = size_of::<T>() as isize;
    // SAFETY: there are as many cells as the shape says, of the format's width, without gaps, and
    // the view borrows them.
    unsafe {
        Matrix::new(
            cells.as_ptr().cast(),
            (N_EXAMPLES, N_CLASSES),
            (N_CLASSES as isize * cell, cell),
        )
    }
}

/// Every byte, once: what no call can be faster than.
fn read(cells: &Cells) -> u64 {
    fn all<T: Copy>(cells: &[T], bits: impl Fn(T) -> u64) -> u64 {
        cells.iter().fold(0, |seen, &cell| seen | bits(cell))
    }
    match cells {
        Cells::Float16(cells) => all(cells, |cell| cell.to_bits().into()),
        Cells::Float32(cells) => all(cells, |cell| cell.to_bits().into()),
        Cells::Float64(cells) => all(cells, f64::to_bits),
    }
}

/// Steele, Lea and Flood's generator (splitmix64), as a number in [0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
