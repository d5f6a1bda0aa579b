//! Notices that the log's file was removed, replaced or truncated while in use. Writes are refused from then on, because
//! the next start would not find them. The file stays open: it may be the only copy.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;
use crate::fs::{LogFile, read_up_to};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Instant, Mutex};

/// Interval between looks while something is written, or while the file is missing.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Bytes compared at the file's beginning, which never change: they tell a file copied over the log apart, whose name
/// and size may be the same. A binary log has an id of its own there.
const BEGINNING_BYTES: u64 = 64;

/// Watch over the log's file: is it still there, and still the same?
pub(super) struct FileWatch {
    /// The file's own, whatever links lead to it.
    path: PathBuf,
    started: Instant,
    /// The last check, in microseconds since `started`.
    checked_at_us: AtomicU64,
    /// Something was written after the last check.
    is_unchecked: AtomicBool,
    is_removed: AtomicBool,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    beginning: Vec<u8>,
    /// What became of the file, if it was removed.
    removal: Option<&'static str>,
}

impl FileWatch {
    /// Watches over `file`, a log at `path` that ends at `log_end`.
    pub(super) fn new(path: PathBuf, file: &dyn LogFile, log_end: u64) -> Self {
        let found = Found { beginning: beginning_of(file, log_end), removal: None };
        Self {
            path,
            started: Instant::now(),
            checked_at_us: AtomicU64::new(0),
            is_unchecked: AtomicBool::new(false),
            is_removed: AtomicBool::new(false),
            found: Mutex::new(found),
        }
    }

    /// Why writes are refused, if the file was removed.
    pub(super) fn removal(&self) -> Option<Error> {
        if !self.is_removed() {
            return None;
        }
        let reason = self.found.lock().removal?;
        Some(Error::LogRemoved { path: self.path.clone(), reason })
    }

    pub(super) fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }

    /// Notes a write that is not [checked](Self::check) now; returns whether it has to be.
    pub(super) fn note_write(&self) -> bool {
        self.is_unchecked.store(true, Ordering::Relaxed);
        self.since_check() >= CHECK_EVERY
    }

    /// Returns the time until the next check; `None` if none is due without a further write.
    pub(super) fn until_check(&self) -> Option<Duration> {
        let is_wanted = self.is_unchecked.load(Ordering::Relaxed) || self.is_removed();
        is_wanted.then(|| CHECK_EVERY.saturating_sub(self.since_check()))
    }

    /// Looks at the file, which has to have at least `min_bytes`, and in which the log ends at `log_end`.
    ///
    /// Called by whoever holds the log's end, so that the file does not change meanwhile.
    pub(super) fn check(&self, file: &dyn LogFile, log_end: u64, min_bytes: u64) {
        self.is_unchecked.store(false, Ordering::Relaxed);
        let now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.checked_at_us.store(now_us, Ordering::Relaxed);
        // Nobody who asks for the outcome waits for the disk.
        let mut beginning = self.found.lock().beginning.clone();
        // What the system does not tell changes nothing.
        if let Ok(removal) = removal(file, &self.path, min_bytes, &beginning) {
            if removal.is_none() && (beginning.len() as u64) < log_end.min(BEGINNING_BYTES) {
                beginning = beginning_of(file, log_end);
            }
            let mut found = self.found.lock();
            found.beginning = beginning;
            self.set_removal(&mut found, removal);
        }
    }

    /// Watches over another file from now on, which has taken the log's place and ends at `log_end`.
    pub(super) fn switch_to(&self, file: &dyn LogFile, log_end: u64) {
        let beginning = beginning_of(file, log_end);
        let mut found = self.found.lock();
        found.beginning = beginning;
        self.set_removal(&mut found, None);
    }

    fn set_removal(&self, found: &mut Found, removal: Option<&'static str>) {
        let before = std::mem::replace(&mut found.removal, removal);
        self.is_removed.store(removal.is_some(), Ordering::Release);
        let path = self.path.display();
        match (before, removal) {
            (None, Some(reason)) => tracing::error!(
                "log removed: {path} {reason}; writes are refused, reads go on; COMPACT writes a new log from memory"
            ),
            (Some(_), None) => tracing::info!("there is a log at {path} again: writes are taken"),
            _ => {}
        }
    }

    fn since_check(&self) -> Duration {
        let checked_at = Duration::from_micros(self.checked_at_us.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(checked_at)
    }
}

/// Returns what became of a log's file; `None` if it is there, whole.
fn removal(
    file: &dyn LogFile,
    path: &Path,
    min_bytes: u64,
    beginning: &[u8],
) -> io::Result<Option<&'static str>> {
    match file.is_at(path) {
        Ok(true) => {}
        Ok(false) => return Ok(Some("is another file now")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("is not there any more")),
        Err(error) => return Err(error),
    }
    if file.len_bytes()? < min_bytes {
        return Ok(Some("was truncated"));
    }
    let mut found = vec![0; beginning.len()];
    let read = read_up_to(file, &mut found, 0)?;
    Ok((found.get(..read) != Some(beginning)).then_some("was overwritten"))
}

/// The bytes that a log begins with. A log that cannot be read now is told apart from others by its name and size alone.
fn beginning_of(file: &dyn LogFile, log_end: u64) -> Vec<u8> {
    let mut beginning = vec![0; log_end.min(BEGINNING_BYTES) as usize];
    let read = read_up_to(file, &mut beginning, 0).unwrap_or(0);
    beginning.truncate(read);
    beginning
}
