//! Operations of a batch, and the facts of each that admission, scheduling and look-ups need.
//!
//! An operation that reads and writes in one step has a pure function from the stored values to an outcome and its effects, in one
//! file per family.

mod decimal;
mod decision;
mod keys;
mod strings;

pub(crate) use decision::{Decision, change};
pub use keys::KeyUpdate;
pub use strings::{Change, Condition, StringUpdate, UpdateWith};

use crate::wal;

/// A key and its new value, in this order. As an array, so that the arguments of a request can be viewed as a slice of pairs.
pub type Pair<'a> = [&'a [u8]; 2];

/// A prefix of keys, and whether keys that start with it are listed. Of several rules, the longest first, the first one that a
/// key starts with decides; a key without such a rule is not listed.
pub type PrefixRule = (Vec<u8>, bool);

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
    /// Check whether a key exists.
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
    /// Move or copy the value of a key to another key, in one step.
    UpdateKeys {
        /// The key to read.
        from: &'a [u8],
        /// The key to write.
        to: &'a [u8],
        /// The change of them.
        update: KeyUpdate,
    },
    /// Read several values as of one moment.
    GetMany {
        /// The keys to read.
        keys: &'a [&'a [u8]],
    },
    /// Read several values as of one moment, and hold a limited number of bytes of them: a value that is held stays in memory,
    /// even after it is overwritten.
    GetManyWithin {
        /// The keys to read.
        keys: &'a [&'a [u8]],
        /// Most bytes of the held values, keys included; the first value is always held.
        max_bytes: usize,
    },
    /// Store several values atomically, for readers and across a crash.
    SetMany {
        /// Keys with their new values; of a repeated key the last value counts.
        pairs: &'a [Pair<'a>],
    },
    /// Store several values atomically, if none of their keys exists.
    SetManyIfNew {
        /// Keys with their new values; of a repeated key the last value counts.
        pairs: &'a [Pair<'a>],
    },
    /// Remove several keys atomically, for readers and across a crash.
    DeleteMany {
        /// The keys to remove.
        keys: &'a [&'a [u8]],
    },
    /// Count those of these keys that exist; a repeated key counts twice.
    CountOf {
        /// The keys to look for.
        keys: &'a [&'a [u8]],
    },
    /// Remove all keys, with a single record.
    Clear,
    /// Count the keys.
    Count,
    /// List all keys. This reads the whole keyspace without a pause; [`Op::Scan`] delays other callers less.
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
        /// Only keys that these rules allow; all keys if there are none.
        rules: &'a [PrefixRule],
        /// Most keys of the page; it also bounds the work.
        limit: usize,
    },
    /// Read the store's statistics.
    Stats,
}

/// Upper bound on the records of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records<'a> {
    /// No records: the operation only reads.
    None,
    /// Records of this many bytes.
    AtMost(usize),
    /// Records that store a value at `target` that is at most `added_bytes` longer than that of `key`, plus `other_bytes`.
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

    /// Returns an upper bound on the operation's records if it may only remove data; otherwise `None`.
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

    /// Calls `note` with each key whose new value has a length that is known in advance, and with that length.
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

    /// Returns whether a single such operation may take long.
    #[inline]
    pub(crate) const fn is_long(&self) -> bool {
        matches!(self, Op::Keys { .. } | Op::Scan { .. } | Op::Clear | Op::Stats)
    }

    /// Returns the key of a plain read. Such reads are looked up together.
    pub(crate) const fn key_of_read(&self) -> Option<&'a [u8]> {
        match *self {
            Op::Get { key } => Some(key),
            _ => None,
        }
    }

    /// Returns the key of a write of one key. The memory that such writes need is prefetched together.
    pub(crate) const fn key_of_write(&self) -> Option<&'a [u8]> {
        match *self {
            Op::Set { key, .. } | Op::Delete { key } | Op::Update { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// Returns the size of the records of these changes in the log, in bytes.
pub(crate) fn total_bytes<'c>(changes: impl Iterator<Item = wal::LoggedChange<'c>>) -> usize {
    changes.map(|change| change.encoded_bytes()).sum()
}
