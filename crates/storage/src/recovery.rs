//! Recovery: opens and reads a log, repairs its end, begins a new epoch, and returns the keyspace and the log.

pub(crate) mod json;
mod progress;
mod replay;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::fs::{Access, FileSystem, Lock, LogFile, read_up_to, sync_parent, write_all_at};
use crate::keyspace::{Effect, HashSeed, Keyspace};
use crate::sync::{Instant, SystemTime};
use crate::wal::{
    BatchHeader, Cores, Ending, FILE_HEADER_BYTES, FORMAT_VERSION, FileHeader, HeaderError, LSN_STRIDE,
    Location, LogStart, LoggedChange, ReadError, Reader,
};
use crate::{Error, LogFormat, Lsn, Options, SyncPolicy};
use replay::Replay;

pub use progress::{RecoveryPhase, RecoveryProgress};

/// Bytes of the tail that may not be synced, that are rewritten at a time.
const REWRITE_BYTES: usize = 1024 * 1024;

/// Report of what recovery found when a store was opened.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Live keys after recovery.
    pub keys: u64,
    /// Records replayed.
    pub records: u64,
    /// Bytes of a torn tail that were truncated: a write that a crash cut, which was never acknowledged as durable.
    pub torn_bytes_dropped: u64,
    /// Time that recovery took.
    pub elapsed: Duration,
}

/// A log that was opened and read.
pub(crate) struct Recovered {
    pub(crate) keyspace: Keyspace,
    pub(crate) start: LogStart,
    pub(crate) location: Location,
    pub(crate) report: RecoveryReport,
}

/// Opens the log at `path`, or creates one, and recovers its keyspace.
///
/// A refused file is left unchanged. A crash at any step leaves a file that recovers to the same state.
pub(crate) fn recover(
    fs: &Arc<dyn FileSystem>,
    path: &Path,
    options: &Options,
    progress: &RecoveryProgress,
) -> Result<Recovered, Error> {
    let began = Instant::now();
    let log = OpenLog::open(&**fs, path)?;
    let location = Location::new(Arc::clone(fs), log.target.clone());
    location.remove_leftover();
    if json::is_json(&log, options.log_format.unwrap_or_default())? {
        log.check("sync the directory of", sync_parent(&**fs, &log.target))?;
        let (keyspace, start, ending) = json::recover_json(&log, options, progress)?;
        let report = report(&keyspace, ending.records, ending.torn_bytes, began);
        return Ok(Recovered { keyspace, start, location, report });
    }
    let header = log.header()?;
    // At every open, because the process that created the file may have died before this.
    log.check("sync the directory of", sync_parent(&**fs, &log.target))?;
    let len = log.len()?;
    let replay = Replay::new(HashSeed(header.hash_seed), len, progress);
    let reader = Reader::new(&*log.file, len, &header, Cores::default());
    let ending =
        reader.read(|records, bytes| replay.apply(records, bytes)).map_err(|error| log.read_error(error))?;
    let keyspace = replay.finish()?;
    log.mend(&ending)?;
    let start = log.begin_epoch(&header, &ending, options.sync_policy)?;
    let report = report(&keyspace, ending.records, ending.torn_bytes, began);
    Ok(Recovered { keyspace, start, location, report })
}

fn report(keyspace: &Keyspace, records: u64, torn_bytes_dropped: u64, began: Instant) -> RecoveryReport {
    RecoveryReport { keys: keyspace.count(), records, torn_bytes_dropped, elapsed: began.elapsed() }
}

fn apply(keyspace: &Keyspace, change: LoggedChange<'_>, lsn: Lsn) {
    // Cleared entries are freed on this thread: nobody is served meanwhile, and a log may contain any number of clears.
    keyspace.apply(effect(change), lsn, lsn);
}

