//! On which cores the daemon's threads may run.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};
use rustvault_tests::{Daemon, Launch, Wire, until};

const WRITERS: usize = 20;

/// Time under load in which `auto` pins: many times the 120 ms that it takes at least.
const LOAD_TIME: Duration = Duration::from_secs(2);

/// Keys that take many times as long to free as a look for the thread that does it.
const MANY_KEYS: usize = 100_000;

const KEYS_PER_BATCH: usize = 1000;

/// Time in which the thread that frees them has begun.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// Number of times that it is looked for.
const TRIES: u32 = 20;

/// Has this thread, and what it starts, run on two cores; `None` if there are not so many.
fn run_on_two_cores() -> Option<CpuSet> {
    let cores = sched_getaffinity(None).unwrap();
    let mut two = CpuSet::new();
    (0..CpuSet::MAX_CPU).filter(|&core| cores.is_set(core)).take(2).for_each(|core| two.set(core));
    sched_setaffinity(None, &two).unwrap();
    (two.count() == 2).then_some(two)
}

/// The cores on which the daemon's thread with this name may run.
fn cores_of(daemon: &Daemon, name: &str) -> CpuSet {
    try_cores_of(daemon, name).unwrap_or_else(|| panic!("no thread {name}"))
}

/// The same, if there is such a thread.
fn try_cores_of(daemon: &Daemon, name: &str) -> Option<CpuSet> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
    // Others may end meanwhile.
    let is_called = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let task = tasks.into_iter().find(is_called)?;
    let number = task.file_name().to_str().unwrap().parse().unwrap();
    sched_getaffinity(Pid::from_raw(number)).ok()
}

fn write_until(is_over: &AtomicBool, mut wire: Wire) {
    while !is_over.load(Ordering::Relaxed) {
        wire.ask("SET key value\r\n", "OK\r\n");
    }
}

/// Runs `work` while as many connections write as they can.
fn under_load(daemon: &Daemon, work: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ending = Ending(&is_over);
        for _ in 0..WRITERS {
            let wire = daemon.wire();
            scope.spawn(|| write_until(&is_over, wire));
        }
        work();
    });
}

/// Ends the writers, also when a test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns the cores that each of the daemon's threads may run on, as the kernel writes them, with the thread's name.
fn allowed_cores(daemon: &Daemon) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
    // Others may end meanwhile.
    let statuses = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    statuses.map(|status| (field(&status, "Name:"), field(&status, "Cpus_allowed_list:"))).collect()
}

fn field(status: &str, name: &str) -> String {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap_or_else(|| panic!("{name} in {status}")).trim().to_owned()
}

#[test]
fn without_affinity_every_thread_keeps_the_cores_that_it_inherits() {
    if run_on_two_cores().is_none() {
        return println!("skipped: needs two cores");
    }
    let inherited = field(&fs::read_to_string("/proc/thread-self/status").unwrap(), "Cpus_allowed_list:");
    let daemon = Launch::new().with_args("--cpu-affinity off").start();
    under_load(&daemon, || {
        let began = Instant::now();
        let mut wire = daemon.wire();
        while began.elapsed() < LOAD_TIME {
            wire.ask("SET another value\r\n", "OK\r\n");
            let cores = allowed_cores(&daemon);
            let names: Vec<_> = cores.iter().map(|(name, _)| name.as_str()).collect();
            assert!(
                ["serve-0", "serve-1", "wal-writer"].iter().all(|name| names.contains(name)),
                "{names:?}"
            );
            assert!(cores.iter().all(|(_, cores)| *cores == inherited), "{inherited}: {cores:?}");
        }
    });
    daemon.stop();
}

/// Waits until the log writer and the thread that serves run on one core.
fn until_pinned(daemon: &Daemon) {
    until("both run on one core", || {
        let (writer, server) = (cores_of(daemon, "wal-writer"), cores_of(daemon, "serve-0"));
        writer.count() == 1 && writer == server
    });
}

#[test]
fn of_two_cores_the_log_writer_and_the_thread_that_serves_share_one() {
    let Some(both) = run_on_two_cores() else { return println!("skipped: needs two cores") };
    let daemon = Launch::new().start();
    // The line that says that it is ready comes before the threads that serve.
    daemon.wire().ask("SET key value\r\n", "OK\r\n");
    for thread in ["serve-0", "wal-writer"] {
        assert_eq!(cores_of(&daemon, thread), both, "{thread} before there is anything to do");
    }
    under_load(&daemon, || {
        until_pinned(&daemon);
        for thread in ["serve-1", "compactor"] {
            assert_eq!(cores_of(&daemon, thread), both, "{thread} is not bound");
        }
    });
    daemon.stop();
}

/// Stores many keys, in pipelines.
fn fill(wire: &mut Wire) {
    for batch in 0..MANY_KEYS / KEYS_PER_BATCH {
        let keys = batch * KEYS_PER_BATCH..(batch + 1) * KEYS_PER_BATCH;
        let commands: String = keys.map(|key| format!("SET {key} value\r\n")).collect();
        wire.ask(commands, "OK\r\n".repeat(KEYS_PER_BATCH));
    }
}

#[test]
fn what_a_pinned_thread_flushes_is_freed_on_any_core() {
    let Some(both) = run_on_two_cores() else { return println!("skipped: needs two cores") };
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    under_load(&daemon, || {
        for _ in 0..TRIES {
            fill(&mut wire);
            until_pinned(&daemon);
            wire.send("FLUSHALL\r\n");
            // The thread may have ended before a look.
            let sent = Instant::now();
            while sent.elapsed() < LOOK_TIME {
                if let Some(cores) = try_cores_of(&daemon, "freeing") {
                    assert_eq!(cores, both, "inherited from a pinned thread");
                    return;
                }
            }
            wire.expect("OK\r\n");
        }
        panic!("the thread that frees was never seen");
    });
    daemon.stop();
}
