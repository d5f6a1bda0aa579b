//! Builds one page of a scan.

use super::entry::Entry;
use super::hash::Position;
use super::key::KeyList;
use crate::KeyPage;
use crate::op::PrefixRule;

/// Keys that a page visits beyond its limit before it ends early.
///
/// Without this bound, a call with a prefix that matches nothing would visit the whole keyspace.
const SPARE_WORK_KEYS: usize = 10_000;

/// Cost of visiting a table, in addition to its keys, counted in keys.
const WORK_PER_TABLE_KEYS: usize = 16;

/// Rules that cost as much as visiting a key.
const RULES_PER_KEY: usize = 16;

/// Most bytes of keys in a page, unless its first key alone is longer: quoted fourfold, with 10 bytes
/// around each of 10,000 keys, a reply stays below 1 MiB.
const MAX_PAGE_KEY_BYTES: usize = 200 * 1024;

/// Decides which keys a page lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyFilter<'a> {
    prefix: &'a [u8],
    rules: &'a [PrefixRule],
}

impl KeyFilter<'_> {
    pub(super) fn lists(self, key: &[u8]) -> bool {
        key.starts_with(self.prefix)
            && (self.rules.is_empty()
                || self.rules.iter().find(|(prefix, _)| key.starts_with(prefix)).is_some_and(|rule| rule.1))
    }
}

/// Collects one page of a scan, table by table.
pub(crate) struct PageBuilder<'a> {
    filter: KeyFilter<'a>,
    limit: usize,
    keys: KeyList,
    work_left_keys: usize,
    is_full: bool,
}

impl<'a> PageBuilder<'a> {
    /// Begins a page of at most `limit` keys that start with `prefix` and that the rules allow.
    pub(crate) fn new(prefix: &'a [u8], rules: &'a [PrefixRule], limit: usize) -> Self {
        let limit = limit.max(1);
        let work_left_keys = SPARE_WORK_KEYS.saturating_add(limit);
        Self {
            filter: KeyFilter { prefix, rules },
            limit,
            keys: KeyList::default(),
            work_left_keys,
            is_full: false,
        }
    }

    /// Returns the filter of the keys of the page.
    pub(super) const fn filter(&self) -> KeyFilter<'a> {
        self.filter
    }

    /// Adds keys of a table that pass the [filter](Self::filter), in the order of their positions, given in any order.
    ///
    /// Returns the position of the first key that did not fit. Keys of equal position are in the same page, because a cursor cannot
    /// point between them.
    pub(super) fn add<'e>(
        &mut self,
        table_keys: usize,
        keys: impl Iterator<Item = (Position, &'e Entry)>,
    ) -> Option<Position> {
        let work_keys = table_keys * (1 + self.filter.rules.len() / RULES_PER_KEY) + WORK_PER_TABLE_KEYS;
        self.work_left_keys = self.work_left_keys.saturating_sub(work_keys);
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable_by_key(|&(position, _)| position);
        let mut last = None;
        for (position, entry) in keys {
            if !self.has_room_for(entry) && last != Some(position) {
                self.is_full = true;
                return Some(position);
            }
            self.keys.push(entry.key());
            last = Some(position);
        }
        None
    }

    pub(super) const fn is_done(&self) -> bool {
        self.is_full || self.keys.len() >= self.limit || self.work_left_keys == 0
    }

    pub(super) fn finish(self, next: Option<Position>) -> KeyPage {
        KeyPage { next_cursor: next.map_or(0, Position::cursor), keys: self.keys.into_keys() }
    }

    fn has_room_for(&self, entry: &Entry) -> bool {
        let fits = self.keys.key_bytes() + entry.key().len() <= MAX_PAGE_KEY_BYTES;
        self.keys.len() == 0 || (self.keys.len() < self.limit && fits)
    }
}
