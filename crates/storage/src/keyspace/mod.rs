//! The in-memory map: shards of small tables, entries that carry the LSN which made them.

mod entry;
mod hash;
mod key;
mod layout;
mod many;
mod restore;
mod scan;
mod shard;
mod usage;
mod walk;

pub(crate) use entry::Entry;
pub use entry::Value;
pub(crate) use hash::HashSeed;
use hash::Position;
pub use key::Key;
use key::KeyList;
use layout::Layout;
pub(crate) use restore::{Past, Restore};
use scan::PageBuilder;
use shard::Shard;
use usage::{ShardLock, UsedBytes, WriteShard};
pub(crate) use walk::Walk;

use crate::cores::Affinity;
use crate::{Error, Lsn, ScanPage};

/// Position bits that choose the shard: 256 locks, many more than threads that contend for them.
///
/// A model checker gets few: each schedule makes all of them, several times.
const SHARD_BITS: u32 = if cfg!(feature = "shuttle") { 2 } else { 8 };

/// A value up to this size is copied under the shard's lock, into the place of the one it replaces if that is
/// as long: memory that is at hand already, where a fresh piece would have to be fetched.
const MAX_COPIED_UNDER_LOCK_BYTES: usize = 4 * 1024;

/// All keys. It knows LSNs, as marks on entries, but no log.
pub(crate) struct Keyspace {
    seed: HashSeed,
    shards: Box<[ShardLock]>,
    used: UsedBytes,
    /// Affinity of the thread that made the keyspace, for threads that are started later by one that is bound to a core.
    affinity: Affinity,
}

/// What a look-up saw, and the LSN that it depends on.
pub(crate) struct Seen {
    /// The live entry, if there is one.
    pub(crate) entry: Option<Entry>,
    /// The record that made what was seen; [`Lsn::ZERO`] if nothing is known of the key.
    pub(crate) lsn: Lsn,
}

/// Sums over all shards; the bytes include tombstones and tables.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) live_keys: u64,
    pub(crate) live_payload_bytes: u64,
    pub(crate) used_bytes: u64,
}

impl Keyspace {
    pub(crate) fn new(seed: HashSeed) -> Self {
        let used = UsedBytes::default();
        let shard = |index| ShardLock::new(Shard::new(Layout::of_shard(index), Lsn::ZERO), &used);
        let shards = (0..1 << SHARD_BITS).map(shard).collect();
        Self { seed, shards, used, affinity: Affinity::of_this_thread() }
    }

    /// The key of the hash.
    pub(crate) const fn seed(&self) -> HashSeed {
        self.seed
    }

    pub(crate) fn get(&self, key: &[u8]) -> Seen {
        let hash = self.seed.hash(key);
        let shard = self.shard(hash.position()).read();
        let (entry, lsn) = shard.look_up(hash, key);
        Seen { entry: entry.cloned(), lsn }
    }

    /// Stores `value` for `key`; `append` puts the record into the log and is called under the shard's lock, so
    /// that the order of LSNs is the order of changes to a key.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], before `append` is called, if there would be more than `max_bytes`.
    pub(crate) fn set(
        &self,
        key: &[u8],
        value: &[u8],
        max_bytes: Option<u64>,
        watermark: Lsn,
        append: impl FnOnce() -> Lsn,
    ) -> Result<Lsn, Error> {
        let hash = self.seed.hash(key);
        // Copying a large value takes a while: not under the lock.
        let copied = (value.len() > MAX_COPIED_UNDER_LOCK_BYTES).then(|| Entry::live(key, value));
        let mut shard = self.write_shard(hash.position());
        let added_bytes = Entry::memory_bytes_of(key.len() + value.len()) as u64;
        self.used.check_room(max_bytes, added_bytes, || shard.entry_bytes(hash, key))?;
        let lsn = append();
        let replaced = if copied.is_none() && shard.overwrite(hash, key, value, lsn) {
            None
        } else {
            let entry = copied.unwrap_or_else(|| Entry::live(key, value));
            entry.set_lsn(lsn);
            shard.put(self.seed, hash, entry)
        };
        shard.clear_some_tombstones(watermark);
        drop(shard);
        // Freeing a large value takes a while: not under the lock.
        drop(replaced);
        Ok(lsn)
    }

    /// Deletes `key` if it is there; `append` as for [`set`](Self::set), called only if it is.
    ///
    /// Returns whether it was there and the LSN that this answer depends on. `watermark` is where replies
    /// have got to.
    pub(crate) fn delete(&self, key: &[u8], watermark: Lsn, append: impl FnOnce() -> Lsn) -> (bool, Lsn) {
        let hash = self.seed.hash(key);
        let mut shard = self.write_shard(hash.position());
        shard.clear_some_tombstones(watermark);
        let (entry, lsn) = shard.look_up(hash, key);
        if entry.is_none() {
            return (false, lsn);
        }
        let lsn = append();
        let removed = shard.delete(self.seed, hash, key, lsn, watermark);
        drop(shard);
        drop(removed);
        (true, lsn)
    }

    /// One page of keys with `prefix`, at most `limit`, from `cursor` on.
    pub(crate) fn scan(&self, cursor: u64, prefix: &[u8], limit: usize) -> ScanPage {
        let mut page = PageBuilder::new(prefix, limit);
        let mut next = Position::from_cursor(cursor);
        while let Some(from) = next {
            if page.is_done() {
                break;
            }
            next = self.shard(from).read().scan_table(self.seed, from, &mut page);
        }
        page.finish(next)
    }

    /// All live keys with `prefix`; `None` if they are more than `max_keys`.
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

    /// The number of live keys.
    pub(crate) fn count(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().figures().live_keys).sum()
    }

    pub(crate) fn figures(&self) -> Figures {
        let mut sum = Figures { used_bytes: self.used.get(), ..Figures::default() };
        for shard in &self.shards {
            let shard = shard.read();
            sum.live_keys += shard.figures().live_keys;
            sum.live_payload_bytes += shard.figures().live_payload_bytes;
        }
        sum
    }

    /// Clears away all tombstones up to `watermark`.
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

    fn write_shard(&self, position: Position) -> WriteShard<'_> {
        self.shard(position).write(&self.used)
    }
}
