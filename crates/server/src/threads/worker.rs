//! The threads that serve connections, each with a runtime of its own.

use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustvault_storage::Store;
use tokio::runtime::{Builder, Runtime};
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::affinity::Placement;
use super::scheduler::Scheduler;
use super::worker_handle::WorkerHandle;
use crate::Error;
use crate::closing::Closing;
use crate::connection;
use crate::session::Session;
use crate::shared::{OpenConnection, Shared};

/// Connections that a thread begins to serve in one turn, however short its turns are.
const MIN_ARRIVALS_PER_TURN: u32 = 4;

/// And however long: a turn may have been long because the thread did not run.
const MAX_ARRIVALS_PER_TURN: u32 = 64;

/// One more may begin in a turn for each 100 µs that the others' turn took: a short connection takes about 10 µs in all, so
/// those who come and go get about a tenth of a busy thread.
const TURN_PER_ARRIVAL: Duration = Duration::from_micros(100);

/// A connection on its way to the thread that serves it.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) stream: StdTcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) open: OpenConnection,
    /// Given back when its thread begins with it; `None` for one that has moved.
    pub(crate) start_permit: Option<OwnedSemaphorePermit>,
    /// What its connection has come to on another thread; `None` for a new one.
    pub(crate) session: Option<Box<Session>>,
}

/// The threads that serve connections, each with a runtime of its own.
///
/// They end once they are [stopped](Self::stop) and their connections have, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    threads: Vec<JoinHandle<()>>,
    scheduler: Arc<Scheduler>,
    /// Connections finish what they have received, then end.
    stopping: CancellationToken,
    /// Connections end now.
    aborting: CancellationToken,
    /// Yields `None` once every thread has ended.
    ended: mpsc::Receiver<()>,
}

impl Workers {
    pub(crate) fn start<S: Store>(shared: &Arc<Shared<S>>) -> Result<Self, Error> {
        let (alive, ended) = mpsc::channel(1);
        let (outboxes, inboxes): (Vec<_>, Vec<_>) =
            (0..shared.threads).map(|_| mpsc::unbounded_channel()).unzip();
        let mut workers = Self {
            threads: Vec::new(),
            scheduler: Scheduler::new(outboxes.into_iter()),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            ended,
        };
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let thread = workers.start_one(number, inbox, shared, alive.clone());
            workers
                .threads
                .push(thread.map_err(|source| Error::System { action: "start a thread", source })?);
        }
        Ok(workers)
    }

    fn start_one<S: Store>(
        &self,
        number: usize,
        inbox: mpsc::UnboundedReceiver<Admitted>,
        shared: &Arc<Shared<S>>,
        alive: mpsc::Sender<()>,
    ) -> std::io::Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let serving = Serving {
            inbox,
            shared: Arc::clone(shared),
            is_first: number == 0,
            handle: WorkerHandle::new(&self.scheduler, number),
            // A token of its own keeps the threads off each other's lock.
            stopping: self.stopping.child_token(),
            aborting: self.aborting.clone(),
        };
        thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            let _alive = alive;
            serving.run(runtime);
        })
    }

    /// Assigns a new connection to a thread.
    pub(crate) fn assign(&self, admitted: Admitted) -> Result<(), Error> {
        self.scheduler.assign(admitted)
    }

    /// Lets connections finish what they have received.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Drops the connections that are left.
    pub(crate) fn abort(&self) {
        self.aborting.cancel();
    }

    /// Waits until every thread has ended.
    pub(crate) async fn ended(&mut self) {
        while self.ended.recv().await.is_some() {}
    }

    /// Collects the threads, which must have [ended](Self::ended).
    pub(crate) fn join(mut self) -> Result<(), Error> {
        let mut threads = self.threads.drain(..).map(JoinHandle::join);
        threads.try_for_each(|thread| thread.map_err(|_| Error::ThreadDied))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.abort();
    }
}

