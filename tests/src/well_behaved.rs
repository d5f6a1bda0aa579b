//! A client that does nothing wrong, and notes how long it waits beside those who do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{Wire, resident_bytes};

/// Between two of its requests: it is a client, not a load.
const PAUSE: Duration = Duration::from_millis(1);

/// Keys that it writes in turn.
const KEYS: u64 = 100;

/// A client that stores a value and reads it back, again and again, on a connection of its own.
#[derive(Debug)]
pub struct WellBehaved {
    thread: JoinHandle<Experience>,
    is_stopping: Arc<AtomicBool>,
}

/// What a well-behaved client met with.
#[derive(Debug)]
pub struct Experience {
    /// How long each answer took, the shortest first.
    waits: Vec<Duration>,
    /// Writes that were acknowledged: number `n` stored `n` under the key `n % KEYS`.
    acknowledged: u64,
    /// Most memory that the server had in use meanwhile, in bytes.
    pub peak_bytes: u64,
}

impl WellBehaved {
    /// Begins, with the server of process `pid` that listens there.
    pub fn begin(addr: SocketAddr, pid: u32) -> Self {
        Self::begin_on(Wire::connect(addr), pid)
    }

    /// Begins on a connection, for example one that is logged in.
    pub fn begin_on(mut wire: Wire, pid: u32) -> Self {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&is_stopping);
        let thread = thread::spawn(move || {
            let mut experience = Experience { waits: Vec::new(), acknowledged: 0, peak_bytes: 0 };
            while !is_ended.load(Ordering::Relaxed) {
                experience.store_and_read(&mut wire);
                experience.peak_bytes = experience.peak_bytes.max(resident_bytes(pid));
                thread::sleep(PAUSE);
            }
            experience
        });
        Self { thread, is_stopping }
    }

    /// Ends and tells.
    ///
    /// # Panics
    /// An answer was wrong, or none came.
    #[track_caller]
    pub fn end(self) -> Experience {
        self.is_stopping.store(true, Ordering::Relaxed);
        let mut experience = self.thread.join().expect("every answer is right");
        experience.waits.sort_unstable();
        experience
    }
}

impl Experience {
    fn store_and_read(&mut self, wire: &mut Wire) {
        let number = self.acknowledged;
        let key = key(number);
        self.time(|| wire.ask(format!("SET {key} {number}\r\n"), "OK\r\n"));
        self.acknowledged += 1;
        self.time(|| wire.ask(format!("GET {key}\r\n"), format!("VALUE {number}\r\n")));
    }

    fn time(&mut self, request: impl FnOnce()) {
        let start = Instant::now();
        request();
        self.waits.push(start.elapsed());
    }

    /// The answers that came.
    pub fn answers(&self) -> usize {
        self.waits.len()
    }

    /// The longest wait for an answer.
    pub fn longest(&self) -> Duration {
        self.waits.last().copied().unwrap_or_default()
    }

    /// What 99 of 100 answers did not exceed.
    pub fn p99(&self) -> Duration {
        self.waits.get(self.waits.len() * 99 / 100).copied().unwrap_or_default()
    }

    /// Looks for everything that was acknowledged.
    ///
    /// # Panics
    /// Something is lost.
    #[track_caller]
    pub fn check(&self, wire: &mut Wire) {
        for number in self.acknowledged.saturating_sub(KEYS)..self.acknowledged {
            wire.ask(format!("GET {}\r\n", key(number)), format!("VALUE {number}\r\n"));
        }
    }
}

fn key(number: u64) -> String {
    format!("well-behaved:{}", number % KEYS)
}
