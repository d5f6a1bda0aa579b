use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rustvault_storage::Store;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::Error;
use crate::connection;
use crate::shared::Shared;

/// A connection on its way to the thread that serves it.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) stream: StdTcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// What one thread has to serve.
#[derive(Debug, Default)]
pub(crate) struct ThreadLoad {
    connections: AtomicUsize,
    /// It waits for a disk, for its only connection.
    is_blocked: AtomicBool,
}

impl ThreadLoad {
    /// The right to block this thread, if it serves one connection only: new ones go to others meanwhile.
    pub(crate) fn serve_nobody_else(&self) -> Option<Blocked<'_>> {
        (self.connections.load(Ordering::Relaxed) == 1).then(|| {
            self.is_blocked.store(true, Ordering::Relaxed);
            Blocked(self)
        })
    }
}

/// While this lives its thread may be blocked.
pub(crate) struct Blocked<'a>(&'a ThreadLoad);

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.is_blocked.store(false, Ordering::Relaxed);
    }
}

/// The threads that serve connections, each with a runtime of its own.
///
/// They end once they are [stopped](Self::stop) and their connections have, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    /// Connections finish what they have received, then end.
    stopping: CancellationToken,
    /// Connections end now.
    aborting: CancellationToken,
    /// Yields `None` once every thread has ended.
    ended: mpsc::Receiver<()>,
}

#[derive(Debug)]
struct Worker {
    // Bounded by the permits that the connections hold.
    admitted: mpsc::UnboundedSender<Admitted>,
    load: Arc<ThreadLoad>,
    thread: JoinHandle<()>,
}

impl Workers {
    pub(crate) fn start<S: Store>(shared: &Arc<Shared<S>>) -> Result<Self, Error> {
        let (alive, ended) = mpsc::channel(1);
        let mut workers = Self {
            workers: Vec::new(),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            ended,
        };
        for number in 0..shared.threads {
            let worker = workers.start_one(number, shared, alive.clone());
            workers
                .workers
                .push(worker.map_err(|source| Error::System { action: "start a thread", source })?);
        }
        Ok(workers)
    }

    fn start_one<S: Store>(
        &self,
        number: usize,
        shared: &Arc<Shared<S>>,
        alive: mpsc::Sender<()>,
    ) -> std::io::Result<Worker> {
        let (admitted, inbox) = mpsc::unbounded_channel();
        let load = Arc::new(ThreadLoad::default());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let serving = Serving {
            inbox,
            shared: Arc::clone(shared),
            load: Arc::clone(&load),
            // A token of its own keeps the threads off each other's lock.
            stopping: self.stopping.child_token(),
            aborting: self.aborting.clone(),
        };
        let thread = thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            let _alive = alive;
            serving.run(runtime);
        })?;
        Ok(Worker { admitted, load, thread })
    }

    /// Gives a connection to the thread that has the fewest, and rather to one that is not blocked.
    pub(crate) fn deal(&self, admitted: Admitted) -> Result<(), Error> {
        let load = |worker: &&Worker| {
            let ThreadLoad { connections, is_blocked } = &*worker.load;
            (is_blocked.load(Ordering::Relaxed), connections.load(Ordering::Relaxed))
        };
        let worker = self.workers.iter().min_by_key(load).ok_or(Error::ThreadDied)?;
        worker.load.connections.fetch_add(1, Ordering::Relaxed);
        worker.admitted.send(admitted).map_err(|_| Error::ThreadDied)
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
        let mut threads = self.workers.drain(..).map(|worker| worker.thread.join());
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
    load: Arc<ThreadLoad>,
    stopping: CancellationToken,
    aborting: CancellationToken,
}

impl<S: Store> Serving<S> {
    fn run(mut self, runtime: Runtime) {
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
        loop {
            select! {
                biased;
                Some(admitted) = self.inbox.recv() => { tracker.spawn(self.connection(admitted)); }
                () = self.stopping.cancelled() => break,
            }
        }
        tracker.close();
        tracker.wait().await;
    }

    fn connection(&self, admitted: Admitted) -> impl Future<Output = ()> + use<S> {
        let shared = Arc::clone(&self.shared);
        let stopping = self.stopping.clone();
        let load = Arc::clone(&self.load);
        let open = OpenConnection::new(&shared, &self.load, admitted.permit);
        async move {
            let _open = open;
            let peer = admitted.peer;
            debug!(%peer, "connection opened");
            let served = match TcpStream::from_std(admitted.stream) {
                Ok(stream) => connection::serve(stream, shared, load, stopping).await,
                Err(error) => Err(error),
            };
            match served {
                Ok(()) => debug!(%peer, "connection closed"),
                Err(error) => debug!(%peer, %error, "connection lost"),
            }
        }
    }
}

/// Counts a connection as open, also when its task panics.
struct OpenConnection<S> {
    shared: Arc<Shared<S>>,
    load: Arc<ThreadLoad>,
    _permit: OwnedSemaphorePermit,
}

impl<S> OpenConnection<S> {
    fn new(shared: &Arc<Shared<S>>, load: &Arc<ThreadLoad>, permit: OwnedSemaphorePermit) -> Self {
        shared.counters.connections.add(1);
        shared.counters.total_connections.add(1);
        Self { shared: Arc::clone(shared), load: Arc::clone(load), _permit: permit }
    }
}

impl<S> Drop for OpenConnection<S> {
    fn drop(&mut self) {
        self.shared.counters.connections.decrement();
        self.load.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
