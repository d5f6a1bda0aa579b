//! Monitors: clients that are sent a line for each command of all clients (`MONITOR`). Each has a bounded queue of lines.
//!
//! Threads that serve clients put lines into the queues and never wait for a monitor: what finds no room is left out and
//! counted. The monitor's own connection writes the lines to its client.

mod line;
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustvault_protocol::{Protocol, Request};

use crate::buffer_budget::BufferClaim;
use crate::clients::ConnectedClient;
use queue::{LineQueue, MAX_QUEUED_BYTES};

/// Most clients that monitor at a time: each makes every command of everybody cost a little more.
pub(crate) const MAX_MONITORS: usize = 16;

/// Most memory of a monitor: the lines that wait, and those on their way to its client, in buffers that grow by doubling.
pub(crate) const MAX_MONITOR_BYTES: usize = 4 * MAX_QUEUED_BYTES;

/// All monitors of a server.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    /// The number of monitors, which each batch loads. No other memory access is ordered by it.
    count: AtomicUsize,
    queues: ArcSwap<Vec<Arc<LineQueue>>>,
    /// Held while monitors are added or removed.
    changing: Mutex<()>,
}

impl Monitors {
    /// Adds a client to the monitors; `None` if there are [so many](MAX_MONITORS) already.
    ///
    /// The claim is that of the memory of its lines, which the monitor holds.
    pub(crate) fn add(
        self: &Arc<Self>,
        client: &Arc<ConnectedClient>,
        protocol: Protocol,
        claim: BufferClaim,
    ) -> Option<Monitor> {
        let queue = Arc::new(LineQueue::new(Arc::clone(client), protocol));
        let is_added = self.change(|queues| {
            let has_room = queues.len() < MAX_MONITORS;
            has_room.then(|| queues.push(Arc::clone(&queue))).is_some()
        });
        if !is_added {
            return None;
        }
        client.set_monitor(true);
        Some(Monitor { queue, monitors: Arc::clone(self), _claim: claim })
    }

    /// Changes the list of monitors.
    fn change<R>(&self, change: impl FnOnce(&mut Vec<Arc<LineQueue>>) -> R) -> R {
        let _changing = self.changing.lock();
        let mut queues = Vec::clone(&self.queues.load());
        let result = change(&mut queues);
        self.count.store(queues.len(), Ordering::Relaxed);
        self.queues.store(Arc::new(queues));
        result
    }

    /// Returns whether anybody monitors.
    #[inline]
    pub(crate) fn has_some(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Sends the line of a request, which is about to be executed, to all monitors.
    #[cold]
    pub(crate) fn show(&self, request: Request<'_>, client: &ConnectedClient) {
        if let Some(line) = line::line_of(request, client) {
            self.queues.load().iter().for_each(|queue| queue.push(&line));
        }
    }
}

/// A client's place among the monitors, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Monitor {
    queue: Arc<LineQueue>,
    monitors: Arc<Monitors>,
    /// Gives the memory back when the monitor is dropped.
    _claim: BufferClaim,
}

impl Monitor {
    /// Returns the queue of lines that are to be written to the client.
    pub(crate) fn queue(&self) -> &LineQueue {
        &self.queue
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.monitors.change(|queues| queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue)));
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rustvault_protocol::Command;

    use super::*;
    use crate::session::Session;

    fn claim() -> BufferClaim {
        BufferClaim::new(&Arc::default())
    }

    const GET: Request<'_> = Request { command: Command::Get, arguments: &[b"k"] };

    #[test]
    fn a_client_monitors_until_its_monitor_is_dropped() {
        let (monitors, session) = (Arc::new(Monitors::default()), Session::for_tests());
        let client = session.client.share();
        assert!(!monitors.has_some() && !client.is_monitor());
        let monitor = monitors.add(&client, Protocol::Resp2, claim()).unwrap();
        assert!(monitors.has_some() && client.is_monitor());
        monitors.show(GET, &client);
        let mut lines = BytesMut::new();
        monitor.queue().take(&mut lines);
        assert!(lines.ends_with(b"] \"GET\" \"k\"\r\n"), "{lines:?}");
        drop(monitor);
        assert!(!monitors.has_some() && !client.is_monitor());
    }

    #[test]
    fn one_monitor_too_many_is_refused_and_a_place_that_gets_free_is_given_again() {
        let (monitors, session) = (Arc::new(Monitors::default()), Session::for_tests());
        let add = || monitors.add(&session.client.share(), Protocol::Text, claim());
        let mut all: Vec<_> = (0..MAX_MONITORS).map(|_| add().unwrap()).collect();
        assert!(add().is_none());
        all.pop();
        assert!(add().is_some());
    }
}
