//! Messages that cannot be written: the daemon serves, stops and exits as if they could.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustvault_tests::{Launch, Wire, listening_port, wait_for_exit};

/// Far less than a client would wait for a daemon that is held up, and than a stop may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A standard error that takes no messages.
enum Broken {
    FullDisk,
    ReaderGone,
    /// The pipe is full, and its reader stays without reading.
    ReaderStuck,
}

impl Broken {
    const ALL: [Self; 3] = [Self::FullDisk, Self::ReaderGone, Self::ReaderStuck];

    /// Starts the command with it; the reader lives as long as what is returned.
    fn start(&self, mut command: Command) -> (Quiet, Option<PipeReader>) {
        let (stderr, reader) = match self {
            Self::FullDisk => (Stdio::from(File::options().write(true).open("/dev/full").unwrap()), None),
            Self::ReaderGone => (Stdio::from(pipe().unwrap().1), None),
            Self::ReaderStuck => {
                let (reader, writer) = full_pipe();
                (Stdio::from(writer), Some(reader))
            }
        };
        (Quiet(command.stderr(stderr).spawn().unwrap()), reader)
    }
}

fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let capacity_bytes = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'\n'; capacity_bytes]).unwrap();
    (reader, writer)
}

/// A daemon that nobody hears; it is killed when this is dropped.
struct Quiet(Child);

impl Quiet {
    fn addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], listening_port(self.0.id())).into()
    }

    fn wire(&self) -> Wire {
        Wire::connect(self.addr())
    }

    fn stop(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        wait_for_exit(&mut self.0, LIMIT)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A process that has ended needs neither.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_that_cannot_print_serves_compacts_and_stops_with_0() {
    for broken in Broken::ALL {
        let launch = Launch::new();
        let (mut daemon, _reader) = broken.start(launch.command());
        let mut wire = daemon.wire();
        let start = Instant::now();
        for _ in 0..5 {
            wire.ask("SET k v\r\nCOMPACT\r\nGET k\r\n", "OK\r\nOK\r\nVALUE v\r\n");
        }
        assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
        drop(wire);
        let status = daemon.stop();
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

#[test]
fn a_start_that_fails_has_its_exit_code_although_it_cannot_print() {
    let taken = Launch::new().start();
    let corrupt = Launch::new();
    std::fs::write(corrupt.wal(), "no log").unwrap();
    for broken in Broken::ALL {
        for (launch, code) in [
            (Launch::new().with_bind(taken.addr()), 1),
            (Launch::new().with_args("--no-such-option"), 2),
            (Launch::new().with_args("--message-format json --threads 0"), 2),
            (corrupt.clone(), 3),
        ] {
            let (mut daemon, _reader) = broken.start(launch.command());
            assert_eq!(wait_for_exit(&mut daemon.0, LIMIT).code(), Some(code));
        }
    }
}

#[test]
fn help_that_cannot_be_printed_is_no_failure() {
    for arg in ["--help", "--version"] {
        let mut command = Command::new(Launch::new().command().get_program());
        command.arg(arg).stderr(File::options().write(true).open("/dev/full").unwrap());
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
        assert_eq!(command.status().unwrap().code(), Some(0), "{arg}");
    }
}

#[test]
fn messages_that_were_lost_are_counted_once_somebody_reads_again() {
    /// Their messages are more than the pipe and the queue hold.
    const CONNECTIONS: usize = 8_000;
    // All of them may be open still when the next one comes: the server finds out later that they were closed.
    let launch = Launch::new().with_args("--message-level debug --max-connections 9000");
    let (mut daemon, reader) = Broken::ReaderStuck.start(launch.command());
    let addr = daemon.addr();
    for _ in 0..CONNECTIONS {
        drop(Wire::connect(addr));
    }
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    let mut lines = BufReader::new(reader.unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("messages were lost")).unwrap();
    let (_, lost) = line.split_once("lost=").unwrap();
    println!("{CONNECTIONS} connections: {lost} messages were lost");
    assert!(lost.trim().parse::<u64>().unwrap() > 0, "{line}");
    drop(wire);
    assert_eq!(daemon.stop().code(), Some(0));
    assert!(lines.last().unwrap().contains("stopped"), "the end is there");
}
