//! Accounts for the room that the log has on the disk: reserved, claimed by admitted writers, waited for.

use crate::LogFormat;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::SeqCst;
use crate::sync::{Mutex, Notified, Notify, Semaphore, SemaphorePermit};
use crate::wal::format::batch::BATCH_HEADER_BYTES;

/// Room that is left for deletes when the disk is full.
const DELETE_ROOM_BYTES: u64 = 64 * 1024;

/// Room that is left for seals when the disk is full.
const SEAL_ROOM_BYTES: u64 = 4 * 1024;

/// Most bytes that a byte of a record may become in JSON: `\u0000`. The line around it takes less than six
/// times what surrounds a key and a value in a record.
const JSON_EXPANSION: u64 = 6;

/// The room that the log has on the disk, and who has a claim on it.
///
/// A write is admitted once it has a claim, and a claim is only given on room that the file system has
/// reserved: so a full disk refuses writes before anything has changed, and what was admitted finds room.
///
/// Claims are counted as the binary format has it. In JSON each takes up to six times the room, so they stay
/// right when the log changes its format.
#[derive(Debug)]
pub(in crate::wal) struct Space {
    room: Mutex<Room>,
    changed: Notify,
    /// Writers that wait for room, or for their turn to.
    queued: AtomicUsize,
    /// Held by the one of them whose turn it is; the others come in the order in which they asked.
    turn: Semaphore,
}

/// Read and changed together: a claim that saw the log's old end and not the claim that has become part of the log would get
/// the same room a second time.
#[derive(Debug)]
struct Room {
    format: LogFormat,
    /// Offset at which the log ends, in bytes from the start of the file.
    log_end: u64,
    /// Offset at which the reserved room ends, in bytes from the start of the file.
    reserved_end: u64,
    /// Upper bound on what admitted writes will take behind the log's end, in bytes of the binary format.
    claimed: u64,
    is_full: bool,
    /// Number of times that `is_full` was set.
    full_episodes: u64,
    /// The log moves to another file.
    is_moving: bool,
}

impl Room {
    /// Returns the end of the room that all claims need, with a further one of `bytes`.
    fn end_with(&self, bytes: u64) -> u64 {
        self.log_end.saturating_add(room_bytes(self.claimed.saturating_add(bytes), self.format))
    }

    fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.claimed, "{bytes} bytes given back of {} that are claimed", self.claimed);
        self.claimed -= bytes;
    }
}

/// A writer's turn to wait for room: until it has its claim, nobody else that needs to grow the log gets one.
pub(super) struct ReservationTurn<'s> {
    _queued: Queued<'s>,
    _permit: Option<SemaphorePermit<'s>>,
}

/// A writer in the queue for room.
struct Queued<'s>(&'s AtomicUsize);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// While it is there, no claims are given: the log moves to another file, or stays after all.
pub(in crate::wal) struct Move<'s>(&'s Space);

/// Effect of a write on the room that the live data needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It may take more.
    Grows,
    /// It takes less: what makes room is still possible when there is next to none.
    Shrinks,
}

impl Space {
    pub(super) fn new(format: LogFormat, log_end: u64) -> Self {
        let room = Room {
            format,
            log_end,
            reserved_end: log_end,
            claimed: 0,
            is_full: false,
            full_episodes: 0,
            is_moving: false,
        };
        Self {
            room: Mutex::new(room),
            changed: Notify::new(),
            queued: AtomicUsize::new(0),
            turn: Semaphore::new(1),
        }
    }

    /// Returns the format in which the log is encoded.
    pub(super) fn format(&self) -> LogFormat {
        self.room.lock().format
    }

    /// The claim of `record_bytes` of records in up to `appends` batches.
    pub(super) const fn claim_bytes(record_bytes: usize, appends: usize) -> u64 {
        (record_bytes + appends * BATCH_HEADER_BYTES) as u64
    }

    /// Claims room for so many bytes; `false` if that much is not reserved, or others wait for room.
    ///
    /// What [shrinks](Growth::Shrinks) on a full disk waits for nobody: it is what ends a want of room.
    pub(super) fn claim(&self, bytes: u64, growth: Growth) -> bool {
        let must_queue = growth == Growth::Grows && self.has_queue();
        !must_queue && self.claim_in_turn(bytes, growth)
    }

    /// Returns whether somebody waits for room, or for the turn to.
    pub(super) fn has_queue(&self) -> bool {
        self.queued.load(SeqCst) > 0
    }

