//! Primitives that tasks wait for, with the interfaces of tokio's.

use std::pin::Pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

pub(crate) use shuttle::future::batch_semaphore::TryAcquireError;
use shuttle::future::batch_semaphore::{AcquireError, BatchSemaphore, Fairness};

use super::step;

/// Permits, which are given out in the order in which they were asked for.
#[derive(Debug)]
pub(crate) struct Semaphore(BatchSemaphore);

/// Permits of a [`Semaphore`], which go back to it.
#[derive(Debug)]
pub(crate) struct SemaphorePermit<'s> {
    semaphore: &'s BatchSemaphore,
    permits: usize,
}

impl Semaphore {
    pub(crate) fn new(permits: usize) -> Self {
        Self(BatchSemaphore::new(permits, Fairness::StrictlyFair))
    }

    pub(crate) async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1).await
    }

    pub(crate) async fn acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        let permits = permits as usize;
        self.0.acquire(permits).await?;
        Ok(SemaphorePermit { semaphore: &self.0, permits })
    }

    pub(crate) fn try_acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        let permits = permits as usize;
        self.0.try_acquire(permits)?;
        Ok(SemaphorePermit { semaphore: &self.0, permits })
    }

    pub(crate) fn add_permits(&self, permits: usize) {
        self.0.release(permits);
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        step();
        self.0.is_closed()
    }
}

impl SemaphorePermit<'_> {
    pub(crate) fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.release(self.permits);
        }
    }
}

/// Wakers of those who wait.
#[derive(Debug, Default)]
struct Wakers(Mutex<Vec<Waker>>);

impl Wakers {
    fn add(&self, waker: &Waker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(waker.clone());
    }

    fn wake_all(&self) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A value that is set once, and can be waited for.
#[derive(Debug)]
pub(crate) struct SetOnce<T> {
    value: OnceLock<T>,
    wakers: Wakers,
}

impl<T> SetOnce<T> {
    pub(crate) fn new() -> Self {
        Self { value: OnceLock::new(), wakers: Wakers::default() }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        step();
        self.value.set(value)?;
        self.wakers.wake_all();
        Ok(())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        step();
        self.value.get()
    }

    pub(crate) async fn wait(&self) -> &T {
        std::future::poll_fn(|context| {
            if let Some(value) = self.get() {
                return Poll::Ready(value);
            }
            self.wakers.add(context.waker());
            Poll::Pending
        })
        .await
    }
}

/// Tells all that wait that something has changed.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    changes: Mutex<u64>,
    wakers: Wakers,
}

/// Ends after the first change that came after it was made, polled or not.
#[derive(Debug)]
pub(crate) struct Notified<'n> {
    notify: &'n Notify,
    changes_before: u64,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        step();
        Notified { notify: self, changes_before: self.changes() }
    }

    pub(crate) fn notify_waiters(&self) {
        step();
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.wakers.wake_all();
    }

    fn changes(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        step();
        if self.notify.changes() > self.changes_before {
            return Poll::Ready(());
        }
        self.notify.wakers.add(context.waker());
        Poll::Pending
    }
}

/// A channel for one value.
pub(crate) mod oneshot {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::task::{Context, Poll};

    use super::{Wakers, step};

    #[derive(Debug)]
    struct Channel<T> {
        state: Mutex<ChannelState<T>>,
        wakers: Wakers,
    }

    #[derive(Debug)]
    enum ChannelState<T> {
        Open,
        Sent(T),
        Closed,
    }

    /// Sends the value.
    #[derive(Debug)]
    pub(crate) struct Sender<T>(Arc<Channel<T>>);

    /// Ends with the value.
    #[derive(Debug)]
    pub(crate) struct Receiver<T>(Arc<Channel<T>>);

    /// No value will come.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct RecvError;

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let channel = Arc::new(Channel { state: Mutex::new(ChannelState::Open), wakers: Wakers::default() });
        (Sender(Arc::clone(&channel)), Receiver(channel))
    }

    impl<T> Channel<T> {
        fn state(&self) -> MutexGuard<'_, ChannelState<T>> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T> Sender<T> {
        pub(crate) fn send(self, value: T) -> Result<(), T> {
            step();
            let mut state = self.0.state();
            if matches!(*state, ChannelState::Closed) {
                return Err(value);
            }
            *state = ChannelState::Sent(value);
            Ok(())
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            step();
            let mut state = self.0.state();
            if matches!(*state, ChannelState::Open) {
                *state = ChannelState::Closed;
            }
            drop(state);
            self.0.wakers.wake_all();
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, RecvError>;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            step();
            let mut state = self.0.state();
            match std::mem::replace(&mut *state, ChannelState::Closed) {
                ChannelState::Sent(value) => Poll::Ready(Ok(value)),
                ChannelState::Closed => Poll::Ready(Err(RecvError)),
                ChannelState::Open => {
                    *state = ChannelState::Open;
                    self.0.wakers.add(context.waker());
                    Poll::Pending
                }
            }
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            step();
            *self.0.state() = ChannelState::Closed;
        }
    }
}
