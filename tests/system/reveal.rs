//! Log before reveal, over the wire: while a sync is held back, nobody is shown what waits for it.
//!
//! The server runs in this process, because only there can its store be given a file system of ours.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustvault_server::{ServerConfig, serve};
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use rustvault_storage::fs::OsFileSystem;
use rustvault_storage::{DurableStore, Options};
use rustvault_tests::{Wire, until};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use hooked::{Call, Hooked, WHOLE};

#[path = "../../crates/storage/tests/support/hooked.rs"]
mod hooked;

/// Round trips of others within which an answer that need not wait would have come.
const ROUND_TRIPS: usize = 200;

/// New connections that are made while a sync is held: more than threads, by far.
const NEWCOMERS: usize = 40;

/// Where syncs wait while it is closed.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    is_closed: bool,
    waiting: usize,
}

impl Gate {
    fn close(&self) {
        self.0.0.lock().unwrap().is_closed = true;
    }

    fn open(&self) {
        self.0.0.lock().unwrap().is_closed = false;
        self.0.1.notify_all();
    }

    /// Returns once a sync stands at the gate.
    fn wait_for_sync(&self) {
        let (state, changed) = &*self.0;
        let limit = Duration::from_secs(20);
        let (state, timeout) =
            changed.wait_timeout_while(state.lock().unwrap(), limit, |state| state.waiting == 0).unwrap();
        // A lock that is held in a panic is unusable afterwards.
        drop(state);
        assert!(!timeout.timed_out(), "no sync has begun");
    }

    /// The system's files, whose syncs pass the gate.
    fn file_system(&self) -> Hooked<OsFileSystem> {
        let gate = self.clone();
        Hooked::new(OsFileSystem, move |operation| {
            if operation.call == Call::Sync {
                gate.pass();
            }
            Ok(WHOLE)
        })
    }

    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.waiting += 1;
        changed.notify_all();
        changed.wait_while(state, |state| state.is_closed).unwrap().waiting -= 1;
    }
}

/// A server whose syncs wait at a gate; `a` and `gone` have been written.
struct GatedServer {
    addr: SocketAddr,
    store: DurableStore,
    gate: Gate,
    /// Dropping it stops the server.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _folder: TempDir,
}

impl GatedServer {
    fn start() -> Self {
        Self::start_with_threads(ServerConfig::default().threads)
    }

    fn start_with_threads(threads: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gate = Gate::default();
        let store = DurableStore::open_on(
            Arc::new(gate.file_system()),
            folder.path().join("vault.log"),
            Options::default(),
        )
        .unwrap();
        let mut config = ServerConfig::default();
        config.threads = threads;
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = store.clone();
        let thread = thread::spawn(move || {
            let stopped = async { drop(stopped.await) };
            runtime.block_on(serve(listener, served, &config, stopped)).unwrap();
        });
        let server = Self { addr, store, gate, stop: Some(stop), thread: Some(thread), _folder: folder };
        server.wire().ask("SET a 1\r\nSET gone 1\r\n", "OK\r\nOK\r\n");
        server
    }

    fn wire(&self) -> Wire {
        Wire::connect(self.addr)
    }

    /// Sends a write whose sync is held back; it is at the disk when this returns.
    fn hold(&self, command: &str) -> Wire {
        self.gate.close();
        let mut wire = self.wire();
        wire.send(command);
        self.gate.wait_for_sync();
        wire
    }

