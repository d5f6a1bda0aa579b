//! The keyspace, a map in memory: shards of small tables, whose entries have the LSN of their record.

mod effect;
mod entry;
mod hash;
mod key;
mod layout;
mod locked;
mod many;
mod restore;
mod scan;
mod shard;
mod usage;
mod walk;

pub(crate) use effect::{Content, Effect};
pub(crate) use entry::Entry;
pub use entry::Value;
use hash::Position;
pub(crate) use hash::{HashSeed, KeyHash};
pub use key::Key;
use key::KeyList;
use layout::Layout;
pub(crate) use locked::Locked;
pub(crate) use restore::{Past, Restore};
pub(crate) use scan::PageBuilder;
use shard::Shard;
use usage::{ShardLock, UsedBytes};
pub(crate) use walk::KeyspaceWalk;

use crate::{KeyPage, Lsn};

/// Position bits that select the shard: 256 locks, many more than threads that contend for them.
///
/// The model checker uses few, because each schedule creates all of them several times.
const SHARD_BITS: u32 = if cfg!(feature = "shuttle") { 2 } else { 8 };

/// All keys. Its entries have LSNs, but it does not depend on a log.
pub(crate) struct Keyspace {
    seed: HashSeed,
    shards: Box<[ShardLock]>,
    used: UsedBytes,
}

/// Result of a look-up, and the LSN that it depends on.
pub(crate) struct Seen {
    /// The live entry, if there is one.
    pub(crate) entry: Option<Entry>,
    /// LSN of the record that stored or removed it; [`Lsn::ZERO`] if there is none.
    pub(crate) lsn: Lsn,
}

/// Sums over all shards; the bytes include tombstones and tables.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyspaceStats {
    pub(crate) live_keys: u64,
    pub(crate) live_payload_bytes: u64,
    pub(crate) used_bytes: u64,
}

impl Keyspace {
    pub(crate) fn new(seed: HashSeed) -> Self {
        let used = UsedBytes::default();
        let shard = |index| ShardLock::new(Shard::new(Layout::of_shard(index), Lsn::ZERO), &used);
        let shards = (0..1 << SHARD_BITS).map(shard).collect();
        Self { seed, shards, used }
    }

    /// Limits the memory of entries and tables from now on, in bytes. More than that which is there already stays.
    pub(crate) fn limit_memory(&self, max_bytes: Option<u64>) {
        self.used.limit(max_bytes);
    }

    /// Returns the key of the hash.
    pub(crate) const fn seed(&self) -> HashSeed {
        self.seed
    }

    pub(crate) fn hash(&self, key: &[u8]) -> KeyHash {
        self.seed.hash(key)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Seen {
        let hash = self.hash(key);
        let shard = self.shard(hash.position()).read();
        let (entry, lsn) = shard.look_up(hash, key);
        Seen { entry: entry.cloned(), lsn }
    }

    /// Returns a page of keys, from `cursor` on.
    pub(crate) fn scan(&self, cursor: u64, mut page: PageBuilder<'_>) -> KeyPage {
        let mut next = Position::from_cursor(cursor);
        while let Some(from) = next {
            if page.is_done() {
                break;
            }
            next = self.shard(from).read().scan_table(self.seed, from, &mut page);
        }
        page.finish(next)
    }

    /// Returns all live keys with `prefix`; `None` if there are more than `max_keys`.
    pub(crate) fn keys(&self, prefix: &[u8], max_keys: usize) -> Option<Vec<Key>> {
        let mut keys = KeyList::default();
        for shard in &self.shards {
            for entry in shard.read().live_entries().filter(|entry| entry.key().starts_with(prefix)) {
                if keys.len() == max_keys {
                    return None;
                }
                keys.push(entry.key());
            }
        }
        Some(keys.into_keys())
    }

    /// Returns the number of live keys.
    pub(crate) fn count(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().stats().live_keys).sum()
    }

    pub(crate) fn stats(&self) -> KeyspaceStats {
        let mut sum = KeyspaceStats { used_bytes: self.used.get(), ..KeyspaceStats::default() };
        for shard in &self.shards {
            let shard = shard.read();
            sum.live_keys += shard.stats().live_keys;
            sum.live_payload_bytes += shard.stats().live_payload_bytes;
        }
        sum
    }

    /// Frees all tombstones up to `watermark`.
    pub(crate) fn clear_tombstones(&self, watermark: Lsn) {
        for shard in &self.shards {
            if shard.read().has_tombstones() {
                shard.write(&self.used).clear_tombstones(watermark);
            }
        }
    }

    fn shard(&self, position: Position) -> &ShardLock {
        &self.shards[position.prefix(SHARD_BITS)]
    }

    /// Returns the present length of a key's value, in bytes; 0 for a missing key.
    pub(crate) fn value_bytes(&self, key: &[u8]) -> usize {
        let hash = self.hash(key);
        self.shard(hash.position()).read().look_up(hash, key).0.map_or(0, |entry| entry.value().len())
    }
}
