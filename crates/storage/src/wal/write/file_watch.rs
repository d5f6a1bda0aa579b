//! Detects that the log's file was removed, replaced or truncated while in use. Writes are refused from then on, because the next start
//! would not find them. The file stays open, because it may be the only copy.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;
use crate::fs::{LogFile, read_up_to};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::sync::{Instant, Mutex};

/// Interval between checks while something is written, or while the file is missing.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Bytes at the file's beginning that are compared; they never change. They distinguish a file that was copied over the log, which may
/// have the same name and size: a binary log has a random id there.
const BEGINNING_BYTES: u64 = 64;

/// Checks that the log's file still exists, and is the same.
pub(in crate::wal) struct FileWatch {
    /// Path of the file itself, after following links.
    path: PathBuf,
    started: Instant,
    /// Time of the last check, in microseconds since `started`.
    checked_at_us: AtomicU64,
    /// Set if something was written after the last check.
    is_unchecked: AtomicBool,
    /// A [`Removal`] as a number; 0 for none. Atomic, so that readers need no lock.
    removal: AtomicU8,
    beginning: Mutex<Vec<u8>>,
}

/// The way in which the log's file was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wal) enum Removal {
    Missing = 1,
    Replaced,
    Truncated,
    Overwritten,
}

impl Removal {
    const ALL: [Self; 4] = [Self::Missing, Self::Replaced, Self::Truncated, Self::Overwritten];

    const fn text(self) -> &'static str {
        match self {
            Self::Missing => "is not there any more",
            Self::Replaced => "is another file now",
            Self::Truncated => "was truncated",
            Self::Overwritten => "was overwritten",
        }
    }

    /// Returns whether the same, complete file may come back. A truncated or overwritten file does not: the next write may restore its
    /// size, but not its content.
    const fn may_end(self) -> bool {
        matches!(self, Self::Missing | Self::Replaced)
    }
}

impl FileWatch {
    /// Begins to watch `file`, a log at `path` that ends at `log_end`.
    pub(super) fn new(path: PathBuf, file: &dyn LogFile, log_end: u64) -> Self {
        Self {
            path,
            started: Instant::now(),
            checked_at_us: AtomicU64::new(0),
            is_unchecked: AtomicBool::new(false),
            removal: AtomicU8::new(0),
            beginning: Mutex::new(beginning_of(file, log_end)),
        }
    }

    /// Returns the error for which writes are refused, if the file was removed.
    pub(in crate::wal) fn error(&self) -> Option<Error> {
        self.removal().map(|removal| Error::LogRemoved { path: self.path.clone(), reason: removal.text() })
    }

    pub(in crate::wal) fn removal(&self) -> Option<Removal> {
        let number = self.removal.load(Ordering::Acquire);
        Removal::ALL.into_iter().find(|&removal| removal as u8 == number)
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removal.load(Ordering::Acquire) != 0
    }

    /// Records a write; returns whether a [check](Self::check) is due.
    pub(super) fn note_write(&self) -> bool {
        self.is_unchecked.store(true, Ordering::Relaxed);
        self.since_check() >= CHECK_EVERY
    }

    /// Returns the time until the next check; `None` if none is due without a further write.
    pub(super) fn until_check(&self) -> Option<Duration> {
        let is_wanted = self.is_unchecked.load(Ordering::Relaxed) || self.is_removed();
        is_wanted.then(|| CHECK_EVERY.saturating_sub(self.since_check()))
    }

    /// Checks the file, which must have at least `min_bytes`, and in which the log ends at `log_end`.
    ///
    /// The caller holds the log's end, so that the file does not change meanwhile.
    pub(super) fn check(&self, file: &dyn LogFile, log_end: u64, min_bytes: u64) {
        self.is_unchecked.store(false, Ordering::Relaxed);
        let now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.checked_at_us.store(now_us, Ordering::Relaxed);
        if self.removal().is_some_and(|removal| !removal.may_end()) {
            return;
        }
        let mut beginning = self.beginning.lock();
        // If the system reports an error, nothing changes.
        if let Ok(removal) = look(file, &self.path, min_bytes, &beginning) {
            if removal.is_none() && (beginning.len() as u64) < log_end.min(BEGINNING_BYTES) {
                *beginning = beginning_of(file, log_end);
            }
            self.set_removal(removal);
        }
    }

    /// Watches another file from now on, which has replaced the log and ends at `log_end`.
    pub(in crate::wal) fn switch_to(&self, file: &dyn LogFile, log_end: u64) {
        *self.beginning.lock() = beginning_of(file, log_end);
        self.set_removal(None);
    }

    fn set_removal(&self, removal: Option<Removal>) {
        let before = self.removal.swap(removal.map_or(0, |removal| removal as u8), Ordering::AcqRel);
        let path = self.path.display();
        match removal {
            Some(removal) if before == 0 => tracing::error!(
                "log removed: {path} {}; writes are refused, reads continue; COMPACT writes a new log from memory",
                removal.text()
            ),
            None if before != 0 => tracing::info!("the log is at {path} again: writes resume"),
            _ => {}
        }
    }

    fn since_check(&self) -> Duration {
        let checked_at = Duration::from_micros(self.checked_at_us.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(checked_at)
    }
}

/// Returns what happened to a log's file; `None` if it is complete.
fn look(file: &dyn LogFile, path: &Path, min_bytes: u64, beginning: &[u8]) -> io::Result<Option<Removal>> {
    match file.is_at(path) {
        Ok(true) => {}
        Ok(false) => return Ok(Some(Removal::Replaced)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Removal::Missing)),
        Err(error) => return Err(error),
    }
    if file.len_bytes()? < min_bytes {
        return Ok(Some(Removal::Truncated));
    }
    let mut found = vec![0; beginning.len()];
    let read = read_up_to(file, &mut found, 0)?;
    Ok((found.get(..read) != Some(beginning)).then_some(Removal::Overwritten))
}

/// Returns the first bytes of a log. A log that cannot be read now is distinguished by its name and size alone.
fn beginning_of(file: &dyn LogFile, log_end: u64) -> Vec<u8> {
    let mut beginning = vec![0; log_end.min(BEGINNING_BYTES) as usize];
    let read = read_up_to(file, &mut beginning, 0).unwrap_or(0);
    beginning.truncate(read);
    beginning
}
