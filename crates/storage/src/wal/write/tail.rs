//! The records that are not written yet: the next batch, in memory.

use std::time::Duration;

use crate::Lsn;
use crate::sync::Instant;
use crate::wal::format::batch::BATCH_HEADER_BYTES;
use crate::wal::format::record::set_timestamp;

/// A record from this size on is not copied into the tail's buffer but becomes a chunk of its own, so
/// that no large copy happens under the log's mutex.
const LARGE_RECORD_BYTES: usize = 64 * 1024;

/// A batch from this size on, in bytes, is committed without waiting for more: what its write and sync cost is
/// in its bytes, and the next batch is gathered meanwhile.
const LARGE_BATCH_BYTES: u64 = 256 * 1024;

/// A buffer larger than this is given back to the allocator after its batch was written.
const MAX_KEPT_BUFFER_BYTES: usize = 1024 * 1024;

/// The end of the log that is not written yet: the next batch.
pub(super) struct Tail {
    /// The batch's bytes. The first chunk starts with room for the batch header, the last takes records.
    chunks: Vec<Vec<u8>>,
    records: u32,
    /// Admitted bytes to give back once the batch is written.
    charge: u32,
    /// Room in the file that the batch has a claim on.
    claim: u64,
    /// Room that somebody waits for, in bytes.
    wanted_room: u64,
    next_lsn: u64,
    last_timestamp_ms: u64,
    /// The moment at which the first of these records came; `None` if there are none.
    first_appended_at: Option<Instant>,
    /// The moment at which somebody asked for them to be committed; `None` if nobody has.
    announced_at: Option<Instant>,
    /// When the last batch was taken; `None` once the log is sealed behind it.
    unsealed_since: Option<Instant>,
    /// Nothing more will be admitted.
    pub(super) is_closing: bool,
}

/// A batch that was taken out of the tail, and is on its way into the file.
pub(super) struct PendingBatch {
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) records: u32,
    pub(super) charge: u32,
    pub(super) claim: u64,
    pub(super) first_lsn: Lsn,
    pub(super) last_lsn: Lsn,
    pub(super) last_timestamp_ms: u64,
    /// Time from its first record until its commit was asked for.
    pub(super) gather_time: Duration,
    /// Time from there until it was taken out of the tail.
    pub(super) queue_time: Duration,
}

impl Tail {
    pub(super) fn new(next_lsn: Lsn, last_timestamp_ms: u64) -> Self {
        Self {
            chunks: vec![empty_buffer(Vec::new())],
            records: 0,
            charge: 0,
            claim: 0,
            wanted_room: 0,
            next_lsn: next_lsn.get(),
            last_timestamp_ms,
            first_appended_at: None,
            announced_at: None,
            unsealed_since: None,
            is_closing: false,
        }
    }

    /// Appends encoded records, which begin at `starts` in `records`; returns the LSN of the first.
    ///
    /// They go into one batch. Large ones are taken out of `records`, small ones copied.
    pub(super) fn append(
        &mut self,
        records: &mut Vec<u8>,
        starts: &[usize],
        now_ms: u64,
        charge: u32,
        claim: u64,
    ) -> Lsn {
        if self.is_empty() {
            self.first_appended_at = Some(Instant::now());
        }
        self.last_timestamp_ms = self.last_timestamp_ms.max(now_ms);
        for &start in starts {
            set_timestamp(records.split_at_mut(start).1, self.last_timestamp_ms);
        }
        if records.len() >= LARGE_RECORD_BYTES {
            self.chunks.push(std::mem::take(records));
            self.chunks.push(Vec::new());
        } else if let Some(open) = self.chunks.last_mut() {
            open.extend_from_slice(records);
        }
        let count =
            u32::try_from(starts.len()).unwrap_or_else(|_| unreachable!("a command has under 2^32 records"));
        self.records += count;
        self.charge += charge;
        self.claim += claim;
        let first_lsn = Lsn::new(self.next_lsn);
        self.next_lsn += u64::from(count);
        first_lsn
    }

