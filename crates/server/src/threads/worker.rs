//! Starts and stops the workers, the threads that serve connections. Each has a runtime of its own, and serves the connections
//! that the scheduler sends to its inbox.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustvault_storage::batch::BatchStore;
use tokio::runtime::{Builder, Runtime};
use tokio::select;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accepted::AcceptedConnection;
use super::affinity::{self, LogWriter};
use super::scheduler::Scheduler;
use super::worker_handle::WorkerHandle;
use crate::Error;
use crate::connection;
use crate::engine::Engine;

/// Fewest connections that a worker begins to serve in one turn.
const MIN_ARRIVALS_PER_TURN: u32 = 4;

/// Most connections that a worker begins to serve in one turn: a turn may have been long because the thread had no core.
const MAX_ARRIVALS_PER_TURN: u32 = 64;

/// Length of the previous turn for each connection that may begin. A short connection takes about 10 µs in all, so connections
/// that come and go get about a tenth of a busy worker.
const TURN_PER_ARRIVAL: Duration = Duration::from_micros(100);

/// The workers of a server.
///
/// They end once they are [stopped](Self::stop) and their connections have ended, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    threads: Vec<JoinHandle<()>>,
    scheduler: Arc<Scheduler>,
    /// Cancelled when connections should answer what they have received, then end.
    stopping: CancellationToken,
    /// Cancelled when connections should end at once.
    aborting: CancellationToken,
    /// Yields `None` after every thread has ended.
    ended: mpsc::Receiver<()>,
}

impl Workers {
    /// Starts the configured number of workers. With a log writer, the first worker maintains the affinity of both.
    pub(crate) fn start<S: BatchStore>(
        engine: &Arc<Engine<S>>,
        mut log_writer: Option<LogWriter>,
    ) -> Result<Self, Error> {
        let (alive, ended) = mpsc::channel(1);
        let (outboxes, inboxes): (Vec<_>, Vec<_>) =
            (0..engine.config().threads).map(|_| mpsc::unbounded_channel()).unzip();
        let mut workers = Self {
            threads: Vec::new(),
            scheduler: Scheduler::new(outboxes.into_iter()),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            ended,
        };
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let thread = workers.start_one(number, inbox, engine, log_writer.take(), alive.clone());
            workers
                .threads
                .push(thread.map_err(|source| Error::System { action: "start a thread", source })?);
        }
        Ok(workers)
    }

    fn start_one<S: BatchStore>(
        &self,
        number: usize,
        inbox: mpsc::UnboundedReceiver<AcceptedConnection>,
        engine: &Arc<Engine<S>>,
        log_writer: Option<LogWriter>,
        alive: mpsc::Sender<()>,
    ) -> std::io::Result<JoinHandle<()>> {
        // Connections that the log writer wakes, from its thread, enter the runtime's global queue. By default the runtime polls
        // that queue after every 31 tasks: a durable write would wait behind the requests of as many others. With an interval of
        // 2, every second task is one of the thread's own, so wake-ups cannot starve those.
        let runtime = Builder::new_current_thread().global_queue_interval(2).enable_all().build()?;
        let worker_loop = WorkerLoop {
            inbox,
            engine: Arc::clone(engine),
            log_writer,
            handle: WorkerHandle::new(&self.scheduler, number),
            // A child token for each thread: otherwise the threads would contend for one lock.
            stopping: self.stopping.child_token(),
            aborting: self.aborting.clone(),
        };
        thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            let _alive = alive;
            worker_loop.run(runtime);
        })
    }

    /// Assigns a new connection to a worker.
    pub(crate) fn assign(&self, connection: AcceptedConnection) -> Result<(), Error> {
        self.scheduler.assign(connection)
    }

    /// Makes connections answer what they have received, then end.
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

    /// Joins the threads, which must have [ended](Self::ended).
    pub(crate) fn join(mut self) -> Result<(), Error> {
        let mut threads = self.threads.drain(..).map(JoinHandle::join);
        threads.try_for_each(|thread| thread.map_err(|_| Error::ThreadDied))
    }
}

#[cfg(test)]
impl Workers {
    /// Makes each worker hand its connections over to the next one, until the load is measured again.
    pub(crate) fn migrate_all(&self) {
        self.scheduler.migrate_all();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.abort();
    }
}

/// The things that one worker needs: where connections come from, what they share, when to stop.
struct WorkerLoop<S> {
    inbox: mpsc::UnboundedReceiver<AcceptedConnection>,
    engine: Arc<Engine<S>>,
    log_writer: Option<LogWriter>,
    handle: WorkerHandle,
    stopping: CancellationToken,
    aborting: CancellationToken,
}

impl<S: BatchStore> WorkerLoop<S> {
    fn run(mut self, runtime: Runtime) {
        if let Some(writer) = self.log_writer.take() {
            affinity::begin(&writer);
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
        let mut pacer = ArrivalPacer::new();
        loop {
            select! {
                biased;
                Some(connection) = self.inbox.recv() => {
                    tracker.spawn(self.serve_connection(connection));
                    pacer.count().await;
                }
                () = self.stopping.cancelled() => break,
            }
        }
        // Connections that were on their way here when the stop began are finished here; later ones stay where they are.
        self.inbox.close();
        while let Some(connection) = self.inbox.recv().await {
            tracker.spawn(self.serve_connection(connection));
        }
        tracker.close();
        tracker.wait().await;
    }

    /// Returns the task that serves a connection to its end, and reports that.
    fn serve_connection(&self, mut accepted: AcceptedConnection) -> impl Future<Output = ()> + use<S> {
        // From here on another one may be accepted.
        accepted.start_permit = None;
        let engine = Arc::clone(&self.engine);
        let stopping = self.stopping.clone();
        let (accepted, guard) = (Box::new(accepted), ConnectionGuard(self.handle.clone()));
        async move { connection::serve(accepted, engine, &guard.0, stopping).await }
    }
}

/// A pacer of the connections that a worker begins to serve: a thousand at once would keep the others waiting.
struct ArrivalPacer {
    /// Number that may still begin in this turn of the worker.
    left: u32,
}

impl ArrivalPacer {
    const fn new() -> Self {
        Self { left: MIN_ARRIVALS_PER_TURN }
    }

    /// Counts one, and lets the others have a turn if it was the last of this one.
    ///
    /// The longer that took, the more may begin in the next turn, so that a busy worker takes new ones, too.
    async fn count(&mut self) {
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

/// The count of a connection on its worker, taken back when it ends or migrates, also when its task panics.
struct ConnectionGuard(WorkerHandle);

impl Drop for ConnectionGuard {
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
        let mut pacer = ArrivalPacer::new();
        let come = async {
            for _ in 0..100 {
                pacer.count().await;
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
    async fn a_busy_worker_takes_many_connections_in_a_turn() {
        assert!(turns_of_others(TURN_PER_ARRIVAL * 100).await <= 4);
    }
}