/// What one thread works with.
struct Serving<S> {
    inbox: mpsc::UnboundedReceiver<Admitted>,
    shared: Arc<Shared<S>>,
    is_first: bool,
    handle: WorkerHandle,
    stopping: CancellationToken,
    aborting: CancellationToken,
}

impl<S: Store> Serving<S> {
    fn run(mut self, runtime: Runtime) {
        if self.is_first {
            self.handle.place(Placement::new(self.shared.store.log_writer(), &self.shared.wal_path));
        }
        let aborting = self.aborting.clone();
        runtime.block_on(async {
            select! {
                () = self.serve() => (),
                () = aborting.cancelled() => (),
            }
        });
        // Dropping the runtime drops the connections that an abort has left.
    }

    async fn serve(&mut self) {
        let tracker = TaskTracker::new();
        let mut arrivals = Arrivals::new();
        loop {
            select! {
                biased;
                Some(admitted) = self.inbox.recv() => {
                    tracker.spawn(self.connection(admitted));
                    arrivals.note().await;
                }
                () = self.stopping.cancelled() => break,
            }
        }
        // What was on its way here when the stop began is finished here; what comes later stays where it is.
        self.inbox.close();
        while let Some(admitted) = self.inbox.recv().await {
            tracker.spawn(self.connection(admitted));
        }
        tracker.close();
        tracker.wait().await;
    }

    fn connection(&self, mut admitted: Admitted) -> impl Future<Output = ()> + use<S> {
        // From here on another one may be accepted.
        admitted.start_permit = None;
        let shared = Arc::clone(&self.shared);
        let stopping = self.stopping.clone();
        let handle = Taken(self.handle.clone());
        async move {
            let (peer, counters) = (admitted.peer, Arc::clone(&shared.counters));
            match connection::serve(admitted, shared, &handle.0, stopping).await {
                Ok(Some(closing)) => counters.closings.report(peer, &closing),
                Ok(None) => debug!(%peer, "connection moved to another thread"),
                Err(error) => counters.closings.report(peer, &Closing::of(&error)),
            }
        }
    }
}

/// Spaces the connections that a thread begins to serve: a thousand at once would keep the others waiting.
struct Arrivals {
    /// How many may still come in this turn of the thread.
    left: u32,
}

impl Arrivals {
    const fn new() -> Self {
        Self { left: MIN_ARRIVALS_PER_TURN }
    }

    /// Notes one, and lets the others have a turn if it was the last of this one.
    ///
    /// The next turn takes the more of them the longer that took, so that a busy thread takes new ones, too.
    async fn note(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            let others_began = Instant::now();
            yield_now().await;
            let arrivals = others_began.elapsed().as_micros() / TURN_PER_ARRIVAL.as_micros();
            self.left = u32::try_from(arrivals)
                .unwrap_or(u32::MAX)
                .clamp(MIN_ARRIVALS_PER_TURN, MAX_ARRIVALS_PER_TURN);
        }
    }
}

/// A handle that is left when the connection ends or moves, also when its task panics.
struct Taken(WorkerHandle);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::advance;

    use super::*;

    /// Returns how many turns others have, each of which takes so long, while a hundred connections come.
    async fn turns_of_others(turn: Duration) -> u32 {
        let turns = Cell::new(0);
        let others = async {
            loop {
                turns.set(turns.get() + 1);
                advance(turn).await;
            }
        };
        let mut arrivals = Arrivals::new();
        let come = async {
            for _ in 0..100 {
                arrivals.note().await;
            }
        };
        select! {
            biased;
            () = come => turns.get(),
            () = others => unreachable!("they never end"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn others_have_turns_while_many_connections_come() {
        assert!(turns_of_others(Duration::ZERO).await >= 100 / MIN_ARRIVALS_PER_TURN - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_thread_takes_many_connections_in_a_turn() {
        assert!(turns_of_others(TURN_PER_ARRIVAL * 100).await <= 4);
    }
}
