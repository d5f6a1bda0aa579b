//! A cipher's stand-in, with real sockets, through moves between threads and a graceful stop: no byte is lost.

mod tls;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fastrand::Rng;
use rustvault_protocol::Command;
use rustvault_storage::batch::{BatchStore, Completion, Op, Submission};
use rustvault_storage::{Error, Lsn, MemoryStore, Options};
use rustvault_testkit::{Socket, Wire, resp_request, soon, until};
use tokio::runtime::Builder;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::stand_in::{MAX_FRAME_BYTES, Opener, Sealer};
use crate::ServerConfig;
use crate::acceptor::Acceptor;
use crate::engine::Engine;
use crate::input::INPUT_BYTES;
use crate::listener::Listeners;
use crate::server::DRAIN_LIMIT;
use crate::threads::worker::Workers;
use crate::tls::LoadedTls;

const VALUE_BYTES: usize = 3000;

/// A store that notes which threads have carried out each client's commands, and stops a thread that reads the key `held`.
#[derive(Clone)]
struct WatchedStore {
    memory: MemoryStore,
    threads: Arc<Mutex<HashMap<u8, Vec<ThreadId>>>>,
    held: Arc<Mutex<()>>,
    is_held: Arc<AtomicBool>,
}

impl WatchedStore {
    fn new() -> Self {
        let memory = MemoryStore::new(Options::default()).unwrap();
        Self { memory, threads: Arc::default(), held: Arc::default(), is_held: Arc::default() }
    }

    /// Holds up whoever reads the key `held`.
    fn hold(&self) -> MutexGuard<'_, ()> {
        self.held.lock().unwrap()
    }

    /// Number of times that a client was served by another thread than before.
    fn moves_of(&self, client: u8) -> usize {
        let threads = self.threads.lock().unwrap();
        threads.get(&client).map_or(0, |threads| threads.len().saturating_sub(1))
    }
}

impl BatchStore for WatchedStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        match ops.first() {
            Some(Op::Get { key: b"held" }) => {
                self.is_held.store(true, Ordering::Relaxed);
                drop(self.held.lock());
            }
            Some(Op::Set { key, .. }) => {
                let mut threads = self.threads.lock().unwrap();
                let threads = threads.entry(key[0]).or_default();
                if threads.last() != Some(&thread::current().id()) {
                    threads.push(thread::current().id());
                }
            }
            _ => {}
        }
        self.memory.submit(ops, max_reply_bytes, replies).await
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        self.memory.wait(lsn).await
    }

    fn reply_watermark(&self) -> Lsn {
        self.memory.reply_watermark()
    }

    async fn compact(&self) -> Result<(), Error> {
        self.memory.compact().await
    }
}

/// A server of two threads between which every connection moves as often as it can.
struct RestlessServer {
    stop: CancellationToken,
    /// Yields how long the stop took.
    thread: JoinHandle<Duration>,
}

impl RestlessServer {
    fn start(listen: impl FnOnce() -> Listeners + Send + 'static, store: WatchedStore) -> Self {
        Self::start_layered(listen, store, None, config())
    }

    fn start_with_tls(
        listen: impl FnOnce() -> Listeners + Send + 'static,
        store: WatchedStore,
        tls: LoadedTls,
    ) -> Self {
        Self::start_layered(listen, store, Some(tls), config())
    }

    pub(super) fn start_with_request_timeout(
        listen: impl FnOnce() -> Listeners + Send + 'static,
        tls: LoadedTls,
        request_timeout: Duration,
    ) -> Self {
        let config = ServerConfig { request_timeout: Some(request_timeout), ..config() };
        Self::start_layered(listen, WatchedStore::new(), Some(tls), config)
    }

    fn start_layered(
        listen: impl FnOnce() -> Listeners + Send + 'static,
        store: WatchedStore,
        tls: Option<LoadedTls>,
        config: ServerConfig,
    ) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(listen, store, tls, config, stopped))
        });
        Self { stop, thread }
    }

    fn begin_stop(&self) {
        self.stop.cancel();
    }

    fn stop(self) -> Duration {
        self.stop.cancel();
        self.thread.join().unwrap()
    }
}

fn config() -> ServerConfig {
    ServerConfig { threads: 2, ..ServerConfig::default() }
}

