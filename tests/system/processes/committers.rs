//! A disk that fails one of two connections that commit at the same time: strace delays the call and has it fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use rustvault_tests::{Daemon, Launch, Wire, need_strace, number_in, until};

/// Daemons that fail for each call in CI; `RUSTVAULT_FAULT_RUNS` says how many instead.
const RUNS: u32 = 10;

/// How long a call takes before it fails: the other connection comes to wait for the end of the log meanwhile.
const DELAY_US: u32 = 30_000;

/// How long a daemon may take to end once its log has failed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Writes of one connection that no daemon in these tests lives to see.
const TOO_MANY_WRITES: usize = 5000;

/// What the daemon asks of its disk, and what it answers with.
const CALLS: &str = "pwrite64,pwritev,fdatasync,fallocate,write,writev,sendto,sendmsg";

/// Those of them that change the log.
const LOG_CALLS: [&str; 4] = ["pwrite64", "pwritev", "fdatasync", "fallocate"];

/// A call that fails.
struct Fault {
    calls: &'static str,
    /// The first and the last call of a thread that may be the one.
    numbers: (u32, u32),
    value_bytes: usize,
}

/// A connection's writes, each to a key of its own and sent after the answer to the one before.
#[derive(Default)]
struct Writer {
    sent: usize,
    acknowledged: usize,
}

#[test]
fn after_a_failed_write_nothing_is_written_by_who_commits_beside_it() {
    fail_again_and_again(&Fault { calls: "pwrite64,pwritev", numbers: (20, 120), value_bytes: 10 });
}

#[test]
fn after_a_failed_sync_nothing_is_written_by_who_commits_beside_it() {
    fail_again_and_again(&Fault { calls: "fdatasync", numbers: (20, 120), value_bytes: 10 });
}

#[test]
fn after_a_failed_reservation_nothing_is_written_by_who_commits_beside_it() {
    // What the start asks for is given. Large values use up what is reserved soon.
    fail_again_and_again(&Fault { calls: "fallocate", numbers: (2, 4), value_bytes: 20_000 });
}

fn fail_again_and_again(fault: &Fault) {
    if !need_strace() {
        return;
    }
    let runs = number_in("RUSTVAULT_FAULT_RUNS").unwrap_or(RUNS);
    let seed = fastrand::u64(..);
    println!("{}: seed {seed}", fault.calls);
    let mut rng = Rng::with_seed(seed);
    let acknowledged: usize = (0..runs).map(|_| fail_once(fault, &mut rng)).sum();
    println!("{}: {runs} failures; {acknowledged} acknowledged writes, none lost", fault.calls);
}

/// Has two connections write until the daemon's disk fails, and checks what is left; returns how many writes were
/// acknowledged.
fn fail_once(fault: &Fault, rng: &mut Rng) -> usize {
    let launch = Launch::new().with_args("--threads 2");
    let trace = launch.folder().join("trace");
    let number = rng.u32(fault.numbers.0..=fault.numbers.1);
    let failure = format!("{}:error=EIO:delay_enter={DELAY_US}:when={number}", fault.calls);
    let mut daemon = launch.clone().with_fault_and_trace(&failure, CALLS, &trace).start();
    // System calls are counted by thread: with a lead, one thread gets to the failure before the other.
    let writers = write_until_the_end(&daemon, rng.usize(1..20), fault.value_bytes);
    let status = daemon.wait(END_LIMIT);
    assert_eq!(status.code(), Some(1), "{failure}: {:#?}", daemon.log_lines());
    assert_ends_with_failure(&trace, &failure);
    judge(&launch.start(), &writers, fault.value_bytes, &failure);
    writers.iter().map(|writer| writer.acknowledged).sum()
}

/// Writes on one connection, and on a second one as well once the first has a `lead` of acknowledged writes.
fn write_until_the_end(daemon: &Daemon, lead: usize, value_bytes: usize) -> [Writer; 2] {
    let acknowledged = AtomicUsize::new(0);
    thread::scope(|scope| {
        let first = scope.spawn(|| write(daemon.wire(), 0, value_bytes, &acknowledged));
        until("the first connection has its lead", || {
            acknowledged.load(Ordering::Relaxed) >= lead || first.is_finished()
        });
        // The daemon may have ended by now.
        let second = Wire::try_connect(daemon.addr());
        let second = second.map(|wire| write(wire, 1, value_bytes, &acknowledged)).unwrap_or_default();
        [first.join().unwrap(), second]
    })
}

fn write(mut wire: Wire, number: usize, value_bytes: usize, acknowledged: &AtomicUsize) -> Writer {
    let mut writer = Writer::default();
    while writer.sent < TOO_MANY_WRITES {
        let (key, value) = (key(number, writer.sent), value(number, writer.sent, value_bytes));
        writer.sent += 1;
        if wire.try_send(format!("SET {key} {value}\r\n")).is_err() {
            break;
        }
        match wire.try_line() {
            Some(line) if line == b"OK" => writer.acknowledged += 1,
            answer => {
                assert!(answer.is_none_or(|line| line.starts_with(b"ERROR S")), "the log has failed");
                break;
            }
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    writer
}

fn key(writer: usize, number: usize) -> String {
    format!("{writer}:{number}")
}

fn value(writer: usize, number: usize, bytes: usize) -> String {
    format!("{writer}.{number}.{:x<bytes$}", "")
}

/// The failure is in the trace, behind the first answer to a write, and nothing is done to the log behind it.
#[track_caller]
fn assert_ends_with_failure(trace: &Path, failure: &str) {
    let trace = fs::read_to_string(trace).unwrap();
    let line_with = |text: &str| trace.lines().position(|line| line.contains(text));
    let (answered, failed) = (line_with(r#""OK\r\n"#), line_with("(INJECTED)"));
    assert!(answered.is_some() && failed > answered, "{failure}: {failed:?}, the first answer {answered:?}");
    let changes_log = |line: &&str| LOG_CALLS.iter().any(|call| line.contains(&format!(" {call}(")));
    let later: Vec<_> = trace.lines().skip_while(|line| !line.contains("(INJECTED)")).skip(1).collect();
    assert!(!later.iter().any(changes_log), "{failure}: {later:#?}");
}

/// All that was acknowledged is there, and nothing that nobody wrote.
#[track_caller]
fn judge(daemon: &Daemon, writers: &[Writer; 2], value_bytes: usize, failure: &str) {
    let mut wire = daemon.wire();
    wire.send(format!("SCAN 0 LIMIT {}\r\n", 2 * TOO_MANY_WRITES));
    let mut keys = wire.list();
    assert_eq!(keys.remove(0), "0", "one page takes them all");
    let mut found = BTreeMap::new();
    for key in keys {
        wire.send(format!("GET {key}\r\n"));
        found.insert(key, wire.line());
    }
    for (number, writer) in writers.iter().enumerate() {
        for write in 0..writer.sent {
            let found = found.remove(&key(number, write));
            let is_known = found.is_some() || write >= writer.acknowledged;
            assert!(is_known, "{failure}: write {write} of connection {number} is lost");
            let expected = format!("VALUE {}", value(number, write, value_bytes));
            assert!(found.is_none_or(|found| found == expected), "{failure}: another value");
        }
    }
    assert!(found.is_empty(), "{failure}: nobody wrote {found:?}");
}
