//! A shard of the keyspace: tables that split as they grow.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::entry::Entry;
use super::hash::{HashSeed, KeyHash, Position};
use super::layout::Layout;
use super::scan::PageBuilder;
use super::walk::WalkPage;
use crate::Lsn;

/// Most entries of one table: 7/8 of 2,048 slots, hashbrown's maximal load. A full table splits in two, so no insert rehashes more
/// entries than this, and a scan page visits few more keys than it returns.
const MAX_TABLE_ENTRIES: usize = 1_792;

/// Highest average number of entries per table after a recovery: so far below the limit that hardly any table splits.
const RESTORED_TABLE_ENTRIES: usize = 1_600;

/// Durable tombstones that one write frees: two, so that they are freed faster than they are created.
const TOMBSTONES_CLEARED_PER_WRITE: usize = 2;

/// The part of the keyspace whose positions share their first bits, under one lock.
///
/// An extendible hash table: a directory, indexed by the rest of the position, of small tables that split.
pub(super) struct Shard {
    layout: Layout,
    /// Largest number of splits of a table.
    depth: u32,
    /// Index in `tables` for each slot of the layout after `depth` splits.
    directory: Vec<u32>,
    tables: Vec<Table>,
    /// Tombstones in LSN order, with the hash of their key.
    tombstones: VecDeque<(Lsn, KeyHash)>,
    /// LSN of the last clear of the shard, on which a miss may depend.
    cleared: Lsn,
    stats: ShardStats,
}

/// A small hash table of the keys whose positions share a slot after `depth` splits.
struct Table {
    depth: u32,
    entries: HashTable<Entry>,
}

/// Statistics of a shard.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShardStats {
    pub(super) live_keys: u64,
    /// Bytes of keys and values of live entries.
    pub(super) live_payload_bytes: u64,
    /// Memory of all entries, tombstones included.
    entry_bytes: u64,
    /// Memory of the tables' slots.
    slot_bytes: u64,
}

impl Shard {
    /// Returns an empty shard, cleared by the record `cleared`.
    pub(super) fn new(layout: Layout, cleared: Lsn) -> Self {
        Self::with_tables(layout, 0, 0, cleared)
    }

    /// Returns an empty shard with tables of this capacity, all after `depth` splits.
    fn with_tables(layout: Layout, depth: u32, capacity: usize, cleared: Lsn) -> Self {
        let table = || Table { depth, entries: HashTable::with_capacity(capacity) };
        let slots = layout.slots(depth);
        let tables: Vec<_> = std::iter::repeat_with(table).take(slots).collect();
        let slot_bytes: usize = tables.iter().map(|table| table.entries.allocation_size()).sum();
        Self {
            layout,
            depth,
            directory: (0..slots as u32).collect(),
            tables,
            tombstones: VecDeque::new(),
            cleared,
            stats: ShardStats { slot_bytes: slot_bytes as u64, ..ShardStats::default() },
        }
    }

    /// Returns a shard of these entries, which have distinct keys, in tables of their final size.
    pub(super) fn restored(
        layout: Layout,
        cleared: Lsn,
        seed: HashSeed,
        entries: Vec<(KeyHash, Entry)>,
    ) -> Self {
        let mut depth = 0;
        while layout.entries_per_slot(entries.len(), depth) > RESTORED_TABLE_ENTRIES {
            depth += 1;
        }
        let capacity = layout.entries_per_slot(entries.len(), depth);
        let mut shard = Self::with_tables(layout, depth, capacity, cleared);
        for (hash, entry) in entries {
            shard.count_in(&entry);
            shard.insert_new(seed, hash, entry);
        }
        shard
    }

    /// Returns the live entry of `key`, and the LSN that it, or its absence, depends on.
    pub(super) fn look_up(&self, hash: KeyHash, key: &[u8]) -> (Option<&Entry>, Lsn) {
        self.look_up_probed(None, hash, key)
    }

