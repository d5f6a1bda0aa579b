//! Builds one page of a scan.

use super::entry::Entry;
use super::hash::Position;
use super::key::KeyList;
use crate::KeyPage;

/// Keys that a page visits beyond its limit before it ends early.
///
/// Without this bound, a call with a prefix that matches nothing would visit the whole keyspace.
const SPARE_WORK_KEYS: usize = 10_000;

/// Cost of visiting a table, in addition to its keys, counted in keys.
const WORK_PER_TABLE_KEYS: usize = 16;

/// Most bytes of keys in a page, unless its first key alone is longer: quoted fourfold, with 10 bytes
/// around each of 10,000 keys, a reply stays below 1 MiB.
const MAX_PAGE_KEY_BYTES: usize = 200 * 1024;

/// Collects one page of a scan, table by table.
pub(super) struct PageBuilder<'a> {
    prefix: &'a [u8],
    limit: usize,
    keys: KeyList,
    work_left_keys: usize,
    is_full: bool,
}

impl<'a> PageBuilder<'a> {
    pub(super) fn new(prefix: &'a [u8], limit: usize) -> Self {
        let limit = limit.max(1);
        let work_left_keys = SPARE_WORK_KEYS.saturating_add(limit);
        Self { prefix, limit, keys: KeyList::default(), work_left_keys, is_full: false }
    }

    /// Returns the prefix of the keys of the page.
    pub(super) const fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// Adds keys of a table that start with the [prefix](Self::prefix), in the order of their positions, given in any order.
    ///
    /// Returns the position of the first key that did not fit. Keys of equal position are in the same page, because a cursor cannot
    /// point between them.
    pub(super) fn add<'e>(
        &mut self,
        table_keys: usize,
        keys: impl Iterator<Item = (Position, &'e Entry)>,
    ) -> Option<Position> {
        self.work_left_keys = self.work_left_keys.saturating_sub(table_keys + WORK_PER_TABLE_KEYS);
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
