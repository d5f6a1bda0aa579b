//! Operations: what a batch asks of a store, with the facts of each that admission, scheduling and look-ups need.
//!
//! An operation that reads and writes in one step has a pure function from what is stored to an outcome and its effects, in a file
//! for each family.

mod decimal;
mod decision;
mod keys;
mod strings;

pub(crate) use decision::{Decision, change};
pub use keys::KeyUpdate;
pub use strings::{Change, Condition, StringUpdate, UpdateWith};

use crate::wal;

/// A key and its new value, in this order: an array, so that the flat arguments of a request are a slice of pairs.
pub type Pair<'a> = [&'a [u8]; 2];

/// An operation of a batch; keys and values are borrowed until
/// [`BatchStore::submit`](crate::batch::BatchStore::submit) ends.
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
        /// The change of its value.
        update: StringUpdate<'a>,
    },
    /// Put the value of a key under another one, in one step.
    UpdateKeys {
        /// The key to read.
        from: &'a [u8],
        /// The key to write.
        to: &'a [u8],
        /// The change of them.
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
        /// 0 at first, then [`KeyPage::next_cursor`](crate::KeyPage::next_cursor) of the page before.
        cursor: u64,
        /// Only keys that start with these bytes.
        prefix: &'a [u8],
        /// Most keys that the page may have; also bounds the work.
        limit: usize,
    },
    /// Read the store's figures.
    Stats,
}

/// Upper bound on the records of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records<'a> {
    /// It only reads.
    None,
    /// They have so many bytes.
    AtMost(usize),
    /// They give `target` a value that is at most `added_bytes` longer than that of `key`, and have `other_bytes` beside it.
    DependsOnValue { key: &'a [u8], target: &'a [u8], added_bytes: usize, other_bytes: usize },
}

impl<'a> Op<'a> {
    /// Returns an upper bound on the operation's records.
    #[inline]
    pub(crate) fn records(&self) -> Records<'a> {
        match *self {
            Op::Get { .. }
            | Op::Exists { .. }
            | Op::GetMany { .. }
            | Op::GetManyWithin { .. }
            | Op::CountOf { .. }
            | Op::Count
            | Op::Keys { .. }
            | Op::Scan { .. }
            | Op::Stats => Records::None,
            Op::Set { key, value } => Records::AtMost(wal::LoggedChange::Set { key, value }.encoded_bytes()),
            Op::Delete { key } => Records::AtMost(wal::LoggedChange::Delete { key }.encoded_bytes()),
            Op::Update { key, update } => update.records(key),
            Op::UpdateKeys { from, to, update } => update.records(from, to),
            Op::SetMany { pairs } | Op::SetManyIfNew { pairs } => {
                let sets = pairs.iter().map(|[key, value]| wal::LoggedChange::Set { key, value });
                Records::AtMost(total_bytes(sets))
            }
            Op::DeleteMany { keys } => {
                Records::AtMost(total_bytes(keys.iter().map(|key| wal::LoggedChange::Delete { key })))
            }
            Op::Clear => Records::AtMost(wal::LoggedChange::Clear.encoded_bytes()),
        }
    }

    /// Returns an upper bound on the operation's records if it removes data and stores none; `None` if it never does.
    pub(crate) fn removal_bytes(&self) -> Option<usize> {
        match *self {
            Op::Delete { .. } | Op::DeleteMany { .. } | Op::Clear => match self.records() {
                Records::AtMost(bytes) => Some(bytes),
                Records::None | Records::DependsOnValue { .. } => None,
            },
            Op::Update { key, update } if update.may_remove() => {
                Some(wal::LoggedChange::Delete { key }.encoded_bytes())
            }
            _ => None,
        }
    }

    /// Returns whether the operation's records depend on a stored value.
    #[inline]
    pub(crate) const fn depends_on_value(&self) -> bool {
        match self {
            Op::Update { update, .. } => update.value_bytes().is_none(),
            Op::UpdateKeys { .. } => true,
            _ => false,
        }
    }

    /// Calls `note` with each key that is given a value of a length known before, and with that length.
    pub(crate) fn known_lengths(&self, mut note: impl FnMut(&'a [u8], usize)) {
        match *self {
            Op::Set { key, value } => note(key, value.len()),
            Op::Update { key, update } => {
                if let Some(bytes) = update.value_bytes() {
                    note(key, bytes);
                }
            }
            Op::SetMany { pairs } | Op::SetManyIfNew { pairs } => {
                pairs.iter().for_each(|[key, value]| note(key, value.len()));
            }
            _ => {}
        }
    }

    /// Returns the number of keys of an operation on several; 0 for one on a single key.
    #[inline]
    pub(crate) const fn many_keys(&self) -> usize {
        match self {
            Op::GetMany { keys }
            | Op::GetManyWithin { keys, .. }
            | Op::CountOf { keys }
            | Op::DeleteMany { keys } => keys.len(),
            Op::SetMany { pairs } | Op::SetManyIfNew { pairs } => pairs.len(),
            _ => 0,
        }
    }

    /// Returns whether the operation alone may take long.
    #[inline]
    pub(crate) const fn is_long(&self) -> bool {
        matches!(self, Op::Keys { .. } | Op::Scan { .. } | Op::Clear | Op::Stats)
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
pub(crate) fn total_bytes<'c>(changes: impl Iterator<Item = wal::LoggedChange<'c>>) -> usize {
    changes.map(|change| change.encoded_bytes()).sum()
}
