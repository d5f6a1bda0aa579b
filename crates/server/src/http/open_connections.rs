//! Open connections of HTTP: at most so many, of which those that hold their place without a request give way to others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most connections of HTTP at a time. Further ones are refused, unless one that waits gives way.
pub(super) const MAX_HTTP_CONNECTIONS: usize = 128;

/// Time in which a client sends its next request, or reads the answer to its last one.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// Time after which a connection that waits for its client gives way to another, if there are as many as may be. Whoever only
/// connects, or reads nothing, must not keep others out.
const PRESSED_AGE: Duration = Duration::from_secs(1);

/// The open connections of HTTP.
#[derive(Debug, Default)]
pub(super) struct OpenConnections(Mutex<Vec<Arc<OpenHttpConnection>>>);

/// Place of one connection among the open ones; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPlace {
    occupancy: Arc<OpenHttpConnection>,
    connections: Arc<OpenConnections>,
}

/// Facts about one connection, by which it may have to give way.
#[derive(Debug)]
struct OpenHttpConnection {
    /// The last moment at which it began, or its client got an answer.
    since: Mutex<Instant>,
    /// Set while an answer is made.
    is_answering: AtomicBool,
    gives_way: CancellationToken,
}

impl OpenHttpConnection {
    /// Returns since when it has waited for its client; `None` if it is the client that waits.
    fn waits_since(&self) -> Option<Instant> {
        (!self.is_answering.load(Ordering::Relaxed)).then(|| *self.since.lock())
    }
}

impl OpenConnections {
    /// Takes a place for a connection; `None` if there is none, and nobody has to give way.
    ///
    /// Whoever has to give way ends a moment later, so a few more than may be are open until then.
    pub(super) fn open(self: &Arc<Self>, now: Instant) -> Option<ConnectionPlace> {
        let mut open = self.0.lock();
        if open.len() >= MAX_HTTP_CONNECTIONS {
            let waiting = open.iter().enumerate();
            let waiting = waiting.filter_map(|(index, other)| Some((other.waits_since()?, index)));
            let (since, index) = waiting.min()?;
            if now.saturating_duration_since(since) < PRESSED_AGE {
                return None;
            }
            open.swap_remove(index).gives_way.cancel();
        }
        let occupancy = Arc::new(OpenHttpConnection {
            since: Mutex::new(now),
            is_answering: AtomicBool::new(false),
            gives_way: CancellationToken::new(),
        });
        open.push(Arc::clone(&occupancy));
        Some(ConnectionPlace { occupancy, connections: Arc::clone(self) })
    }
}

impl ConnectionPlace {
    /// Records that an answer is being made, until the guard is dropped.
    pub(super) fn answering(&self) -> AnswerInProgress<'_> {
        self.occupancy.is_answering.store(true, Ordering::Relaxed);
        *self.occupancy.since.lock() = Instant::now();
        AnswerInProgress(&self.occupancy)
    }

    /// Returns when the connection has waited for too long, as of now.
    pub(super) fn deadline(&self) -> Instant {
        *self.occupancy.since.lock() + REQUEST_LIMIT
    }

    /// Waits until the connection has to give way to another.
    pub(super) async fn has_to_give_way(&self) {
        self.occupancy.gives_way.cancelled().await;
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut open = self.connections.0.lock();
        if let Some(index) = open.iter().position(|other| Arc::ptr_eq(other, &self.occupancy)) {
            open.swap_remove(index);
        }
    }
}

/// Guard of an answer that is being made, also if its client leaves meanwhile.
#[derive(Debug)]
pub(super) struct AnswerInProgress<'a>(&'a OpenHttpConnection);

impl Drop for AnswerInProgress<'_> {
    fn drop(&mut self) {
        *self.0.since.lock() = Instant::now();
        self.0.is_answering.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_waited_longest_gives_way_but_nobody_who_is_answered_or_has_just_come() {
        let (connections, now) = (Arc::new(OpenConnections::default()), Instant::now());
        let later = |places: &[ConnectionPlace]| {
            places.iter().map(|place| place.occupancy.gives_way.is_cancelled()).collect::<Vec<_>>()
        };
        let places: Vec<_> = (0..MAX_HTTP_CONNECTIONS as u64)
            .map(|number| connections.open(now + Duration::from_millis(number)).unwrap())
            .collect();
        assert!(connections.open(now + PRESSED_AGE - Duration::from_millis(1)).is_none());
        let answering = places[0].answering();
        let newer = connections.open(now + PRESSED_AGE + Duration::from_millis(1)).unwrap();
        let gone = later(&places);
        assert!(gone[1] && gone.iter().filter(|gone| **gone).count() == 1, "{gone:?}");
        drop(answering);
        drop((newer, places));
        assert!(connections.0.lock().is_empty());
    }
}
