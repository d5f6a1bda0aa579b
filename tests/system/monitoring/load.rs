//! Clients that do something of everything that the dashboard shows, until they are stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::ClientConfig;
use rustvault_tests::Wire;
use rustvault_tests::tls::TlsWire;

use super::PASSWORD;

/// Writes, and as many reads, of each round, beside which two errors are few: many would be a reason for an alert.
const KEYS: usize = 100;

/// Time between rounds. The load needs no speed, and other tests run beside it.
const PAUSE: Duration = Duration::from_millis(100);

/// Clients in a thread of their own.
pub(super) struct Load {
    is_stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Starts it.
    pub(super) fn start(addr: SocketAddr, tls_addr: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        let is_stopped = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&is_stopped);
        let thread = thread::spawn(move || {
            let mut wire = Wire::connect(addr);
            log_in(&mut wire);
            while !stop.load(Ordering::Relaxed) {
                round(&mut wire);
                connections(addr, tls_addr, &tls);
                thread::sleep(PAUSE);
            }
        });
        Self { is_stopped, thread }
    }

    /// Returns whether all answers have been the right ones so far.
    pub(super) fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Stops it.
    ///
    /// # Panics
    /// A client has had an answer that is not the right one.
    pub(super) fn stop(self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn log_in(wire: &mut Wire) {
    wire.ask(format!("AUTH {PASSWORD}\r\n"), "OK\r\n");
}

/// Writes, reads, a compaction, a command that is rejected and one that fails.
fn round(wire: &mut Wire) {
    let sets: String = (0..KEYS).map(|key| format!("SET k{key} v\r\n")).collect();
    wire.ask(sets, "OK\r\n".repeat(KEYS));
    let gets: String = (0..KEYS).map(|key| format!("GET k{key}\r\n")).collect();
    wire.ask(gets, "VALUE v\r\n".repeat(KEYS));
    wire.ask("COMPACT\r\n", "OK\r\n");
    wire.ask_error("NONSENSE\r\n", "UNKNOWN_COMMAND");
    wire.ask_error("INCR k0\r\n", "WRONG_TYPE");
}

/// Connections that come, log in and go, with and without TLS.
fn connections(addr: SocketAddr, tls_addr: SocketAddr, tls: &Arc<ClientConfig>) {
    let mut wire = Wire::connect(addr);
    log_in(&mut wire);
    wire.ask("QUIT\r\n", "OK\r\n");
    let mut wire = TlsWire::connect(tls_addr, tls).unwrap();
    wire.ask(format!("AUTH {PASSWORD}\r\nPING\r\n"), "OK\r\nPONG\r\n");
}
