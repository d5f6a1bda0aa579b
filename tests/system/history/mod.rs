//! Writers whose every write is remembered, and a judgement of what the end of a daemon has left of them.

mod judge;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;
use rustvault_tests::{Daemon, Wire};

pub(crate) const WRITERS: usize = 8;
const OWN_KEYS: u64 = 16;
const SHARED_KEYS: u64 = 4;

/// Every second writer sends this many writes at a time, the others one.
const PIPELINE: usize = 16;

/// A full disk is asked again after this.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(2);

/// Keys that begin like this are none of the writers'.
pub(crate) const BALLAST_PREFIX: &str = "ballast:";

/// Which write it was; no two are the same in the whole history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    writer: usize,
    number: u64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding_bytes = self.number as usize * 7 % 300;
        write!(f, "{}.{}.{:x<padding_bytes$}", self.writer, self.number, "")
    }
}

impl Stamp {
    /// The write that stored this value.
    fn of(value: &str) -> Self {
        let mut numbers = value.splitn(3, '.').map(str::parse::<u64>);
        let (Some(Ok(writer)), Some(Ok(number))) = (numbers.next(), numbers.next()) else {
            panic!("nobody wrote {value:?}");
        };
        let stamp = Self { writer: writer as usize, number };
        assert_eq!(stamp.to_string(), value, "nobody wrote that");
        stamp
    }
}

struct Write {
    stamp: Stamp,
    key: String,
    is_set: bool,
    sent: Instant,
    answer: Answer,
    /// When it was known to be kept: by its answer, or because somebody could read it.
    kept: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    Done,
    /// `READ_ONLY`: it was not carried out.
    Refused,
    /// `STORAGE`: nobody knows.
    Failed,
}

/// What the keys hold.
type State = BTreeMap<String, Stamp>;

/// All that was written by a number of writers, over any number of restarts.
#[derive(Default)]
pub(crate) struct History {
    /// What the last judgement found.
    state: State,
    /// How many writes each writer had sent until then.
    counts: [u64; WRITERS],
    /// What each writer has sent since.
    recent: [Vec<Write>; WRITERS],
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) sent: u64,
}

impl History {
    /// Writes and reads until the daemon has gone, calling `enough` at the `target`th acknowledgement.
    pub(crate) fn write(&mut self, daemon: &Daemon, rng: &mut Rng, target: u64, enough: impl Fn() + Sync) {
        let acknowledged = AtomicU64::new(0);
        let count = || {
            if acknowledged.fetch_add(1, Ordering::Relaxed) + 1 == target {
                enough();
            }
        };
        let mut seen = Vec::new();
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| (writer, self.counts[writer], rng.fork(), daemon.wire())).collect();
        // Connected before anything is written: the kill may come before another thread has begun.
        let reader = daemon.wire();
        thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let _guard = Guard(daemon);
                read_shared_keys(reader)
            });
            let writing: Vec<_> = writers
                .into_iter()
                .map(|(writer, first, rng, wire)| {
                    scope.spawn(move || {
                        let _guard = Guard(daemon);
                        write(wire, writer, first, rng, &count)
                    })
                })
                .collect();
            for (recent, thread) in self.recent.iter_mut().zip(writing) {
                *recent = thread.join().unwrap();
            }
            seen = reading.join().unwrap();
        });
        for write in self.recent.iter().flatten() {
            self.sent += 1;
            match write.answer {
                Answer::None => {}
                Answer::Done => self.acknowledged += 1,
                Answer::Refused => self.refused += 1,
                Answer::Failed => self.failed += 1,
            }
        }
        self.believe_what_was_seen(&seen);
    }

    /// Writes and reads until `watch` has ended, then kills the daemon.
    pub(crate) fn write_while(&mut self, daemon: Daemon, rng: &mut Rng, watch: impl FnOnce(&Daemon) + Send) {
        thread::scope(|scope| {
            scope.spawn(|| {
                let _guard = Guard(&daemon);
                watch(&daemon);
                daemon.signal(Signal::KILL);
            });
            self.write(&daemon, rng, u64::MAX, || {});
        });
        daemon.kill();
    }
}

/// Kills the daemon when a thread panics: the others would go on for ever.
struct Guard<'d>(&'d Daemon);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.signal(Signal::KILL);
        }
    }
}

fn own_key(writer: usize, key: impl fmt::Display) -> String {
    format!("own:{writer}:{key}")
}

fn shared_key(key: u64) -> String {
    format!("shared:{key}")
}

fn write(
    mut wire: Wire,
    writer: usize,
    first: u64,
    mut rng: Rng,
    acknowledged: &(impl Fn() + Sync),
) -> Vec<Write> {
    let at_a_time = if writer.is_multiple_of(2) { 1 } else { PIPELINE };
    let mut writes = Vec::new();
    loop {
        let next = writes.len();
        let sent = Instant::now();
        let numbers = (first + next as u64..).take(at_a_time);
        writes.extend(numbers.map(|number| some_write(Stamp { writer, number }, &mut rng, sent)));
        let lines: String = writes[next..].iter().map(line_of).collect();
        if wire.try_send(lines).is_err() {
            return writes;
        }
        for write in &mut writes[next..] {
            let Some(answer) = wire.try_line() else { return writes };
            write.answer = answer_to(write, &answer);
            if write.answer == Answer::Done {
                write.kept = Some(Instant::now());
                acknowledged();
            }
        }
        if writes[next..].iter().any(|write| write.answer == Answer::Refused) {
            thread::sleep(PAUSE_AFTER_REFUSAL);
        }
    }
}

fn answer_to(write: &Write, line: &[u8]) -> Answer {
    match line {
        b"OK" => Answer::Done,
        b"NOT_FOUND" if !write.is_set => Answer::Done,
        line if line.starts_with(b"ERROR READ_ONLY disk full") => Answer::Refused,
        line if line.starts_with(b"ERROR STORAGE ") => Answer::Failed,
        line => panic!("{} is answered {}", line_of(write), line.escape_ascii()),
    }
}

fn some_write(stamp: Stamp, rng: &mut Rng, sent: Instant) -> Write {
    let is_shared = rng.u8(..4) == 0;
    let key = if is_shared {
        shared_key(rng.u64(..SHARED_KEYS))
    } else {
        own_key(stamp.writer, rng.u64(..OWN_KEYS))
    };
    Write { stamp, key, is_set: rng.u8(..5) > 0, sent, answer: Answer::None, kept: None }
}

fn line_of(write: &Write) -> String {
    let Write { stamp, key, .. } = write;
    if write.is_set { format!("SET {key} {stamp}\r\n") } else { format!("DELETE {key}\r\n") }
}

/// Whose values were read, and when, until the daemon has gone.
fn read_shared_keys(mut wire: Wire) -> Vec<(Stamp, Instant)> {
    let mut seen = Vec::new();
    for key in (0..SHARED_KEYS).cycle() {
        let answer = match wire.try_send(format!("GET {}\r\n", shared_key(key))) {
            Ok(()) => wire.try_line(),
            Err(_) => None,
        };
        let Some(answer) = answer else { break };
        let answer = String::from_utf8(answer).unwrap();
        match answer.strip_prefix("VALUE ") {
            Some(value) => seen.push((Stamp::of(value), Instant::now())),
            // What it would show is not durable.
            None if answer.starts_with("ERROR STORAGE ") => {}
            None => assert_eq!(answer, "NOT_FOUND"),
        }
    }
    seen
}
