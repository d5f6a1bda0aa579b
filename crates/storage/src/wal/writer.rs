use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchKind};
use super::format::crc;
use super::group_commit::{LogStart, Shared};
use super::syncer::Syncer;
use super::tail::Batch;
use crate::fs::write_all_at;
use crate::{Error, Lsn};

/// A pause in the writes after which the log is sealed, so that its last batch becomes provable.
const IDLE_BEFORE_SEAL: Duration = Duration::from_secs(1);

/// How long a group's leader may take to wake its group before the writer does it.
const LEADER_GRACE: Duration = Duration::from_millis(10);

/// How often a closing log looks whether the last admitted writers are done: they never wait, so soon.
const CLOSING_POLL: Duration = Duration::from_micros(100);

/// The one thread that writes a log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    syncer: Option<Syncer>,
    on_idle: Box<dyn Fn(Lsn) + Send>,
    offset: u64,
    epoch: u32,
    crc_seed: u32,
    previous_crc: u32,
    is_sealed: bool,
    last_write: Instant,
    /// A buffer to be used again.
    spare: Vec<u8>,
}

enum Work {
    Write(Batch),
    Seal,
    Close,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        start: &LogStart,
        syncer: Option<Syncer>,
        on_idle: Box<dyn Fn(Lsn) + Send>,
    ) -> Self {
        Self {
            shared,
            syncer,
            on_idle,
            offset: start.offset,
            epoch: start.epoch,
            crc_seed: start.crc_seed,
            previous_crc: start.previous_crc,
            is_sealed: true,
            last_write: Instant::now(),
            spare: Vec::new(),
        }
    }

    pub(super) fn run(mut self) {
        if let Err(error) = self.serve() {
            self.shared.fail(error);
        }
    }

    fn serve(&mut self) -> Result<(), Error> {
        loop {
            let work = self.next_work();
            // Another thread's sync may have failed; nothing written after it may be acknowledged.
            if self.shared.check().is_err() {
                return Ok(());
            }
            match work {
                Work::Write(batch) => self.write(batch)?,
                Work::Seal => {
                    self.seal(false)?;
                    (self.on_idle)(self.shared.watermark());
                }
                Work::Close => return self.close(),
            }
        }
    }

    fn next_work(&mut self) -> Work {
        let shared = Arc::clone(&self.shared);
        let mut tail = shared.tail.lock();
        loop {
            if !tail.is_empty() || shared.check().is_err() {
                return Work::Write(tail.take(std::mem::take(&mut self.spare)));
            }
            if tail.is_closing && !shared.has_in_flight() {
                return Work::Close;
            }
            if !self.is_sealed && self.last_write.elapsed() >= IDLE_BEFORE_SEAL {
                return Work::Seal;
            }
            match self.patience(tail.is_closing) {
                Some(patience) => {
                    shared.work.wait_for(&mut tail, patience);
                    if self.last_write.elapsed() >= LEADER_GRACE {
                        shared.waiters.wake_all(shared.watermark().get());
                    }
                }
                None => shared.work.wait(&mut tail),
            }
        }
    }

    /// How long to wait for work before looking after something else; `None`: there is nothing else.
    fn patience(&self, is_closing: bool) -> Option<Duration> {
        if is_closing {
            Some(CLOSING_POLL)
        } else if !self.shared.waiters.is_empty() {
            Some(LEADER_GRACE)
        } else if !self.is_sealed {
            Some(IDLE_BEFORE_SEAL.saturating_sub(self.last_write.elapsed()))
        } else {
            None
        }
    }

    fn write(&mut self, mut batch: Batch) -> Result<(), Error> {
        if let Some(syncer) = &self.syncer {
            syncer.wait_while_lagging();
        }
        self.frame(&mut batch)?;
        for chunk in &batch.chunks {
            self.append(chunk)?;
        }
        self.is_sealed = false;
        self.last_write = Instant::now();
        self.count(&batch);
        self.shared.check()?;
        self.shared.set_written(batch.last_lsn);
        if self.shared.syncs_every_batch() {
            self.shared.sync()?;
        }
        self.shared.waiters.wake_leaders(self.shared.watermark().get());
        self.shared.release(batch.charge);
        self.spare = batch.into_spare();
        Ok(())
    }

    /// Writes the batch header into the room before the batch's records.
    fn frame(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let mut payload_crc = self.crc_seed;
        let mut payload_bytes = 0;
        for (index, chunk) in batch.chunks.iter().enumerate() {
            let payload = chunk.split_at(if index == 0 { BATCH_HEADER_BYTES } else { 0 }).1;
            payload_crc = crc(payload_crc, payload);
            payload_bytes += payload.len();
        }
        let header = BatchHeader {
            kind: BatchKind::Records,
            jumps: false,
            epoch: self.epoch,
            payload_bytes: u32::try_from(payload_bytes)
                .map_err(|_| Error::Internal("a batch passed 4 GiB"))?,
            records: batch.records,
            first_lsn: batch.first_lsn,
            synced_lsn: self.shared.synced(),
            previous_crc: self.previous_crc,
            payload_crc,
        };
        let (bytes, header_crc) = header.encode(self.crc_seed);
        if let Some(room) = batch.chunks.first_mut().and_then(|chunk| chunk.first_chunk_mut()) {
            *room = bytes;
        }
        self.previous_crc = header_crc;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = write_all_at(&*self.shared.file, bytes, self.offset);
        written.map_err(|error| self.shared.io_error("write to", error))?;
        self.offset += bytes.len() as u64;
        self.shared.counters.log_bytes.store(self.offset, Ordering::Relaxed);
        Ok(())
    }

    /// Marks everything so far as complete and synced, which it makes it first.
    fn seal(&mut self, closed: bool) -> Result<(), Error> {
        let written = self.shared.written();
        if self.shared.synced() < written {
            self.shared.sync()?;
        }
        let header = BatchHeader::seal(closed, self.epoch, written, self.previous_crc, self.crc_seed);
        let (bytes, header_crc) = header.encode(self.crc_seed);
        self.append(&bytes)?;
        self.shared.sync()?;
        self.previous_crc = header_crc;
        self.is_sealed = true;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        // Not beside the sync of the seal: its failure has to be known before the log counts as closed.
        self.syncer = None;
        self.shared.check()?;
        self.seal(true)?;
        self.shared.waiters.wake_all(self.shared.watermark().get());
        Ok(())
    }

    fn count(&self, batch: &Batch) {
        let counters = &self.shared.counters;
        counters.batches.fetch_add(1, Ordering::Relaxed);
        counters.peak_batch_records.fetch_max(u64::from(batch.records), Ordering::Relaxed);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.fail(Error::Internal("the log writer panicked"));
        }
    }
}
