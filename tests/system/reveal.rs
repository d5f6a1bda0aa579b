//! Log before reveal, over the wire: while a sync is held back, nobody is shown what waits for it.
//!
//! The server runs in this process, because only there can its store be given a file system of ours.

use std::sync::{Arc, Mutex};
use std::thread;

use rustvault_server::{Error, ServerConfig, serve};
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use rustvault_storage::{DurableStore, Options};
use rustvault_tests::files::{Faults, SyncGate};
use rustvault_tests::{ServerThread, Wire, block_on, until};
use tempfile::TempDir;

/// Round trips of others within which an answer that need not wait would have come.
const ROUND_TRIPS: usize = 200;

/// New connections that are made while a sync is held: more than threads, by far.
const NEWCOMERS: usize = 40;

/// A server whose syncs can be held back; `a` and `gone` have been written.
struct GatedServer {
    server: Option<ServerThread<Error>>,
    store: DurableStore,
    faults: Arc<Faults>,
    /// Held while the gate is closed.
    gate: Mutex<Option<SyncGate>>,
    _folder: TempDir,
}

impl GatedServer {
    fn start() -> Self {
        Self::start_with_threads(ServerConfig::default().threads)
    }

    fn start_with_threads(threads: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (faults, path) = (Arc::new(Faults::default()), folder.path().join("vault.log"));
        let store = DurableStore::open_on(Arc::new(faults.file_system()), path, Options::default()).unwrap();
        let mut config = ServerConfig::default();
        config.threads = threads;
        let served = store.clone();
        let server = ServerThread::start(async move |listener, stop| {
            serve(listener, served, &config, stop.cancelled_owned()).await
        });
        let server = Self { server: Some(server), store, faults, gate: Mutex::default(), _folder: folder };
        server.wire().ask("SET a 1\r\nSET gone 1\r\n", "OK\r\nOK\r\n");
        server
    }

    fn wire(&self) -> Wire {
        self.server.as_ref().unwrap().wire()
    }

    /// Holds syncs back from now on.
    fn close_gate(&self) {
        *self.gate.lock().unwrap() = Some(self.faults.hold_syncs());
    }

    fn open_gate(&self) {
        *self.gate.lock().unwrap() = None;
    }

    /// Sends a write whose sync is held back; it is at the disk when this returns.
    fn hold(&self, command: &str) -> Wire {
        self.close_gate();
        let begun = self.faults.syncs_begun();
        let mut wire = self.wire();
        wire.send(command);
        until("its sync begins", || self.faults.syncs_begun() > begun);
        wire
    }

    /// Waits until the store has carried out writes that make it hold so many keys, durable or not.
    fn wait_for_keys(&self, expected: u64) {
        until("the write is carried out", || {
            let mut replies = Vec::new();
            block_on(self.store.submit(&[Op::Count], usize::MAX, &mut replies));
            matches!(replies[0].outcome, Ok(Outcome::Count(keys)) if keys == expected)
        });
    }
}

impl Drop for GatedServer {
    fn drop(&mut self) {
        self.open_gate();
        let ended = self.server.take().map(ServerThread::join);
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
    server.open_gate();
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
    server.open_gate();
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
    server.close_gate();
    let mut wire = server.wire();
    wire.send("GET a\r\nPING\r\nSET k v\r\nGET a\r\nGET k\r\n");
    wire.expect("VALUE 1\r\nPONG\r\n");
    assert_silent(&server, &[&wire]);
    server.open_gate();
    wire.expect("OK\r\nVALUE 1\r\nVALUE v\r\n");
}

#[test]
fn a_value_that_is_overwritten_is_not_shown_before_the_new_one_is_durable() {
    let server = GatedServer::start();
    let mut writer = server.hold("SET gone 2\r\n");
    let mut reader = server.wire();
    reader.send("GET gone\r\n");
    assert_silent(&server, &[&writer, &reader]);
    server.open_gate();
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
    server.open_gate();
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
    server.open_gate();
    for writer in &mut writers {
        writer.expect("OK\r\n");
    }
}
