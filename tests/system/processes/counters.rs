//! One number that a hundred clients count up, over kill -9 and restarts: what was acknowledged counts once, what was
//! not answered at most once.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;
use rustix::process::Signal;
use rustvault_tests::{Daemon, Launch, Wire};

const CLIENTS: usize = 100;

/// Increments of each client that are acknowledged in the end.
const INCREMENTS: usize = 1000;

const KILLS: u64 = 8;

/// Increments that half of the clients send at a time, at most; the others send one.
const MAX_PIPELINE: usize = 16;

/// The request in each protocol.
const RESP: &str = "*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n";
const TEXT: &str = "INCR counter\r\n";

#[test]
fn every_acknowledged_increment_counts_once_over_kill_9_and_unknown_ones_at_most_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let launch = Launch::new().with_args("--threads 4");
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(number, rng.fork())).collect();
    let all = (CLIENTS * INCREMENTS) as u64;
    let (mut counted, mut unknown) = (0, 0);
    for kill in 1..=KILLS {
        // The last daemon is killed at the last acknowledgement: nothing is unknown then.
        let target = if kill == KILLS { all } else { all * kill / KILLS - rng.u64(..all / KILLS / 2) };
        let daemon = launch.start();
        assert_eq!(number(&daemon), counted, "what was found once is there after the next kill");
        let unknown_now = count_until(target, &mut clients, daemon);
        let found = number(&launch.start());
        judge(&mut clients, unknown_now, counted + 1..=found);
        (counted, unknown) = (found, unknown + unknown_now);
    }
    let acknowledged: u64 = clients.iter().map(Client::acknowledged).sum();
    println!(
        "{CLIENTS} clients, {KILLS} kills: {acknowledged} increments acknowledged, {unknown} unknown, {counted} counted"
    );
    assert_eq!(acknowledged, all, "every client has had its answers");
    assert!((all..=all + unknown).contains(&counted));
    assert!(unknown > 0, "no kill hit an increment that was under way");
}

/// Lets the clients count and kills the daemon when, together with all before it, so many increments were acknowledged;
/// returns the number of those that were not answered.
fn count_until(target: u64, clients: &mut [Client], daemon: Daemon) -> u64 {
    let acknowledged = AtomicU64::new(clients.iter().map(Client::acknowledged).sum());
    let enough = || {
        if acknowledged.fetch_add(1, Ordering::Relaxed) + 1 == target {
            daemon.signal(Signal::KILL);
        }
    };
    // Connected before anything is counted: the kill may come before the last thread has begun.
    let wires: Vec<_> = clients.iter().map(|_| daemon.wire()).collect();
    let unknown = thread::scope(|scope| {
        let count = |(client, wire): (&'_ mut Client, Wire)| {
            let _guard = Guard(&daemon);
            client.count(wire, &enough)
        };
        let counting: Vec<_> =
            clients.iter_mut().zip(wires).map(|client| scope.spawn(move || count(client))).collect();
        counting.into_iter().map(|client| client.join().unwrap()).sum()
    });
    daemon.kill();
    unknown
}

/// Checks what one daemon has answered, where `given` are the numbers that were counted while it ran.
fn judge(clients: &mut [Client], unknown: u64, given: RangeInclusive<u64>) {
    let mut answers: Vec<_> = clients.iter_mut().flat_map(Client::new_answers).collect();
    answers.sort_unstable();
    for pair in answers.windows(2) {
        assert_ne!(pair[0], pair[1], "a number was given out twice");
    }
    for answer in &answers {
        assert!(given.contains(answer), "{answer} was answered, and {given:?} were counted");
    }
    let (counted, acknowledged) = (given.count(), answers.len());
    assert!(
        counted <= acknowledged + unknown as usize,
        "{counted} were counted, of {acknowledged} acknowledged ones and {unknown} unknown ones"
    );
}

/// Returns the number that has been counted to.
fn number(daemon: &Daemon) -> u64 {
    let mut wire = daemon.wire();
    wire.send("GET counter\r\n");
    match wire.line().as_str() {
        "NOT_FOUND" => 0,
        line => line.strip_prefix("VALUE ").and_then(|number| number.parse().ok()).expect("a number"),
    }
}

/// Kills the daemon when a thread panics: the others would wait for its kill.
struct Guard<'d>(&'d Daemon);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.signal(Signal::KILL);
        }
    }
}

/// One who counts.
struct Client {
    rng: Rng,
    /// The request, and what stands before the number in its answer.
    command: &'static str,
    prefix: &'static str,
    max_pipeline: usize,
    /// The numbers that it was answered.
    answers: Vec<u64>,
    /// How many of them were judged.
    judged: usize,
}

impl Client {
    fn new(number: usize, rng: Rng) -> Self {
        let (command, prefix, max_pipeline) = match number % 4 {
            0 => (RESP, ":", 1),
            1 => (TEXT, "VALUE ", 1),
            2 => (RESP, ":", MAX_PIPELINE),
            _ => (TEXT, "VALUE ", MAX_PIPELINE),
        };
        Self { rng, command, prefix, max_pipeline, answers: Vec::new(), judged: 0 }
    }

    fn acknowledged(&self) -> u64 {
        self.answers.len() as u64
    }

    /// Counts until all its increments are acknowledged or the connection ends; returns the number of unknown ones.
    fn count(&mut self, mut wire: Wire, acknowledged: &impl Fn()) -> u64 {
        while self.answers.len() < INCREMENTS {
            let left = INCREMENTS - self.answers.len();
            let sent = self.rng.usize(1..=self.max_pipeline.min(left));
            // Of what could not be sent, a part may have been.
            let is_sent = wire.try_send(self.command.repeat(sent)).is_ok();
            for answered in 0..sent {
                let line = if is_sent { wire.try_line() } else { None };
                let Some(line) = line else { return (sent - answered) as u64 };
                self.answers.push(self.number_in(&String::from_utf8_lossy(&line)));
                acknowledged();
            }
        }
        0
    }

    fn number_in(&self, line: &str) -> u64 {
        let number = line.strip_prefix(self.prefix).and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("INCR is answered {line}"))
    }

    /// Returns the answers since this was last called, which are to grow.
    fn new_answers(&mut self) -> Vec<u64> {
        let new = self.answers[self.judged..].to_vec();
        self.judged = self.answers.len();
        assert!(
            new.is_sorted_by(|earlier, later| earlier < later),
            "a client's answers do not grow: {new:?}"
        );
        new
    }
}
