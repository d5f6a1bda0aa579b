//! Operations: what a batch asks of a store, with the facts that admission, scheduling and look-ups need of each.
//!
//! What reads and writes in one step has a pure function from what is stored to an outcome and its effects, in a file
//! for each family.

mod decimal;
mod decision;
mod keys;
mod strings;

pub(crate) use decision::{Decision, change};
pub use keys::KeyUpdate;
pub use strings::{Change, Condition, StringUpdate, UpdateWith};

use crate::wal;
use crate::wal::Growth;

/// A key and its new value, in this order: an array, so that the flat arguments of a request are a slice of pairs.
pub type Pair<'a> = [&'a [u8]; 2];

/// One operation of a batch; keys and values are borrowed until [`BatchStore::submit`](crate::batch::BatchStore::submit) ends.
#[derive(Debug, Clone, Copy)]
pub enum Op<'a> {
    /// Read a value.
    Get {
        /// The key to read.
        key: &'a [u8],
    },
    /// Store a value.
    Set {
        /// The key to write.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
    /// Remove a key.
    Delete {
        /// The key to remove.
        key: &'a [u8],
    },
    /// Ask whether a key is there.
    Exists {
        /// The key to look for.
        key: &'a [u8],
    },
    /// Read a string and write it, in one step.
    Update {
        /// The key to read and write.
        key: &'a [u8],
        /// What becomes of its value.
        update: StringUpdate<'a>,
    },
    /// Put the value of a key under another one, in one step.
    UpdateKeys {
        /// The key to read.
        from: &'a [u8],
        /// The key to write.
        to: &'a [u8],
        /// What becomes of them.
        update: KeyUpdate,
    },
    /// Read several values, all as they were at one moment.
    GetMany {
        /// The keys to read.
        keys: &'a [&'a [u8]],
    },
    /// Read several values, all as they were at one moment, but hold only so much of them: whoever holds a value keeps
    /// it in memory, also when its key has another one by then.
    GetManyWithin {
        /// The keys to read.
        keys: &'a [&'a [u8]],
        /// Most bytes that the values held take, keys included; the first value is held whatever it takes.
        max_bytes: usize,
    },
    /// Store several values at once: readers, and a crash, see all of them or none.
    SetMany {
        /// Keys with their new values; of a key that comes twice the last one counts.
        pairs: &'a [Pair<'a>],
    },
    /// Store several values at once if none of their keys is there.
    SetManyIfNew {
        /// Keys with their new values; of a key that comes twice the last one counts.
        pairs: &'a [Pair<'a>],
    },
    /// Remove several keys at once: readers, and a crash, see all of that or nothing.
    DeleteMany {
        /// The keys to remove.
        keys: &'a [&'a [u8]],
    },
    /// Count how many of these keys are there; one that is named twice counts twice.
    CountOf {
        /// The keys to look for.
        keys: &'a [&'a [u8]],
    },
    /// Remove all keys: one record, however many there are.
    Clear,
    /// Count the keys.
    Count,
    /// List all keys. This walks the whole keyspace at one go: [`Op::Scan`] is kinder to others.
    Keys {
        /// Only keys that start with these bytes.
        prefix: &'a [u8],
        /// More than these are [`Error::TooManyKeys`](crate::Error::TooManyKeys).
        max_keys: usize,
    },
    /// Read one page of keys.
    Scan {
        /// 0 at first, then [`ScanPage::next_cursor`](crate::ScanPage::next_cursor) of the page before.
        cursor: u64,
        /// Only keys that start with these bytes.
        prefix: &'a [u8],
        /// Most keys that the page may have; also bounds the work.
        limit: usize,
    },
    /// Read the store's figures.
    Stats,
}

/// What is known of an operation before it is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts<'a> {
    pub(crate) records: Records<'a>,
    pub(crate) growth: Growth,
    /// Keys of an operation on several; 0 for one on a single key.
    pub(crate) many_keys: usize,
    /// Alone it may take long.
    pub(crate) is_long: bool,
}

/// Upper bound on the records of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records<'a> {
    /// It only reads.
    None,
    /// They have so many bytes.
    AtMost(usize),
    /// They have a value that is at most `added_bytes` longer than that of `key`, and `other_bytes`.
    DependsOnValue { key: &'a [u8], added_bytes: usize, other_bytes: usize },
}

impl<'a> Facts<'a> {
    const READ: Self = Self { records: Records::None, growth: Growth::Grows, many_keys: 0, is_long: false };

    const fn write(growth: Growth, records: Records<'a>) -> Self {
        Self { records, growth, many_keys: 0, is_long: false }
    }
}

impl<'a> Op<'a> {
    /// Returns what is known of the operation before it is carried out.
    pub(crate) fn facts(&self) -> Facts<'a> {
        let reads = |keys: &[&[u8]]| Facts { many_keys: keys.len(), ..Facts::READ };
        let grows = |records| Facts::write(Growth::Grows, records);
        let shrinks = |bytes| Facts::write(Growth::Shrinks, Records::AtMost(bytes));
        match *self {
            Op::Get { .. } | Op::Exists { .. } | Op::Count => Facts::READ,
            Op::GetMany { keys } | Op::GetManyWithin { keys, .. } | Op::CountOf { keys } => reads(keys),
            Op::Keys { .. } | Op::Scan { .. } | Op::Stats => Facts { is_long: true, ..Facts::READ },
            Op::Set { key, value } => grows(Records::AtMost(wal::Change::Set { key, value }.encoded_bytes())),
            Op::Delete { key } => shrinks(wal::Change::Delete { key }.encoded_bytes()),
            Op::Update { key, update } => update.facts(key),
            Op::UpdateKeys { from, to, update } => update.facts(from, to),
            Op::SetMany { pairs } | Op::SetManyIfNew { pairs } => {
                let sets = pairs.iter().map(|[key, value]| wal::Change::Set { key, value });
                Facts { many_keys: pairs.len(), ..grows(Records::AtMost(total_bytes(sets))) }
            }
            Op::DeleteMany { keys } => {
                let deletes = keys.iter().map(|key| wal::Change::Delete { key });
                Facts { many_keys: keys.len(), ..shrinks(total_bytes(deletes)) }
            }
            Op::Clear => Facts { is_long: true, ..shrinks(wal::Change::Clear.encoded_bytes()) },
        }
    }

    /// Returns the key of a plain read: such reads are looked up together.
    pub(crate) const fn key_of_read(&self) -> Option<&'a [u8]> {
        match *self {
            Op::Get { key } => Some(key),
            _ => None,
        }
    }

    /// Returns the key of a write of one key: what such writes will need of the memory is read together.
    pub(crate) const fn key_of_write(&self) -> Option<&'a [u8]> {
        match *self {
            Op::Set { key, .. } | Op::Delete { key } | Op::Update { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// Returns what the records of these changes take in the log, in bytes.
pub(crate) fn total_bytes<'c>(changes: impl Iterator<Item = wal::Change<'c>>) -> usize {
    changes.map(|change| change.encoded_bytes()).sum()
}
