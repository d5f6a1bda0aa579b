//! Inspection of a log that no store has open: its header, batches, epochs, LSNs, times, sizes and damage.

use super::{DetectedFormat, OfflineLog};
use crate::recovery::json;
use crate::wal::{
    BatchHeader, BatchKind, FORMAT_VERSION, FileHeader, JsonReadError, Logged, LoggedChange, Visitor, pass,
};
use crate::{Error, Lsn};

/// Contents of a log, as far as it is sound.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Inspection {
    /// Facts that only a log of the binary format has; `None` for any other.
    pub binary: Option<Binary>,
    /// `Set` records, entries not counted.
    pub sets: u64,
    /// `Delete` records.
    pub deletes: u64,
    /// `Clear` records.
    pub clears: u64,
    /// The LSN of the first record, if there is one; entries have no order.
    pub first_lsn: Option<Lsn>,
    /// The LSN of the last record, if there is one.
    pub last_lsn: Option<Lsn>,
    /// The time of the first record or entry, in milliseconds since the Unix epoch.
    pub first_timestamp_ms: Option<u64>,
    /// The latest time of a record or entry, in milliseconds since the Unix epoch.
    pub last_timestamp_ms: Option<u64>,
    /// Offset at which the sound part ends, in bytes from the start of the file.
    pub end_offset: u64,
    /// Bytes of a torn tail after that, zeros behind it not counted: a store drops them when it opens the log.
    pub torn_bytes: u64,
    /// Why the log is not sound, if it is not: [`Error::Corrupted`].
    pub damage: Option<Error>,
}

/// Facts that only a log of the binary format has.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Binary {
    /// The version of the format.
    pub format_version: u32,
    /// Random; tells logs from each other.
    pub log_id: [u8; 16],
    /// When the file was made, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Flag of a rewritten log: set if a compaction, or a conversion, made it.
    pub is_compacted: bool,
    /// Flag of a clean stop: set if the log ends with the seal of one.
    pub is_closed: bool,
    /// Blocks of entries.
    pub blocks: u64,
    /// Live keys in them, as of the compaction.
    pub entries: u64,
    /// Batches of records.
    pub batches: u64,
    /// Seals.
    pub seals: u64,
    /// The highest LSN that a batch claims to be synced.
    pub synced_lsn: Lsn,
    /// Epochs: one for each time that the log was opened, in order.
    pub epochs: Vec<Epoch>,
}

/// Part of a log from one opening to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Epoch {
    /// Its number.
    pub number: u32,
    /// Offset at which its first batch begins, in bytes from the start of the file.
    pub offset: u64,
    /// Flag of a gap: set if the LSNs jump ahead at its beginning, because a crash may have lost some.
    pub jumps: bool,
    /// The LSN that its first record has, or would have.
    pub first_lsn: Lsn,
    /// Records and entries.
    pub records: u64,
    /// Bytes of its batches.
    pub bytes: u64,
}

/// A batch of a log, or something else that has the header of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Offset at which the batch begins, in bytes from the start of the file.
    pub offset: u64,
    /// Its header and content, in bytes.
    pub bytes: u64,
    /// Kind of the batch.
    pub kind: BatchKind,
    /// Its epoch.
    pub epoch: u32,
    /// Records or entries.
    pub records: u32,
    /// The LSN of its first record; of a seal, that of the next; of entries, one above theirs.
    pub first_lsn: Lsn,
    /// The highest LSN that was synced when it was written.
    pub synced_lsn: Lsn,
}

impl OfflineLog {
    /// Reads all of the log in order, calls `each_batch` for every sound batch, and tells what there is up to
    /// the first damage.
    ///
    /// # Errors
    /// [`Error::NotALog`], [`Error::Io`], and what `each_batch` says. Damage is no error here.
    pub fn inspect(&self, each_batch: impl FnMut(&Batch) -> Result<(), Error>) -> Result<Inspection, Error> {
        let mut inspector = Inspector { found: Inspection::default(), is_in_block: false, each_batch };
        match self.format {
            DetectedFormat::Blank => {}
            DetectedFormat::Binary(header) => self.inspect_batches(&header, &mut inspector)?,
            DetectedFormat::Json => self.inspect_lines(&mut inspector)?,
        }
        Ok(inspector.found)
    }

