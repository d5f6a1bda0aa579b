//! Locked keys: read, decided on and changed in one step.
//!
//! A change gets its LSN under the locks, so changes of a key have the order of their LSNs.

use std::cell::Cell;

use smallvec::SmallVec;

use super::effect::{Content, Effect};
use super::entry::Entry;
use super::hash::KeyHash;
use super::layout::Layout;
use super::shard::Shard;
use super::usage::WriteShard;
use super::{Keyspace, SHARD_BITS};
use crate::sync::thread;
use crate::{Error, Lsn};

/// Longest value that is copied under the shard's lock. If the value that it replaces has the same length, it is overwritten in place,
/// because that memory is probably in the cache, and new memory is not.
const MAX_COPIED_UNDER_LOCK_BYTES: usize = 4 * 1024;

/// Most memory that a serving thread frees by itself, in bytes: freeing it takes no longer than starting a thread.
const MAX_FREED_HERE_BYTES: u64 = 64 * 1024;

/// Keys that no other thread reads or changes while this exists.
pub(crate) struct Locked<'k> {
    keyspace: &'k Keyspace,
    shards: Shards<'k>,
    /// LSN of the newest record that the values read so far depend on.
    seen: Cell<Lsn>,
    /// Entries that were removed from the map. Freeing a large one takes long, so this field follows the locks: fields are dropped in
    /// order, so entries are freed after the locks are released.
    replaced: SmallVec<[Entry; 1]>,
}

/// Locked shards. Locks are always taken in ascending order of the shards, so threads never deadlock.
enum Shards<'k> {
    /// The shard of one key, without an allocation.
    One(WriteShard<'k>),
    /// Several with their indexes, in ascending order.
    Several(Vec<(usize, WriteShard<'k>)>),
}

impl Keyspace {
    /// Locks the key with this hash.
    #[inline]
    pub(crate) fn lock(&self, hash: KeyHash) -> Locked<'_> {
        self.locked(Shards::One(self.shard(hash.position()).write(&self.used)))
    }

    /// Locks the keys with these hashes.
    pub(crate) fn lock_keys(&self, hashes: impl Iterator<Item = KeyHash>) -> Locked<'_> {
        let mut indexes: Vec<_> = hashes.map(shard_index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        self.lock_shards(indexes.into_iter())
    }

    /// Locks all keys.
    pub(crate) fn lock_all(&self) -> Locked<'_> {
        self.lock_shards(0..self.shards.len())
    }

    fn lock_shards(&self, indexes: impl Iterator<Item = usize>) -> Locked<'_> {
        let shards = indexes.map(|index| (index, self.shards[index].write(&self.used))).collect();
        self.locked(Shards::Several(shards))
    }

    fn locked<'k>(&'k self, shards: Shards<'k>) -> Locked<'k> {
        Locked { keyspace: self, shards, seen: Cell::new(Lsn::ZERO), replaced: SmallVec::new() }
    }

    /// Makes the entry of a long value before its shard is locked, so that it is not copied under the lock.
    #[inline]
    pub(crate) fn content<'a>(key: &[u8], value: &'a [u8]) -> Content<'a> {
        if value.len() > MAX_COPIED_UNDER_LOCK_BYTES {
            Content::Made(Entry::live(key, value))
        } else {
            Content::Borrowed(value)
        }
    }

    /// Applies the effect of the record `lsn` to the keyspace.
    pub(crate) fn apply(&self, effect: Effect<'_>, lsn: Lsn, watermark: Lsn) {
        let mut locked = match effect.key() {
            Some(key) => self.lock(self.hash(key)),
            None => self.lock_all(),
        };
        locked.apply(effect, lsn, watermark);
    }
}

