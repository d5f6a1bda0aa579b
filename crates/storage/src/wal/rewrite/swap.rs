//! Writes the log's successor beside it, and has it take the log's place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::LogSource;
use super::successor::Successor;
use crate::fs::{Access, Directory, FileSystem, Lock, LogFile};
use crate::sync::atomic::Ordering;
use crate::wal::format::header::FileHeader;
use crate::wal::format::record::LoggedEntry;
use crate::wal::write::admission::now_ms;
use crate::wal::write::file_watch::Removal;
use crate::wal::write::group_commit::{FailOnPanic, SharedLog};
use crate::wal::write::handle::LogHandle;
use crate::wal::write::log_end::Mark;
use crate::{Error, LogFormat, Lsn};

/// Most files beside a log that have had its place one after the other.
const MAX_KEPT_FILES: u32 = 1000;

/// Location of a log, and of its successor.
#[derive(Clone)]
pub(crate) struct Location {
    fs: Arc<dyn FileSystem>,
    /// The log's file itself, whatever links lead to it.
    log: PathBuf,
    /// Its successor's, until that takes over.
    successor: PathBuf,
}

/// A log that is being written anew beside the one in use, to take its location.
///
/// Dropped before that, it removes what it has written.
pub(crate) struct Rewrite {
    shared: Arc<SharedLog>,
    location: Location,
    source: LogSource,
    successor: Successor,
    last_lsn: Lsn,
    has_taken_over: bool,
}

impl Location {
    /// The location of the log whose file is at `log`, which is not a link.
    pub(crate) fn new(fs: Arc<dyn FileSystem>, log: PathBuf) -> Self {
        let mut successor = log.clone().into_os_string();
        successor.push(".compacting");
        Self { fs, log, successor: successor.into() }
    }

