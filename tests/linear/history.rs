//! A history: the commands of its clients with their answers and times, and the restarts in between.

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Instant;
use std::{fs, io};

/// Keys of a history.
pub(crate) const KEYS: usize = 6;

/// Keys of a history that are counted in: none of the others.
pub(crate) const COUNTERS: usize = 2;

/// Clients of a history at most.
pub(crate) const MAX_CLIENTS: usize = 10;

/// A key, by its number.
pub(crate) type Key = usize;

/// A counter, by its number.
pub(crate) type Counter = usize;

/// A value, by the write that stored it: no two writes store the same.
pub(crate) type Value = NonZeroU32;

/// Stands for a value that nobody wrote.
pub(crate) const FOREIGN: Value = NonZeroU32::MAX;

/// A command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// `SET`, or `MSET` of several pairs.
    Set(Vec<(Key, Value)>),
    /// `SET … NX`, or `SETNX`.
    SetNew(Key, Value),
    /// `GET`, or `MGET` of several keys.
    Get(Vec<Key>),
    /// `DELETE`, or `DEL` of several keys.
    Delete(Vec<Key>),
    Exists(Vec<Key>),
    /// `GETDEL`.
    Take(Key),
    /// `RENAME`: from, to.
    Rename(Key, Key),
    /// `INCR`.
    Increment(Counter),
    /// `GET` of a counter.
    Count(Counter),
}

impl Command {
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Exists(_) | Self::Count(_))
    }

    /// Returns the keys that are named; of a counter none.
    pub(crate) fn keys(&self) -> Vec<Key> {
        match self {
            Self::Set(pairs) => pairs.iter().map(|(key, _)| *key).collect(),
            Self::Get(keys) | Self::Delete(keys) | Self::Exists(keys) => keys.clone(),
            Self::SetNew(key, _) | Self::Take(key) => vec![*key],
            Self::Rename(from, to) => vec![*from, *to],
            Self::Increment(_) | Self::Count(_) => Vec::new(),
        }
    }

    /// Returns the counter that the command is about.
    pub(crate) fn counter(&self) -> Option<Counter> {
        match self {
            Self::Increment(counter) | Self::Count(counter) => Some(*counter),
            _ => None,
        }
    }

    /// Returns the values that the command may store.
    pub(crate) fn values(&self) -> Vec<Value> {
        match self {
            Self::Set(pairs) => pairs.iter().map(|(_, value)| *value).collect(),
            Self::SetNew(_, value) => vec![*value],
            _ => Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::SetNew(..) => "set nx",
            Self::Get(_) => "get",
            Self::Delete(_) => "delete",
            Self::Exists(_) => "exists",
            Self::Take(_) => "getdel",
            Self::Rename(..) => "rename",
            Self::Increment(_) => "incr",
            Self::Count(_) => "get counter",
        }
    }
}

/// An answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Values(Vec<Option<Value>>),
    /// Keys that were there, or that were stored.
    Count(usize),
    /// There is none to rename.
    NoSuchKey,
    /// What has been counted to.
    Number(u64),
}

/// One command of one client.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) client: usize,
    /// The start of the server that the command was sent to, counted from 0.
    pub(crate) run: usize,
    pub(crate) command: Command,
    /// Before it was sent, in nanoseconds since the history began.
    pub(crate) called_ns: i64,
    /// The time at which the answer had come, and the answer. `None`: the outcome is unknown; the command takes effect
    /// before the next restart or never.
    pub(crate) returned: Option<(i64, Answer)>,
}

/// The end of one run of the server and the start of the next; every run has one.
#[derive(Debug, Clone)]
pub(crate) struct Restart {
    /// The run that ends.
    pub(crate) run: usize,
    /// Before anything was done to end it, in nanoseconds since the history began.
    pub(crate) began_ns: i64,
    /// After the next run had started and `found` was read; only then were clients let in.
    pub(crate) ended_ns: i64,
    /// The values of the keys.
    pub(crate) found: Vec<Option<Value>>,
    /// What the counters have counted to.
    pub(crate) counted: Vec<u64>,
}

/// Everything between a fresh log and the last start on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// In the order in which each client sent them.
    pub(crate) operations: Vec<Operation>,
    pub(crate) restarts: Vec<Restart>,
}

impl History {
    /// Returns the number of operations whose outcome is unknown.
    pub(crate) fn unknown_outcomes(&self) -> usize {
        self.operations.iter().filter(|operation| operation.returned.is_none()).count()
    }

    /// Writes the history for a person: a line an operation, in the order of the calls.
    pub(crate) fn write_to(&self, path: &Path) -> io::Result<()> {
        let operations = self.operations.iter().map(|operation| (operation.called_ns, operation.to_string()));
        let restarts = self.restarts.iter().map(|restart| (restart.began_ns, restart.to_string()));
        let mut lines: Vec<_> = operations.chain(restarts).collect();
        lines.sort_by_key(|(began_ns, _)| *began_ns);
        let lines: String = lines.into_iter().map(|(_, line)| line + "\n").collect();
        fs::write(path, format!("began_us ended_us run client command -> answer\n{lines}"))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, run, command, called_ns, returned } = self;
        let returned_ns = returned.as_ref().map(|(returned_ns, _)| *returned_ns);
        write!(f, "{} {} {run} {client:>2} {command}", Micros(Some(*called_ns)), Micros(returned_ns))?;
        match returned {
            Some((_, answer)) => write!(f, " -> {answer}"),
            None => write!(f, " -> unknown"),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, began_ns, ended_ns, found, counted } = self;
        let (began, ended, found) = (Micros(Some(*began_ns)), Micros(Some(*ended_ns)), Values(found));
        write!(f, "{began} {ended} {run} restart -> {found}, counted {counted:?}")
    }
}

/// A moment in microseconds.
struct Micros(Option<i64>);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ns) => write!(f, "{:>10}", ns / 1000),
            None => f.write_str("     never"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = match self {
            Self::Set(pairs) => pairs.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            Self::SetNew(key, value) => vec![format!("{key}={value}")],
            Self::Increment(counter) | Self::Count(counter) => vec![counter.to_string()],
            _ => self.keys().iter().map(Key::to_string).collect(),
        };
        write!(f, "{} {}", self.name(), words.join(" "))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("ok"),
            Self::Count(keys) => write!(f, "{keys}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::NoSuchKey => f.write_str("no such key"),
            Self::Values(values) => Values(values).fmt(f),
        }
    }
}

struct Values<'v>(&'v [Option<Value>]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |value: &Option<Value>| match *value {
            None => "-".to_owned(),
            Some(FOREIGN) => "foreign".to_owned(),
            Some(value) => value.to_string(),
        };
        f.write_str(&self.0.iter().map(name).collect::<Vec<_>>().join(" "))
    }
}

/// Measures the moments of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now_ns(self) -> i64 {
        self.0.elapsed().as_nanos().try_into().expect("a history takes no 292 years")
    }
}
