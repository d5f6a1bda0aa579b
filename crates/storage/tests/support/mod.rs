//! A file system that misbehaves on request, on top of the real one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rustvault_storage::fs::{FileSystem, Lock, LogFile, OsFileSystem};
use tokio::sync::Notify;

/// Shared between the test and the files that its store has open.
#[derive(Default)]
pub(crate) struct Faults {
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
    /// Every sync waits from now on until the gate is dropped.
    pub(crate) fn hold_syncs(&self) -> Gate<'_> {
        *self.syncs_held.lock().unwrap() = true;
        Gate(self)
    }

    /// How many syncs have begun.
    pub(crate) fn syncs_begun(&self) -> u64 {
        self.syncs_begun.load(Ordering::SeqCst)
    }

    /// Ends once more than `count` syncs have begun.
    pub(crate) async fn sync_begun_after(&self, count: u64) {
        while self.syncs_begun() <= count {
            self.sync_begun.notified().await;
        }
    }

    pub(crate) fn fail_next_sync(&self) {
        self.fail_syncs.store(1, Ordering::SeqCst);
    }

    pub(crate) fn fail_next_write(&self) {
        self.fail_writes.store(1, Ordering::SeqCst);
    }

    /// The next `n` writes take one byte only, every second one is interrupted.
    pub(crate) fn shorten_writes(&self, n: u64) {
        self.short_writes.store(n, Ordering::SeqCst);
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }
}

/// Holds syncs back while it lives.
pub(crate) struct Gate<'a>(&'a Faults);

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        *self.0.syncs_held.lock().unwrap() = false;
        self.0.gate_opened.notify_all();
    }
}

#[derive(Default, Clone)]
pub(crate) struct FaultyFileSystem {
    pub(crate) faults: Arc<Faults>,
}

impl FileSystem for FaultyFileSystem {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = OsFileSystem.open(path)?;
        Ok(Arc::new(FaultyFile { file, faults: Arc::clone(&self.faults) }))
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.sync_parent(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        OsFileSystem.resolve(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = OsFileSystem.create(path)?;
        Ok(Arc::new(FaultyFile { file, faults: Arc::clone(&self.faults) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.remove(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        OsFileSystem.free_bytes(path)
    }
}

struct FaultyFile {
    file: Arc<dyn LogFile>,
    faults: Arc<Faults>,
}

fn count_down(counter: &AtomicU64) -> Option<u64> {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).ok()
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl LogFile for FaultyFile {
    fn try_lock(&self) -> io::Result<Lock> {
        self.file.try_lock()
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if count_down(&self.faults.fail_writes).is_some() {
            return Err(eio());
        }
        match count_down(&self.faults.short_writes) {
            Some(n) if n % 2 == 1 => Err(io::ErrorKind::Interrupted.into()),
            Some(_) => self.file.write_at(&bytes[..1], offset),
            None => self.file.write_at(bytes, offset),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.syncs_begun.fetch_add(1, Ordering::SeqCst);
        self.faults.sync_begun.notify_one();
        let held = self.faults.syncs_held.lock().unwrap();
        drop(self.faults.gate_opened.wait_while(held, |held| *held).unwrap());
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        if count_down(&self.faults.fail_syncs).is_some() {
            return Err(eio());
        }
        self.file.sync()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)
    }

    fn reserve(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.file.reserve(offset, len_bytes)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.file.is_at(path)
    }
}
