//! A server in this process, with clients that are plain sockets.
#![allow(dead_code, reason = "every test program compiles this file, and none needs all of it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustvault_server::{Error, ServerConfig, serve};
use rustvault_storage::{MemoryStore, Options, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A client gives up after this, so that a hanging server fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with_config(&config())
    }

    pub(crate) fn with_config(config: &ServerConfig) -> Self {
        Self::with_store(memory_store(), config)
    }

    pub(crate) fn with_store<S: Store>(store: S, config: &ServerConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, config) = (CancellationToken::new(), config.clone());
        let stopped = stop.clone().cancelled_owned();
        let thread = thread::spawn(move || runtime.block_on(serve(listener, store, &config, stopped)));
        Self { addr, stop, thread: Some(thread) }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.addr)
    }

    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn join(mut self) -> Result<(), Error> {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.threads = 2;
    config
}

pub(crate) fn memory_store() -> MemoryStore {
    MemoryStore::new(Options::default()).unwrap()
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads exactly this.
    #[track_caller]
    pub(crate) fn expect(&mut self, answers: impl AsRef<[u8]>) {
        let expected = answers.as_ref();
        let mut read = vec![0; expected.len()];
        self.stream.read_exact(&mut read).unwrap();
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(expected));
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, command: impl AsRef<[u8]>, answers: impl AsRef<[u8]>) {
        self.send(command);
        self.expect(answers);
    }

    /// Reads one line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.stream.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line[..line.len() - 2].to_vec()).unwrap()
    }

    /// Waits a while for an answer; returns whether none has come, and the connection is still there.
    pub(crate) fn gets_nothing(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let read = self.stream.read(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// All that comes until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// One figure of `INFO`.
    pub(crate) fn info(&mut self, name: &str) -> u64 {
        self.send("INFO\r\n");
        let lines: usize = self.line().strip_prefix("LIST ").unwrap().parse().unwrap();
        let lines: Vec<_> = (0..lines).map(|_| self.line()).collect();
        let start = format!("VALUE {name}=");
        let value = lines.iter().find_map(|line| line.strip_prefix(&start));
        value.unwrap_or_else(|| panic!("no {name} in {lines:?}")).parse().unwrap()
    }
}
