//! A daemon whose log is removed or cut off under it, and one whose disk hangs.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustvault_tests::{Daemon, Launch, Wire, need_strace, until};

/// From the next write on; the documents promise a second, and this machine has other things to do.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// Writes until that is refused; the last value that was acknowledged.
fn write_until_refused(wire: &mut Wire) -> u64 {
    let began = Instant::now();
    let mut acknowledged = 0;
    loop {
        wire.send(format!("SET counter {}\r\n", acknowledged + 1));
        match wire.line() {
            line if line == "OK" => acknowledged += 1,
            line => {
                assert!(line.starts_with("ERROR READ_ONLY log removed"), "{line}");
                assert!(line.contains("COMPACT"), "{line}");
                return acknowledged;
            }
        }
        assert!(began.elapsed() < REFUSED_WITHIN, "writes are still taken");
    }
}

/// Does this to the log of a daemon; returns the daemon, which refuses writes, and what it has acknowledged.
fn spoil(launch: &Launch, spoil: impl Fn(&Path)) -> (Daemon, u64) {
    let daemon = launch.start();
    let mut wire = daemon.wire();
    wire.ask("SET before 1\r\n", "OK\r\n");
    spoil(launch.wal());
    let acknowledged = write_until_refused(&mut wire);
    wire.ask("GET before\r\n", "VALUE 1\r\n");
    assert_eq!((wire.info("read_only").as_str(), wire.info("log_removed").as_str()), ("1", "1"));
    daemon.wait_for_line("log removed");
    (daemon, acknowledged)
}

#[test]
fn a_log_that_is_removed_or_truncated_is_written_anew_by_compact_and_nothing_is_lost() {
    let truncate = |log: &Path| fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap();
    let spoilers: [&dyn Fn(&Path); 3] = [&|log| fs::remove_file(log).unwrap(), &truncate, &|log| {
        fs::rename(log, log.with_extension("moved")).unwrap()
    }];
    for (number, spoiler) in spoilers.into_iter().enumerate() {
        let launch = Launch::new();
        let (daemon, acknowledged) = spoil(&launch, spoiler);
        daemon.wire().ask("COMPACT\r\nSET after 1\r\n", "OK\r\nOK\r\n");
        daemon.kill();
        let daemon = launch.start();
        let counter = if acknowledged > 0 { format!("VALUE {acknowledged}") } else { "NOT_FOUND".to_owned() };
        daemon.wire().ask(
            "GET before\r\nGET counter\r\nGET after\r\n",
            format!("VALUE 1\r\n{counter}\r\nVALUE 1\r\n"),
        );
        daemon.stop();
        println!("{number}: {acknowledged} writes acknowledged, none lost");
    }
}

#[test]
fn a_stop_without_a_log_ends_with_1_and_says_why() {
    let launch = Launch::new();
    let (mut daemon, _) = spoil(&launch, |log| fs::remove_file(log).unwrap());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(Duration::from_secs(10)).code(), Some(1));
    daemon.wait_for_line("error: log removed");
}

#[test]
fn a_sync_that_hangs_is_reported_and_holds_nobody_but_who_waits_for_it() {
    if !need_strace() {
        return;
    }
    let launch = Launch::new();
    // There is a log: the syncs of a start that makes one do not count.
    launch.start().kill();
    let delay = Duration::from_secs(7);
    let fault = format!("fdatasync:delay_enter={}:when=3", delay.as_micros());
    let daemon = launch.clone().with_fault(&fault, &launch.folder().join("trace")).start();
    let mut reader = daemon.wire();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = daemon.wire();
            for number in 0..10 {
                writer.ask(format!("SET k {number}\r\n"), "OK\r\n");
            }
        });
        until("a sync hangs", || {
            reader.ask("GET other\r\n", "NOT_FOUND\r\n");
            reader.info("sync_running_ms").parse::<u64>().unwrap() > 1000
        });
        daemon.wait_for_line("the disk hangs");
    });
    daemon.wait_for_line("that hung has ended");
    daemon.stop();
}
