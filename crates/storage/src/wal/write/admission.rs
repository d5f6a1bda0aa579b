//! Admission of writers, which is the backpressure: bounds the unwritten records, and claims room for them before anything changes.

use super::group_commit::SharedLog;
use super::in_flight::Flight;
use super::log::Log;
use super::space::{Growth, Space};
use crate::sync::{SemaphorePermit, SystemTime, TryAcquireError};
use crate::{Error, Lsn};

/// Most bytes of unwritten records; beyond it, writers wait for admission. A writer with more is admitted when there are no others,
/// and nobody else is until all its records are written. So a batch never has more bytes than this, or than one submit.
pub(super) const MAX_WAITING_BYTES: u32 = 8 * 1024 * 1024;

/// Upper bound on the records of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Demand {
    pub(crate) record_bytes: usize,
    /// Number of appends; the records of one operation are one append.
    pub(crate) appends: usize,
}

/// Permission to append records of this many bytes.
pub(crate) struct Admission<'a> {
    shared: &'a SharedLog,
    _flight: Flight<'a>,
    /// Permits that no appended record has taken yet, in bytes.
    charge: u32,
    /// Set if the records may exceed the limit: then all permits are returned when the last record is written.
    is_oversized: bool,
    /// Claim on room in the file that no appended record has taken yet.
    claim: u64,
    now_ms: u64,
}

impl Demand {
    fn charge(self) -> u32 {
        charge_of(self.record_bytes)
    }

    const fn claim(self) -> u64 {
        Space::claim_bytes(self.record_bytes, self.appends)
    }
}

impl Log {
    /// Waits until this much may be appended.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::LogRemoved`], [`Error::Poisoned`], [`Error::Closed`].
    pub(crate) async fn admit(&self, demand: Demand, growth: Growth) -> Result<Admission<'_>, Error> {
        let shared = &*self.shared;
        let permit = shared.admission.acquire_many(demand.charge()).await.map_err(|_| shared.refusal())?;
        let claim = demand.claim();
        if shared.space.claim(claim, growth) {
            return self.admitted(permit, demand);
        }
        let _turn = shared.space.turn().await;
        loop {
            let changed = shared.space.changed();
            if shared.space.claim_in_turn(claim, growth) {
                return self.admitted(permit, demand);
            }
            if shared.space.is_refusing() {
                return Err(Error::DiskFull);
            }
            shared.want_room(claim);
            if shared.admission.is_closed() {
                return Err(shared.refusal());
            }
            changed.await;
        }
    }

    /// Admits as [`admit`](Self::admit) does, but returns `None` if that would have to wait.
    pub(crate) fn try_admit(&self, demand: Demand, growth: Growth) -> Option<Result<Admission<'_>, Error>> {
        let shared = &*self.shared;
        match shared.admission.try_acquire_many(demand.charge()) {
            Ok(permit) if shared.space.claim(demand.claim(), growth) => Some(self.admitted(permit, demand)),
            // Others wait for room, and go first.
            Ok(_) if growth == Growth::Grows && shared.space.has_queue() => None,
            Ok(_) => shared.space.is_refusing().then_some(Err(Error::DiskFull)),
            Err(TryAcquireError::Closed) => Some(Err(shared.refusal())),
            Err(TryAcquireError::NoPermits) => None,
        }
    }

    fn admitted(&self, permit: SemaphorePermit<'_>, demand: Demand) -> Result<Admission<'_>, Error> {
        permit.forget();
        let shared = &*self.shared;
        let _flight = shared.in_flight.begin();
        let (charge, claim) = (demand.charge(), demand.claim());
        let is_oversized = demand.record_bytes > MAX_WAITING_BYTES as usize;
        let admission = Admission { shared, _flight, charge, is_oversized, claim, now_ms: now_ms() };
        // A failure is recorded shortly before it ends admission, so it is checked here.
        if shared.admission.is_closed() || shared.check().is_err() {
            return Err(shared.refusal());
        }
        shared.file_watch.error().map_or(Ok(admission), Err)
    }
}

