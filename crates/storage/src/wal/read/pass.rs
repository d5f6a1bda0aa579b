//! Reads a log in order on the calling thread and shows a visitor every batch and record in it.

use super::judge::{FileWindow, Headers};
use super::place::Place;
use super::reader::{Cores, Ending, ReadError, judge_end};
use super::scanner::Scanner;
use super::unit::Logged;
use crate::Error;
use crate::fs::LogFile;
use crate::wal::format::batch::BatchHeader;
use crate::wal::format::header::FileHeader;

/// Sees what is in a log, in order. An error of its own ends the pass.
pub(crate) trait Visitor {
    /// A batch whose checksums match; its records come next.
    fn batch(&mut self, offset: u64, header: &BatchHeader) -> Result<(), Error> {
        let _ = (offset, header);
        Ok(())
    }

    /// A record, with its timestamp in milliseconds since the Unix epoch.
    fn record(&mut self, logged: Logged<'_>, timestamp_ms: u64) -> Result<(), Error>;
}

/// Result of a pass.
pub(crate) struct Passed {
    /// End of the sound part.
    pub(crate) sound: Ending,
    /// The bytes of a torn tail after that, or why the log is not sound.
    pub(crate) verdict: Result<u64, ReadError>,
}

/// Reads a file of `len` bytes, which is a log with this file header, in order on this thread.
pub(crate) fn pass(
    file: &dyn LogFile,
    len: u64,
    header: &FileHeader,
    visitor: &mut impl Visitor,
) -> Result<Passed, Error> {
    let crc_seed = header.crc_seed();
    let mut watch = LastTimestamp { visitor, timestamp_ms: header.created_ms };
    let mut scanner = Scanner::new(file, len, crc_seed, Cores::default().unit_bytes, Place::first(header));
    let mut buffer = Vec::new();
    while let Some(unit) = scanner.next_unit(&mut buffer, || {}) {
        if let Some((place, end)) = unit.visit(&buffer, crc_seed, &mut watch) {
            let sound = Ending::at(&place, 0, watch.timestamp_ms);
            let verdict = judge_end(&mut FileWindow::new(file, len), crc_seed, &place, end);
            return Ok(Passed { sound, verdict });
        }
    }
    Err(Error::Internal("the log was not read to its end"))
}

/// Returns the highest values that sound batch headers from `offset` on state, whatever is between them.
pub(crate) fn headers_from(
    file: &dyn LogFile,
    len: u64,
    header: &FileHeader,
    offset: u64,
) -> Result<Headers, ReadError> {
    FileWindow::new(file, len).headers_from(offset, header.crc_seed())
}

struct LastTimestamp<'a, V> {
    visitor: &'a mut V,
    timestamp_ms: u64,
}

impl<V: Visitor> Visitor for LastTimestamp<'_, V> {
    fn record(&mut self, logged: Logged<'_>, timestamp_ms: u64) -> Result<(), Error> {
        self.timestamp_ms = self.timestamp_ms.max(timestamp_ms);
        self.visitor.record(logged, timestamp_ms)
    }

    fn batch(&mut self, offset: u64, header: &BatchHeader) -> Result<(), Error> {
        self.visitor.batch(offset, header)
    }
}
