//! What can go wrong at a call of the file system, and lets it happen.

use std::fmt;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::SyncPolicy;

use rustvault_testkit::files::{FileCall, MemoryDisk, Operation, WHOLE};

const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;
const SECTOR_BYTES: u64 = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Eio,
    NoSpace,
    /// A write takes half of its sectors, the next ones find no space.
    HalfThenNoSpace,
    /// A read or write takes half of its bytes.
    Short,
    Interrupted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    Once,
    ForEver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Blank,
    Torn,
    Sealed,
    /// As a new log, on a file system that cannot reserve room: zeros take it.
    Unreserved,
}

/// What a fault happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Recovery,
    Append,
    Extension,
    Reservation,
    Compaction,
    Close,
}

pub(crate) const PHASES: [Phase; 6] =
    [Phase::Recovery, Phase::Append, Phase::Extension, Phase::Reservation, Phase::Compaction, Phase::Close];

pub(crate) const FAULTS: [Fault; 5] =
    [Fault::Eio, Fault::NoSpace, Fault::HalfThenNoSpace, Fault::Short, Fault::Interrupted];

/// Zeros that a small log is extended by; the workload writes nothing else of this length.
const EXTENSION_BYTES: usize = 64 * 1024;

/// At least so many zeros take room where none can be reserved; nothing else is so long.
const RESERVED_BYTES: usize = 100_000;

/// A way to fail and what it happens to, at the operation `nth` of those that can fail so.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The log is one of JSON lines, becomes a binary one, and one of lines again.
    pub(crate) has_lines: bool,
    pub(crate) start: Start,
    pub(crate) policy: SyncPolicy,
    pub(crate) fault: Fault,
    pub(crate) lasting: Lasting,
    pub(crate) nth: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { has_lines, start, policy, fault, lasting, nth } = self;
        let lines = if *has_lines { " with lines" } else { "" };
        write!(f, "{start:?} log{lines}, fsync {policy}, {fault:?} {lasting:?} at operation {nth}")
    }
}

impl Fault {
    /// Whether a system does this to that. Interruptions elsewhere never come through the file system.
    fn can_hit(self, call: FileCall) -> bool {
        match self {
            Self::Eio => true,
            Self::NoSpace => may_need_space(call),
            Self::HalfThenNoSpace => matches!(call, FileCall::Write { .. }),
            Self::Short => {
                matches!(call, FileCall::Read { len, .. } | FileCall::Write { len, .. } if len > 1)
            }
            Self::Interrupted => matches!(call, FileCall::Read { .. } | FileCall::Write { .. }),
        }
    }

    /// Nobody may notice it.
    pub(crate) fn is_harmless(self) -> bool {
        matches!(self, Self::Short | Self::Interrupted)
    }

    pub(crate) fn error(self) -> io::Error {
        match self {
            Self::Eio => io::Error::from_raw_os_error(EIO),
            Self::NoSpace | Self::HalfThenNoSpace => io::Error::from_raw_os_error(ENOSPC),
            Self::Short | Self::Interrupted => io::ErrorKind::Interrupted.into(),
        }
    }
}

fn may_need_space(call: FileCall) -> bool {
    matches!(
        call,
        FileCall::Open | FileCall::Create | FileCall::Rename | FileCall::SyncParent | FileCall::Sync
    ) || matches!(call, FileCall::Write { .. } | FileCall::SetLen { .. } | FileCall::Reserve { .. })
}

/// About half of a write. It ends where a sector does: no system leaves less of one than it was given.
fn half_in_sectors(offset: u64, len: usize) -> usize {
    let half_end = (offset + len as u64 / 2) / SECTOR_BYTES * SECTOR_BYTES;
    half_end.saturating_sub(offset) as usize
}

/// Lets a case happen.
pub(crate) struct Injector {
    pub(crate) case: Case,
    pub(crate) disk: MemoryDisk,
    pub(crate) seen: AtomicUsize,
    /// What the store is made to do at present.
    pub(crate) phase: Mutex<Phase>,
    /// What it happened to first, and in which phase.
    pub(crate) hit: Mutex<Option<(Phase, String)>>,
}

impl Injector {
    fn phase_of(&self, call: FileCall) -> Phase {
        match call {
            FileCall::Reserve { .. } => Phase::Reservation,
            FileCall::Write { len, .. } if len >= RESERVED_BYTES => Phase::Reservation,
            FileCall::Write { len: EXTENSION_BYTES, .. } => Phase::Extension,
            _ => *self.phase.lock().unwrap(),
        }
    }

    /// Whether nothing has failed but the opening of a directory, which nothing depends on yet.
    pub(crate) fn was_only_opening_a_directory(&self) -> bool {
        let hit = self.hit.lock().unwrap();
        self.case.lasting == Lasting::Once
            && hit.as_ref().is_some_and(|(_, call)| call.starts_with("OpenParent"))
    }

    pub(crate) fn before(&self, operation: Operation<'_>) -> io::Result<usize> {
        let Case { start, fault, lasting, nth, .. } = self.case;
        if start == Start::Unreserved && matches!(operation.call, FileCall::Reserve { .. }) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if !fault.can_hit(operation.call) {
            return Ok(WHOLE);
        }
        let after = match self.seen.fetch_add(1, Ordering::SeqCst).checked_sub(nth) {
            Some(0) => 0,
            Some(after) if lasting == Lasting::ForEver => after,
            _ => return Ok(WHOLE),
        };
        let phase = self.phase_of(operation.call);
        self.hit.lock().unwrap().get_or_insert_with(|| (phase, operation.to_string()));
        match operation.call {
            FileCall::Read { len, .. } | FileCall::Write { len, .. } if fault == Fault::Short => {
                Ok(len.div_ceil(2))
            }
            FileCall::Write { offset, len } if fault == Fault::HalfThenNoSpace && after == 0 => {
                match half_in_sectors(offset, len) {
                    0 => Err(fault.error()),
                    taken => Ok(taken),
                }
            }
            // Somebody who is interrupted every time never gets anywhere.
            _ if fault == Fault::Interrupted && after % 2 == 1 => Ok(WHOLE),
            FileCall::Sync => {
                self.disk.fail_next_sync(fault.error());
                Ok(WHOLE)
            }
            _ => Err(fault.error()),
        }
    }
}