impl Admission<'_> {
    /// Appends encoded records, which begin at `starts` in `records`, in one piece; returns the LSN of the first. Large ones are
    /// moved out of `records`.
    pub(crate) fn append(&mut self, records: &mut Vec<u8>, starts: &[usize]) -> Lsn {
        let charge = if self.is_oversized { 0 } else { self.charge.min(charge_of(records.len())) };
        self.charge -= charge;
        let shared = self.shared;
        let claim = Space::claim_bytes(records.len(), 1).min(self.claim);
        self.claim -= claim;
        let mut tail = shared.tail.lock();
        let first_lsn = tail.append(records, starts, self.now_ms, charge, claim);
        shared.set_appended(Lsn::new(tail.next_lsn() - 1));
        if tail.is_large() && tail.announce() {
            drop(tail);
            shared.work.notify_one();
        }
        first_lsn
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let shared = self.shared;
        if self.charge > 0 && !(self.is_oversized && shared.tail.lock().take_along(self.charge)) {
            shared.release(self.charge);
        }
        if self.claim > 0 {
            shared.space.release(self.claim);
        }
    }
}

fn charge_of(record_bytes: usize) -> u32 {
    u32::try_from(record_bytes).unwrap_or(MAX_WAITING_BYTES).clamp(1, MAX_WAITING_BYTES)
}

/// Returns the time of the system's clock, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batch::Commit;
    use crate::fs::OsFileSystem;
    use crate::recovery::recover;
    use crate::wal::format::record::LoggedChange;
    use crate::{Options, SyncPolicy};

    const SMALL: Demand = Demand { record_bytes: 100, appends: 1 };

    fn log(folder: &tempfile::TempDir) -> Log {
        let options = Options { sync_policy: SyncPolicy::Never, ..Options::default() };
        let recovered = recover(
            &(Arc::new(OsFileSystem) as _),
            &folder.path().join("the.log"),
            &options,
            &Default::default(),
        )
        .unwrap();
        Log::start(recovered.start, |_| (), || ()).unwrap()
    }

    fn append(admission: &mut Admission<'_>) {
        let mut records = Vec::new();
        LoggedChange::Set { key: b"key", value: b"value" }.encode(&mut records);
        admission.append(&mut records, &[0]);
    }

    async fn admit(log: &Log, demand: Demand) -> Admission<'_> {
        log.admit(demand, Growth::Grows).await.unwrap_or_else(|error| panic!("{error}"))
    }

    fn is_admitted(log: &Log, demand: Demand) -> bool {
        log.try_admit(demand, Growth::Grows).is_some()
    }

    #[tokio::test]
    async fn who_appends_more_than_may_wait_shares_no_batch() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder);
        let large = Demand { record_bytes: MAX_WAITING_BYTES as usize + 1, appends: 3 };
        let mut admission = admit(&log, large).await;
        append(&mut admission);
        log.commit_here();
        append(&mut admission);
        assert!(!is_admitted(&log, SMALL), "more may come");
        drop(admission);
        assert!(!is_admitted(&log, SMALL), "not all of it is written");
        log.commit_here();
        assert!(is_admitted(&log, SMALL));
        drop(admit(&log, large).await);
        assert!(is_admitted(&log, SMALL), "there was nothing to write");
    }

    #[tokio::test]
    async fn others_are_admitted_by_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder);
        let all = Demand { record_bytes: MAX_WAITING_BYTES as usize, appends: 3 };
        let mut admission = admit(&log, all).await;
        append(&mut admission);
        assert!(!is_admitted(&log, SMALL));
        log.commit_here();
        let written = Demand {
            record_bytes: LoggedChange::Set { key: b"key", value: b"value" }.encoded_bytes(),
            ..SMALL
        };
        assert!(is_admitted(&log, written));
        assert!(!is_admitted(&log, SMALL), "the rest is still to come");
        drop(admission);
        assert!(is_admitted(&log, SMALL));
    }
}
