//! Every operation of the file system fails, in every way, once and for ever: nothing acknowledged is lost,
//! nothing is there that was never written, nobody waits for ever.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustvault_storage::{DurableStore, Error, LogFormat, Options, SyncPolicy};

use super::injector::{Case, ENOSPC, FAULTS, Injector, Lasting, PHASES, Phase, Start};
use super::steps::{Step, parts_of, workload};
use super::{State, in_parallel, open, state};
use rustvault_testkit::block_on;
use rustvault_testkit::files::{Crash, Hooked, LOG, MemoryDisk};

/// Only a run that hangs takes this long.
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// What the store is told about the log's format each time that it is opened, and again from the start.
const FORMATS: [Option<LogFormat>; 4] =
    [Some(LogFormat::Json), None, Some(LogFormat::Binary), Some(LogFormat::Json)];

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
            Start::Blank | Start::Unreserved => MemoryDisk::default(),
            Start::Torn => MemoryDisk::of(&torn_log(case.has_lines)),
            Start::Sealed => MemoryDisk::of(&sealed_log()),
        };
        let possible = vec![state_of(&disk.after(Crash::Kill))];
        let (phase, hit) = (Mutex::new(Phase::Recovery), Mutex::default());
        let injector = Arc::new(Injector { case, disk: disk.clone(), seen: AtomicUsize::new(0), phase, hit });
        Self { case, disk, injector, store: None, openings: 0, possible }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Reopen => self.reopen(),
            Step::Compact => {
                self.enter(Phase::Compaction);
                self.compact();
            }
            write => {
                self.enter(Phase::Append);
                self.write(write);
            }
        }
    }

    fn enter(&self, phase: Phase) {
        *self.injector.phase.lock().unwrap() = phase;
    }

    fn write(&mut self, step: &Step) {
        // It could not be opened.
        let Some(store) = &self.store else { return };
        match block_on(step.carry_out(store)) {
            Ok(()) => self.possible.iter_mut().for_each(|state| step.apply_to(state)),
            Err(error @ Error::Poisoned { .. }) => {
                self.check_cause(&error);
                assert!(
                    !self.injector.was_only_opening_a_directory(),
                    "a log that goes on without it has failed"
                );
                let again = block_on(store.set(b"refused", b""));
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
        let compacted = block_on(store.compact());
        assert!(compacted.is_ok() || !self.case.fault.is_harmless(), "{compacted:?}");
        self.check_what_crashes_leave();
    }

    /// What a supervisor does with a daemon: starts it again, and if that fails once more.
    fn reopen(&mut self) {
        self.enter(Phase::Close);
        if let Some(Err(error)) = self.store.take().map(|store| store.close()) {
            self.check_cause(&error);
        }
        self.enter(Phase::Recovery);
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
        let found = block_on(state(store));
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
    block_on(state(&open(disk).unwrap()))
}

fn sealed_log() -> Vec<u8> {
    let disk = MemoryDisk::default();
    let store = open(&disk).unwrap();
    block_on(async {
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
    block_on(async {
        store.set(b"a", b"from before").await.unwrap();
        store.set(b"x", &[9; 900]).await.unwrap();
    });
    let mut log = disk.log();
    log.truncate(log.len() - 500);
    log
}

/// Runs a case to its end; tells what was hit, and when, `None` if there are not so many operations.
fn hit(case: Case) -> Option<Phase> {
    let mut world = World::new(case);
    world.reopen();
    for step in workload(case.has_lines) {
        world.take(&step);
    }
    world.enter(Phase::Close);
    drop(world.store.take());
    let hit = world.injector.hit.lock().unwrap().clone();
    let healthy = open(&world.disk).unwrap_or_else(|error| panic!("on a healthy disk: {error}"));
    let found = world.check_possible(&healthy, "on a healthy disk");
    if case.fault.is_harmless() || hit.is_none() {
        let mut all = state_of(&World::new(case).disk);
        workload(case.has_lines).iter().for_each(|step| step.apply_to(&mut all));
        assert!(found == all, "everything is carried out: {}", brief(&found));
    }
    hit.map(|(phase, _)| phase)
}

/// As [`hit`], and panics if that hangs. The thread's name tells the case where a panic is shown.
fn hit_in_time(case: Case) -> Option<Phase> {
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
    for fault in FAULTS {
        for lasting in [Lasting::Once, Lasting::ForEver] {
            for policy in [SyncPolicy::Always, SyncPolicy::Never] {
                for start in [Start::Blank, Start::Torn, Start::Sealed, Start::Unreserved] {
                    cases.push(Case { has_lines: false, start, policy, fault, lasting, nth: 0 });
                }
                cases.push(Case { has_lines: true, start: Start::Torn, policy, fault, lasting, nth: 0 });
            }
        }
    }
    // No kind of fault comes last: what a bug breaks is soon met.
    fastrand::Rng::with_seed(7).shuffle(&mut cases);
    let hits: Mutex<Vec<(Phase, Case)>> = Mutex::default();
    in_parallel(&cases, |&case| {
        let phases = (0..).map_while(|nth| hit_in_time(Case { nth, ..case }));
        let of_case: Vec<_> = phases.map(|phase| (phase, case)).collect();
        assert!(!of_case.is_empty(), "{case}");
        hits.lock().unwrap().extend(of_case);
    });
    report(&hits.into_inner().unwrap());
}

/// Tells how often each fault met each phase, once and for ever: never not at all.
fn report(hits: &[(Phase, Case)]) {
    println!("every fault: {} pairs of a fault and a call; of each kind, once and for ever:", hits.len());
    for phase in PHASES {
        let counts = FAULTS.map(|fault| {
            let counts = [Lasting::Once, Lasting::ForEver].map(|lasting| {
                let is_it = |case: &Case| (case.fault, case.lasting) == (fault, lasting);
                hits.iter().filter(|(hit, case)| *hit == phase && is_it(case)).count()
            });
            assert!(counts.iter().all(|&count| count > 0), "{fault:?} in {phase:?}: {counts:?}");
            format!("{fault:?} {} and {}", counts[0], counts[1])
        });
        println!("every fault: {phase:?}: {}", counts.join(", "));
    }
}
