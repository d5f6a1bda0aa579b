//! Recovery of a log of JSON lines.

use std::io;
use std::ops::Range;

use super::progress::{ProgressReporter, RecoveryProgress};
use super::{HashSeed, Keyspace, OpenLog, REWRITE_BYTES, apply};
use crate::fs::{SECTOR_BYTES, read_up_to, write_all_at};
use crate::options::{DEFAULT_MAX_KEY_BYTES, DEFAULT_MAX_VALUE_BYTES};
use crate::sync::Instant;
use crate::wal::{JsonEnding, JsonReadError, JsonReader, LogStart, max_line_bytes};
use crate::{Error, LogFormat, Options};

/// Bytes at the start of a file by which its format is detected.
const LOOK_BYTES: usize = 4096;

/// Bytes at the end of a log that are rewritten: more than the log writer writes between two syncs, unless a single record is
/// larger.
const UNPROVEN_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of lines after which progress is counted: less would cost a look at the clock for each line.
const PROGRESS_STEP_BYTES: u64 = 64 * 1024;

/// Returns whether the log consists of JSON lines, or will, because it is new.
pub(crate) fn is_json(log: &OpenLog, format_of_new: LogFormat) -> Result<bool, Error> {
    let mut start = [0; LOOK_BYTES];
    let read = log.check("read", read_up_to(&*log.file, &mut start, 0))?;
    match start.split_at(read).0.trim_ascii_start().first() {
        Some(b'{') => Ok(true),
        Some(0) | None => Ok(format_of_new == LogFormat::Json && log.is_blank()?),
        Some(_) => Ok(false),
    }
}

/// Recovers the keyspace of a log of JSON lines, and prepares the file for further lines.
///
/// The format has no header with a hash seed, so `SCAN` cursors do not survive a restart.
pub(super) fn recover_json(
    log: &OpenLog,
    options: &Options,
    progress: &RecoveryProgress,
) -> Result<(Keyspace, LogStart, JsonEnding), Error> {
    let keyspace = Keyspace::new(HashSeed(crate::random::bytes()?));
    // Lines that were written under larger limits stay readable, up to the default limits.
    let longest = max_line_bytes(
        options.max_key_bytes.max(DEFAULT_MAX_KEY_BYTES),
        options.max_value_bytes.max(DEFAULT_MAX_VALUE_BYTES),
    );
    let len = log.len()?;
    let reader = log.check("read", JsonReader::new(&*log.file, len, longest))?;
    let mut progress = LineProgress::new(progress, len);
    let ending = reader.read(|logged, _, line_end| {
        apply(&keyspace, logged.change, logged.lsn);
        progress.advance(line_end);
        Ok(())
    });
    let ending = ending.map_err(|error| read_error(log, error))?;
    progress.finish();
    let offset = mend(log, &ending, len)?;
    let start = LogStart {
        path: log.path.clone(),
        target: log.target.clone(),
        file: log.file.clone(),
        policy: options.sync_policy,
        format: LogFormat::Json,
        offset,
        opening_seal: None,
        file_bytes: offset,
        // Should the log become a binary one: the first of those has 1.
        epoch: 1,
        crc_seed: 0,
        previous_crc: 0,
        next_lsn: ending.next_lsn,
        last_timestamp_ms: ending.last_timestamp_ms,
    };
    Ok((keyspace, start, ending))
}

/// Counts the progress of lines in steps.
struct LineProgress {
    reporter: ProgressReporter,
    /// Lines that are not counted yet.
    records: u64,
    /// Offset up to which bytes are counted.
    counted_end: u64,
}

impl LineProgress {
    fn new(progress: &RecoveryProgress, len_bytes: u64) -> Self {
        let reporter = ProgressReporter::new(progress, len_bytes, Instant::now());
        Self { reporter, records: 0, counted_end: 0 }
    }

    /// Adds a line that ends at the offset `line_end`.
    fn advance(&mut self, line_end: u64) {
        self.records += 1;
        let bytes = line_end.saturating_sub(self.counted_end);
        if bytes >= PROGRESS_STEP_BYTES {
            self.reporter.advance(std::mem::take(&mut self.records), bytes);
            self.counted_end = line_end;
        }
    }

    fn finish(self) {
        self.reporter.advance(self.records, 0);
        self.reporter.finish();
    }
}

/// Truncates a torn tail and zeros, ends the last line, and ensures, as far as possible, that the disk has the bytes that were
/// read; returns the offset of the next line.
pub(crate) fn mend(log: &OpenLog, ending: &JsonEnding, len: u64) -> Result<u64, Error> {
    if ending.torn_bytes > 0 {
        // Overwritten with zeros first: if a crash undoes the truncation after more was written, no torn bytes follow that.
        // The start is overwritten last: until then, a crash leaves a torn tail again.
        let end = ending.offset + ending.torn_bytes;
        let start_end = end.min((ending.offset / SECTOR_BYTES + 1) * SECTOR_BYTES);
        for range in [start_end..end, ending.offset..start_end] {
            overwrite(log, range, |piece, _| {
                piece.fill(0);
                Ok(())
            })?;
            log.check("sync", log.file.sync())?;
        }
    }
    if len > ending.offset {
        log.check("cut the end of", log.file.set_len(ending.offset))?;
    }
    // The format does not record which bytes were synced.
    overwrite(log, ending.offset.saturating_sub(UNPROVEN_BYTES)..ending.offset, |piece, at| {
        read_up_to(&*log.file, piece, at).map(drop)
    })?;
    let end: &[u8] = if ending.lacks_newline { b"\n" } else { b"" };
    log.check("write to", write_all_at(&*log.file, end, ending.offset))?;
    log.check("sync", log.file.sync())?;
    Ok(ending.offset + end.len() as u64)
}

/// Writes the bytes that `fill` provides for each piece of a range.
fn overwrite(
    log: &OpenLog,
    range: Range<u64>,
    fill: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> Result<(), Error> {
    let mut buffer = vec![0; REWRITE_BYTES];
    let mut at = range.start;
    while at < range.end {
        let want = (range.end - at).min(REWRITE_BYTES as u64) as usize;
        let piece = buffer.split_at_mut(want).0;
        log.check("read", fill(piece, at))?;
        log.check("write to", write_all_at(&*log.file, piece, at))?;
        at += want as u64;
    }
    Ok(())
}

pub(crate) fn read_error(log: &OpenLog, error: JsonReadError) -> Error {
    let path = log.path.clone();
    match error {
        JsonReadError::Io(error) => super::io_error("read", &path, error),
        JsonReadError::Foreign(reason) => Error::NotALog { path, reason },
        JsonReadError::Corrupted { offset, reason } => Error::Corrupted { path, offset, reason },
        JsonReadError::Stopped(error) => error,
    }
}
