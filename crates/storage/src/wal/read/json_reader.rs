//! Reads a log of JSON lines from front to back, and decides whether damage is a torn tail or corruption, by the lines alone.

use std::io::{self, BufRead, BufReader, Read, Take};

use super::unit::Logged;
use crate::fs::{LogFile, read_up_to};
use crate::wal::format::json::{self, LineError, OPENING};
use crate::{Error, Lsn};

/// Bytes that are read at a time.
const WINDOW_BYTES: usize = 1024 * 1024;

/// Reads a log of JSON lines from front to back and judges what it finds. It changes nothing.
///
/// Such a log has no checksums and no marks: what is a torn tail and what is corruption is told from the
/// lines alone.
pub(crate) struct JsonReader<'a> {
    lines: BufReader<Take<FileReader<'a>>>,
    /// Offset at which the zeros at the end of the file begin, or the end of the file, in bytes from its
    /// start.
    end: u64,
    max_line_bytes: usize,
    /// Offset at which the next line starts, in bytes from the start of the file.
    offset: u64,
    /// The number of the current line, from 1.
    line_number: u64,
    records: u64,
    last_timestamp_ms: u64,
}

/// End of a log of JSON lines that is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonEnding {
    /// Offset at which the sound part ends, in bytes from the start of the file.
    pub(crate) offset: u64,
    /// Bytes of a torn tail after that, zeros at the end of the file not counted.
    pub(crate) torn_bytes: u64,
    /// The last line lacks its newline; one has to come before the next line.
    pub(crate) lacks_newline: bool,
    pub(crate) next_lsn: Lsn,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) records: u64,
}

/// Why a log cannot be read.
#[derive(Debug)]
pub(crate) enum JsonReadError {
    Io(io::Error),
    /// It is some other program's file.
    Foreign(&'static str),
    Corrupted {
        offset: u64,
        reason: String,
    },
    /// Whoever took the records wants no more.
    Stopped(Error),
}

impl From<io::Error> for JsonReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<'a> JsonReader<'a> {
    /// A reader of a file of `len` bytes, which holds no line longer than `max_line_bytes`.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(file: &'a dyn LogFile, len: u64, max_line_bytes: usize) -> io::Result<Self> {
        let end = end_of_data(file, len)?;
        let lines = BufReader::with_capacity(WINDOW_BYTES, FileReader { file, offset: 0 }.take(end));
        Ok(Self { lines, end, max_line_bytes, offset: 0, line_number: 0, records: 0, last_timestamp_ms: 0 })
    }

