//! Tools for a log that no store has open: look at it, check it, read it out, convert it, repair it.
//!
//! ```
//! # fn main() -> Result<(), rustvault_storage::Error> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("vault.log");
//! # rustvault_storage::DurableStore::open(&path, rustvault_storage::Options::default())?.close()?;
//! use rustvault_storage::offline::{Access, OfflineLog};
//!
//! let checked = OfflineLog::open(&path, Access::Read)?.verify()?;
//! println!("{} records, {} bytes of a torn tail", checked.records, checked.torn_bytes);
//! # Ok(())
//! # }
//! ```

mod convert;
mod inspect;
mod load;
mod meter;
mod repair;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub use crate::fs::Access;
pub use crate::wal::BatchKind;
pub use inspect::{Batch, Binary, Epoch, Inspection};
pub use load::{LoadError, check_first_line, load};
pub use repair::Cut;

use crate::durable::MAX_LIMIT_BYTES;
use crate::fs::{FileSystem, OsFileSystem};
use crate::options::DEFAULT_MAX_KEY_BYTES;
use crate::recovery::{OpenLog, io_error, json};
use crate::wal::{
    Cores, FileHeader, JsonEnding, JsonReadError, JsonReader, Logged, Reader, Visitor, encode_line,
    max_line_bytes, pass,
};
use crate::{Error, LogFormat};
use meter::Meter;

/// Longest line that is read as a record: room for every key that a server takes, and for every value.
const MAX_LINE_BYTES: usize = max_line_bytes(DEFAULT_MAX_KEY_BYTES, MAX_LIMIT_BYTES);

/// Lines are written out when there are so many bytes of them.
const DUMP_PIECE_BYTES: usize = 256 * 1024;

/// A log that this process has locked, and no store has open. The lock ends with it.
///
/// A file without any content is a log without records: a crash can leave one of a log that was being made.
pub struct OfflineLog {
    fs: Arc<dyn FileSystem>,
    log: OpenLog,
    len: u64,
    format: DetectedFormat,
}

/// The format that the content of a log shows.
#[derive(Clone, Copy)]
enum DetectedFormat {
    Blank,
    Binary(FileHeader),
    Json,
}

/// Contents of a sound log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Records, the entries of a compacted log among them.
    pub records: u64,
    /// Offset at which the sound part ends, in bytes from the start of the file.
    pub end_offset: u64,
    /// Bytes of a torn tail after that, as a crash may leave one: a store drops them when it opens the log.
    pub torn_bytes: u64,
}

impl OfflineLog {
    /// Opens and locks the log at `path`, which must be there. Nothing is changed.
    ///
    /// # Errors
    /// [`Error::Locked`] while a store or another tool has it; [`Error::NotALog`], [`Error::NewerFormat`], and
    /// [`Error::Corrupted`] if it does not even begin like a log; [`Error::Io`], also if there is no such file.
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self, Error> {
        Self::open_on(Arc::new(OsFileSystem), path, access)
    }

