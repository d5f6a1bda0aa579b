//! Commit groups: coalesces the commits of one worker's connections. The first connection of a group commits the records of all.
//!
//! Relies on the worker's connections taking turns on one thread. The log's group commit, in contrast, coalesces the commits of
//! all workers.

use std::cell::Cell;
use std::thread;

use rustvault_storage::batch::Submission;
use tokio::task::yield_now;

use super::affinity;

thread_local! {
    /// Number of connections in the group that is forming on this thread; 0 if there is none.
    static GROUP: Cell<u32> = const { Cell::new(0) };
}

/// Commits the records of a submission together with those of the worker's other connections.
///
/// A sync costs as much as several requests, so sharing it pays. The first connection of a group waits for one turn of all
/// connections of the thread that have something to do; those that write leave their records to it. Up to `complete_size`
/// connections it waits for further turns, as long as each of them adds connections to the group.
pub(crate) async fn commit(submission: Submission<'_>, complete_size: u32) {
    let before = GROUP.get();
    GROUP.set(before + 1);
    if before > 0 {
        return submission.leave_to_earlier();
    }
    let forming = FormingGroup;
    let mut size = 0;
    while size == 0 || (size < complete_size && size < GROUP.get()) {
        size = GROUP.get();
        yield_now().await;
    }
    drop(forming);
    drop(submission);
    if affinity::shares_core_with_writer() {
        // The writer has been woken on this core. It would wait until the kernel ends this thread's time slice, up to 4 ms
        // (`perf sched`), although it needs microseconds to begin a sync. If other threads compete for the core, they would get
        // the time instead: beside two busy loops, 0.6 of Redis's throughput instead of 1.4 (`compare`, SET).
        thread::yield_now();
    }
}

/// The group that this connection forms. Dropping it ends the group, also if the connection is dropped: dropping its submission
/// commits.
struct FormingGroup;

impl Drop for FormingGroup {
    fn drop(&mut self) {
        GROUP.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustvault_storage::batch::Commit;
    use tokio::runtime::{Builder, Runtime};
    use tokio::{join, select};

    use super::*;

    /// An engine that counts commits.
    #[derive(Default)]
    struct CountingEngine(AtomicUsize);

    impl CountingEngine {
        fn commits(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Commit for CountingEngine {
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
        let engine = CountingEngine::default();
        let join_group = || commit(Submission::pending(&engine), 1);
        runtime().block_on(async { join!(join_group(), join_group(), join_group()) });
        assert_eq!(engine.commits(), 1);
        runtime().block_on(join_group());
        assert_eq!(engine.commits(), 2);
    }

    /// Returns the commits of two connections and of a third that comes some turns later.
    fn commits_with_one_late(complete_size: u32, turns: u32) -> usize {
        let engine = CountingEngine::default();
        let join_group = || commit(Submission::pending(&engine), complete_size);
        let late = async {
            for _ in 0..turns {
                yield_now().await;
            }
            join_group().await;
        };
        runtime().block_on(async { join!(biased; join_group(), join_group(), late) });
        engine.commits()
    }

    #[test]
    fn turns_that_bring_others_are_waited_for_until_the_group_is_complete() {
        assert_eq!(commits_with_one_late(1, 1), 2);
        assert_eq!(commits_with_one_late(3, 1), 1);
    }

    #[test]
    fn a_turn_that_brings_nobody_is_the_last() {
        assert_eq!(commits_with_one_late(u32::MAX, 5), 2);
    }

    #[test]
    fn a_connection_that_is_dropped_while_its_group_forms_commits_for_the_others() {
        let engine = CountingEngine::default();
        let join_group = || commit(Submission::pending(&engine), 1);
        runtime().block_on(async {
            select! {
                biased;
                () = join_group() => unreachable!("it waits for a turn"),
                () = join_group() => (),
            }
        });
        assert_eq!(engine.commits(), 1);
        runtime().block_on(join_group());
        assert_eq!(engine.commits(), 2, "the next one forms a new group");
    }
}
