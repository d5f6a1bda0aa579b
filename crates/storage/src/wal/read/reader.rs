//! Reads a log on all cores, and tells a torn tail from corruption.

use std::io;

use super::judge::{FileWindow, judge};
use super::place::{LogSection, Place};
use super::scanner::{ScanEnd, Scanner};
use super::unit::{Logged, Unit};
use crate::fs::LogFile;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, thread};
use crate::wal::format::header::FileHeader;
use crate::{Error, Lsn, cores};

/// Reads a log on all cores and judges what it finds. It changes nothing.
///
/// One thread at a time walks on from batch header to batch header and reads a unit of whole batches; it
/// checks and decodes that unit while others walk on. What a unit holds is applied once all units before it
/// have been found sound, so nothing behind damage ever is. In memory are one unit for each thread, and of
/// units much larger than usual, because of one large batch, one at a time.
pub(crate) struct Reader<'a> {
    file: &'a dyn LogFile,
    len: u64,
    created_ms: u64,
    crc_seed: u32,
    first: Place,
    cores: Cores,
}

/// Threads that share the reading of a log, and the bytes that each takes at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// Most threads, that of the caller included.
    pub(crate) threads: usize,
    /// About how many bytes a thread reads and decodes at a time.
    pub(crate) unit_bytes: usize,
}

impl Default for Cores {
    fn default() -> Self {
        Self { threads: cores::available(), unit_bytes: 1024 * 1024 }
    }
}

/// End of a log that is sound.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// Offset at which the sound part ends, in bytes from the start of the file: the next batch goes here.
    pub(crate) offset: u64,
    /// Bytes of a torn tail after that, zeros at the end of the file not counted.
    pub(crate) torn_bytes: u64,
    pub(crate) previous_crc: u32,
    pub(crate) epoch: u32,
    pub(crate) next_lsn: Lsn,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) records: u64,
    /// Nothing can have been lost: the log was closed and sealed.
    pub(crate) is_closed: bool,
    /// Offset from which, up to `offset`, nothing proves that the bytes are on the disk.
    pub(crate) unproven_from: u64,
}

