//! A disk whose failing calls are choices of the schedule, and which sees what must not happen after one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustvault_storage::pass_time;
use shuttle::rand::{Rng, thread_rng};

use rustvault_testkit::files::{FileCall, LOG, MemoryDisk, Operation, WHOLE};

/// Most calls after which the first failure comes.
const MOST_CALLS_BEFORE: u32 = 40;

/// What the disk takes or leaves as a whole.
const SECTOR_BYTES: u64 = 512;

/// How long a slow sync takes: less than the log's shortest wait, more than that, more than all of them.
const SLOW_SYNCS: [Duration; 3] =
    [Duration::from_micros(50), Duration::from_millis(200), Duration::from_secs(10)];

/// How a disk may misbehave in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// A call fails, or all from some call on.
    Errors,
    /// There is no room from some call on, maybe until it is made.
    Full,
}

/// What the schedule has in store.
#[derive(Debug, Default)]
struct Plan {
    /// Calls that may fail before the first that does; `None`: none does.
    calls_before: Option<u32>,
    goes_on: bool,
    is_full: bool,
    shortens_writes: bool,
    is_slow: bool,
}

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    /// Where the room ends that was reserved, in bytes.
    reserved_end: u64,
    /// The name by which the file was opened that is the log now.
    log: PathBuf,
    /// How often the log has moved.
    moves: u32,
    failures: u32,
    /// The failure after which the log must not be touched.
    final_failure: Option<String>,
    violations: Vec<String>,
}

/// What becomes of the calls of a disk.
pub(crate) struct Faults {
    disk: MemoryDisk,
    state: Mutex<State>,
    /// Nothing is to be written after a failure.
    is_strict: bool,
    is_shown: bool,
}

impl Faults {
    pub(crate) fn new(disk: MemoryDisk, is_strict: bool, is_shown: bool) -> Self {
        let state = State { log: LOG.into(), ..State::default() };
        Self { disk, state: Mutex::new(state), is_strict, is_shown }
    }

    /// From now on there may be trouble.
    pub(crate) fn begin(&self, trouble: Trouble) {
        let mut rng = thread_rng();
        let is_troubled = trouble == Trouble::Full || trouble == Trouble::Errors && rng.gen_range(0..4) > 0;
        let plan = Plan {
            calls_before: is_troubled.then(|| rng.gen_range(0..MOST_CALLS_BEFORE)),
            goes_on: rng.r#gen(),
            is_full: trouble == Trouble::Full,
            shortens_writes: rng.gen_range(0..4) == 0,
            is_slow: rng.gen_range(0..4) == 0,
        };
        self.show(|| format!("{plan:?}"));
        self.state.lock().unwrap().plan = plan;
    }

    /// From now on all goes well, and there is room.
    pub(crate) fn end(&self) {
        self.show(|| "no more trouble".to_owned());
        self.state.lock().unwrap().plan = Plan::default();
    }

    /// How many calls have failed.
    pub(crate) fn failures(&self) -> u32 {
        self.state.lock().unwrap().failures
    }

    /// Whether the log cannot be used any more.
    pub(crate) fn is_final(&self) -> bool {
        self.state.lock().unwrap().final_failure.is_some()
    }

    /// What was done that must not be.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    /// Tells what happens, if somebody wants to see it.
    pub(crate) fn show(&self, what: impl FnOnce() -> String) {
        if self.is_shown {
            eprintln!("  {:?}: {}", shuttle::current::me(), what());
        }
    }

    /// Lets other threads run inside of a call, then decides what becomes of it.
    pub(crate) fn before(&self, operation: Operation<'_>) -> io::Result<usize> {
        let is_log = self.state.lock().unwrap().log == operation.path;
        self.note_begin(operation, is_log);
        let holds = if matches!(operation.call, FileCall::Write { .. } | FileCall::Sync)
            && thread_rng().gen_range(0..4) == 0
        {
            8
        } else {
            1
        };
        for _ in 0..holds {
            shuttle::thread::yield_now();
        }
        let result = self.decide(operation, is_log);
        self.show(|| match &result {
            Ok(WHOLE) => operation.to_string(),
            Ok(bytes) => format!("{operation}: takes {bytes} of them"),
            Err(error) => format!("{operation}: {error}"),
        });
        result
    }

