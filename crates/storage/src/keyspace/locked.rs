//! Locked keys: looked at, decided on and changed as one step.
//!
//! A change gets its LSN while the locks are held, so the order of LSNs is the order of changes to a key.

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

/// A value up to this size is copied under the shard's lock, into the place of the one it replaces if that is
/// as long: memory that is at hand already, where a fresh piece would have to be fetched.
const MAX_COPIED_UNDER_LOCK_BYTES: usize = 4 * 1024;

/// Most that a thread which serves others frees by itself, in bytes: that takes no longer than starting a thread.
const MAX_FREED_HERE_BYTES: u64 = 64 * 1024;

/// Keys that nobody else sees or changes as long as this is there.
pub(crate) struct Locked<'k> {
    keyspace: &'k Keyspace,
    shards: Shards<'k>,
    /// The newest record that something looked at depends on.
    seen: Cell<Lsn>,
    /// Entries taken out of the map. Freeing a large one takes a while, so they stand behind the locks: fields are
    /// dropped in order.
    replaced: SmallVec<[Entry; 1]>,
}

/// The locked shards. Locks are always taken in ascending order, so two never wait for each other.
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

    /// Makes the entry of a value so long that copying it takes a while, so that this is not done under a lock.
    #[inline]
    pub(crate) fn content<'a>(key: &[u8], value: &'a [u8]) -> Content<'a> {
        if value.len() > MAX_COPIED_UNDER_LOCK_BYTES {
            Content::Made(Entry::live(key, value))
        } else {
            Content::Borrowed(value)
        }
    }

    /// Changes the keyspace by the effect of the record `lsn`.
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

    /// Returns the newest record that something looked at depends on.
    pub(crate) const fn seen(&self) -> Lsn {
        self.seen.get()
    }

    /// Checks that entries of `added_bytes`, which take the place of `replaced_bytes`, leave the memory within its limit.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    #[inline]
    pub(crate) fn check_room(
        &self,
        max_bytes: Option<u64>,
        added_bytes: u64,
        replaced_bytes: impl FnOnce() -> u64,
    ) -> Result<(), Error> {
        self.keyspace.used.check_room(max_bytes, added_bytes, replaced_bytes)
    }

    /// Returns the memory of what a key has, if only a tombstone, in bytes.
    pub(crate) fn entry_bytes(&self, hash: KeyHash, key: &[u8]) -> u64 {
        self.shard(hash).entry_bytes(hash, key)
    }

    /// Changes locked keys by the effect of the record `lsn`. `watermark` is where replies have got to.
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

    /// Stores a value, by the record `lsn`. `watermark` is where replies have got to.
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

    /// Clears away a few tombstones of the shard that a key is in: those that nobody can depend on any more.
    pub(crate) fn clear_some_tombstones(&mut self, hash: KeyHash, watermark: Lsn) {
        self.shard_mut(hash).clear_some_tombstones(watermark);
    }

    /// Removes a key that is there, by the record `lsn`. `watermark` is where replies have got to.
    pub(crate) fn delete(&mut self, hash: KeyHash, key: &[u8], lsn: Lsn, watermark: Lsn) {
        let seed = self.keyspace.seed;
        let shard = self.shard_mut(hash);
        let removed = shard.delete(seed, hash, key, lsn, watermark);
        self.replaced.extend(removed);
    }

    /// Removes all keys, by the record `lsn`: all of them must be locked. Returns what is still to be freed.
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

/// Returns the index of the shard that a key is in.
pub(super) fn shard_index(hash: KeyHash) -> usize {
    hash.position().prefix(SHARD_BITS)
}

/// Entries that a clear has taken out of the keyspace. Dropped, they are freed on this thread.
#[must_use]
pub(crate) struct Emptied {
    shards: Vec<Shard>,
}

impl Emptied {
    /// Frees it, but not on this thread if that takes long: millions of entries do.
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
