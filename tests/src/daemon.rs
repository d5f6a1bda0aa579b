//! A daemon that runs.

use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::launch::Launch;
use crate::log::Log;
use crate::{PATIENCE, Wire, resident_bytes, wait_for_exit};

/// A daemon that serves; it is killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    launch: Launch,
    process: Child,
    /// Of the daemon; `process` may be its tracer.
    pid: u32,
    addr: SocketAddr,
    log: Log,
    ready: String,
}

impl Daemon {
    pub(crate) fn new(launch: Launch, process: Child, log: Log, ready: String, is_traced: bool) -> Self {
        let addr = address_in(&ready).unwrap_or_else(|| panic!("no address in {ready:?}"));
        let pid = process.id();
        let mut daemon = Self { launch, process, pid, addr, log, ready };
        if is_traced {
            daemon.pid = daemon.wire().info("pid").parse().expect("a number");
        }
        daemon
    }

    /// How it was started; starting that again, once this one has ended, is a restart.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Where it listens; of several addresses the first.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The line that said that it serves.
    pub fn ready_line(&self) -> &str {
        &self.ready
    }

    /// What it has said on standard error so far.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.so_far()
    }

    /// Waits for a line with this text on standard error.
    ///
    /// # Panics
    /// It does not come.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.log.wait_for(|line| line.contains(text)).expect("the daemon says it")
    }

    /// A new connection to it.
    #[track_caller]
    pub fn wire(&self) -> Wire {
        Wire::connect(self.addr)
    }

    /// Its memory in use, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes(self.pid)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send_signal(self.pid, signal);
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// It does not within `limit`.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait_for_exit(&mut self.process, limit)
    }

    /// Stops it with SIGTERM.
    ///
    /// # Panics
    /// It does not exit with 0 within ten seconds.
    #[track_caller]
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait(Duration::from_secs(10));
        assert!(status.success(), "{status}: {:#?}", self.log.whole());
    }

    /// Ends it with SIGKILL.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait(PATIENCE);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            send_signal(self.pid, Signal::KILL);
            // What is left to do if this fails is the system's.
            let _ = self.process.wait();
        }
    }
}

pub(crate) fn send_signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("not 0");
    // A process that has ended needs no signal.
    let _ = kill_process(pid, signal);
}

/// The first address in a start-up line of either format.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("address=").or_else(|| line.split_once("\"address\":\""))?;
    rest.split([' ', '"', ',']).next()?.parse().ok()
}
