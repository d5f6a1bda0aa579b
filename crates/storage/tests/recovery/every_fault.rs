//! Every operation of the file system fails, in every way, once and for ever: nothing acknowledged is lost,
//! nothing is there that was never written, nobody waits for ever.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustvault_storage::{DurableStore, Error, LogFormat, Op, Options, Store, SyncPolicy};

use super::support::hooked::{Call, Hooked, Operation, WHOLE};
use super::support::memory::{Crash, LOG, MemoryDisk};
use super::{State, in_parallel, open, run, state};

/// Only a run that hangs takes this long.
const HANGS_AFTER: Duration = Duration::from_secs(120);

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const SECTOR_BYTES: u64 = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Eio,
    NoSpace,
    /// A write takes half of its sectors, the next ones find no space.
    HalfThenNoSpace,
    /// A read or write takes half of its bytes.
    Short,
    Interrupted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Once,
    ForEver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Blank,
    Torn,
    Sealed,
}

/// A way to fail and what it happens to, at the operation `nth` of those that can fail so.
#[derive(Clone, Copy)]
struct Case {
    /// The log is one of JSON lines, becomes a binary one, and one of lines again.
    has_lines: bool,
    start: Start,
    policy: SyncPolicy,
    fault: Fault,
    lasting: Lasting,
    nth: usize,
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
    fn can_hit(self, call: Call) -> bool {
        match self {
            Self::Eio => true,
            Self::NoSpace => may_need_space(call),
            Self::HalfThenNoSpace => matches!(call, Call::Write { .. }),
            Self::Short => matches!(call, Call::Read { len, .. } | Call::Write { len, .. } if len > 1),
            Self::Interrupted => matches!(call, Call::Read { .. } | Call::Write { .. }),
        }
    }

    /// Nobody may notice it.
    fn is_harmless(self) -> bool {
        matches!(self, Self::Short | Self::Interrupted)
    }

    fn error(self) -> io::Error {
        match self {
            Self::Eio => io::Error::from_raw_os_error(EIO),
            Self::NoSpace | Self::HalfThenNoSpace => io::Error::from_raw_os_error(ENOSPC),
            Self::Short | Self::Interrupted => io::ErrorKind::Interrupted.into(),
        }
    }
}

fn may_need_space(call: Call) -> bool {
    matches!(call, Call::Open | Call::Create | Call::Rename | Call::SyncParent | Call::Sync)
        || matches!(call, Call::Write { .. } | Call::SetLen { .. } | Call::Reserve { .. })
}

/// About half of a write. It ends where a sector does: no system leaves less of one than it was given.
fn half_in_sectors(offset: u64, len: usize) -> usize {
    let half_end = (offset + len as u64 / 2) / SECTOR_BYTES * SECTOR_BYTES;
    half_end.saturating_sub(offset) as usize
}

/// Lets a case happen.
struct Injector {
    case: Case,
    disk: MemoryDisk,
    seen: AtomicUsize,
    /// What it happened to first.
    hit: Mutex<Option<String>>,
}

