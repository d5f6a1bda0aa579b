//! Orders the turns of one worker's connections: answers that may leave go before new requests. Relies on the connections
//! taking turns on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::task::Poll;

use rustvault_storage::Lsn;

thread_local! {
    /// The LSNs that this worker's connections wait for, each with their number.
    static AWAITED: RefCell<BTreeMap<Lsn, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// A connection that waits for the commit of an LSN, as long as this lives.
pub(crate) struct AwaitedCommit(Lsn);

impl AwaitedCommit {
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

/// Lets those answers leave first that may leave now that all up to `watermark` is committed.
///
/// Turns go in the order in which they are asked for, so a durable write would wait behind every request that came during its
/// sync: once for its turn, as a read does, and once more for its answer.
pub(crate) async fn let_answers_leave(watermark: Lsn) {
    let is_due =
        |awaited: &BTreeMap<Lsn, u32>| awaited.keys().next().is_some_and(|first| *first <= watermark);
    if AWAITED.with_borrow(is_due) {
        serve_ready().await;
    }
}

/// Lets the connections have their turn that are ready by now. (`yield_now` of the runtime looks for new requests first, and
/// lets those go before as well.)
pub(crate) async fn serve_ready() {
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

    /// Returns the order of a request, and of an answer that waits for LSN 5 and whose turn is the next one.
    fn order(watermark: Lsn) -> Vec<&'static str> {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        let (requests, answers) = (Rc::clone(&order), Rc::clone(&order));
        tasks.spawn_local(async move {
            let awaited = AwaitedCommit::new(Lsn::new(5));
            spawn_local(async move {
                let_answers_leave(watermark).await;
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
    fn an_answer_that_may_leave_goes_before_a_request_that_came_before_it() {
        assert_eq!(order(Lsn::new(5)), ["answer", "request"]);
        assert_eq!(order(Lsn::new(4)), ["request", "answer"]);
        assert!(AWAITED.take().is_empty());
    }

    #[test]
    fn a_commit_is_awaited_until_the_last_that_waits_for_it_is_gone() {
        let [first, second] = [Lsn::new(7), Lsn::new(7)].map(AwaitedCommit::new);
        drop(first);
        assert_eq!(AWAITED.with_borrow(|awaited| awaited.get(&Lsn::new(7)).copied()), Some(1));
        drop(second);
        assert!(AWAITED.take().is_empty());
    }

    #[test]
    fn who_is_ready_is_served_and_who_comes_later_is_not_waited_for() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        for (name, turns) in [("waits", 0), ("is ready", 0), ("comes later", 2)] {
            let order = Rc::clone(&order);
            tasks.spawn_local(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                if name == "waits" {
                    serve_ready().await;
                }
                order.borrow_mut().push(name);
            });
        }
        Builder::new_current_thread().build().unwrap().block_on(tasks);
        assert_eq!(*order.borrow(), ["is ready", "waits", "comes later"]);
    }
}