    /// Looks up like [`look_up`](Self::look_up), with what [`probe`](Self::probe) returned for the hash.
    pub(super) fn look_up_probed<'s>(
        &'s self,
        probe: Option<&'s Entry>,
        hash: KeyHash,
        key: &[u8],
    ) -> (Option<&'s Entry>, Lsn) {
        match probe.filter(|entry| entry.key() == key).or_else(|| self.find(hash, key)) {
            Some(entry) => (Some(entry).filter(|entry| entry.is_live()), entry.lsn()),
            None => (None, self.cleared),
        }
    }

    /// Returns the entry that a look-up of this hash compares first, without reading its memory.
    pub(super) fn probe(&self, hash: KeyHash) -> Option<&Entry> {
        self.tables.get(self.table_index(hash.position()))?.entries.iter_hash(hash.0).next()
    }

    fn find(&self, hash: KeyHash, key: &[u8]) -> Option<&Entry> {
        let table = self.tables.get(self.table_index(hash.position()))?;
        table.entries.find(hash.0, |entry| entry.key() == key)
    }

    /// Overwrites the value of `key` with one of the same length, unless there are handles on it; returns whether it did.
    pub(super) fn overwrite(&mut self, hash: KeyHash, key: &[u8], value: &[u8], lsn: Lsn) -> bool {
        let index = self.table_index(hash.position());
        let found = self.tables[index].entries.find_mut(hash.0, |entry| entry.key() == key);
        found.is_some_and(|entry| entry.overwrite(value, lsn))
    }

    /// Inserts `entry`, and returns the previous entry of its key.
    pub(super) fn put(&mut self, seed: HashSeed, hash: KeyHash, entry: Entry) -> Option<Entry> {
        self.count_in(&entry);
        if !entry.is_live() {
            self.tombstones.push_back((entry.lsn(), hash));
        }
        let index = self.table_index(hash.position());
        if let Some(slot) = self.tables[index].entries.find_mut(hash.0, |old| old.key() == entry.key()) {
            let old = std::mem::replace(slot, entry);
            self.count_out(&old);
            return Some(old);
        }
        self.insert_new(seed, hash, entry);
        None
    }

    /// Adds an entry of a new key.
    fn insert_new(&mut self, seed: HashSeed, hash: KeyHash, entry: Entry) {
        let index = self.make_room(seed, hash.position(), self.table_index(hash.position()));
        let entries = &mut self.tables[index].entries;
        let slots_before = entries.allocation_size();
        entries.insert_unique(hash.0, entry, |entry| seed.hash(entry.key()).0);
        self.stats.slot_bytes += (entries.allocation_size() - slots_before) as u64;
    }

    /// Removes `key`, by the record `lsn`, and returns its entry. While that record is beyond the reply watermark, a tombstone stays,
    /// so that a reader who misses the key gets the LSN that this depends on.
    pub(super) fn delete(
        &mut self,
        seed: HashSeed,
        hash: KeyHash,
        key: &[u8],
        lsn: Lsn,
        watermark: Lsn,
    ) -> Option<Entry> {
        if lsn <= watermark {
            return self.remove_if(hash, |entry| entry.key() == key);
        }
        let tombstone = Entry::tombstone(key);
        tombstone.set_lsn(lsn);
        self.put(seed, hash, tombstone)
    }

    /// Frees a few tombstones that no reply can depend on any more.
    pub(super) fn clear_some_tombstones(&mut self, watermark: Lsn) {
        for _ in 0..TOMBSTONES_CLEARED_PER_WRITE {
            if !self.clear_tombstone(watermark) {
                return;
            }
        }
    }

    /// Frees all tombstones that no reply can depend on any more.
    pub(super) fn clear_tombstones(&mut self, watermark: Lsn) {
        while self.clear_tombstone(watermark) {}
    }

    pub(super) fn has_tombstones(&self) -> bool {
        !self.tombstones.is_empty()
    }

    pub(super) const fn stats(&self) -> ShardStats {
        self.stats
    }

    /// Returns the memory of entries, tables and directory, in bytes. It is cheap enough for every write.
    pub(super) fn used_bytes(&self) -> u64 {
        let tables = self.tables.capacity() * size_of::<Table>();
        let directory = self.directory.capacity() * size_of::<u32>();
        let tombstones = self.tombstones.capacity() * size_of::<(Lsn, KeyHash)>();
        self.stats.entry_bytes + self.stats.slot_bytes + (tables + directory + tombstones) as u64
    }

    /// Returns the memory of a key's entry or tombstone, in bytes.
    pub(super) fn entry_bytes(&self, hash: KeyHash, key: &[u8]) -> u64 {
        self.find(hash, key).map_or(0, |entry| entry.memory_bytes() as u64)
    }

    /// Returns all live entries.
    pub(super) fn live_entries(&self) -> impl Iterator<Item = &Entry> {
        self.tables.iter().flat_map(|table| table.entries.iter()).filter(|entry| entry.is_live())
    }

    /// Adds the keys of one table, the one that holds `from`, to a scan's page.
    ///
    /// Returns the position at which the scan continues: in this table if the page is full, otherwise behind it.
    pub(super) fn scan_table(
        &self,
        seed: HashSeed,
        from: Position,
        page: &mut PageBuilder<'_>,
    ) -> Option<Position> {
        let table = &self.tables[self.table_index(from)];
        let filter = page.filter();
        let wanted = table.entries.iter().filter(|entry| entry.is_live() && filter.lists(entry.key()));
        let keys = wanted.filter_map(|entry| {
            let position = seed.hash(entry.key()).position();
            (position >= from).then_some((position, entry))
        });
        page.add(table.entries.len(), keys).or_else(|| self.layout.after_slot(from, table.depth))
    }

    /// Adds the entries of one table, the one that holds `from`, to a walk's page.
    ///
    /// Returns the position at which the walk continues: in this table if the page is full, otherwise behind it.
    pub(super) fn walk_table(
        &self,
        seed: HashSeed,
        from: Position,
        page: &mut WalkPage<'_>,
    ) -> Option<Position> {
        let table = &self.tables[self.table_index(from)];
        let start = (!self.layout.starts_slot(from, table.depth)).then_some(from);
        page.add(seed, start, table.entries.iter()).or_else(|| self.layout.after_slot(from, table.depth))
    }

    fn table_index(&self, position: Position) -> usize {
        self.directory[self.layout.slot(position, self.depth)] as usize
    }

    /// Splits the table at `index` while it is full; returns the table that `position` belongs to then.
    fn make_room(&mut self, seed: HashSeed, position: Position, mut index: usize) -> usize {
        while self.tables[index].entries.len() >= MAX_TABLE_ENTRIES && self.tables[index].depth < MAX_DEPTH {
            self.split(seed, index);
            index = self.table_index(position);
        }
        index
    }

    /// Splits a full table in two: it keeps its slots, and the new one gets room to grow.
    ///
    /// So hardly any slots are freed. Freed slots could be reused only by the thread that allocated them.
    fn split(&mut self, seed: HashSeed, index: usize) {
        if self.tables[index].depth == self.depth {
            self.depth += 1;
            let halves = self.directory.iter().flat_map(|&table| [table, table]);
            self.directory = halves.take(self.layout.slots(self.depth)).collect();
        }
        let depth = self.tables[index].depth + 1;
        let table = &mut self.tables[index];
        table.depth = depth;
        let (high, low): (Vec<_>, Vec<_>) = table
            .entries
            .drain()
            .map(|entry| (seed.hash(entry.key()), entry))
            .partition(|(hash, _)| self.layout.slot(hash.position(), depth) & 1 == 1);
        insert_all(&mut table.entries, seed, low);
        // The last table of a shard may be narrow, so that few entries go to its upper half.
        let mut entries = HashTable::with_capacity(high.len() + high.len() / 4);
        insert_all(&mut entries, seed, high);
        self.stats.slot_bytes += entries.allocation_size() as u64;
        self.tables.push(Table { depth, entries });
        self.point_upper_half_at_last_table(index, depth);
    }

    /// Points the upper half of the directory slots of the table `index` to the newest table.
    fn point_upper_half_at_last_table(&mut self, index: usize, depth: u32) {
        let newest = self.tables.len() - 1;
        let shift = self.depth - depth;
        for (slot, table) in self.directory.iter_mut().enumerate() {
            if *table as usize == index && (slot >> shift) & 1 == 1 {
                *table = newest as u32;
            }
        }
    }

    fn clear_tombstone(&mut self, watermark: Lsn) -> bool {
        match self.tombstones.front() {
            Some(&(lsn, hash)) if lsn <= watermark => {
                self.tombstones.pop_front();
                if self.tombstones.is_empty() {
                    self.tombstones = VecDeque::new();
                }
                self.remove_if(hash, |entry| entry.lsn() == lsn && !entry.is_live());
                true
            }
            _ => false,
        }
    }

    fn remove_if(&mut self, hash: KeyHash, matches: impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let index = self.table_index(hash.position());
        let entries = &mut self.tables[index].entries;
        let (old, _) = entries.find_entry(hash.0, matches).ok()?.remove();
        if entries.is_empty() {
            self.stats.slot_bytes -= entries.allocation_size() as u64;
            *entries = HashTable::new();
        }
        self.count_out(&old);
        Some(old)
    }

    fn count_in(&mut self, entry: &Entry) {
        self.stats.entry_bytes += entry.memory_bytes() as u64;
        if entry.is_live() {
            self.stats.live_keys += 1;
            self.stats.live_payload_bytes += entry.payload_bytes() as u64;
        }
    }

    fn count_out(&mut self, entry: &Entry) {
        self.stats.entry_bytes -= entry.memory_bytes() as u64;
        if entry.is_live() {
            self.stats.live_keys -= 1;
            self.stats.live_payload_bytes -= entry.payload_bytes() as u64;
        }
    }
}