    /// Reads every record, in order, into `take`, with its timestamp in milliseconds since the Unix epoch and the
    /// offset behind its line, and tells how the log ends.
    ///
    /// # Errors
    /// Damage that is not a torn tail, a file that is no log, what the system says, and what `take` says.
    pub(crate) fn read(
        mut self,
        mut take: impl FnMut(Logged<'_>, u64, u64) -> Result<(), Error>,
    ) -> Result<JsonEnding, JsonReadError> {
        let mut line = Vec::new();
        loop {
            let start = self.offset;
            let lacks_newline = line.last().is_some_and(|&last| last != b'\n');
            if !self.next_line(&mut line)? {
                return Ok(self.ending(start, lacks_newline));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match json::decode(&line) {
                Ok(record) => {
                    self.records += 1;
                    self.last_timestamp_ms = self.last_timestamp_ms.max(record.timestamp_ms);
                    let logged = Logged { lsn: Lsn::new(self.records), change: record.change() };
                    take(logged, record.timestamp_ms, self.offset).map_err(JsonReadError::Stopped)?;
                }
                Err(error) => return self.judge(start, line, &error),
            }
        }
    }

    /// Puts the next line into `line`, with its newline if it has one; `false`: there is none.
    fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, JsonReadError> {
        line.clear();
        self.line_number += 1;
        let most = self.max_line_bytes as u64;
        let read = (&mut self.lines).take(most + 1).read_until(b'\n', line)? as u64;
        if read > most {
            return Err(self.too_long());
        }
        self.offset += read;
        if read == 0 && self.offset < self.end {
            return Err(io::Error::other("the file became shorter while it was read").into());
        }
        Ok(read > 0)
    }

    fn too_long(&self) -> JsonReadError {
        if self.records == 0 {
            return JsonReadError::Foreign("its first line is too long for a record");
        }
        let reason = format!(
            "line {} is over the {} bytes that the limits on keys and values allow for; raise them if it is sound",
            self.line_number, self.max_line_bytes
        );
        JsonReadError::Corrupted { offset: self.offset, reason }
    }

    /// Decides whether a bad line is a torn tail, which ends the log, or corruption.
    ///
    /// A crash cuts the last line, or leaves sectors that read as zeros. Good lines may follow those, if the
    /// crash kept later sectors; but as nothing tells what was synced, such a place may also have been sound
    /// once, and is not dropped.
    fn judge(
        mut self,
        start: u64,
        mut line: Vec<u8>,
        error: &LineError,
    ) -> Result<JsonEnding, JsonReadError> {
        let reason = format!("line {} is no record ({error})", self.line_number);
        let is_last = line.last().is_some_and(|&last| last != b'\n');
        let has_hole = line.contains(&0);
        if self.records == 0 && !is_torn_first_line(&line, error) {
            return Err(JsonReadError::Foreign("its first line is no record"));
        }
        if !is_last && !has_hole {
            return Err(JsonReadError::Corrupted { offset: start, reason });
        }
        while self.next_line(&mut line)? {
            // One without its end proves nothing: it may be what the mending of a torn tail has left of that.
            if line.ends_with(b"\n") && json::decode(&line).is_ok() {
                let reason = format!("{reason}, and there are sound ones after it");
                return Err(JsonReadError::Corrupted { offset: start, reason });
            }
        }
        // Of a log without any record nothing stays, not even blank lines: those alone are no log.
        let offset = if self.records == 0 { 0 } else { start };
        Ok(self.ending(offset, false))
    }

    fn ending(self, offset: u64, lacks_newline: bool) -> JsonEnding {
        JsonEnding {
            offset,
            torn_bytes: self.end - offset,
            lacks_newline,
            next_lsn: Lsn::new(self.records + 1),
            last_timestamp_ms: self.last_timestamp_ms,
            records: self.records,
        }
    }
}

/// Returns whether a bad first line shows that a crash cut one of our lines: any file may begin with a brace.
fn is_torn_first_line(line: &[u8], error: &LineError) -> bool {
    if line.contains(&0) {
        line.starts_with(OPENING)
    } else {
        !line.ends_with(b"\n")
            && error.is_cut_short()
            && (line.starts_with(OPENING) || OPENING.starts_with(line))
    }
}

/// Returns the offset at which the zeros at the end of the file begin, in bytes from its start: they are
/// room, or what a crash left of a write.
fn end_of_data(file: &dyn LogFile, len: u64) -> io::Result<u64> {
    let mut window = vec![0; WINDOW_BYTES];
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(WINDOW_BYTES as u64);
        let bytes = window.split_at_mut((end - start) as usize).0;
        let read = read_up_to(file, bytes, start)?;
        if let Some(last) = bytes.iter().take(read).rposition(|&byte| byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A file as a stream.
struct FileReader<'a> {
    file: &'a dyn LogFile,
    offset: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{FileSystem, OsFileSystem};

    const CLEAR: &str = "{\"timestamp\":1,\"command\":\"Clear\"}\n";

    fn read(content: &str, max_line_bytes: usize) -> Result<JsonEnding, JsonReadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, content).unwrap();
        let file = OsFileSystem.open(&path).unwrap();
        JsonReader::new(&*file, content.len() as u64, max_line_bytes).unwrap().read(|_, _, _| Ok(()))
    }

    #[test]
    fn a_line_over_the_limit_is_refused_and_names_the_place() {
        let log = format!("{CLEAR} {CLEAR}{CLEAR}");
        assert_eq!(read(&log, CLEAR.len() + 1).unwrap().records, 3);
        match read(&log, CLEAR.len()) {
            Err(JsonReadError::Corrupted { offset, reason }) => {
                assert_eq!(offset, CLEAR.len() as u64);
                assert!(reason.starts_with("line 2 is over"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(read(&log, 10), Err(JsonReadError::Foreign(_))));
    }

    #[test]
    fn lsns_count_the_records() {
        let ending = read(&format!("{CLEAR}\n{CLEAR}"), 100).unwrap();
        assert_eq!(ending.next_lsn, Lsn::new(3));
    }
}