    /// Opens and locks a log as [`open`](Self::open) does, on a file system of your own, which has to have
    /// [`open_existing`](FileSystem::open_existing).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(fs: Arc<dyn FileSystem>, path: impl AsRef<Path>, access: Access) -> Result<Self, Error> {
        let log = OpenLog::open_existing(&*fs, path.as_ref(), access)?;
        let format = DetectedFormat::of(&log)?;
        let len = log.len()?;
        Ok(Self { fs, log, len, format })
    }

    /// The file's size in bytes.
    pub const fn len_bytes(&self) -> u64 {
        self.len
    }

    /// Returns the format in which the log is encoded; `None` while it is without any content.
    pub const fn format(&self) -> Option<LogFormat> {
        match self.format {
            DetectedFormat::Blank => None,
            DetectedFormat::Binary(_) => Some(LogFormat::Binary),
            DetectedFormat::Json => Some(LogFormat::Json),
        }
    }

    /// Registers `on_read`, which is called with the number of bytes each time that some are read, maybe from
    /// several threads at once. Whatever reads the log reads most bytes once, and a few more than once.
    #[must_use]
    pub fn on_read(mut self, on_read: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.log.file = Arc::new(Meter::new(self.log.file, on_read));
        self
    }

    /// Reads all of the log, on all cores, and checks everything that can be checked.
    ///
    /// # Errors
    /// [`Error::Corrupted`] with the first place of damage; [`Error::NotALog`]; [`Error::Io`].
    pub fn verify(&self) -> Result<Checked, Error> {
        match self.format {
            DetectedFormat::Binary(header) => {
                let reader = Reader::new(&*self.log.file, self.len, &header, Cores::default());
                let ending = reader.read(|_, _| {}).map_err(|error| self.log.read_error(error))?;
                let (records, end_offset) = (ending.records, ending.offset);
                Ok(Checked { records, end_offset, torn_bytes: ending.torn_bytes })
            }
            _ => self.visit(&mut NoVisitor),
        }
    }

    /// Writes every record, in the order of the log, as a line of a log of JSON lines.
    ///
    /// Of a damaged log that are the records before the damage.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`Error::Io`] also with what `out` says.
    pub fn dump(&self, out: &mut impl Write) -> Result<Checked, Error> {
        let mut dump = Dump { path: &self.log.path, lines: Vec::new(), out };
        let checked = self.visit(&mut dump);
        dump.flush()?;
        checked
    }

    /// Reads the log in order on this thread.
    fn visit(&self, visitor: &mut impl Visitor) -> Result<Checked, Error> {
        match self.format {
            DetectedFormat::Blank => Ok(Checked { records: 0, end_offset: 0, torn_bytes: 0 }),
            DetectedFormat::Binary(header) => {
                let passed = pass(&*self.log.file, self.len, &header, visitor)?;
                let torn_bytes = passed.verdict.map_err(|error| self.log.read_error(error))?;
                Ok(Checked { records: passed.sound.records, end_offset: passed.sound.offset, torn_bytes })
            }
            DetectedFormat::Json => {
                let ending = self.visit_lines(visitor).map_err(|error| json::read_error(&self.log, error))?;
                let JsonEnding { records, offset, torn_bytes, .. } = ending;
                Ok(Checked { records, end_offset: offset, torn_bytes })
            }
        }
    }

    fn visit_lines(&self, visitor: &mut impl Visitor) -> Result<JsonEnding, JsonReadError> {
        let reader = JsonReader::new(&*self.log.file, self.len, MAX_LINE_BYTES)?;
        reader.read(|logged, timestamp_ms, _| visitor.record(logged, timestamp_ms))
    }
}

impl std::fmt::Debug for OfflineLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = &self.log.path;
        f.debug_struct("OfflineLog").field("path", path).field("len", &self.len).finish_non_exhaustive()
    }
}

impl DetectedFormat {
    fn of(log: &OpenLog) -> Result<Self, Error> {
        if json::is_json(log, LogFormat::Binary)? {
            Ok(Self::Json)
        } else if log.is_blank()? {
            Ok(Self::Blank)
        } else {
            log.read_header().map(Self::Binary)
        }
    }
}

struct NoVisitor;

impl Visitor for NoVisitor {
    fn record(&mut self, _: Logged<'_>, _: u64) -> Result<(), Error> {
        Ok(())
    }
}

struct Dump<'a, W> {
    path: &'a Path,
    lines: Vec<u8>,
    out: &'a mut W,
}

impl<W: Write> Dump<'_, W> {
    fn flush(&mut self) -> Result<(), Error> {
        let written = self.out.write_all(&self.lines).and_then(|()| self.out.flush());
        self.lines.clear();
        written.map_err(|error| io_error("write out the records of", self.path, error))
    }
}

impl<W: Write> Visitor for Dump<'_, W> {
    fn record(&mut self, logged: Logged<'_>, timestamp_ms: u64) -> Result<(), Error> {
        encode_line(logged.change, timestamp_ms, &mut self.lines);
        if self.lines.len() >= DUMP_PIECE_BYTES { self.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