    /// Waits until the store has carried out writes that make it hold so many keys, durable or not.
    fn wait_for_keys(&self, expected: u64) {
        let runtime = runtime();
        until("the write is carried out", || {
            let mut replies = Vec::new();
            runtime.block_on(self.store.submit(&[Op::Count], usize::MAX, &mut replies));
            matches!(replies[0].outcome, Ok(Outcome::Count(keys)) if keys == expected)
        });
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Drop for GatedServer {
    fn drop(&mut self) {
        self.gate.open();
        self.stop.take();
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// Others are served, again and again, and still nothing comes.
#[track_caller]
fn assert_silent(server: &GatedServer, wires: &[&Wire]) {
    // The connections are dealt out among the threads, so these are on all of them.
    let mut others: Vec<_> = (0..4).map(|_| server.wire()).collect();
    for _ in 0..ROUND_TRIPS {
        for other in &mut others {
            other
                .ask("GET a\r\nGET nobody\r\nEXISTS a\r\nPING\r\n", "VALUE 1\r\nNOT_FOUND\r\nOK\r\nPONG\r\n");
        }
    }
    for (number, wire) in wires.iter().enumerate() {
        assert!(wire.has_nothing(), "connection {number} was answered before the sync");
    }
}

#[test]
fn no_command_of_anybody_shows_a_write_whose_sync_is_held_back() {
    let server = GatedServer::start();
    let mut writer = server.hold("SET k secret\r\n");
    let mut readers: Vec<_> = ["GET k", "EXISTS k", "COUNT", "SCAN 0", "SCAN 0 PREFIX k", "INFO"]
        .map(|command| {
            let mut wire = server.wire();
            wire.send(format!("{command}\r\n"));
            wire
        })
        .into();
    assert_silent(&server, &readers.iter().chain([&writer]).collect::<Vec<_>>());
    // Only now, when they have been carried out: the order of what different connections send is nobody's promise.
    let mut deleter = server.wire();
    deleter.send("DELETE k\r\n");
    assert_silent(&server, &readers.iter().chain([&writer, &deleter]).collect::<Vec<_>>());
    server.gate.open();
    writer.expect("OK\r\n");
    for (reader, answer) in readers.iter_mut().zip(["VALUE secret", "OK", "VALUE 3", "LIST 4", "LIST 2"]) {
        reader.expect(format!("{answer}\r\n"));
    }
    deleter.expect("OK\r\n");
}

#[test]
fn no_command_of_anybody_shows_a_delete_whose_sync_is_held_back() {
    let server = GatedServer::start();
    let mut writer = server.hold("DELETE gone\r\n");
    let mut readers: Vec<_> = ["GET gone", "EXISTS gone", "DELETE gone", "COUNT", "SCAN 0"]
        .map(|command| {
            let mut wire = server.wire();
            wire.send(format!("{command}\r\n"));
            wire
        })
        .into();
    assert_silent(&server, &readers.iter().chain([&writer]).collect::<Vec<_>>());
    server.gate.open();
    writer.expect("OK\r\n");
    for (reader, answer) in
        readers.iter_mut().zip(["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "VALUE 1", "LIST 2"])
    {
        reader.expect(format!("{answer}\r\n"));
    }
}

#[test]
fn what_stands_before_a_held_write_in_a_pipeline_leaves_at_once() {
    let server = GatedServer::start();
    server.gate.close();
    let mut wire = server.wire();
    wire.send("GET a\r\nPING\r\nSET k v\r\nGET a\r\nGET k\r\n");
    wire.expect("VALUE 1\r\nPONG\r\n");
    assert_silent(&server, &[&wire]);
    server.gate.open();
    wire.expect("OK\r\nVALUE 1\r\nVALUE v\r\n");
}

#[test]
fn a_value_that_is_overwritten_is_not_shown_before_the_new_one_is_durable() {
    let server = GatedServer::start();
    let mut writer = server.hold("SET gone 2\r\n");
    let mut reader = server.wire();
    reader.send("GET gone\r\n");
    assert_silent(&server, &[&writer, &reader]);
    server.gate.open();
    writer.expect("OK\r\n");
    reader.expect("VALUE 2\r\n");
}

/// New connections come and stay, and each is answered at once.
fn assert_newcomers_are_served(server: &GatedServer) {
    let mut newcomers = Vec::new();
    for _ in 0..NEWCOMERS {
        let mut newcomer = server.wire();
        newcomer.ask("PING\r\nGET a\r\n", "PONG\r\nVALUE 1\r\n");
        newcomers.push(newcomer);
    }
    for newcomer in &mut newcomers {
        newcomer.ask("GET a\r\n", "VALUE 1\r\n");
    }
}

#[test]
fn a_lone_writer_whose_sync_is_held_keeps_the_only_thread_from_nobody() {
    let server = GatedServer::start_with_threads(1);
    let mut writer = server.hold("SET k v\r\n");
    assert_newcomers_are_served(&server);
    assert!(writer.has_nothing(), "it was answered before the sync");
    server.gate.open();
    writer.expect("OK\r\n");
}

#[test]
fn two_lone_writers_whose_syncs_are_held_do_not_take_both_threads() {
    let server = GatedServer::start_with_threads(2);
    let mut writers = vec![server.hold("SET k v\r\n")];
    let mut second = server.wire();
    second.ask("PING\r\n", "PONG\r\n");
    second.send("SET l v\r\n");
    // `a` and `gone` are there already.
    server.wait_for_keys(4);
    writers.push(second);
    assert_newcomers_are_served(&server);
    assert!(writers.iter().all(Wire::has_nothing), "one was answered before the sync");
    server.gate.open();
    for writer in &mut writers {
        writer.expect("OK\r\n");
    }
}
