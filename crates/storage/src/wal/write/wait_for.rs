//! Waits until the watermark has reached an LSN; a leader that is woken wakes the others of its group, on its own thread.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::group_commit::SharedLog;
use super::waiters::Ticket;
use crate::{Error, Lsn};

/// Waits until the watermark has reached an LSN.
pub(super) struct WaitFor<'a> {
    shared: &'a SharedLog,
    lsn: u64,
    ticket: Option<Ticket>,
}

impl<'a> WaitFor<'a> {
    pub(super) const fn new(shared: &'a SharedLog, lsn: Lsn) -> Self {
        Self { shared, lsn: lsn.get(), ticket: None }
    }

    fn result(&self) -> Option<Result<(), Error>> {
        if self.shared.watermark().get() >= self.lsn {
            return Some(Ok(()));
        }
        self.shared.check().err().map(Err)
    }
}

impl Future for WaitFor<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.result() {
            return Poll::Ready(result);
        }
        if self.ticket.is_some_and(|ticket| self.shared.waiters.update(ticket, context.waker())) {
            return Poll::Pending;
        }
        let shared = self.shared;
        if let Some(called) = self.ticket.take() {
            // Called for a sync that is not the one: others of the group may have waited for just that.
            shared.pass_on(called);
        }
        self.ticket = shared.waiters.register(self.lsn, context.waker(), || self.result().is_some());
        match self.result() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}

impl Drop for WaitFor<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        // Whoever was called, even one that was dropped before it could run, passes the call on.
        if !self.shared.waiters.remove(ticket) {
            self.shared.pass_on(ticket);
        }
    }
}

impl SharedLog {
    /// Wakes the others of the group whose leader was called, or might have been. The first to do so records how long the
    /// leader took to run.
    fn pass_on(&self, called: Ticket) {
        if let Some(leader_called_at) = self.waiters.wake_group(called, self.watermark().get()) {
            self.histograms.wake.record(leader_called_at.elapsed());
        }
    }
}
