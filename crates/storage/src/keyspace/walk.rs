//! Walk over all entries up to an LSN, table by table, concurrently with writers.

use super::Keyspace;
use super::entry::Entry;
use super::hash::{HashSeed, Position};
use crate::Lsn;

/// Walk over all entries with LSNs up to a limit that still exist, one table at a time.
///
/// An entry that exists all the time is visited once, whatever is written meanwhile. Locks are held only while handles of entries
/// are copied. A handle keeps its entry in memory, even after it is overwritten, so a page holds a limited number of bytes.
pub(crate) struct KeyspaceWalk<'k> {
    keyspace: &'k Keyspace,
    up_to: Lsn,
    max_page_bytes: usize,
    next: Option<Position>,
}

/// The part of a walk that is looked at together.
pub(super) struct WalkPage<'p> {
    up_to: Lsn,
    max_bytes: usize,
    entries: &'p mut Vec<Entry>,
}

impl<'k> KeyspaceWalk<'k> {
    /// Begins a walk over the entries up to LSN `up_to`, in pages of `max_page_bytes`, or of one larger entry.
    pub(crate) fn new(keyspace: &'k Keyspace, up_to: Lsn, max_page_bytes: usize) -> Self {
        Self { keyspace, up_to, max_page_bytes, next: Position::from_cursor(0) }
    }

    /// Adds the next page to `entries`, which may be empty; returns `false` at the end.
    pub(crate) fn next_page(&mut self, entries: &mut Vec<Entry>) -> bool {
        let Some(from) = self.next else { return false };
        let mut page = WalkPage { up_to: self.up_to, max_bytes: self.max_page_bytes, entries };
        self.next = self.keyspace.shard(from).read().walk_table(self.keyspace.seed, from, &mut page);
        true
    }
}

impl WalkPage<'_> {
    /// Adds the live entries of a table, from the position `start` on if that is given.
    ///
    /// Returns the position of the first entry that did not fit.
    pub(super) fn add<'e>(
        &mut self,
        seed: HashSeed,
        start: Option<Position>,
        table: impl Iterator<Item = &'e Entry> + Clone,
    ) -> Option<Position> {
        let up_to = self.up_to;
        let wanted = table.filter(move |entry| entry.is_live() && entry.lsn() <= up_to);
        let bytes: usize = wanted.clone().map(Entry::memory_bytes).sum();
        if start.is_none() && bytes <= self.max_bytes {
            self.entries.extend(wanted.cloned());
            return None;
        }
        let position_of = |entry: &'e Entry| (seed.hash(entry.key()).position(), entry);
        let mut in_order: Vec<_> = wanted.map(position_of).collect();
        in_order.retain(|&(position, _)| start.is_none_or(|start| position >= start));
        in_order.sort_unstable_by_key(|&(position, _)| position);
        self.fill(&in_order)
    }

    fn fill(&mut self, in_order: &[(Position, &Entry)]) -> Option<Position> {
        let mut bytes = 0;
        let mut last = None;
        for &(position, entry) in in_order {
            bytes += entry.memory_bytes();
            // The next page cannot start between entries of the same position.
            if bytes > self.max_bytes && last.is_some_and(|last| last != position) {
                return Some(position);
            }
            self.entries.push(entry.clone());
            last = Some(position);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Content, Effect};
    use super::*;

    const KEYS: u32 = 10_000;

    fn put(keyspace: &Keyspace, key: u32, value: &[u8], lsn: u64) {
        let effect = Effect::Put { key: &key.to_be_bytes(), value: Content::Borrowed(value) };
        keyspace.apply(effect, Lsn::new(lsn), Lsn::ZERO);
    }

    fn filled() -> Keyspace {
        let keyspace = Keyspace::new(HashSeed([7; 16]));
        (0..KEYS).for_each(|key| put(&keyspace, key, b"old", 1));
        keyspace
    }

    #[test]
    fn every_entry_is_seen_once_while_tables_split_and_other_keys_change() {
        let keyspace = filled();
        let mut walk = KeyspaceWalk::new(&keyspace, Lsn::new(1), 1024);
        let (mut seen, mut entries) = (BTreeSet::new(), Vec::new());
        let mut next_key = KEYS;
        while walk.next_page(&mut entries) {
            for entry in entries.drain(..) {
                assert_eq!((entry.value(), entry.lsn()), (&b"old"[..], Lsn::new(1)));
                assert!(seen.insert(entry.key().to_vec()), "an entry came twice");
            }
            // New keys, many enough that every table splits several times.
            (next_key..next_key + 2000).for_each(|key| put(&keyspace, key, b"new", 2));
            next_key += 2000;
        }
        assert!(next_key > 256 * 1_792, "no table was split");
        assert_eq!(seen.len(), KEYS as usize);
    }

    #[test]
    fn a_walk_ends_soon_when_everything_is_cleared() {
        let keyspace = filled();
        let mut walk = KeyspaceWalk::new(&keyspace, Lsn::new(1), 1024);
        let mut entries = Vec::new();
        assert!(walk.next_page(&mut entries));
        keyspace.apply(Effect::Clear, Lsn::new(2), Lsn::ZERO);
        entries.clear();
        while walk.next_page(&mut entries) {}
        assert!(entries.is_empty());
    }

    #[test]
    fn a_page_holds_a_limited_number_of_bytes_or_one_larger_entry() {
        let keyspace = Keyspace::new(HashSeed([7; 16]));
        (0..3000).for_each(|key| put(&keyspace, key, &[b'v'; 300], 1));
        put(&keyspace, 3000, &[b'v'; 100_000], 1);
        let mut walk = KeyspaceWalk::new(&keyspace, Lsn::new(1), 1000);
        let (mut count, mut entries) = (0, Vec::new());
        while walk.next_page(&mut entries) {
            let bytes: usize = entries.iter().map(Entry::memory_bytes).sum();
            assert!(bytes <= 1000 || entries.len() == 1, "{} entries of {bytes} bytes", entries.len());
            count += entries.drain(..).count();
        }
        assert_eq!(count, 3001);
    }
}
