//! Yields a connection's turn to others of its worker: to answers that may leave, before a new request is looked at. Relies on the
//! connections taking turns on one thread, in the order in which they became ready.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::task::Poll;

use rustvault_storage::Lsn;

thread_local! {
    /// The LSNs that connections of this thread wait for, each with the number of those connections.
    static AWAITED: RefCell<BTreeMap<Lsn, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// An entry for a connection that waits for the commit of an LSN. Dropping it, also because the connection ends, removes it.
pub(crate) struct AwaitedCommit(Lsn);

impl AwaitedCommit {
    /// Enters a connection of this thread.
    pub(crate) fn new(lsn: Lsn) -> Self {
        AWAITED.with_borrow_mut(|awaited| *awaited.entry(lsn).or_default() += 1);
        Self(lsn)
    }
}

impl Drop for AwaitedCommit {
    fn drop(&mut self) {
        AWAITED.with_borrow_mut(|awaited| match awaited.get_mut(&self.0) {
            Some(waiting) if *waiting > 1 => *waiting -= 1,
            _ => drop(awaited.remove(&self.0)),
        });
    }
}

/// Yields to the connections of this thread that are ready, if one of them waits for an LSN up to `watermark`: its answer may leave.
///
/// Connections have their turns in the order in which they became ready. Without this a durable write would wait twice behind the
/// requests of others: for its turn, as a read does, and for its answer, behind every request that came during its sync.
pub(crate) async fn yield_to_due_answers(watermark: Lsn) {
    let is_due =
        |awaited: &BTreeMap<Lsn, u32>| awaited.keys().next().is_some_and(|first| *first <= watermark);
    if AWAITED.with_borrow(is_due) {
        yield_to_ready().await;
    }
}

/// Yields to the connections of this thread that are ready, but to no request that is still in a socket.
///
/// Tokio's `yield_now` comes back only after the runtime has polled the sockets, and serves what has come there first.
pub(crate) async fn yield_to_ready() {
    let mut is_over = false;
    poll_fn(|context| {
        if mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::runtime::Builder;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;

    /// Returns the order in which a request has its turn, and an answer that depends on LSN 5 and became ready just after it.
    fn order(watermark: Lsn) -> Vec<&'static str> {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        let (requests, answers) = (Rc::clone(&order), Rc::clone(&order));
        tasks.spawn_local(async move {
            let awaited = AwaitedCommit::new(Lsn::new(5));
            spawn_local(async move {
                yield_to_due_answers(watermark).await;
                requests.borrow_mut().push("request");
            });
            spawn_local(async move {
                answers.borrow_mut().push("answer");
                drop(awaited);
            });
        });
        Builder::new_current_thread().build().unwrap().block_on(tasks);
        order.take()
    }

    #[test]
    fn an_answer_that_may_leave_goes_before_a_request_that_was_ready_earlier() {
        assert_eq!(order(Lsn::new(5)), ["answer", "request"]);
        assert_eq!(order(Lsn::new(4)), ["request", "answer"]);
        assert!(AWAITED.take().is_empty());
    }

    #[test]
    fn a_commit_is_awaited_until_the_last_connection_that_waits_for_it_is_gone() {
        let [first, second] = [Lsn::new(7), Lsn::new(7)].map(AwaitedCommit::new);
        drop(first);
        assert_eq!(AWAITED.with_borrow(|awaited| awaited.get(&Lsn::new(7)).copied()), Some(1));
        drop(second);
        assert!(AWAITED.take().is_empty());
    }

    #[test]
    fn yielding_waits_for_those_that_are_ready_and_not_for_those_that_come_later() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        for (name, turns) in [("waits", 0), ("is ready", 0), ("comes later", 2)] {
            let order = Rc::clone(&order);
            tasks.spawn_local(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                if name == "waits" {
                    yield_to_ready().await;
                }
                order.borrow_mut().push(name);
            });
        }
        Builder::new_current_thread().build().unwrap().block_on(tasks);
        assert_eq!(*order.borrow(), ["is ready", "waits", "comes later"]);
    }
}
