//! Which connection of a thread has the records of all of them committed, and when.

use std::cell::Cell;

use rustvault_storage::Submission;
use tokio::task::yield_now;

thread_local! {
    /// Connections whose records are in the commit that is being gathered on this thread; 0: none is.
    static GATHERED: Cell<u32> = const { Cell::new(0) };
}

/// Has the records of a submit committed with those of the thread's other connections.
///
/// A sync costs as much as several requests, so it is to be shared. The first connection gathers: for a turn
/// of the thread, and for further ones as long as each brings others, unless they were `enough` before it.
/// The others leave their records to it.
pub(crate) async fn commit(submission: Submission<'_>, enough: u32) {
    let before = GATHERED.get();
    GATHERED.set(before + 1);
    if before > 0 {
        return submission.leave_to_earlier();
    }
    let _gathering = Gathering;
    let mut gathered = 0;
    while gathered == 0 || (gathered < enough && gathered < GATHERED.get()) {
        gathered = GATHERED.get();
        yield_now().await;
    }
}

/// Ends the gathering, also when the connection that gathers is dropped: dropping its submission commits.
struct Gathering;

impl Drop for Gathering {
    fn drop(&mut self) {
        GATHERED.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustvault_storage::Commit;
    use tokio::runtime::{Builder, Runtime};
    use tokio::{join, select};

    use super::*;

    /// Counts commits.
    #[derive(Default)]
    struct Engine(AtomicUsize);

    impl Engine {
        fn commits(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Commit for Engine {
        fn commit_soon(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn commit_here(&self) {
            unreachable!("a thread with several connections does not block");
        }
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn connections_that_come_in_one_turn_share_a_commit() {
        let engine = Engine::default();
        let gather = || commit(Submission::pending(&engine), 1);
        runtime().block_on(async { join!(gather(), gather(), gather()) });
        assert_eq!(engine.commits(), 1);
        runtime().block_on(gather());
        assert_eq!(engine.commits(), 2);
    }

    /// The commits of two connections, and a third that comes some turns later.
    fn commits_with_one_late(enough: u32, turns: u32) -> usize {
        let engine = Engine::default();
        let gather = || commit(Submission::pending(&engine), enough);
        let late = async {
            for _ in 0..turns {
                yield_now().await;
            }
            gather().await;
        };
        runtime().block_on(async { join!(biased; gather(), gather(), late) });
        engine.commits()
    }

    #[test]
    fn turns_that_bring_others_are_waited_for_until_they_are_enough() {
        assert_eq!(commits_with_one_late(1, 1), 2);
        assert_eq!(commits_with_one_late(3, 1), 1);
    }

    #[test]
    fn a_turn_that_brings_nobody_is_the_last() {
        assert_eq!(commits_with_one_late(u32::MAX, 5), 2);
    }

    #[test]
    fn a_connection_that_is_dropped_while_it_gathers_commits_for_the_others() {
        let engine = Engine::default();
        let gather = || commit(Submission::pending(&engine), 1);
        runtime().block_on(async {
            select! {
                biased;
                () = gather() => unreachable!("it waits for a turn"),
                () = gather() => (),
            }
        });
        assert_eq!(engine.commits(), 1);
        runtime().block_on(gather());
        assert_eq!(engine.commits(), 2, "the next one gathers anew");
    }
}
