//! A condition variable with the face of parking_lot's, whose timed waits may end at any step.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::clock::{Instant, is_over};
use super::lock::MutexGuard;
use super::{choose, step};

/// Lets threads wait until others have changed something.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    waiting: Mutex<VecDeque<Arc<Waiter>>>,
}

#[derive(Debug, Default)]
struct Waiter(Mutex<WaiterState>);

#[derive(Debug, Default)]
struct WaiterState {
    is_notified: bool,
    waker: Option<Waker>,
}

/// Result of a timed wait: it ended because of the time, or not.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) const fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let waiter = self.enter();
        guard.unlocked(|| shuttle::future::block_on(poll_fn(|context| waiter.poll(context.waker()))));
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> WaitTimeoutResult {
        self.wait_until(guard, Instant::now() + timeout)
    }

    pub(crate) fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Instant,
    ) -> WaitTimeoutResult {
        let waiter = self.enter();
        guard.unlocked(|| {
            loop {
                // It could go on any time, and is looked at whenever the schedule chooses it.
                shuttle::thread::yield_now();
                if waiter.state().is_notified {
                    return WaitTimeoutResult(false);
                }
                if is_over(deadline) {
                    self.waiting().retain(|other| !Arc::ptr_eq(other, &waiter));
                    return WaitTimeoutResult(true);
                }
            }
        })
    }

    pub(crate) fn notify_one(&self) {
        step();
        let mut waiting = self.waiting();
        let next = choose(waiting.len());
        if let Some(waiter) = waiting.remove(next) {
            waiter.notify();
        }
    }

    pub(crate) fn notify_all(&self) {
        step();
        self.waiting().drain(..).for_each(|waiter| waiter.notify());
    }

    /// Begins a wait: what is notified from now on is for this waiter, too. The lock is still held.
    fn enter(&self) -> Arc<Waiter> {
        // Who notifies without the lock can do so before this, after the waiter has looked: that is lost.
        step();
        let waiter = Arc::<Waiter>::default();
        self.waiting().push_back(Arc::clone(&waiter));
        waiter
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Waiter>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn state(&self) -> std::sync::MutexGuard<'_, WaiterState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        let mut state = self.state();
        state.is_notified = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state();
        if state.is_notified {
            return Poll::Ready(());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}