    /// Removes what a compaction left that a crash ended. Only who holds the log's lock may do that.
    pub(crate) fn remove_leftover(&self) {
        match self.fs.remove(&self.successor) {
            Ok(()) => tracing::info!(path = %self.successor.display(), "removed an unfinished compaction"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.successor.display(), %error, "cannot remove an unfinished compaction");
            }
        }
    }

    /// Bytes that are free where the log is.
    pub(crate) fn free_bytes(&self) -> Result<u64, Error> {
        let free = self.fs.free_bytes(&self.log);
        free.map_err(|error| io_error("ask for the free space at", &self.log, error))
    }

    /// The error of a thread that cannot be started.
    pub(crate) fn spawn_error(&self) -> impl Fn(io::Error) -> Error + use<> {
        let log = self.log.clone();
        move |error| io_error("start a thread for", &log, error)
    }

    /// The error of a compaction that the disk has no room for.
    pub(crate) fn no_room(&self) -> Error {
        io_error("make room for", &self.successor, io::ErrorKind::StorageFull.into())
    }

    /// Begins a successor in this format, of a log that is as `mark` says, for the owner of the file `like`.
    pub(super) fn begin_successor(
        &self,
        format: LogFormat,
        hash_seed: [u8; 16],
        mark: Mark,
        like: &dyn LogFile,
    ) -> Result<Successor, Error> {
        let header = match format {
            LogFormat::Binary => Some(FileHeader {
                log_id: crate::random::bytes()?,
                hash_seed,
                created_ms: now_ms().max(mark.last_timestamp_ms),
                // All of it is synced before it becomes the log.
                is_compacted: true,
            }),
            LogFormat::Json => None,
        };
        Ok(Successor::new(self.create(like)?, self.successor.clone(), header.as_ref(), mark))
    }

    /// Makes the successor's file, locked.
    fn create(&self, like: &dyn LogFile) -> Result<Arc<dyn LogFile>, Error> {
        // A leftover goes first: to empty it would empty what else is linked to it.
        match self.fs.remove(&self.successor) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("replace", &self.successor, error));
            }
            _ => {}
        }
        // Of the open file: what has its name now may be somebody else's.
        let like = like.ownership().map_err(|error| io_error("look at", &self.log, error))?;
        let file = self.fs.create(&self.successor, like);
        let file = file.map_err(|error| io_error("create", &self.successor, error))?;
        // Whoever opens the log after it was renamed must find it locked.
        match file.try_lock().map_err(|error| io_error("lock", &self.successor, error))? {
            Lock::Taken => Ok(file),
            Lock::HeldBy { pid } => Err(Error::Locked { path: self.successor.clone(), holder_pid: pid }),
        }
    }

    /// Gives the log's name to the successor of a log that nobody writes, for good.
    pub(super) fn replace(&self) -> Result<(), Error> {
        let directory = self.open_directory()?;
        let renamed = self.fs.rename(&self.successor, &self.log);
        renamed.map_err(|error| io_error("replace", &self.log, error))?;
        let synced = directory.sync();
        synced.map_err(|error| io_error("sync the directory of", &self.log, error))
    }

    /// Opens the directory that has both names. Done before the rename: once that is done, nothing may fail for
    /// want of a descriptor.
    fn open_directory(&self) -> Result<Box<dyn Directory>, Error> {
        let directory = self.fs.open_parent(&self.log);
        directory.map_err(|error| io_error("open the directory of", &self.log, error))
    }

    /// Locks the file that has taken the log's place, so that nobody begins to use it as a log.
    fn lock_other(&self) -> Result<Arc<dyn LogFile>, Error> {
        let file = self.fs.open_existing(&self.log, Access::Read);
        let file = file.map_err(|error| io_error("open", &self.log, error))?;
        match file.try_lock().map_err(|error| io_error("lock", &self.log, error))? {
            Lock::Taken => Ok(file),
            Lock::HeldBy { pid } => Err(Error::Locked { path: self.log.clone(), holder_pid: pid }),
        }
    }

    /// Gives the file that is at the log's place a further name, so that it is not lost.
    fn keep_aside(&self) -> Result<(), Error> {
        for number in 1..=MAX_KEPT_FILES {
            let mut aside = self.log.clone().into_os_string();
            aside.push(format!(".replaced-{number}"));
            match self.fs.link(&self.log, Path::new(&aside)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("keep the file that is now at", &self.log, error)),
                Ok(()) => {
                    let (log, aside) = (self.log.display(), Path::new(&aside).display());
                    tracing::warn!("another file was at {log}: it is kept as {aside}");
                    return Ok(());
                }
            }
        }
        let error = io::Error::new(io::ErrorKind::AlreadyExists, "all names for it are taken");
        Err(io_error("keep the file that is now at", &self.log, error))
    }

    /// Removes the successor.
    pub(super) fn discard(&self) {
        if let Err(error) = self.fs.remove(&self.successor) {
            tracing::warn!(path = %self.successor.display(), %error, "cannot remove an unfinished compaction");
        }
    }
}

impl Rewrite {
    /// Begins a successor whose entries are as of now, in this format.
    pub(crate) fn begin(
        log: &LogHandle,
        location: &Location,
        format: LogFormat,
        hash_seed: [u8; 16],
    ) -> Result<Self, Error> {
        let shared = Arc::clone(&log.shared);
        let (mark, source) = {
            let appender = shared.appender.lock();
            (appender.mark(shared.written()), LogSource::new(appender.end(), location.log.clone()))
        };
        let successor = location.begin_successor(format, hash_seed, mark, source.file())?;
        let location = location.clone();
        Ok(Self { shared, location, source, successor, last_lsn: mark.last_lsn, has_taken_over: false })
    }

    /// The record up to which entries are wanted: later ones follow as they were logged.
    pub(crate) const fn last_lsn(&self) -> Lsn {
        self.last_lsn
    }

    /// Adds an entry.
    pub(crate) fn push_entry(&mut self, entry: &LoggedEntry<'_>) -> Result<(), Error> {
        self.successor.push_entry(entry)
    }

    /// Ends the entries: records come next.
    pub(crate) fn end_entries(&mut self) -> Result<(), Error> {
        self.successor.end_entries()
    }

    /// Returns the number of bytes in the log in use that were not copied yet.
    pub(crate) fn bytes_behind(&self) -> u64 {
        self.source.bytes_to(self.shared.appender.lock().offset())
    }

    /// Copies about `max_bytes` of what was written since the entries.
    pub(crate) fn copy(&mut self, max_bytes: u64) -> Result<(), Error> {
        let end = self.shared.appender.lock().offset();
        self.source.copy(end, max_bytes, &mut self.successor)
    }

