//! Order of turns on a worker: answers that have become durable are written before new requests are read.
//!
//! Relies on the connections taking turns on one thread, in the order in which they became ready.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::task::{Context, Poll};

use rustvault_storage::Lsn;

thread_local! {
    /// LSNs that connections of this thread wait for, each with the number of those connections.
    static AWAITED: RefCell<BTreeMap<Lsn, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// Entry of a connection that waits for the commit of an LSN. Dropping it, also because the connection ends, removes the entry.
pub(crate) struct AwaitedCommit(Lsn);

impl AwaitedCommit {
    /// Adds an entry for a connection of this thread.
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

/// Makes a connection yield to connections with durable answers, once per wake-up.
#[derive(Debug, Default)]
pub(crate) struct AnswersFirst {
    has_yielded: bool,
}

impl AnswersFirst {
    /// Returns `Pending`, and wakes the task again, if an answer is durable at this `watermark`; never twice in a row.
    pub(crate) fn poll(&mut self, watermark: Lsn, context: &mut Context<'_>) -> Poll<()> {
        if mem::replace(&mut self.has_yielded, false) || !is_answer_due(watermark) {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Returns whether a connection of this thread waits for an LSN up to `watermark`, so that its answer is durable.
fn is_answer_due(watermark: Lsn) -> bool {
    AWAITED.with_borrow(|awaited| awaited.keys().next().is_some_and(|first| *first <= watermark))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex};

    use tokio::runtime::Builder;
    use tokio::spawn;
    use tokio::task::yield_now;

    use super::*;

    /// The names of those who had a turn, in order.
    type Order = Arc<Mutex<Vec<&'static str>>>;

    /// Runs the task that `begin` spawns, and all that it spawns, on a runtime like a worker's; returns the order of their turns.
    fn order_of(begin: impl FnOnce(&Order)) -> Vec<&'static str> {
        let order = Order::default();
        let runtime = Builder::new_current_thread().global_queue_interval(2).build().unwrap();
        runtime.block_on(async {
            begin(&order);
            for _ in 0..10 {
                yield_now().await;
            }
        });
        Arc::into_inner(order).unwrap().into_inner().unwrap()
    }

    /// Returns the order in which a request has its turn, and an answer that depends on LSN 5 and became ready just after it.
    fn order_with(watermark: Lsn) -> Vec<&'static str> {
        order_of(|order| {
            let awaited = AwaitedCommit::new(Lsn::new(5));
            let [requests, answers] = [Arc::clone(order), Arc::clone(order)];
            spawn(async move {
                let mut answers_first = AnswersFirst::default();
                poll_fn(|context| answers_first.poll(watermark, context)).await;
                requests.lock().unwrap().push("request");
            });
            spawn(async move {
                answers.lock().unwrap().push("answer");
                drop(awaited);
            });
        })
    }

    #[test]
    fn a_request_yields_to_an_answer_that_may_leave_and_to_no_other() {
        assert_eq!(order_with(Lsn::new(5)), ["answer", "request"]);
        assert_eq!(order_with(Lsn::new(4)), ["request", "answer"]);
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
}