    /// Waits until it is the caller's turn to wait for room, in the order in which this is called.
    ///
    /// Without an order, a large claim would wait for as long as small ones take what is reserved for it.
    pub(super) async fn turn(&self) -> ReservationTurn<'_> {
        self.queued.fetch_add(1, SeqCst);
        let queued = Queued(&self.queued);
        // It is never closed: every writer has its turn, and learns then that the log is closed.
        ReservationTurn { _queued: queued, _permit: self.turn.acquire().await.ok() }
    }

    /// Claims as [`claim`](Self::claim) does, for the one whose [turn](Self::turn) it is.
    pub(super) fn claim_in_turn(&self, bytes: u64, growth: Growth) -> bool {
        let spare = match growth {
            Growth::Grows => DELETE_ROOM_BYTES + SEAL_ROOM_BYTES,
            Growth::Shrinks => SEAL_ROOM_BYTES,
        };
        let mut room = self.room.lock();
        let fits = !room.is_moving && room.end_with(bytes).saturating_add(spare) <= room.reserved_end;
        if fits {
            room.claimed += bytes;
        }
        fits
    }

    /// Gives a claim back.
    pub(super) fn release(&self, bytes: u64) {
        self.room.lock().release(bytes);
    }

    /// The log has grown to `log_end`, by what had a claim of `bytes`.
    pub(super) fn used(&self, log_end: u64, bytes: u64) {
        let mut room = self.room.lock();
        room.log_end = log_end;
        room.release(bytes);
    }

    pub(super) fn log_end(&self) -> u64 {
        self.room.lock().log_end
    }

    /// Returns the offset at which the room has to end for a further claim of `bytes`, in bytes from the
    /// start of the file. Room for deletes and seals is included.
    pub(super) fn end_wanted(&self, bytes: u64) -> u64 {
        self.room.lock().end_with(bytes).saturating_add(DELETE_ROOM_BYTES + SEAL_ROOM_BYTES)
    }

    /// Room is reserved up to `end`; `is_full`: there is no more.
    pub(super) fn set_reserved(&self, end: u64, is_full: bool) {
        let was_full = {
            let mut room = self.room.lock();
            room.reserved_end = end;
            room.full_episodes += u64::from(is_full && !room.is_full);
            std::mem::replace(&mut room.is_full, is_full)
        };
        match (was_full, is_full) {
            (false, true) => {
                tracing::warn!("disk full: writes are refused until there is space, reads continue")
            }
            (true, false) => tracing::info!("there is space on the disk again: writes resume"),
            _ => {}
        }
        self.changed.notify_waiters();
    }

    /// Gives no claims until the log has moved to another file.
    pub(in crate::wal) fn begin_move(&self) -> Move<'_> {
        self.room.lock().is_moving = true;
        Move(self)
    }

    pub(super) fn is_full(&self) -> bool {
        self.room.lock().is_full
    }

    /// Returns the number of times that the disk has become full.
    pub(super) fn full_episodes(&self) -> u64 {
        self.room.lock().full_episodes
    }

    /// Returns whether a claim that was not given is refused. Else it is worth waiting for.
    pub(super) fn is_refusing(&self) -> bool {
        let room = self.room.lock();
        room.is_full && !room.is_moving
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

impl Move<'_> {
    /// The room that the claims given so far may take in a log of this format, and what is left for deletes
    /// and seals.
    pub(in crate::wal) fn room_bytes(&self, format: LogFormat) -> u64 {
        room_bytes(self.0.room.lock().claimed, format) + DELETE_ROOM_BYTES + SEAL_ROOM_BYTES
    }

    /// The log ends elsewhere now, in another file with room for all claims behind it.
    pub(in crate::wal) fn moved(self, format: LogFormat, log_end: u64, reserved_end: u64) {
        let mut room = self.0.room.lock();
        (room.format, room.log_end, room.reserved_end) = (format, log_end, reserved_end);
    }
}

impl Drop for Move<'_> {
    fn drop(&mut self) {
        self.0.room.lock().is_moving = false;
        self.0.changed.notify_waiters();
    }
}

/// The room that a claim is for.
const fn room_bytes(claim: u64, format: LogFormat) -> u64 {
    match format {
        LogFormat::Binary => claim,
        LogFormat::Json => claim.saturating_mul(JSON_EXPANSION),
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

    #[test]
    fn a_disk_that_stays_full_is_one_episode() {
        let space = Space::new(LogFormat::Binary, 0);
        for (is_full, episodes) in [(false, 0), (true, 1), (true, 1), (false, 1), (true, 2)] {
            space.set_reserved(0, is_full);
            assert_eq!(space.full_episodes(), episodes);
        }
    }

    #[test]
    fn no_claim_is_given_while_the_log_moves_and_all_are_of_the_new_format_then() {
        let space = Space::new(LogFormat::Binary, 1000);
        space.set_reserved(space.end_wanted(500), false);
        assert!(space.claim(100, Growth::Grows));
        let spare = DELETE_ROOM_BYTES + SEAL_ROOM_BYTES;
        let moving = space.begin_move();
        assert!(!space.claim(1, Growth::Shrinks) && !space.is_refusing());
        assert_eq!(moving.room_bytes(LogFormat::Json), 600 + spare);
        assert_eq!(moving.room_bytes(LogFormat::Binary), 100 + spare);
        moving.moved(LogFormat::Json, 50, 50 + 600 + spare + 6);
        assert_eq!(space.format(), LogFormat::Json);
        assert!(space.claim(1, Growth::Grows));
        assert!(!space.claim(1, Growth::Grows));
        space.used(500, 100);
        assert!(space.claim(25, Growth::Grows));
        assert!(!space.claim(1, Growth::Grows));
    }

    #[test]
    fn a_log_that_stays_after_all_gives_claims_again() {
        let space = Space::new(LogFormat::Json, 0);
        space.set_reserved(space.end_wanted(10), false);
        drop(space.begin_move());
        assert!(space.claim(10, Growth::Grows));
        assert!(!space.claim(1, Growth::Grows));
    }
}