/// Why a log cannot be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    Corrupted {
        offset: u64,
        reason: String,
    },
    /// Not the log's fault.
    Internal(Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<'a> Reader<'a> {
    /// A reader of a file of `len` bytes with this file header.
    pub(crate) fn new(file: &'a dyn LogFile, len: u64, header: &FileHeader, cores: Cores) -> Self {
        let (crc_seed, created_ms) = (header.crc_seed(), header.created_ms);
        Self { file, len, created_ms, crc_seed, first: Place::first(header), cores }
    }

    /// Reads every record into `apply`, and tells how the log ends.
    ///
    /// `apply` gets the records of some batches at a time, in order, and the bytes that these batches take.
    /// It is called from several threads at once, and for later batches maybe before earlier ones: the state
    /// that it makes must depend on the LSNs alone.
    ///
    /// # Errors
    /// Damage that is not a torn tail, what the system says, and [`ReadError::Internal`] if a thread panicked.
    pub(crate) fn read(self, apply: impl Fn(&[Logged<'_>], u64) + Sync) -> Result<Ending, ReadError> {
        let Self { file, len, crc_seed, first, .. } = self;
        let unit_bytes = self.cores.unit_bytes;
        let reading = Reading {
            scanner: Mutex::new(Scanner::new(file, len, crc_seed, unit_bytes, first)),
            large: Mutex::new(()),
            sequencer: UnitSequencer::default(),
            crc_seed,
            last_timestamp_ms: AtomicU64::new(self.created_ms),
            apply,
        };
        // A small log is read before threads have started.
        let mut buffer = Vec::new();
        if reading.read_unit(&mut buffer) {
            let units = (len / unit_bytes as u64).try_into().unwrap_or(usize::MAX);
            let helpers = (self.cores.threads - 1).min(units);
            cores::run(helpers, || reading.work()).map_err(ReadError::Internal)?;
        }
        let last_timestamp_ms = reading.last_timestamp_ms.into_inner();
        let (place, end) = reading.sequencer.into_end()?;
        let torn_bytes = judge_end(&mut FileWindow::new(file, len), crc_seed, &place, end)?;
        Ok(Ending::at(&place, torn_bytes, last_timestamp_ms))
    }
}

/// Decides whether a log may end like that; returns the bytes of a torn tail.
pub(super) fn judge_end(
    window: &mut FileWindow<'_>,
    crc_seed: u32,
    place: &Place,
    end: ScanEnd,
) -> Result<u64, ReadError> {
    let is_compacted_part = place.chain.section != LogSection::Appended;
    match end {
        ScanEnd::EndOfLog if is_compacted_part => Err(in_compacted_part(place.offset, "the log ends")),
        ScanEnd::Damaged(damage) if is_compacted_part => {
            Err(in_compacted_part(damage.offset, &damage.reason))
        }
        ScanEnd::EndOfLog => Ok(0),
        ScanEnd::Damaged(damage) => judge(window, crc_seed, place, &damage),
        ScanEnd::Failed(error) => Err(error),
    }
}

impl Ending {
    pub(super) fn at(place: &Place, torn_bytes: u64, last_timestamp_ms: u64) -> Self {
        let chain = &place.chain;
        let is_closed = chain.is_closed && torn_bytes == 0;
        // The seal of a clean stop proves all before it, but not itself.
        let unproven_from = if is_closed { place.last_start } else { place.unproven.from() };
        Self {
            offset: place.offset,
            torn_bytes,
            previous_crc: chain.previous_crc,
            epoch: chain.epoch,
            next_lsn: chain.next_lsn,
            last_timestamp_ms,
            records: chain.records,
            is_closed,
            // Without any batch nothing proves the file header either.
            unproven_from: unproven_from.unwrap_or(0),
        }
    }
}

fn in_compacted_part(offset: u64, what: &str) -> ReadError {
    let reason = format!("{what}, in the part that a compaction had synced");
    ReadError::Corrupted { offset, reason }
}

/// State that the reading threads share.
struct Reading<'a, F> {
    scanner: Mutex<Scanner<'a>>,
    /// Held by the one unit in memory that is much larger than the others.
    large: Mutex<()>,
    sequencer: UnitSequencer,
    crc_seed: u32,
    last_timestamp_ms: AtomicU64,
    apply: F,
}

impl<F: Fn(&[Logged<'_>], u64) + Sync> Reading<'_, F> {
    fn work(&self) {
        let _watch = AbortOnPanic(&self.sequencer);
        let mut buffer = Vec::new();
        while self.read_unit(&mut buffer) {}
    }

    /// Reads, checks and applies one unit; returns whether there may be others.
    fn read_unit(&self, buffer: &mut Vec<u8>) -> bool {
        let mut large = None;
        let take_large = || {
            if large.is_none() {
                large = Some(self.large.lock());
            }
        };
        let Some(unit) = self.scanner.lock().next_unit(buffer, take_large) else { return false };
        let goes_on = self.check_and_apply(unit, buffer);
        if large.is_some() {
            *buffer = Vec::new();
        }
        goes_on
    }

    fn check_and_apply(&self, unit: Unit, bytes: &[u8]) -> bool {
        let number = unit.number;
        let decoded = unit.decode(bytes, self.crc_seed);
        let is_last = decoded.end.is_some();
        if !self.sequencer.pass(number, decoded.end) {
            return false;
        }
        self.last_timestamp_ms.fetch_max(decoded.last_timestamp_ms, Ordering::Relaxed);
        (self.apply)(&decoded.records, decoded.bytes);
        !is_last
    }
}

/// Lets units pass in the order of the file, up to the first that ends the log.
#[derive(Default)]
struct UnitSequencer {
    state: Mutex<SequencerState>,
    changed: Condvar,
}

#[derive(Default)]
struct SequencerState {
    /// Units that passed, all sound.
    passed: u64,
    end: Option<(Place, ScanEnd)>,
    is_aborted: bool,
}

impl UnitSequencer {
    /// Waits until all units before this one have passed. `false`: the log ended before it.
    fn pass(&self, unit: u64, end: Option<(Place, ScanEnd)>) -> bool {
        let mut state = self.state.lock();
        while state.passed < unit && !state.is_over() {
            self.changed.wait(&mut state);
        }
        if state.is_over() {
            return false;
        }
        state.passed += 1;
        state.end = end;
        self.changed.notify_all();
        true
    }

    fn into_end(self) -> Result<(Place, ScanEnd), ReadError> {
        let no_end = ReadError::Internal(Error::Internal("the log was not read to its end"));
        self.state.into_inner().end.ok_or(no_end)
    }
}

impl SequencerState {
    const fn is_over(&self) -> bool {
        self.end.is_some() || self.is_aborted
    }
}

/// Ends the waiting of the other threads when this one panics.
struct AbortOnPanic<'a>(&'a UnitSequencer);

impl Drop for AbortOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state.lock().is_aborted = true;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
