//! The system's files, which misbehave on request.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rustvault_storage::fs::OsFileSystem;
use tokio::sync::Notify;

use crate::files::{FileCall, Hooked, WHOLE};

/// Misbehaviour on request, shared between the test and the files that its store has open.
#[derive(Debug, Default)]
pub struct Faults {
    syncs: AtomicU64,
    syncs_held: Mutex<bool>,
    gate_opened: Condvar,
    syncs_begun: AtomicU64,
    sync_begun: Notify,
    fail_syncs: AtomicU64,
    fail_writes: AtomicU64,
    short_writes: AtomicU64,
}

impl Faults {
    /// Returns the system's files with these faults.
    pub fn file_system(self: &Arc<Self>) -> Hooked<OsFileSystem> {
        let faults = Arc::clone(self);
        Hooked::new(OsFileSystem, move |operation| match operation.call {
            FileCall::Write { .. } => faults.before_write(),
            FileCall::Sync => faults.before_sync(),
            _ => Ok(WHOLE),
        })
    }

    /// Makes every sync wait until the gate is dropped.
    pub fn hold_syncs(self: &Arc<Self>) -> SyncGate {
        *self.syncs_held.lock().unwrap() = true;
        SyncGate(Arc::clone(self))
    }

    /// Returns how many syncs have begun.
    pub fn syncs_begun(&self) -> u64 {
        self.syncs_begun.load(Ordering::SeqCst)
    }

    /// Waits until more than `count` syncs have begun.
    pub async fn sync_begun_after(&self, count: u64) {
        while self.syncs_begun() <= count {
            self.sync_begun.notified().await;
        }
    }

    /// Makes the next sync fail.
    pub fn fail_next_sync(&self) {
        self.fail_syncs.store(1, Ordering::SeqCst);
    }

    /// Makes the next write fail, with nothing written.
    pub fn fail_next_write(&self) {
        self.fail_writes.store(1, Ordering::SeqCst);
    }

    /// Makes the next `n` writes take one byte only, every second one interrupted.
    pub fn shorten_writes(&self, n: u64) {
        self.short_writes.store(n, Ordering::SeqCst);
    }

    /// Returns how many syncs have been let through, failed ones among them.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    fn before_write(&self) -> io::Result<usize> {
        if count_down(&self.fail_writes).is_some() {
            return Err(eio());
        }
        match count_down(&self.short_writes) {
            Some(n) if n % 2 == 1 => Err(io::ErrorKind::Interrupted.into()),
            Some(_) => Ok(1),
            None => Ok(WHOLE),
        }
    }

    fn before_sync(&self) -> io::Result<usize> {
        self.syncs_begun.fetch_add(1, Ordering::SeqCst);
        self.sync_begun.notify_one();
        let held = self.syncs_held.lock().unwrap();
        drop(self.gate_opened.wait_while(held, |held| *held).unwrap());
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if count_down(&self.fail_syncs).is_some() { Err(eio()) } else { Ok(WHOLE) }
    }
}

/// Gate that holds syncs back while it lives.
#[derive(Debug)]
pub struct SyncGate(Arc<Faults>);

impl Drop for SyncGate {
    fn drop(&mut self) {
        *self.0.syncs_held.lock().unwrap() = false;
        self.0.gate_opened.notify_all();
    }
}

fn count_down(counter: &AtomicU64) -> Option<u64> {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).ok()
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}
