use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::batch::BATCH_HEADER_BYTES;
use crate::LogFormat;

/// Room that is left for deletes when the disk is full.
const DELETE_ROOM_BYTES: u64 = 64 * 1024;

/// Room that is left for seals when the disk is full.
const SEAL_ROOM_BYTES: u64 = 4 * 1024;

/// What a byte of a record may become in JSON: `\u0000`. The line around it takes less than six times what
/// surrounds a key and a value in a record.
const JSON_EXPANSION: usize = 6;

/// The room that the log has on the disk, and who has a claim on it.
///
/// A write is admitted once it has a claim, and a claim is only given on room that the file system has
/// reserved: so a full disk refuses writes before anything has changed, and what was admitted finds room.
#[derive(Debug)]
pub(super) struct Space {
    format: LogFormat,
    /// Where the log ends, in bytes from the start of the file.
    log_end: AtomicU64,
    /// Where the reserved room ends.
    reserved_end: AtomicU64,
    /// Bytes behind the log's end that admitted writes will take at most.
    claimed: AtomicU64,
    is_full: AtomicBool,
    changed: Notify,
}

/// What a write does to the room that the live data needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It may take more.
    Grows,
    /// It takes less: what makes room is still possible when there is next to none.
    Shrinks,
}

impl Space {
    pub(super) fn new(format: LogFormat, log_end: u64) -> Self {
        Self {
            format,
            log_end: AtomicU64::new(log_end),
            reserved_end: AtomicU64::new(log_end),
            claimed: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// How the log is encoded.
    pub(super) const fn format(&self) -> LogFormat {
        self.format
    }

    /// The most that `record_bytes` of records in up to `appends` batches take in the file.
    pub(super) const fn claim_bytes(&self, record_bytes: usize, appends: usize) -> u64 {
        let bytes = match self.format {
            LogFormat::Binary => record_bytes + appends * BATCH_HEADER_BYTES,
            LogFormat::Json => record_bytes * JSON_EXPANSION,
        };
        bytes as u64
    }

    /// Claims room for so many bytes; `false` if that much is not reserved.
    pub(super) fn claim(&self, bytes: u64, growth: Growth) -> bool {
        let spare = match growth {
            Growth::Grows => DELETE_ROOM_BYTES + SEAL_ROOM_BYTES,
            Growth::Shrinks => SEAL_ROOM_BYTES,
        };
        let claimed = self.claimed.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let end = self.log_end.load(Ordering::Acquire).saturating_add(claimed).saturating_add(spare);
        let fits = end <= self.reserved_end.load(Ordering::Acquire);
        if !fits {
            self.release(bytes);
        }
        fits
    }

    /// Gives a claim back.
    pub(super) fn release(&self, bytes: u64) {
        self.claimed.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// The log has grown to `log_end`, by what had a claim of `bytes`.
    pub(super) fn used(&self, log_end: u64, bytes: u64) {
        self.log_end.store(log_end, Ordering::Release);
        self.release(bytes);
    }

    pub(super) fn log_end(&self) -> u64 {
        self.log_end.load(Ordering::Acquire)
    }

    /// Where the room has to end for a further claim of `bytes`.
    pub(super) fn end_wanted(&self, bytes: u64) -> u64 {
        let claimed = self.claimed.load(Ordering::Acquire);
        self.log_end() + claimed + bytes + DELETE_ROOM_BYTES + SEAL_ROOM_BYTES
    }

    /// Room is reserved up to `end`; `is_full`: there is no more.
    pub(super) fn set_reserved(&self, end: u64, is_full: bool) {
        self.reserved_end.store(end, Ordering::Release);
        if self.is_full.swap(is_full, Ordering::AcqRel) != is_full {
            if is_full {
                tracing::warn!("disk full: writes are refused, reads go on");
            } else {
                tracing::info!("there is space on the disk again: writes are taken");
            }
        }
        self.changed.notify_waiters();
    }

    /// The log ends elsewhere now, in another file with at least as much room behind it.
    pub(super) fn moved(&self, log_end: u64, reserved_end: u64) {
        // In between nothing is given: whoever asks then waits until the room is looked at again.
        self.reserved_end.store(0, Ordering::Release);
        self.log_end.store(log_end, Ordering::Release);
        self.reserved_end.store(reserved_end, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Ends when the room has changed after this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Lets everybody look again who waits for room.
    pub(super) fn wake_all(&self) {
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_given_on_reserved_room_only() {
        let space = Space::new(LogFormat::Binary, 1000);
        assert!(!space.claim(1, Growth::Shrinks));
        space.set_reserved(space.end_wanted(500), false);
        assert!(space.claim(500, Growth::Grows));
        assert!(!space.claim(1, Growth::Grows));
        space.release(500);
        assert!(space.claim(400, Growth::Grows));
        space.used(1400, 400);
        assert!(space.claim(100, Growth::Grows));
        assert!(!space.claim(1, Growth::Grows));
    }

    #[test]
    fn when_nothing_can_grow_any_more_deletes_still_find_room() {
        let space = Space::new(LogFormat::Binary, 0);
        space.set_reserved(DELETE_ROOM_BYTES + SEAL_ROOM_BYTES, true);
        assert!(!space.claim(1, Growth::Grows));
        assert!(space.claim(DELETE_ROOM_BYTES, Growth::Shrinks));
        assert!(!space.claim(1, Growth::Shrinks));
    }
}
