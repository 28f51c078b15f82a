//! The pools of threads, and how a call runs on one.
//!
//! A call has a pool to itself: on a shared one, a thread that waits for the rest of its own work
//! may begin another call's, and then keeps its own caller waiting until that is done. Pools wait
//! for the next call, so that threads are hardly ever started.
//!
//! They are our own, not rayon's global one: after `fork` a child has none of its parent's
//! threads, and work given to a pool without threads waits for ever. Fork is how Python's
//! multiprocessing starts workers on Linux up to Python 3.13, so a child makes pools of its own
//! and leaves the parent's alone: they are never dropped there, since that would wait for threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use rayon::ThreadPool;

use crate::blocks::Workers;
use crate::error::{Error, Result};

/// How often the calling thread looks whether the work should stop.
const POLL: Duration = Duration::from_millis(50);

/// Environment variables that set the number of threads, first one set wins. joblib, Dask and Ray
/// tell their workers by the last one only.
const VARIABLES: [&str; 3] = ["CONFLEARN_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS"];

/// The number of threads a call uses when it is not told: the environment's, else the CPUs that
/// are really available to this process (affinity and cgroup quota respected).
#[must_use]
pub fn default_n_threads() -> usize {
    // OMP_NUM_THREADS may hold one number per nesting level: "4,2".
    let first = |value: String| value.split(',').next().and_then(|n| n.trim().parse().ok());
    VARIABLES
        .iter()
        .find_map(|variable| std::env::var(variable).ok().and_then(first).filter(|&n| n > 0))
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1)
        .min(MOST_THREADS)
}

/// More threads than any machine has CPUs are a mistake, and might be more than it can start.
pub const MOST_THREADS: usize = 1024;

/// So many pools wait for a call; others end.
const MOST_IDLE: usize = 8;

/// The pools of one process that no call runs on.
type Pools = Mutex<Vec<ThreadPool>>;

/// The pools of this process; null before the first use, and again in a forked child.
static POOLS: AtomicPtr<Pools> = AtomicPtr::new(std::ptr::null_mut());

/// In a forked child: forget the parent's pools (without touching their locks or their memory).
#[cfg(unix)]
extern "C" fn forget_pools() {
    POOLS.store(std::ptr::null_mut(), Ordering::SeqCst);
}

fn pools() -> &'static Pools {
    static AT_FORK: Once = Once::new();
    AT_FORK.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler only stores to an atomic, which is safe at any time.
        unsafe {
            libc::pthread_atfork(None, None, Some(forget_pools));
        }
    });
    let known = POOLS.load(Ordering::SeqCst);
    // SAFETY: what POOLS points to came from `Box::into_raw` below and is never freed.
    if let Some(pools) = unsafe { known.as_ref() } {
        return pools;
    }
    let made = Box::into_raw(Box::default());
    match POOLS.compare_exchange(known, made, Ordering::SeqCst, Ordering::SeqCst) {
        // SAFETY: just made, and leaked on purpose.
        Ok(_) => unsafe { &*made },
        Err(others) => {
            // SAFETY: ours was never shared; the other one lives for ever.
            unsafe {
                drop(Box::from_raw(made));
                &*others
            }
        }
    }
}

/// A pool that waits, or a new one.
fn take_pool(n_threads: usize) -> Result<ThreadPool> {
    let mut idle = pools().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = idle.iter().rposition(|pool| pool.current_num_threads() == n_threads) {
        return Ok(idle.remove(place));
    }
    drop(idle);
    rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .thread_name(|number| format!("conflearn-{number}"))
        .build()
        .map_err(|error| Error::NoThreads { n_threads, reason: error.to_string() })
}

/// Lets a pool wait for the next call.
fn give_back(pool: ThreadPool) {
    let mut idle = pools().lock().unwrap_or_else(PoisonError::into_inner);
    idle.push(pool);
    let n_threads =
        |pools: &[ThreadPool]| -> usize { pools.iter().map(ThreadPool::current_num_threads).sum() };
    // The one that has waited longest ends first.
    while idle.len() > MOST_IDLE || (idle.len() > 1 && n_threads(&idle) > MOST_THREADS) {
        idle.remove(0);
    }
}

/// Runs `work` on `n_threads` threads while this thread asks `stop` now and then.
///
/// When `stop` says so, the work ends at its next block with [`Error::Interrupted`]; this returns
/// only when no thread works on it any more.
///
/// # Errors
/// Those of `work`; [`Error::NoThreads`] if the system gives no threads.
pub fn on_pool<R: Send>(
    n_threads: usize,
    mut stop: impl FnMut() -> bool,
    work: impl FnOnce(&Workers<'_>) -> Result<R> + Send,
) -> Result<R> {
    let pool = take_pool(n_threads.clamp(1, MOST_THREADS))?;
    let cancelled = AtomicBool::new(false);
    let (finished, waiting) = channel();
    let workers = Workers::on_pool(&cancelled);
    let caught = pool.in_place_scope(|scope| {
        let workers = &workers;
        scope.spawn(move |_| {
            let work = std::panic::AssertUnwindSafe(|| work(workers));
            // The receiver waits until it has this, so the channel is open.
            let _ = finished.send(std::panic::catch_unwind(work));
        });
        loop {
            match waiting.recv_timeout(POLL) {
                Ok(caught) => return caught,
                Err(RecvTimeoutError::Timeout) => {
                    if stop() {
                        cancelled.store(true, Ordering::Relaxed);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(Error::Interrupted)),
            }
        }
    });
    give_back(pool);
    caught.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs `work` on the calling thread: for work too small to be worth waking others.
///
/// # Errors
/// Those of `work`.
pub fn on_this_thread<R>(work: impl FnOnce(&Workers<'_>) -> Result<R>) -> Result<R> {
    work(&Workers::alone(&AtomicBool::new(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_stopped_when_asked() {
        let endless = |workers: &Workers<'_>| {
            loop {
                workers.check()?;
                std::thread::yield_now();
            }
        };
        assert_eq!(on_pool::<()>(2, || true, endless), Err(Error::Interrupted));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let panicking = || on_pool::<()>(2, || false, |_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!(on_pool(2, || false, |_| Ok(7)), Ok(7));
    }
}