async fn run(
    listen: impl FnOnce() -> Listeners,
    store: WatchedStore,
    tls: Option<LoadedTls>,
    config: ServerConfig,
    stop: CancellationToken,
) -> Duration {
    let engine = Arc::new(Engine::new(store, &config));
    let mut workers = Workers::start(&engine, None).unwrap();
    let listeners = if tls.is_some() { listen().with_tls() } else { listen().with_stand_in() };
    engine.tls.replace(tls);
    let acceptor = Acceptor::new(listeners, &workers, &engine);
    let mut ticks = interval(Duration::from_millis(5));
    let moving = async {
        loop {
            ticks.tick().await;
            workers.migrate_all();
        }
    };
    tokio::select! {
        stopped = acceptor.run(stop.cancelled()) => stopped.unwrap(),
        () = moving => unreachable!("it goes on and on"),
    }
    let began = Instant::now();
    workers.stop();
    soon(workers.ended()).await;
    workers.join().unwrap();
    began.elapsed()
}

fn tcp() -> (impl FnOnce() -> Listeners + Send, std::net::SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap();
    (move || tokio::net::TcpListener::from_std(listener).unwrap().into(), addr)
}

fn unix(path: &Path) -> impl FnOnce() -> Listeners + Send + use<> {
    let listener = UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    move || tokio::net::UnixListener::from_std(listener).unwrap().into()
}

/// A command of a client's, and its answer.
fn command(client: u8, number: usize) -> (Vec<u8>, Vec<u8>) {
    let value = vec![client; VALUE_BYTES];
    match number % 4 {
        3 => (frame(Command::Get, &[&key(client, number - 1)]), bulk(&value)),
        _ => (frame(Command::Set, &[&key(client, number), &value]), b"+OK\r\n".to_vec()),
    }
}

fn key(client: u8, number: usize) -> Vec<u8> {
    format!("{}:{number}", char::from(client)).into_bytes()
}

/// Returns a command that reads a key.
fn reading(key: &[u8]) -> Vec<u8> {
    frame(Command::Get, &[key])
}

/// Returns a command that stores a value.
fn storing(key: &[u8], value: &[u8]) -> Vec<u8> {
    frame(Command::Set, &[key, value])
}

fn frame(command: Command, arguments: &[&[u8]]) -> Vec<u8> {
    resp_request(&[&[command.name().as_bytes()], arguments].concat())
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Sends commands in frames that ignore where commands end: they end within them, and are written in pieces. Ends with the
/// connection, or after so many commands.
fn send_commands(mut stream: Socket, client: u8, commands: usize) {
    let (mut rng, mut sealer) = (Rng::with_seed(client.into()), Sealer::default());
    let (mut unsealed, mut number) = (Vec::new(), 0);
    while number < commands || !unsealed.is_empty() {
        let wanted_bytes = *rng.choice(&[1, 100, 20_000, MAX_FRAME_BYTES - 2 * VALUE_BYTES]).unwrap();
        while unsealed.len() < wanted_bytes && number < commands {
            unsealed.extend(command(client, number).0);
            number += 1;
        }
        let mut frames = BytesMut::new();
        // Where a frame ends with a command, the connection may move, while the next frame has come in part.
        let end = if rng.bool() { wanted_bytes.min(unsealed.len()) } else { unsealed.len() };
        let rest = unsealed.split_off(end);
        sealer.seal(&unsealed, &mut frames);
        unsealed = rest;
        for piece in frames.chunks(rng.usize(1..50_000)) {
            if stream.write_all(piece).is_err() {
                return;
            }
        }
    }
}

/// Reads frames until the server closes, at the end of one; returns what was in them.
fn read_answers(mut stream: impl Read) -> io::Result<Vec<u8>> {
    let (mut opener, mut received, mut answers) = (Opener::default(), BytesMut::new(), Vec::new());
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut bytes)? {
            0 if received.is_empty() => return Ok(answers),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read_bytes => received.extend_from_slice(&bytes[..read_bytes]),
        }
        while let Some(opened) = opener.open(&mut received)? {
            answers.extend(opened);
        }
    }
}

/// Checks that these are the answers to a client's first commands, each whole; returns how many.
fn count_answers(client: u8, answers: &[u8]) -> usize {
    let (mut number, mut rest) = (0, answers);
    while !rest.is_empty() {
        let expected = command(client, number).1;
        rest = rest.strip_prefix(expected.as_slice()).unwrap_or_else(|| panic!("answer {number} is another"));
        number += 1;
    }
    number
}