    fn inspect_batches<F>(&self, header: &FileHeader, inspector: &mut Inspector<F>) -> Result<(), Error>
    where
        F: FnMut(&Batch) -> Result<(), Error>,
    {
        inspector.found.binary = Some(Binary {
            format_version: FORMAT_VERSION,
            log_id: header.log_id,
            created_ms: header.created_ms,
            is_compacted: header.is_compacted,
            ..Binary::default()
        });
        let passed = pass(&*self.log.file, self.len, header, inspector)?;
        inspector.found.end_offset = passed.sound.offset;
        if let Some(binary) = &mut inspector.found.binary {
            binary.is_closed = passed.sound.is_closed && matches!(passed.verdict, Ok(0));
        }
        match passed.verdict.map_err(|error| self.log.read_error(error)) {
            Ok(torn_bytes) => inspector.found.torn_bytes = torn_bytes,
            Err(damage @ Error::Corrupted { .. }) => inspector.found.damage = Some(damage),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn inspect_lines<F>(&self, inspector: &mut Inspector<F>) -> Result<(), Error>
    where
        F: FnMut(&Batch) -> Result<(), Error>,
    {
        match self.visit_lines(inspector) {
            Ok(ending) => {
                inspector.found.end_offset = ending.offset;
                inspector.found.torn_bytes = ending.torn_bytes;
            }
            Err(error @ JsonReadError::Corrupted { offset, .. }) => {
                inspector.found.end_offset = offset;
                inspector.found.damage = Some(json::read_error(&self.log, error));
            }
            Err(error) => return Err(json::read_error(&self.log, error)),
        }
        Ok(())
    }
}

struct Inspector<F> {
    found: Inspection,
    /// The records are entries.
    is_in_block: bool,
    each_batch: F,
}

impl<F: FnMut(&Batch) -> Result<(), Error>> Visitor for Inspector<F> {
    fn record(&mut self, logged: Logged<'_>, timestamp_ms: u64) -> Result<(), Error> {
        let found = &mut self.found;
        found.first_timestamp_ms = found.first_timestamp_ms.or(Some(timestamp_ms));
        found.last_timestamp_ms = found.last_timestamp_ms.max(Some(timestamp_ms));
        if self.is_in_block {
            return Ok(());
        }
        match logged.change {
            LoggedChange::Set { .. } => found.sets += 1,
            LoggedChange::Delete { .. } => found.deletes += 1,
            LoggedChange::Clear => found.clears += 1,
        }
        found.first_lsn = found.first_lsn.or(Some(logged.lsn));
        found.last_lsn = Some(logged.lsn);
        Ok(())
    }

    fn batch(&mut self, offset: u64, header: &BatchHeader) -> Result<(), Error> {
        let batch = Batch::new(offset, header);
        self.is_in_block = batch.kind == BatchKind::Entries;
        if let Some(binary) = &mut self.found.binary {
            binary.note(&batch, header.jumps);
        }
        (self.each_batch)(&batch)
    }
}

impl Batch {
    fn new(offset: u64, header: &BatchHeader) -> Self {
        Self {
            offset,
            bytes: header.total_bytes(),
            kind: header.kind,
            epoch: header.epoch,
            records: header.records,
            first_lsn: header.first_lsn,
            synced_lsn: header.synced_lsn,
        }
    }
}

impl Binary {
    fn note(&mut self, batch: &Batch, jumps: bool) {
        match batch.kind {
            BatchKind::Records => self.batches += 1,
            BatchKind::Seal | BatchKind::ClosingSeal => self.seals += 1,
            BatchKind::Entries => {
                self.blocks += 1;
                self.entries += u64::from(batch.records);
            }
        }
        self.synced_lsn = self.synced_lsn.max(batch.synced_lsn);
        if self.epochs.last().is_none_or(|last| last.number != batch.epoch) {
            let (number, offset, first_lsn) = (batch.epoch, batch.offset, batch.first_lsn);
            self.epochs.push(Epoch { number, offset, jumps, first_lsn, records: 0, bytes: 0 });
        }
        if let Some(epoch) = self.epochs.last_mut() {
            epoch.records += u64::from(batch.records);
            epoch.bytes += batch.bytes;
        }
    }
}