fn effect(change: LoggedChange<'_>) -> Effect<'_> {
    match change {
        LoggedChange::Set { key, value } => Effect::Put { key, value: Keyspace::content(key, value) },
        LoggedChange::Delete { key } => Effect::Delete { key },
        LoggedChange::Clear => Effect::Clear,
    }
}

/// A log's file, locked.
pub(crate) struct OpenLog {
    /// Path of the log, as the caller gave it.
    pub(crate) path: PathBuf,
    /// Path of the file that it resolves to.
    pub(crate) target: PathBuf,
    pub(crate) file: Arc<dyn LogFile>,
}

impl OpenLog {
    fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, Error> {
        Self::open_with(fs, path, |target| fs.open(target))
    }

    /// Opens as [`open`](Self::open) does, but creates no file.
    pub(crate) fn open_existing(fs: &dyn FileSystem, path: &Path, access: Access) -> Result<Self, Error> {
        Self::open_with(fs, path, |target| fs.open_existing(target, access))
    }

    fn open_with(
        fs: &dyn FileSystem,
        path: &Path,
        open: impl Fn(&Path) -> std::io::Result<Arc<dyn LogFile>>,
    ) -> Result<Self, Error> {
        let target = fs.resolve(path).map_err(|error| io_error("open", path, error))?;
        loop {
            let file = open(&target).map_err(|error| io_error("open", path, error))?;
            match file.try_lock().map_err(|error| io_error("lock", path, error))? {
                Lock::Taken => {}
                Lock::HeldBy { pid } => return Err(Error::Locked { path: path.to_owned(), holder_pid: pid }),
            }
            match file.is_at(&target) {
                Ok(true) => return Ok(Self { path: path.to_owned(), target, file }),
                // The previous holder has compacted the log between the opening and the locking.
                Ok(false) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("find", path, error)),
            }
        }
    }

    /// Reads the file header; a file without content gets one.
    fn header(&self) -> Result<FileHeader, Error> {
        if self.is_blank()? {
            return self.create();
        }
        self.read_header()
    }

    pub(crate) fn read_header(&self) -> Result<FileHeader, Error> {
        let mut bytes = [0; FILE_HEADER_BYTES];
        let read = self.check("read", read_up_to(&*self.file, &mut bytes, 0))?;
        FileHeader::decode(bytes.split_at(read).0).map_err(|error| self.header_error(error))
    }

    /// Returns whether the file is empty or all zeros, as a crash during the creation of a log can leave it.
    pub(crate) fn is_blank(&self) -> Result<bool, Error> {
        let mut buffer = vec![0; REWRITE_BYTES];
        let mut offset = 0;
        loop {
            let read = self.check("read", read_up_to(&*self.file, &mut buffer, offset))?;
            if read == 0 {
                return Ok(true);
            }
            if buffer.iter().take(read).any(|&byte| byte != 0) {
                return Ok(false);
            }
            offset += read as u64;
        }
    }

    fn create(&self) -> Result<FileHeader, Error> {
        let created_ms =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let header = FileHeader {
            log_id: crate::random::bytes()?,
            hash_seed: crate::random::bytes()?,
            created_ms: u64::try_from(created_ms).unwrap_or(u64::MAX),
            is_compacted: false,
        };
        self.check("write to", write_all_at(&*self.file, &header.encode(), 0))?;
        self.check("sync", self.file.sync())?;
        Ok(header)
    }

    /// Truncates a torn tail, and ensures that the disk has the bytes that were read.
    ///
    /// After a failed sync the page cache may contain bytes that the disk lacks, and a later sync does not write them. Rewriting
    /// makes them dirty, so the next sync covers them.
    pub(crate) fn mend(&self, ending: &Ending) -> Result<(), Error> {
        if ending.torn_bytes > 0 {
            self.check("cut the torn tail of", self.file.set_len(ending.offset))?;
        }
        let mut buffer = vec![0; REWRITE_BYTES];
        let mut at = ending.unproven_from;
        while at < ending.offset {
            let want = (ending.offset - at).min(REWRITE_BYTES as u64) as usize;
            let piece = buffer.split_at_mut(want).0;
            self.check("read", read_up_to(&*self.file, piece, at))?;
            self.check("write to", write_all_at(&*self.file, piece, at))?;
            at += want as u64;
        }
        self.check("sync", self.file.sync())
    }

    /// Returns the start of the new epoch, which follows a seal of the recovered records.
    ///
    /// Unless the log was closed, a crash may have lost writes without a trace, so the LSNs jump. Nothing is written yet: the disk
    /// may be full, and the recovered data can be read all the same.
    pub(crate) fn begin_epoch(
        &self,
        header: &FileHeader,
        ending: &Ending,
        policy: SyncPolicy,
    ) -> Result<LogStart, Error> {
        let stride = if ending.is_closed { 0 } else { LSN_STRIDE };
        let next_lsn = Lsn::new(ending.next_lsn.get().saturating_add(stride));
        let epoch = ending.epoch.saturating_add(1);
        let crc_seed = header.crc_seed();
        let last_lsn = Lsn::new(next_lsn.get() - 1);
        let seal = BatchHeader::seal(false, epoch, last_lsn, ending.previous_crc, crc_seed);
        let (seal, previous_crc) = BatchHeader { jumps: stride > 0, ..seal }.encode(crc_seed);
        Ok(LogStart {
            path: self.path.clone(),
            target: self.target.clone(),
            file: Arc::clone(&self.file),
            policy,
            format: LogFormat::Binary,
            offset: ending.offset,
            opening_seal: Some(seal),
            file_bytes: self.len()?,
            epoch,
            crc_seed,
            previous_crc,
            next_lsn,
            last_timestamp_ms: ending.last_timestamp_ms,
        })
    }

    /// Writes and syncs the seal that begins this epoch.
    pub(crate) fn seal(&self, start: &LogStart) -> Result<(), Error> {
        let seal = start.opening_seal.as_ref().map_or(&[][..], |seal| seal);
        self.check("write to", write_all_at(&*self.file, seal, start.offset))?;
        self.check("sync", self.file.sync())
    }

    pub(crate) fn len(&self) -> Result<u64, Error> {
        self.check("read", self.file.len_bytes())
    }

    pub(crate) fn check<T>(&self, action: &'static str, result: std::io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| io_error(action, &self.path, error))
    }

    fn header_error(&self, error: HeaderError) -> Error {
        let path = self.path.clone();
        match error {
            HeaderError::Foreign(reason) => Error::NotALog { path, reason },
            HeaderError::Newer { found } => Error::NewerFormat { path, found, supported: FORMAT_VERSION },
            HeaderError::Damaged(reason) => Error::Corrupted { path, offset: 0, reason: reason.to_owned() },
        }
    }

    pub(crate) fn read_error(&self, error: ReadError) -> Error {
        match error {
            ReadError::Io(error) => io_error("read", &self.path, error),
            ReadError::Corrupted { offset, reason } => {
                Error::Corrupted { path: self.path.clone(), offset, reason }
            }
            ReadError::Internal(error) => error,
        }
    }
}

pub(crate) fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source: Arc::new(source) }
}
