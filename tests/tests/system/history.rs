//! Writers whose every write is remembered, and a judgement of what the end of a daemon has left of them.

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
        thread::scope(|scope| {
            let reading = scope.spawn(|| read_shared_keys(daemon.wire()));
            let writing: Vec<_> = writers
                .into_iter()
                .map(|(writer, first, rng, wire)| {
                    scope.spawn(move || write(wire, writer, first, rng, &count))
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
                // Also when it panics: the writers would go on for ever.
                let _killed = Killed(&daemon);
                watch(&daemon);
            });
            self.write(&daemon, rng, u64::MAX, || {});
        });
        daemon.kill();
    }

    /// Whether a write was refused, or its outcome unknown: what was not answered may then be missing although
    /// later writes are there.
    fn has_gaps(&self) -> bool {
        let is_gap = |write: &Write| matches!(write.answer, Answer::Refused | Answer::Failed);
        self.recent.iter().flatten().any(is_gap)
    }

    /// Who reads a value may rely on it, and on all that its writer wrote before.
    fn believe_what_was_seen(&mut self, seen: &[(Stamp, Instant)]) {
        let has_gaps = self.has_gaps();
        let mut first_seen = self.recent.each_ref().map(|writes| vec![None; writes.len()]);
        for (stamp, at) in seen {
            let Some(index) = stamp.number.checked_sub(self.counts[stamp.writer]) else { continue };
            assert!(self.recent[stamp.writer][index as usize].answer != Answer::Refused, "{stamp} is there");
            let first = &mut first_seen[stamp.writer][index as usize];
            *first = earlier(*first, Some(*at));
        }
        for (writes, first_seen) in self.recent.iter_mut().zip(first_seen) {
            let mut at = None;
            for (write, seen) in writes.iter_mut().zip(first_seen).rev() {
                at = if has_gaps { seen } else { earlier(at, seen) };
                write.kept = earlier(write.kept, at);
            }
        }
    }

    /// Checks that the daemon has every write that it acknowledged or showed, in order, and none that nobody made.
    pub(crate) fn judge(&mut self, daemon: &Daemon) {
        let found = read_all(daemon.wire());
        for (key, stamp) in &found {
            assert!(self.has_written(key, *stamp), "nobody wrote {stamp} to {key}");
        }
        let has_gaps = self.has_gaps();
        for writer in 0..WRITERS {
            if has_gaps {
                self.judge_keys_of(writer, &found);
            } else {
                self.judge_writer(writer, &found);
            }
        }
        for key in (0..SHARED_KEYS).map(shared_key) {
            self.judge_shared_key(&key, found.get(&key).copied());
        }
        for (count, writes) in self.counts.iter_mut().zip(&mut self.recent) {
            *count += writes.drain(..).len() as u64;
        }
        self.state = found;
    }

    fn has_written(&self, key: &str, stamp: Stamp) -> bool {
        let is_known = |write: &Write| {
            write.stamp == stamp && write.key == key && write.is_set && write.answer != Answer::Refused
        };
        self.state.get(key) == Some(&stamp) || self.recent.iter().flatten().any(is_known)
    }

    /// The keys that only this writer writes are as some prefix of its writes leaves them, which has all
    /// that are known to be kept, and those that other keys show.
    fn judge_writer(&self, writer: usize, found: &State) {
        let writes = &self.recent[writer];
        let kept = writes.iter().rposition(|write| write.kept.is_some()).map_or(0, |last| last + 1);
        let shown = writes.iter().rposition(|write| found.get(&write.key) == Some(&write.stamp));
        let at_least = kept.max(shown.map_or(0, |last| last + 1));
        let prefix = own_key(writer, "");
        let own = |state: &State| -> State {
            let own = state.iter().filter(|(key, _)| key.starts_with(&prefix));
            own.map(|(key, stamp)| (key.clone(), *stamp)).collect()
        };
        let (mut state, expected) = (own(&self.state), own(found));
        let mut is_prefix = at_least == 0 && state == expected;
        for (index, write) in writes.iter().enumerate() {
            if write.key.starts_with(&prefix) {
                apply(&mut state, write);
            }
            is_prefix |= index + 1 >= at_least && state == expected;
        }
        assert!(
            is_prefix,
            "writer {writer} sent {} writes, {kept} of them are promised; no prefix of that length leaves {expected:#?}",
            writes.len(),
        );
    }

    /// Each key that only this writer writes is as its last write that is kept left it, or a later one of
    /// which nobody knows.
    fn judge_keys_of(&self, writer: usize, found: &State) {
        for key in (0..OWN_KEYS).map(|key| own_key(writer, key)) {
            let writes = self.recent[writer].iter().filter(|write| write.key == key);
            let writes: Vec<_> = writes.filter(|write| write.answer != Answer::Refused).collect();
            let last_kept = writes.iter().rposition(|write| write.kept.is_some());
            let may_have_left = |write: &&Write| write.is_set.then_some(write.stamp);
            let mut possible: Vec<_> = writes[last_kept.unwrap_or(0)..].iter().map(may_have_left).collect();
            if last_kept.is_none() {
                possible.push(self.state.get(&key).copied());
            }
            let found = found.get(&key).copied();
            assert!(possible.contains(&found), "{key} holds {found:?}, not one of {possible:?}");
        }
    }

    /// A key that all write holds what some write left that was not overwritten for certain.
    fn judge_shared_key(&self, key: &str, found: Option<Stamp>) {
        let is_about_it = |write: &&Write| write.key == key && write.answer != Answer::Refused;
        let writes: Vec<_> = self.recent.iter().flatten().filter(is_about_it).collect();
        let is_untouched =
            self.state.get(key).copied() == found && writes.iter().all(|write| write.kept.is_none());
        let leaves_it = |write: &Write| write.is_set.then_some(write.stamp) == found;
        let is_current = |write: &Write| !writes.iter().any(|later| overwrites(later, write));
        assert!(
            is_untouched || writes.iter().any(|write| leaves_it(write) && is_current(write)),
            "{key} holds {found:?}, which was overwritten by an acknowledged write"
        );
    }
}

/// Kills the daemon when it is dropped.
struct Killed<'d>(&'d Daemon);

impl Drop for Killed<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
    }
}

/// Whether `later` certainly came after `write`, and is kept.
fn overwrites(later: &Write, write: &Write) -> bool {
    let is_next_of_writer =
        later.stamp.writer == write.stamp.writer && later.stamp.number > write.stamp.number;
    later.kept.is_some() && (is_next_of_writer || write.kept.is_some_and(|kept| kept < later.sent))
}

fn apply(state: &mut State, write: &Write) {
    if write.is_set {
        state.insert(write.key.clone(), write.stamp);
    } else {
        state.remove(&write.key);
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

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    [a, b].into_iter().flatten().min()
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

/// All keys, by `SCAN`, with their values, by `GET`; `COUNT` says the same.
fn read_all(mut wire: Wire) -> State {
    wire.send("SCAN 0 LIMIT 10000\r\n");
    let mut keys = wire.list();
    assert_eq!(keys.remove(0), "0", "one page takes them all");
    wire.ask("COUNT\r\n", format!("VALUE {}\r\n", keys.len()));
    keys.retain(|key| !key.starts_with(BALLAST_PREFIX));
    wire.send(keys.iter().map(|key| format!("GET {key}\r\n")).collect::<String>());
    let mut state = State::new();
    for key in keys {
        let answer = wire.line();
        let value = answer
            .strip_prefix("VALUE ")
            .unwrap_or_else(|| panic!("{key} is in the scan, GET says {answer}"));
        state.insert(key, Stamp::of(value));
    }
    state
}
