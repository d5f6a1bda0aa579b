//! Loads lines of a log of JSON lines into a store.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::Range;

use super::MAX_LINE_BYTES;
use crate::batch::Op;
use crate::wal::{LoggedChange, decode_line};
use crate::{Error, Lsn, Store};

/// Lines that go into the store at one go, at most.
const MAX_CHUNK_LINES: usize = 1024;

/// No more lines are put to others that have this many bytes.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Why lines could not be loaded. The records of those before are in the store; if the store refused one, maybe
/// also some of those after it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The line is no record, or the store does not take it.
    #[error("line {line} {reason}; the records of the lines before it are loaded")]
    BadLine {
        /// Its number, from 1.
        line: u64,
        /// Description of what is wrong with it.
        reason: String,
    },
    /// The lines cannot be read.
    #[error("cannot read the lines: {0}")]
    Input(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Carries out the records of a log of JSON lines, in order, and counts them. Empty lines are skipped.
///
/// Their times are not kept: the store gives each the time of the loading.
///
/// # Errors
/// See [`LoadError`].
pub async fn load<S: Store>(store: &S, mut lines: impl BufRead) -> Result<u64, LoadError> {
    let mut chunk = Chunk::default();
    let mut records = 0;
    loop {
        let is_last = chunk.fill(&mut lines)?;
        records += chunk.carry_out(store).await?;
        if is_last {
            return Ok(records);
        }
    }
}

/// Reads up to the first record, and returns the same lines; for callers that make a log only for lines that look
/// like records.
///
/// # Errors
/// [`LoadError::BadLine`] if the first line that is not empty is no record; [`LoadError::Input`].
pub fn check_first_line<R: BufRead>(mut lines: R) -> Result<impl BufRead, LoadError> {
    let mut text = Vec::new();
    for line in 1.. {
        let start = text.len();
        if read_line(&mut lines, &mut text)? == 0 {
            break;
        }
        let text = text.get(start..).unwrap_or_default();
        if !text.trim_ascii().is_empty() {
            decode_line(text).map_err(|error| no_record(line, error))?;
            break;
        }
    }
    Ok(io::Cursor::new(text).chain(lines))
}

/// Reads a line, or what no line of a log is as long as; returns how many bytes that were.
fn read_line(input: &mut impl BufRead, text: &mut Vec<u8>) -> Result<usize, LoadError> {
    let max_bytes = MAX_LINE_BYTES as u64 + 1;
    input.take(max_bytes).read_until(b'\n', text).map_err(LoadError::Input)
}

fn no_record(line: u64, error: impl fmt::Display) -> LoadError {
    LoadError::BadLine { line, reason: format!("is no record ({error})") }
}

/// Some lines.
#[derive(Default)]
struct Chunk {
    text: Vec<u8>,
    lines: Vec<Range<usize>>,
    /// Lines before these.
    lines_before: u64,
}

impl Chunk {
    /// Reads the next lines; returns whether they are the last.
    fn fill(&mut self, input: &mut impl BufRead) -> Result<bool, LoadError> {
        self.lines_before += self.lines.len() as u64;
        self.lines.clear();
        self.text.clear();
        self.text.shrink_to(4 * CHUNK_BYTES);
        while self.lines.len() < MAX_CHUNK_LINES && self.text.len() < CHUNK_BYTES {
            let start = self.text.len();
            if read_line(input, &mut self.text)? == 0 {
                return Ok(true);
            }
            self.lines.push(start..self.text.len());
        }
        Ok(false)
    }

    async fn carry_out<S: Store>(&self, store: &S) -> Result<u64, LoadError> {
        let mut records = Vec::with_capacity(self.lines.len());
        let mut bad_line = None;
        for (line, range) in (self.lines_before + 1..).zip(&self.lines) {
            let text = self.text.get(range.clone()).unwrap_or_default();
            if text.trim_ascii().is_empty() {
                continue;
            }
            match decode_line(text) {
                Ok(record) => records.push((line, record)),
                Err(error) => {
                    bad_line = Some(no_record(line, error));
                    break;
                }
            }
        }
        let ops: Vec<_> = records.iter().map(|(line, record)| (*line, op(record.change()))).collect();
        submit(store, &ops).await?;
        bad_line.map_or(Ok(ops.len() as u64), Err)
    }
}

async fn submit<S: Store>(store: &S, numbered: &[(u64, Op<'_>)]) -> Result<(), LoadError> {
    let ops: Vec<_> = numbered.iter().map(|&(_, op)| op).collect();
    let mut replies = Vec::with_capacity(ops.len());
    while let Some(rest) = ops.get(replies.len()..).filter(|rest| !rest.is_empty()) {
        store.submit(rest, usize::MAX, &mut replies).await;
    }
    let mut last = Lsn::ZERO;
    for (reply, (line, _)) in replies.into_iter().zip(numbered) {
        last = last.max(reply.depends_on);
        match reply.outcome {
            Ok(_) => {}
            Err(error @ (Error::KeyTooLarge { .. } | Error::ValueTooLarge { .. })) => {
                let reason = format!("cannot be stored ({error})");
                return Err(LoadError::BadLine { line: *line, reason });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(store.wait(last).await?)
}

const fn op(change: LoggedChange<'_>) -> Op<'_> {
    match change {
        LoggedChange::Set { key, value } => Op::Set { key, value },
        LoggedChange::Delete { key } => Op::Delete { key },
        LoggedChange::Clear => Op::Clear,
    }
}
