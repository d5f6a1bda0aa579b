//! The log's thread: commits what is announced, makes room, looks after the file, seals and closes.

use std::sync::Arc;
use std::time::Duration;

use rustix::thread::gettid;

use super::group_commit::SharedLog;
use super::syncer::Syncer;
use super::tail::Tail;
use crate::sync::{Instant, thread};
use crate::{Error, Lsn};

/// A pause in the writes after which the log is sealed, so that its last batch becomes provable.
const IDLE_BEFORE_SEAL: Duration = Duration::from_secs(1);

/// Time that a group's leader may take to wake its group before the writer does it.
const LEADER_GRACE: Duration = Duration::from_millis(10);

/// Interval at which a closing log looks whether the last admitted writers are done: short, because they
/// never wait.
const CLOSING_POLL: Duration = Duration::from_micros(100);

/// The log's own thread. It commits what is announced, seals and closes.
pub(super) struct Writer {
    shared: Arc<SharedLog>,
    syncer: Option<Syncer>,
    on_idle: Box<dyn Fn(Lsn) + Send>,
    room_tried: Instant,
}

/// Interval at which a full disk is looked at for new room.
const FULL_DISK_POLL: Duration = Duration::from_millis(250);

enum Work {
    Commit,
    MakeRoom,
    LookForFile,
    Seal,
    Close,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<SharedLog>,
        syncer: Option<Syncer>,
        on_idle: Box<dyn Fn(Lsn) + Send>,
    ) -> Self {
        Self { shared, syncer, on_idle, room_tried: Instant::now() }
    }

    pub(super) fn run(mut self) {
        self.shared.writer_thread.get_or_init(gettid);
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
                Work::Commit => {
                    if let Some(syncer) = &self.syncer {
                        syncer.wait_while_lagging();
                    }
                    self.shared.commit()?;
                }
                Work::MakeRoom => {
                    self.room_tried = Instant::now();
                    self.shared.make_room()?;
                }
                Work::LookForFile => self.shared.look_for_file()?,
                Work::Seal => {
                    self.shared.seal()?;
                    (self.on_idle)(self.shared.watermark());
                }
                Work::Close => return self.close(),
            }
        }
    }

    fn next_work(&self) -> Work {
        let shared = &*self.shared;
        let mut tail = shared.tail.lock();
        loop {
            if tail.is_announced() || shared.check().is_err() {
                return Work::Commit;
            }
            if tail.is_closing && !shared.in_flight.is_any() {
                return if tail.is_empty() { Work::Close } else { Work::Commit };
            }
            if tail.is_room_wanted() || self.full_disk_rest().is_some_and(|rest| rest.is_zero()) {
                return Work::MakeRoom;
            }
            if shared.file_watch.until_check().is_some_and(|rest| rest.is_zero()) {
                return Work::LookForFile;
            }
            let until_seal = until_seal(&tail);
            if until_seal.is_some_and(|rest| rest.is_zero()) {
                return Work::Seal;
            }
            match self.patience(tail.is_closing, until_seal) {
                Some(patience) => {
                    shared.work.wait_for(tail.guard_mut(), patience);
                    if tail.idle().is_none_or(|idle| idle >= LEADER_GRACE) {
                        shared.waiters.wake_all(shared.watermark().get());
                    }
                }
                None => shared.work.wait(tail.guard_mut()),
            }
        }
    }

    /// Returns the time to wait for work before looking after something else; `None` if there is nothing
    /// else.
    fn patience(&self, is_closing: bool, until_seal: Option<Duration>) -> Option<Duration> {
        if is_closing {
            return Some(CLOSING_POLL);
        }
        if !self.shared.waiters.is_empty() {
            return Some(LEADER_GRACE);
        }
        let until_look = self.shared.file_watch.until_check();
        [until_seal, self.full_disk_rest(), until_look].into_iter().flatten().min()
    }

    /// Returns the time until a full disk is looked at again; `None` if it is not full.
    fn full_disk_rest(&self) -> Option<Duration> {
        let is_full = self.shared.space.is_full();
        is_full.then(|| FULL_DISK_POLL.saturating_sub(self.room_tried.elapsed()))
    }

    fn close(&mut self) -> Result<(), Error> {
        // Not beside the sync of the seal: its failure has to be known before the log counts as closed.
        self.syncer = None;
        self.shared.check()?;
        self.shared.seal_for_good()?;
        self.shared.waiters.wake_all(self.shared.watermark().get());
        Ok(())
    }
}

/// Returns the time until the log is to be sealed; `None` if it is sealed. Records that are held back come first; whoever
/// commits them wakes nobody, so the thread looks again.
fn until_seal(tail: &Tail) -> Option<Duration> {
    let idle = tail.idle()?;
    Some(if tail.is_empty() { IDLE_BEFORE_SEAL.saturating_sub(idle) } else { IDLE_BEFORE_SEAL })
}

impl Drop for Writer {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.fail(Error::Internal("the log writer panicked"));
        }
    }
}