#[test]
fn no_byte_is_lost_while_connections_with_layers_move_between_threads() {
    const COMMANDS: usize = 4000;
    let store = WatchedStore::new();
    let (listen, addr) = tcp();
    let server = RestlessServer::start(listen, store.clone());
    let clients: Vec<_> = (b'a'..b'e')
        .map(|client| {
            let stream = Wire::connect(addr).into_socket();
            let writer = stream.try_clone().unwrap();
            let sending = thread::spawn(move || {
                send_commands(writer.try_clone().unwrap(), client, COMMANDS);
                writer.shutdown(Shutdown::Write).unwrap();
            });
            (client, sending, thread::spawn(move || read_answers(stream).unwrap()))
        })
        .collect();
    for (client, sending, reading) in clients {
        assert_eq!(count_answers(client, &reading.join().unwrap()), COMMANDS);
        sending.join().unwrap();
        let moves = store.moves_of(client);
        println!("client {client} moved {moves} times");
        assert!(moves >= 10, "{moves} moves");
    }
    assert!(server.stop() < DRAIN_LIMIT);
}

#[test]
fn a_stop_under_load_ends_layers_between_two_answers_and_loses_none() {
    let store = WatchedStore::new();
    let (listen, addr) = tcp();
    let server = RestlessServer::start(listen, store.clone());
    let clients: Vec<_> = (b'a'..b'e')
        .map(|client| {
            let stream = Wire::connect(addr).into_socket();
            let writer = stream.try_clone().unwrap();
            thread::spawn(move || send_commands(writer, client, usize::MAX));
            (client, thread::spawn(move || read_answers(stream).unwrap()))
        })
        .collect();
    until("each has moved", || clients.iter().all(|(client, _)| store.moves_of(*client) >= 10));
    let stop = server.stop();
    assert!(stop < DRAIN_LIMIT, "{stop:?}");
    let runtime = Builder::new_current_thread().build().unwrap();
    for (client, reading) in clients {
        let answered = count_answers(client, &reading.join().unwrap());
        let carried_out =
            |number| runtime.block_on(store.memory.get(&key(client, number))).unwrap().is_some();
        let sets = (0..answered).filter(|number| number % 4 != 3);
        assert!(sets.clone().all(carried_out), "all that was answered was carried out");
        assert!(!(answered..answered + 8).any(carried_out), "and nothing else");
    }
}

/// Stops a server whose thread is held up meanwhile, and which has received these frames by then; returns the answers.
fn stop_with_received(parts: &[&[u8]], cut_off_bytes: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.sock");
    let store = WatchedStore::new();
    let server = RestlessServer::start(unix(&path), store.clone());
    let mut stream = Wire::connect_unix(&path).into_socket();

    let held = store.hold();
    let (mut sealer, mut frames) = (Sealer::default(), BytesMut::new());
    sealer.seal(&frame(Command::Get, &[b"held"]), &mut frames);
    stream.write_all(&frames.split()).unwrap();
    until("its thread is held up", || store.is_held.load(Ordering::Relaxed));
    parts.iter().for_each(|part| sealer.seal(part, &mut frames));
    // The system has it all when this returns: a Unix socket has one buffer for both ends.
    stream.write_all(&frames[..frames.len() - cut_off_bytes]).unwrap();
    server.stop.cancel();
    drop(held);
    let answers = read_answers(&stream).unwrap();
    drop(stream);
    let stop = server.stop();
    assert!(stop < DRAIN_LIMIT, "{stop:?}");
    answers.strip_prefix(b"$-1\r\n").expect("the answer to the first").to_vec()
}

fn commands(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| command(b'a', number).0).collect()
}

#[test]
fn a_stop_answers_whole_frames_that_were_received_and_does_not_wait_for_the_rest_of_one() {
    // Each frame takes more than a read of the socket, and begins or ends within a command.
    let commands = commands(21);
    let (first, rest) = commands.split_at(20_001);
    let (second, third) = rest.split_at(20_001);
    let answers = stop_with_received(&[first, second, third, &[b'x'; 40_000]], 20_000);
    assert_eq!(count_answers(b'a', &answers), 21);
}

#[test]
fn a_stop_answers_all_of_a_frame_that_is_larger_than_a_connections_input() {
    let commands = commands(36);
    let (first, rest) = commands.split_at(5_001);
    assert!(rest.len() > INPUT_BYTES);
    let answers = stop_with_received(&[first, rest], 0);
    assert_eq!(count_answers(b'a', &answers), 36);
}
