//! The queue of requests in front of a connection.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::Error;
use crate::pending::PendingRequest;

/// Most requests that wait to be sent, per connection, once in the channel and once behind it;
/// callers beyond that wait for room.
pub(crate) const MAX_QUEUED_REQUESTS: usize = 1024;

/// The requests that are not sent yet, oldest first.
///
/// They are taken out of the channel even while nothing can be sent, because only what was taken out can
/// time out.
#[derive(Debug)]
pub(crate) struct Queue {
    channel: mpsc::Receiver<PendingRequest>,
    pending: VecDeque<PendingRequest>,
}

impl Queue {
    pub(crate) fn new() -> (mpsc::Sender<PendingRequest>, Self) {
        let (sender, channel) = mpsc::channel(MAX_QUEUED_REQUESTS);
        (sender, Self { channel, pending: VecDeque::new() })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < MAX_QUEUED_REQUESTS
    }

    /// Waits until callers sent something, and takes it in. Cancel safe.
    pub(crate) async fn pull(&mut self) {
        let Some(request) = self.channel.recv().await else {
            // Nobody can ask any more; the client's stop token is about to end this task.
            return std::future::pending().await;
        };
        self.pending.push_back(request);
        self.pull_ready();
    }

    /// Waits until there is a request that somebody wants.
    pub(crate) async fn ready(&mut self) {
        loop {
            self.pending.retain(PendingRequest::is_wanted);
            if !self.pending.is_empty() {
                return;
            }
            self.pull().await;
        }
    }

    /// Returns whether somebody waits, as far as requests were taken in.
    pub(crate) fn is_wanted(&self) -> bool {
        self.pending.iter().any(PendingRequest::is_wanted)
    }

    /// Removes and returns the oldest request that somebody still wants.
    pub(crate) fn next(&mut self) -> Option<PendingRequest> {
        loop {
            let request = self.pending.pop_front()?;
            if request.is_wanted() {
                return Some(request);
            }
        }
    }

    pub(crate) fn oldest(&self) -> Option<&PendingRequest> {
        self.pending.front()
    }

    /// Puts requests back to where they came from: before all others, in their order.
    pub(crate) fn put_back(&mut self, requests: Vec<PendingRequest>) {
        for request in requests.into_iter().rev() {
            self.pending.push_front(request);
        }
    }

    /// Fails the oldest requests, up to the first whose `ends_at` is still to come.
    pub(crate) fn fail_overdue(
        &mut self,
        ends_at: impl Fn(&PendingRequest) -> Instant,
        error: impl Fn() -> Error,
    ) {
        let now = Instant::now();
        while self.pending.front().is_some_and(|request| ends_at(request) <= now) {
            if let Some(mut request) = self.pending.pop_front() {
                request.fail(error());
            }
        }
    }

    /// Fails everything that waits.
    pub(crate) fn fail_all(&mut self, error: &Error) {
        self.pull_ready();
        for mut request in self.pending.drain(..) {
            request.fail(error.clone());
        }
    }

    /// Takes in what callers sent, as far as there is room.
    pub(crate) fn pull_ready(&mut self) {
        while self.has_room() {
            let Ok(request) = self.channel.try_recv() else { return };
            self.pending.push_back(request);
        }
    }
}
