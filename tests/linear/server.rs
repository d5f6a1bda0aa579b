//! The server that a history is about: a process that is killed, or threads of this process whose disk fails.

use std::net::SocketAddr;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustvault_server::{Error, ServerConfig, serve};
use rustvault_storage::{DurableStore, Options};
use rustvault_tests::{Daemon, Launch, PATIENCE, ServerThread, block_on};
use tokio::time::timeout;

use crate::disk::{Disk, DiskKind, Fault};
use crate::plan::{Ending, Plan};

/// The time after which a fault that has not failed the log is armed again: it may have failed a compaction alone.
const FAULT_LIMIT: Duration = Duration::from_millis(20);

static COUNT_PANICS: Once = Once::new();

/// Panics in the code on trial so far.
static PANICS: AtomicU32 = AtomicU32::new(0);

/// A server that does not run, with the log that its last run left.
pub(crate) enum Stopped {
    Process(Launch),
    Threads { disk: Disk, options: Options, config: Box<ServerConfig> },
}

impl Stopped {
    pub(crate) fn new(plan: &Plan) -> Self {
        match plan.disk {
            None => Self::Process(Launch::new().with_args(&plan.server_args())),
            Some(kind) => Self::threads(plan, kind),
        }
    }

    fn threads(plan: &Plan, kind: DiskKind) -> Self {
        let (mut options, mut config) = (Options::default(), ServerConfig::default());
        options.sync_policy = plan.policy;
        options.log_format = Some(plan.format);
        config.threads = plan.threads;
        Self::Threads { disk: Disk::new(kind), options, config: Box::new(config) }
    }

    /// Starts the server.
    ///
    /// # Panics
    /// It does not start.
    pub(crate) fn start(self) -> Server {
        match self {
            Self::Process(launch) => Server::Process(Box::new(launch.start())),
            Self::Threads { disk, options, config } => {
                Server::Threads(Box::new(Threads::start(disk, options, config)))
            }
        }
    }
}

/// A server that serves.
pub(crate) enum Server {
    Process(Box<Daemon>),
    Threads(Box<Threads>),
}

impl Server {
    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::Process(daemon) => daemon.addr(),
            Self::Threads(threads) => threads.server.addr(),
        }
    }

    /// Ends the server while its clients go on: `ending` says how.
    pub(crate) fn end(self, ending: &Ending) -> Stopped {
        match (self, ending) {
            (Self::Process(daemon), Ending::Kill { second_delay }) => {
                let launch = daemon.launch().clone();
                daemon.signal(Signal::KILL);
                daemon.kill();
                if let Some(delay) = second_delay {
                    launch.start_and_kill(*delay);
                }
                Stopped::Process(launch)
            }
            (Self::Threads(threads), Ending::Fault { fault, linger }) => {
                threads.fail(fault);
                // The clients go on reading what can be read.
                thread::sleep(*linger);
                threads.stop()
            }
            (_, ending) => panic!("{ending:?} is nothing for this server"),
        }
    }

    /// Stops the server in order.
    pub(crate) fn stop(self) -> Stopped {
        match self {
            Self::Process(daemon) => {
                let launch = daemon.launch().clone();
                daemon.stop();
                Stopped::Process(launch)
            }
            Self::Threads(threads) => threads.stop(),
        }
    }
}

/// A server in this process: only there can its store be given a disk of ours.
pub(crate) struct Threads {
    server: ServerThread<Error>,
    store: DurableStore,
    disk: Disk,
    options: Options,
    config: Box<ServerConfig>,
}

impl Threads {
    fn start(disk: Disk, options: Options, config: Box<ServerConfig>) -> Self {
        COUNT_PANICS.call_once(count_panics);
        let store = DurableStore::open_on(disk.file_system(), disk.path(), options.clone())
            .unwrap_or_else(|error| panic!("the log does not open: {error}"));
        let (served, settings) = (store.clone(), config.clone());
        let server = ServerThread::start(async move |listener, stop| {
            serve(listener, served, &settings, stop.cancelled_owned()).await
        });
        Self { server, store, disk, options, config }
    }

    /// Arms the disk's fault until the log has failed.
    fn fail(&self, fault: &Fault) {
        let start = Instant::now();
        loop {
            self.disk.arm(*fault);
            let failed = async { timeout(FAULT_LIMIT, self.store.poisoned()).await };
            if block_on(failed).is_ok() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the log goes on although its disk fails");
        }
    }

    fn stop(self) -> Stopped {
        let Self { server, store, disk, options, config } = self;
        server.join().expect("it serves");
        drop(store);
        let panics = PANICS.load(Ordering::Relaxed);
        assert_eq!(panics, 0, "threads of the server have panicked: see above");
        Stopped::Threads { disk: disk.restarted(), options, config }
    }
}

/// Counts panics in the code on trial from now on: a server that survives one has a defect all the same.
fn count_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_on_trial = info.location().is_some_and(|location| location.file().contains("crates/"));
        PANICS.fetch_add(u32::from(is_on_trial), Ordering::Relaxed);
        print(info);
    }));
}
