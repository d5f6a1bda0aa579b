//! Runs work on all cores while the caller waits.

use crate::Error;
use crate::sync::{LazyLock, thread};

/// Returns the number of threads that can run at the same time.
pub(crate) fn available() -> usize {
    // Cached, because it reads files of the control groups, which takes as long as recovering a small log.
    static AVAILABLE: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *AVAILABLE
}

/// Runs `work` on this thread and on `helpers` others at the same time; returns after all have ended.
///
/// If the system refuses threads, the others do more: `work` takes its pieces from a shared source.
///
/// # Errors
/// [`Error::Internal`] if a helper panicked.
pub(crate) fn run(helpers: usize, work: impl Fn() + Sync) -> Result<(), Error> {
    thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().name("recovery".to_owned()).spawn_scoped(scope, &work).ok();
        let helpers: Vec<_> = (0..helpers).map_while(spawn).collect();
        work();
        let panicked = helpers.into_iter().filter_map(|helper| helper.join().err()).count();
        if panicked > 0 { Err(Error::Internal("a thread of the recovery panicked")) } else { Ok(()) }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn all_threads_run_at_the_same_time() {
        let barrier = Barrier::new(3);
        let meet = || {
            barrier.wait();
        };
        assert!(run(2, meet).is_ok());
    }

    #[test]
    fn a_panic_of_a_helper_is_an_error() {
        let caller = thread::current().id();
        let result = run(1, || assert_eq!(thread::current().id(), caller, "a panic that is asked for"));
        assert!(matches!(result, Err(Error::Internal(_))));
    }
}