impl Injector {
    fn before(&self, operation: Operation<'_>) -> io::Result<usize> {
        let Case { fault, lasting, nth, .. } = self.case;
        if !fault.can_hit(operation.call) {
            return Ok(WHOLE);
        }
        let after = match self.seen.fetch_add(1, Ordering::SeqCst).checked_sub(nth) {
            Some(0) => 0,
            Some(after) if lasting == Lasting::ForEver => after,
            _ => return Ok(WHOLE),
        };
        self.hit.lock().unwrap().get_or_insert_with(|| operation.to_string());
        match operation.call {
            Call::Read { len, .. } | Call::Write { len, .. } if fault == Fault::Short => Ok(len.div_ceil(2)),
            Call::Write { offset, len } if fault == Fault::HalfThenNoSpace && after == 0 => {
                match half_in_sectors(offset, len) {
                    0 => Err(fault.error()),
                    taken => Ok(taken),
                }
            }
            // Somebody who is interrupted every time never gets anywhere.
            _ if fault == Fault::Interrupted && after % 2 == 1 => Ok(WHOLE),
            Call::Sync => {
                self.disk.fail_next_sync(fault.error());
                Ok(WHOLE)
            }
            _ => Err(fault.error()),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Set(&'static [u8], Vec<u8>),
    SetMany(&'static [&'static [u8]], Vec<u8>),
    Delete(&'static [u8]),
    Clear,
    Compact,
    Reopen,
}

/// What the store is told about the log's format each time that it is opened, and again from the start.
const FORMATS: [Option<LogFormat>; 4] =
    [Some(LogFormat::Json), None, Some(LogFormat::Binary), Some(LogFormat::Json)];

/// What every case goes through.
fn workload(has_lines: bool) -> Vec<Step> {
    let value = |byte, len| vec![byte; len];
    let mut steps = vec![
        Step::Set(b"a", value(1, 10)),
        Step::Set(b"b", value(2, 600)),
        Step::SetMany(&[b"c", b"d", b"e"], value(3, 100)),
        Step::Delete(b"a"),
        Step::Compact,
        Step::Set(b"after", value(9, 40)),
        Step::Reopen,
        // A record of this size is a chunk, and so a write, of its own.
        Step::Set(b"large", value(4, 70_000)),
        Step::Delete(b"c"),
        Step::Clear,
        Step::Set(b"a", value(5, 20)),
        Step::Reopen,
        Step::Set(b"a", value(6, 1500)),
        Step::Compact,
        Step::Set(b"f", value(7, 0)),
        Step::Compact,
        Step::Delete(b"nobody"),
        Step::Set(b"b", value(8, 300)),
        Step::Reopen,
    ];
    if has_lines {
        // The way back.
        steps.extend([Step::Compact, Step::SetMany(&[b"a", b"b"], value(0, 700)), Step::Reopen]);
    }
    steps
}

impl Step {
    async fn carry_out(&self, store: &DurableStore) -> Result<(), Error> {
        match self {
            Self::Set(key, value) => store.set(key, value).await,
            Self::Delete(key) => store.delete(key).await.map(drop),
            Self::SetMany(keys, value) => {
                let pairs: Vec<_> = keys.iter().map(|&key| (key, &value[..])).collect();
                submit(store, Op::SetMany { pairs: &pairs }).await
            }
            Self::Clear => submit(store, Op::Clear).await,
            Self::Compact | Self::Reopen => unreachable!("no write"),
        }
    }

    fn apply_to(&self, state: &mut State) {
        match self {
            Self::Set(key, value) => drop(state.insert(key.to_vec(), value.clone())),
            Self::SetMany(keys, value) => {
                state.extend(keys.iter().map(|key| (key.to_vec(), value.clone())));
            }
            Self::Delete(key) => drop(state.remove(*key)),
            Self::Clear => state.clear(),
            Self::Compact | Self::Reopen => {}
        }
    }
}

/// A step, or what a crash may leave of it in a log of lines: of several keys the first few.
fn parts_of(step: &Step) -> Vec<Step> {
    match step {
        Step::SetMany(keys, value) => {
            (1..=keys.len()).map(|some| Step::SetMany(&keys[..some], value.clone())).collect()
        }
        step => vec![step.clone()],
    }
}

async fn submit(store: &DurableStore, op: Op<'_>) -> Result<(), Error> {
    let mut replies = Vec::new();
    store.submit(&[op], usize::MAX, &mut replies).await;
    let reply = replies.remove(0);
    reply.outcome?;
    store.wait(reply.depends_on).await
}

/// A store on a failing disk, and what may be in it.
struct World {
    case: Case,
    disk: MemoryDisk,
    injector: Arc<Injector>,
    store: Option<DurableStore>,
    /// How often it was opened.
    openings: usize,
    /// One state, or two when the outcome of a write is unknown.
    possible: Vec<State>,
}

impl World {
    fn new(case: Case) -> Self {
        let disk = match case.start {
            Start::Blank => MemoryDisk::default(),
            Start::Torn => MemoryDisk::of(&torn_log(case.has_lines)),
            Start::Sealed => MemoryDisk::of(&sealed_log()),
        };
        let possible = vec![state_of(&disk.after(Crash::Kill))];
        let injector =
            Arc::new(Injector { case, disk: disk.clone(), seen: AtomicUsize::new(0), hit: Mutex::default() });
        Self { case, disk, injector, store: None, openings: 0, possible }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Reopen => self.reopen(),
            Step::Compact => self.compact(),
            write => self.write(write),
        }
    }

    fn write(&mut self, step: &Step) {
        // It could not be opened.
        let Some(store) = &self.store else { return };
        match run(step.carry_out(store)) {
            Ok(()) => self.possible.iter_mut().for_each(|state| step.apply_to(state)),
            Err(error @ Error::Poisoned { .. }) => {
                self.check_cause(&error);
                let again = run(store.set(b"refused", b""));
                assert!(matches!(again, Err(Error::Poisoned { .. })), "{step:?}, then {again:?}");
                let before = self.possible.clone();
                let parts = if self.case.has_lines { parts_of(step) } else { vec![step.clone()] };
                for part in parts {
                    let mut applied = before.clone();
                    applied.iter_mut().for_each(|state| part.apply_to(state));
                    self.possible.extend(applied);
                }
                self.check_what_crashes_leave();
                self.reopen();
            }
            // Nothing has changed.
            Err(Error::DiskFull) if self.case.fault.error().raw_os_error() == Some(ENOSPC) => {}
            Err(error) => panic!("{step:?}: {error:?}"),
        }
    }

    /// Whether it succeeds or is given up, nothing changes.
    fn compact(&self) {
        let Some(store) = &self.store else { return };
        let compacted = run(store.compact());
        assert!(compacted.is_ok() || !self.case.fault.is_harmless(), "{compacted:?}");
        self.check_what_crashes_leave();
    }

    /// What a supervisor does with a daemon: starts it again, and if that fails once more.
    fn reopen(&mut self) {
        if let Some(Err(error)) = self.store.take().map(|store| store.close()) {
            self.check_cause(&error);
        }
        self.check_what_crashes_leave();
        let format = FORMATS[self.openings % FORMATS.len()];
        self.openings += 1;
        for _ in 0..2 {
            let mut options = Options::default();
            options.sync_policy = self.case.policy;
            options.log_format = format.filter(|_| self.case.has_lines);
            let injector = Arc::clone(&self.injector);
            let fs = Hooked::new(self.disk.clone(), move |operation| injector.before(operation));
            match DurableStore::open_on(Arc::new(fs), LOG, options) {
                Ok(store) => {
                    // Recovery has made sure of what it found.
                    self.possible = vec![self.check_possible(&store, "reopened")];
                    self.store = Some(store);
                    self.check_what_crashes_leave();
                    return;
                }
                Err(error) => self.check_cause(&error),
            }
            self.check_what_crashes_leave();
        }
        assert_eq!(self.case.lasting, Lasting::ForEver, "the second try meets no fault");
    }

    fn check_cause(&self, error: &Error) {
        let injected = self.case.fault.error();
        let source = match error {
            Error::Io { source, .. } => source,
            Error::Poisoned { cause } => match &**cause {
                Error::Io { source, .. } => source,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        assert!(!self.case.fault.is_harmless(), "{error}");
        assert_eq!(source.kind(), injected.kind(), "{error}");
    }

    fn check_possible(&self, store: &DurableStore, when: &str) -> State {
        let found = run(state(store));
        let hit = self.injector.hit.lock().unwrap();
        assert!(self.possible.contains(&found), "{when}, hit: {hit:?}: {}", brief(&found));
        found
    }

    fn check_what_crashes_leave(&self) {
        let survived = match self.case.policy {
            SyncPolicy::Always => &[Crash::Kill, Crash::PowerLoss][..],
            _ => &[Crash::Kill],
        };
        for &crash in survived {
            let store = open(&self.disk.after(crash)).unwrap_or_else(|error| panic!("{crash:?}: {error}"));
            self.check_possible(&store, &format!("after {crash:?}"));
        }
    }
}

fn brief(state: &State) -> String {
    let entry = |(key, value): (&Vec<u8>, &Vec<u8>)| {
        format!("{}={}x{:?}", key.escape_ascii(), value.len(), value.first())
    };
    state.iter().map(entry).collect::<Vec<_>>().join(" ")
}

fn state_of(disk: &MemoryDisk) -> State {
    run(state(&open(disk).unwrap()))
}

fn sealed_log() -> Vec<u8> {
    let disk = MemoryDisk::default();
    let store = open(&disk).unwrap();
    run(async {
        store.set(b"a", b"from before").await.unwrap();
        store.set(b"x", &[9; 900]).await.unwrap();
    });
    store.close().unwrap();
    disk.bytes()
}

fn torn_log(is_of_lines: bool) -> Vec<u8> {
    let disk = MemoryDisk::default();
    let mut options = Options::default();
    options.log_format = is_of_lines.then_some(LogFormat::Json);
    let store = DurableStore::open_on(Arc::new(disk.clone()), LOG, options).unwrap();
    run(async {
        store.set(b"a", b"from before").await.unwrap();
        store.set(b"x", &[9; 900]).await.unwrap();
    });
    let mut log = disk.log();
    log.truncate(log.len() - 500);
    log
}

/// Runs a case to its end; tells what was hit, `None` if there are not so many operations.
fn hit(case: Case) -> Option<String> {
    let mut world = World::new(case);
    world.reopen();
    for step in workload(case.has_lines) {
        world.take(&step);
    }
    drop(world.store.take());
    let hit = world.injector.hit.lock().unwrap().clone();
    let healthy = open(&world.disk).unwrap_or_else(|error| panic!("on a healthy disk: {error}"));
    let found = world.check_possible(&healthy, "on a healthy disk");
    if case.fault.is_harmless() || hit.is_none() {
        let mut all = state_of(&World::new(case).disk);
        workload(case.has_lines).iter().for_each(|step| step.apply_to(&mut all));
        assert!(found == all, "everything is carried out: {}", brief(&found));
    }
    hit
}

/// As [`hit`], and panics if that hangs. The thread's name tells the case where a panic is shown.
fn hit_in_time(case: Case) -> Option<String> {
    let (done, outcome) = mpsc::channel();
    let thread = thread::Builder::new().name(case.to_string()).spawn(move || {
        let _ = done.send(hit(case));
    });
    match outcome.recv_timeout(HANGS_AFTER) {
        Ok(hit) => hit,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{case}: hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.unwrap().join() {
            Ok(()) => unreachable!("it sends before it ends"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

#[test]
fn no_fault_at_any_call_loses_or_invents_a_write() {
    let mut cases = Vec::new();
    for fault in [Fault::Eio, Fault::NoSpace, Fault::HalfThenNoSpace, Fault::Short, Fault::Interrupted] {
        for lasting in [Lasting::Once, Lasting::ForEver] {
            for policy in [SyncPolicy::Always, SyncPolicy::Never] {
                for start in [Start::Blank, Start::Torn, Start::Sealed] {
                    cases.push(Case { has_lines: false, start, policy, fault, lasting, nth: 0 });
                }
                cases.push(Case { has_lines: true, start: Start::Torn, policy, fault, lasting, nth: 0 });
            }
        }
    }
    let pairs = AtomicUsize::new(0);
    in_parallel(&cases, |&case| {
        let hits = (0..).map_while(|nth| hit_in_time(Case { nth, ..case })).count();
        assert!(hits > 0, "{case}");
        pairs.fetch_add(hits, Ordering::Relaxed);
    });
    println!("every fault: {} pairs of a fault and a call", pairs.into_inner());
}