    /// Nothing is written or synced after a failure.
    fn note_begin(&self, operation: Operation<'_>, is_log: bool) {
        let mut state = self.state.lock().unwrap();
        let may_not =
            self.is_strict && is_log && matches!(operation.call, FileCall::Write { .. } | FileCall::Sync);
        if let Some(failure) = state.final_failure.as_ref().filter(|_| may_not) {
            let violation = format!("{operation} came after {failure}");
            state.violations.push(violation);
        }
    }

    fn decide(&self, operation: Operation<'_>, is_log: bool) -> io::Result<usize> {
        let state = &mut *self.state.lock().unwrap();
        let mut rng = thread_rng();
        if operation.call == FileCall::Sync && state.plan.is_slow {
            pass_time(SLOW_SYNCS[rng.gen_range(0..SLOW_SYNCS.len())]);
        }
        let error = state.error(operation);
        if let Some(error) = error {
            state.failures += 1;
            let is_for_good =
                matches!(operation.call, FileCall::Write { .. } | FileCall::Sync | FileCall::SetLen { .. });
            if is_log && is_for_good {
                state.final_failure.get_or_insert_with(|| format!("{operation} had failed: {error}"));
            }
            if operation.call == FileCall::Sync {
                // Such a sync also loses what it should have made durable.
                self.disk.fail_next_sync(error);
                return Ok(WHOLE);
            }
            return Err(error);
        }
        match operation.call {
            FileCall::Write { offset, len } if state.plan.shortens_writes => match rng.gen_range(0..4) {
                0 => return Ok(sectors_within(offset, len, rng.r#gen())),
                1 => return Err(io::ErrorKind::Interrupted.into()),
                _ => {}
            },
            FileCall::Reserve { offset, len } if is_log => {
                state.reserved_end = state.reserved_end.max(offset + len);
            }
            FileCall::Rename => {
                state.log = successor();
                state.moves += 1;
                state.reserved_end = u64::MAX;
            }
            FileCall::Create if state.moves > 0 => state.log = PathBuf::new(),
            _ => {}
        }
        Ok(WHOLE)
    }
}

impl State {
    /// What the call fails with, if it does.
    fn error(&mut self, operation: Operation<'_>) -> Option<io::Error> {
        let needs_room = match operation.call {
            FileCall::Reserve { .. } => true,
            FileCall::Write { offset, len } => {
                offset + len as u64 > self.reserved_end && self.log == operation.path
            }
            _ => false,
        };
        let may_fail = match operation.call {
            FileCall::Write { .. } | FileCall::Reserve { .. } if self.plan.is_full => needs_room,
            _ if self.plan.is_full => false,
            FileCall::Write { .. } | FileCall::Sync | FileCall::SetLen { .. } | FileCall::Reserve { .. } => {
                true
            }
            FileCall::Create
            | FileCall::Rename
            | FileCall::OpenParent
            | FileCall::SyncParent
            | FileCall::IsAt => true,
            _ => false,
        };
        let calls_before = self.plan.calls_before.as_mut().filter(|_| may_fail)?;
        if *calls_before > 0 {
            *calls_before -= 1;
            return None;
        }
        if !self.plan.goes_on && !self.plan.is_full {
            self.plan.calls_before = None;
        }
        let is_full =
            self.plan.is_full || matches!(operation.call, FileCall::Reserve { .. }) && thread_rng().r#gen();
        Some(if is_full {
            io::ErrorKind::StorageFull.into()
        } else {
            io::Error::other("the schedule's error")
        })
    }
}

/// How many bytes a write may take that does not take all: systems cut writes at the ends of sectors.
fn sectors_within(offset: u64, len: usize, choice: u64) -> usize {
    let first = (SECTOR_BYTES - offset % SECTOR_BYTES) as usize;
    let cuts = len.saturating_sub(first).div_ceil(SECTOR_BYTES as usize);
    if cuts == 0 { WHOLE } else { first + choice as usize % cuts * SECTOR_BYTES as usize }
}

/// The name under which a compaction makes its file.
fn successor() -> PathBuf {
    Path::new(&format!("{LOG}.compacting")).to_owned()
}
