//! Positions between two batches, and the facts that the batches before one establish.

use std::collections::VecDeque;

use crate::Lsn;
use crate::wal::format::batch::{BatchHeader, BatchKind};
use crate::wal::format::header::{FILE_HEADER_BYTES, FileHeader};

/// Least distance between the places that [`Unproven`] remembers, in bytes.
const UNPROVEN_STEP_BYTES: u64 = 1024 * 1024;

/// A place between two batches of a log, and what the batches before it say.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Offset at which the next batch should start, in bytes from the start of the file.
    pub(super) offset: u64,
    pub(super) chain: Chain,
    pub(super) unproven: Unproven,
    /// Offset at which the last batch began, in bytes from the start of the file; `None` before the first
    /// batch.
    pub(super) last_start: Option<u64>,
}

/// The sections of a log, in order. One that no compaction wrote has the last alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogSection {
    /// Before the first batch of a compacted log.
    Start,
    /// Behind live entries.
    Entries,
    /// Behind batches that were written during the compaction.
    Copied,
    /// Behind the first seal. All before was synced before the file became the log: no crash tears that.
    Appended,
}

/// State that the next batch must agree with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) section: LogSection,
    pub(super) previous_crc: u32,
    pub(super) epoch: u32,
    pub(super) next_lsn: Lsn,
    pub(super) records: u64,
    /// Nothing can have been lost: the last thing read was the seal of a clean stop.
    pub(super) is_closed: bool,
}

/// Start of the part of a log that no later header claims to be synced.
#[derive(Debug, Clone, Default)]
pub(super) struct Unproven {
    /// First LSN and offset of batches, a step apart.
    starts: VecDeque<(Lsn, u64)>,
    /// The highest LSN that any header read so far claims to be synced.
    pub(super) synced: Lsn,
}

impl Place {
    /// Behind the file header.
    pub(super) fn first(header: &FileHeader) -> Self {
        Self {
            offset: FILE_HEADER_BYTES as u64,
            chain: Chain {
                section: if header.is_compacted { LogSection::Start } else { LogSection::Appended },
                previous_crc: header.chain_start(),
                epoch: 0,
                next_lsn: Lsn::new(1),
                records: 0,
                // No LSN was given before the first epoch.
                is_closed: true,
            },
            unproven: Unproven::default(),
            last_start: None,
        }
    }

    /// Goes on behind a batch.
    pub(super) fn pass(&mut self, header: &BatchHeader, header_crc: u32) {
        self.unproven.note(header, self.offset);
        self.last_start = Some(self.offset);
        self.offset += header.total_bytes();
        self.chain = Chain {
            section: self.chain.section.after(header.kind),
            previous_crc: header_crc,
            epoch: header.epoch,
            next_lsn: header.next_lsn(),
            records: self.chain.records + u64::from(header.records),
            is_closed: header.kind == BatchKind::ClosingSeal,
        };
    }
}

impl LogSection {
    const fn after(self, kind: BatchKind) -> Self {
        match (self, kind) {
            (Self::Start | Self::Entries, BatchKind::Entries) => Self::Entries,
            (Self::Start | Self::Entries | Self::Copied, BatchKind::Records) => Self::Copied,
            _ => Self::Appended,
        }
    }
}

impl Chain {
    /// Returns whether a batch was written behind the one before it. If not, the batch that was may be lost.
    pub(super) const fn is_continued_by(&self, header: &BatchHeader) -> bool {
        header.previous_crc == self.previous_crc
    }

    /// Checks that a batch which was written behind the one before it may be there; returns the reason if
    /// not. No crash makes one that may not.
    pub(super) fn check(&self, header: &BatchHeader) -> Result<(), &'static str> {
        if header.epoch < self.epoch {
            return Err("a batch is of an earlier epoch than the one before it");
        }
        let jumps = header.jumps && header.epoch > self.epoch && header.first_lsn > self.next_lsn;
        // What was before the first batch of a compacted log is in the entries.
        let starts = !header.jumps && self.section == LogSection::Start;
        if !jumps && !starts && (header.jumps || header.first_lsn != self.next_lsn) {
            return Err("a batch leaves a gap in the LSNs that nothing declares");
        }
        if header.synced_lsn >= header.first_lsn {
            return Err("a batch claims that LSNs after it are synced");
        }
        if matches!(header.kind, BatchKind::Seal | BatchKind::ClosingSeal) != (header.records == 0) {
            return Err("a batch has no records, or a seal has some");
        }
        if header.kind == BatchKind::Entries
            && !matches!(self.section, LogSection::Start | LogSection::Entries)
        {
            return Err("entries stand behind records");
        }
        Ok(())
    }
}

impl Unproven {
    fn note(&mut self, header: &BatchHeader, offset: u64) {
        self.synced = self.synced.max(header.synced_lsn);
        // The entry that holds the first unsynced LSN stays, and all after it.
        while self
            .starts
            .get(1)
            .is_some_and(|&(first_lsn, _)| first_lsn.get() <= self.synced.get().saturating_add(1))
        {
            self.starts.pop_front();
        }
        let is_a_step_on = self.starts.back().is_none_or(|&(_, last)| offset - last >= UNPROVEN_STEP_BYTES);
        if is_a_step_on {
            self.starts.push_back((header.first_lsn, offset));
        }
    }

    pub(super) fn from(&self) -> Option<u64> {
        self.starts.front().map(|&(_, offset)| offset)
    }
}