fn insert_all(table: &mut HashTable<Entry>, seed: HashSeed, entries: Vec<(KeyHash, Entry)>) {
    for (hash, entry) in entries {
        table.insert_unique(hash.0, entry, |entry| seed.hash(entry.key()).0);
    }
}

/// Most splits of a table. So many tables never fit into memory.
const MAX_DEPTH: u32 = 28;

#[cfg(test)]
impl Shard {
    /// [`used_bytes`](Self::used_bytes), counted again.
    pub(super) fn recount_used_bytes(&self) -> u64 {
        let entries = || self.tables.iter().flat_map(|table| table.entries.iter());
        let slot_bytes: usize = self.tables.iter().map(|table| table.entries.allocation_size()).sum();
        let counted = self.stats.entry_bytes + self.stats.slot_bytes;
        self.used_bytes() - counted + (entries().map(Entry::memory_bytes).sum::<usize>() + slot_bytes) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: HashSeed = HashSeed([7; 16]);

    #[test]
    fn no_table_keeps_many_more_slots_than_it_has_entries() {
        for index in 0..8 {
            let mut shard = Shard::new(Layout::of_shard(index), Lsn::ZERO);
            for number in 0..20_000_u32 {
                let key = number.to_be_bytes();
                shard.put(SEED, SEED.hash(&key), Entry::live(&key, b""));
            }
            for Table { entries, .. } in &shard.tables {
                let (len, capacity) = (entries.len(), entries.capacity());
                assert!(capacity <= 3 * len + 4, "{len} entries of {capacity} in shard {index}");
            }
        }
    }
}