    /// Adds `charge` bytes to those released when this is written; `false` if there is nothing to write.
    pub(super) fn take_along(&mut self, charge: u32) -> bool {
        let has_records = !self.is_empty();
        self.charge += if has_records { charge } else { 0 };
        has_records
    }

    pub(super) const fn next_lsn(&self) -> u64 {
        self.next_lsn
    }

    /// The LSN of the first record here, or of the next one if there is none.
    pub(super) fn first_lsn(&self) -> Lsn {
        Lsn::new(self.next_lsn - u64::from(self.records))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Returns whether so much is here that more would not make its sync any cheaper.
    pub(super) const fn is_large(&self) -> bool {
        self.claim >= LARGE_BATCH_BYTES
    }

    /// Asks for what is here to be committed; returns `false` if there is nothing, or somebody has asked already.
    pub(super) fn announce(&mut self) -> bool {
        let is_news = !self.is_announced() && !self.is_empty();
        if is_news {
            self.announced_at = Some(Instant::now());
        }
        is_news
    }

    pub(super) const fn is_announced(&self) -> bool {
        self.announced_at.is_some()
    }

    /// Somebody waits for room for so many bytes.
    pub(super) fn want_room(&mut self, bytes: u64) {
        self.wanted_room = self.wanted_room.max(bytes);
    }

    pub(super) const fn is_room_wanted(&self) -> bool {
        self.wanted_room > 0
    }

    pub(super) fn take_wanted_room(&mut self) -> u64 {
        std::mem::take(&mut self.wanted_room)
    }

    /// Returns the time since the last batch was taken; `None` if the log is sealed behind it.
    pub(super) fn idle(&self) -> Option<Duration> {
        self.unsealed_since.map(|since| since.elapsed())
    }

    /// The log is sealed behind the last batch.
    pub(super) fn set_sealed(&mut self) {
        self.unsealed_since = None;
    }

    /// Takes the batch out; `spare` becomes the buffer of the next one. Unless it was announced, its commit was asked for at
    /// `asked_at`.
    pub(super) fn take(&mut self, spare: Vec<u8>, asked_at: Instant) -> PendingBatch {
        let now = Instant::now();
        let announced_at = self.announced_at.take().unwrap_or(asked_at);
        let first_appended_at = self.first_appended_at.take().unwrap_or(now);
        self.unsealed_since = Some(now);
        let first_lsn = self.first_lsn();
        PendingBatch {
            chunks: std::mem::replace(&mut self.chunks, vec![empty_buffer(spare)]),
            records: std::mem::take(&mut self.records),
            charge: std::mem::take(&mut self.charge),
            claim: std::mem::take(&mut self.claim),
            first_lsn,
            last_lsn: Lsn::new(self.next_lsn - 1),
            last_timestamp_ms: self.last_timestamp_ms,
            gather_time: announced_at.saturating_duration_since(first_appended_at),
            queue_time: now.saturating_duration_since(announced_at),
        }
    }
}

impl PendingBatch {
    /// The records, in pieces that hold whole ones.
    pub(super) fn payload(&self) -> impl Iterator<Item = &[u8]> {
        let header_bytes = std::iter::once(BATCH_HEADER_BYTES).chain(std::iter::repeat(0));
        self.chunks.iter().zip(header_bytes).map(|(chunk, header_bytes)| chunk.split_at(header_bytes).1)
    }

    /// Its first buffer, to be used again.
    pub(super) fn into_spare(self) -> Vec<u8> {
        self.chunks
            .into_iter()
            .next()
            .filter(|buffer| buffer.capacity() <= MAX_KEPT_BUFFER_BYTES)
            .unwrap_or_default()
    }
}

fn empty_buffer(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    buffer.resize(BATCH_HEADER_BYTES, 0);
    buffer
}