impl Locked<'_> {
    /// Returns the live entry of a key.
    #[inline]
    pub(crate) fn look(&self, hash: KeyHash, key: &[u8]) -> Option<&Entry> {
        let (entry, lsn) = self.shard(hash).look_up(hash, key);
        self.seen.set(self.seen.get().max(lsn));
        entry
    }

    /// Returns the LSN of the newest record that the values read so far depend on.
    pub(crate) const fn seen(&self) -> Lsn {
        self.seen.get()
    }

    /// Checks that replacing `replaced_bytes` by entries of `added_bytes` keeps the memory within its limit.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    #[inline]
    pub(crate) fn check_room(
        &self,
        added_bytes: u64,
        replaced_bytes: impl FnOnce() -> u64,
    ) -> Result<(), Error> {
        self.keyspace.used.check_room(added_bytes, replaced_bytes)
    }

    /// Returns the memory of a key's entry or tombstone, in bytes.
    pub(crate) fn entry_bytes(&self, hash: KeyHash, key: &[u8]) -> u64 {
        self.shard(hash).entry_bytes(hash, key)
    }

    /// Applies the effect of the record `lsn` to locked keys. `watermark` is the reply watermark.
    pub(crate) fn apply(&mut self, effect: Effect<'_>, lsn: Lsn, watermark: Lsn) {
        match effect {
            Effect::Put { key, value } => self.put(self.keyspace.hash(key), key, value, lsn, watermark),
            Effect::Delete { key } => {
                let hash = self.keyspace.hash(key);
                self.delete(hash, key, lsn, watermark);
                self.clear_some_tombstones(hash, watermark);
            }
            Effect::Clear => drop(self.clear(lsn)),
        }
    }

    /// Stores a value, by the record `lsn`. `watermark` is the reply watermark.
    #[inline]
    pub(crate) fn put(&mut self, hash: KeyHash, key: &[u8], value: Content<'_>, lsn: Lsn, watermark: Lsn) {
        match value {
            Content::Made(entry) => self.put_entry(hash, entry, lsn, watermark),
            value => {
                let bytes = value.bytes();
                let shard = self.shard_mut(hash);
                if bytes.len() <= MAX_COPIED_UNDER_LOCK_BYTES && shard.overwrite(hash, key, bytes, lsn) {
                    shard.clear_some_tombstones(watermark);
                } else {
                    self.put_entry(hash, Entry::live(key, bytes), lsn, watermark);
                }
            }
        }
    }

    /// Stores an entry, as [`put`](Self::put) does.
    pub(crate) fn put_entry(&mut self, hash: KeyHash, entry: Entry, lsn: Lsn, watermark: Lsn) {
        let seed = self.keyspace.seed;
        let shard = self.shard_mut(hash);
        entry.set_lsn(lsn);
        let replaced = shard.put(seed, hash, entry);
        shard.clear_some_tombstones(watermark);
        self.replaced.extend(replaced);
    }

    /// Frees a few tombstones of a key's shard that no reply can depend on any more.
    pub(crate) fn clear_some_tombstones(&mut self, hash: KeyHash, watermark: Lsn) {
        self.shard_mut(hash).clear_some_tombstones(watermark);
    }

    /// Removes an existing key, by the record `lsn`. `watermark` is the reply watermark.
    pub(crate) fn delete(&mut self, hash: KeyHash, key: &[u8], lsn: Lsn, watermark: Lsn) {
        let seed = self.keyspace.seed;
        let shard = self.shard_mut(hash);
        let removed = shard.delete(seed, hash, key, lsn, watermark);
        self.replaced.extend(removed);
    }

    /// Removes all keys, by the record `lsn`. All keys must be locked. Returns the entries, which are not freed yet.
    pub(crate) fn clear(&mut self, lsn: Lsn) -> Emptied {
        let Shards::Several(shards) = &mut self.shards else { unreachable!("one key is not all of them") };
        let empty = |(index, shard): &mut (usize, WriteShard<'_>)| {
            std::mem::replace(&mut **shard, Shard::new(Layout::of_shard(*index), lsn))
        };
        Emptied { shards: shards.iter_mut().map(empty).collect() }
    }

    #[inline]
    fn shard(&self, hash: KeyHash) -> &Shard {
        match &self.shards {
            Shards::One(shard) => shard,
            Shards::Several(shards) => &shards[index_in(shards, hash)].1,
        }
    }

    #[inline]
    fn shard_mut(&mut self, hash: KeyHash) -> &mut Shard {
        match &mut self.shards {
            Shards::One(shard) => shard,
            Shards::Several(shards) => {
                let index = index_in(shards, hash);
                &mut shards[index].1
            }
        }
    }
}

fn index_in(shards: &[(usize, WriteShard<'_>)], hash: KeyHash) -> usize {
    let found = shards.binary_search_by_key(&shard_index(hash), |&(index, _)| index);
    found.unwrap_or_else(|_| unreachable!("the shards of all keys are locked"))
}

/// Returns the index of a key's shard.
pub(super) fn shard_index(hash: KeyHash) -> usize {
    hash.position().prefix(SHARD_BITS)
}

/// Entries that a clear has removed from the keyspace. Dropping them frees them on this thread.
#[must_use]
pub(crate) struct Emptied {
    shards: Vec<Shard>,
}

impl Emptied {
    /// Frees the entries; on another thread if that takes long, as for millions of entries.
    pub(crate) fn free_soon(self) {
        let bytes: u64 = self.shards.iter().map(Shard::used_bytes).sum();
        if bytes <= MAX_FREED_HERE_BYTES {
            return;
        }
        let free = move || drop(self.shards);
        if let Err(error) = thread::Builder::new().name("freeing".to_owned()).spawn(free) {
            tracing::warn!(%error, "cannot start a thread that frees the cleared entries; this thread freed them");
        }
    }
}