    /// Cares for the speed of copying more than for the log's own syncs from now on.
    pub(crate) const fn hurry(&mut self) {
        self.successor.hurry();
    }

    /// Prepares the place behind the copy, so that what is added last is synced fast.
    pub(crate) fn zero_ahead(&mut self) -> Result<(), Error> {
        self.successor.zero_ahead()
    }

    /// The successor's size so far, in bytes.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.successor.len_bytes()
    }

    /// Memory that it takes, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.source.memory_bytes() + self.successor.memory_bytes()
    }

    /// Copies what is left, and makes the successor the log. Nothing is written or synced meanwhile.
    ///
    /// With `may_restore` also if the log's file is not there any more; another one that has its name is kept.
    ///
    /// Returns the old file, which still has to be closed. An error leaves the log as it is, unless it is not
    /// known which file a crash would leave: then the log has failed.
    pub(crate) fn take_over(mut self, may_restore: bool) -> Result<Arc<dyn LogFile>, Error> {
        let directory = self.location.open_directory()?;
        let shared = Arc::clone(&self.shared);
        let mut appender = shared.appender.lock();
        let mut syncing = shared.syncing.lock();
        // After the rename, one who went on in the old file would lose what he acknowledges.
        let _guard = FailOnPanic::new(&shared);
        shared.check()?;
        shared.check_file(&appender);
        let _running = shared.watchdog.sync_begins();
        let written = shared.written();
        self.source.copy(appender.offset(), u64::MAX, &mut self.successor)?;
        // What was admitted has claims on room, which are worth more or less of it in another format.
        let moving = shared.space.begin_move();
        let room_bytes = moving.room_bytes(self.successor.format()).max(appender.reserved_bytes());
        self.successor.reserve(room_bytes)?;
        self.successor.seal(written)?;
        let _other = self.rename(&**syncing, may_restore)?;
        self.has_taken_over = true;
        // Until this a crash may leave either file: what went into one only would be in doubt.
        if let Err(error) = directory.sync() {
            shared.counters.failures.syncs.fetch_add(1, Ordering::Relaxed);
            return Err(self.fail("sync the directory of", error));
        }
        *syncing = Arc::clone(self.successor.file());
        let old_file = appender.switch_to(self.successor.end());
        shared.synced.fetch_max(written.get(), Ordering::AcqRel);
        moving.moved(self.successor.format(), appender.offset(), appender.reserved_end());
        shared.file_watch.switch_to(&**self.successor.file(), appender.offset());
        drop((syncing, appender));
        shared.waiters.wake_leaders(shared.watermark().get());
        Ok(old_file)
    }

    /// Gives the log's name to the successor. Returns the file that had it, locked, if that is not the log in use.
    fn rename(&self, old_file: &dyn LogFile, may_restore: bool) -> Result<Option<Arc<dyn LogFile>>, Error> {
        let Location { fs, log, successor } = &self.location;
        let other = match old_file.is_at(log) {
            Ok(true) => self.look_at_old_file(may_restore).map(|()| None)?,
            Ok(false) if may_restore => {
                let other = self.location.lock_other()?;
                self.location.keep_aside()?;
                Some(other)
            }
            Ok(false) => {
                let error = io::Error::other("another file has taken the log's place");
                return Err(io_error("replace", log, error));
            }
            Err(error) if may_restore && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error("find", log, error)),
        };
        let Err(error) = fs.rename(successor, log) else { return Ok(other) };
        // It may have been renamed all the same.
        match self.successor.file().is_at(log) {
            Ok(true) => Ok(other),
            Ok(false) => Err(io_error("replace", log, error)),
            Err(_) => Err(self.fail("replace", error)),
        }
    }

    /// Makes sure that nothing is lost with the file in use: somebody may have copied another one into it.
    fn look_at_old_file(&self, may_restore: bool) -> Result<(), Error> {
        match self.shared.file_watch.removal() {
            Some(Removal::Overwritten) if may_restore => self.location.keep_aside(),
            Some(_) if !may_restore => self.shared.file_watch.error().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    fn fail(&self, action: &'static str, error: io::Error) -> Error {
        let error = io_error(action, &self.location.log, error);
        self.shared.fail(error.clone());
        error
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        if self.has_taken_over {
            return;
        }
        self.location.discard();
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source: Arc::new(source) }
}
