//! Operations on several keys: they hold the locks of all shards concerned, so nobody sees a part of them.

use std::collections::BTreeMap;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::entry::Entry;
use super::hash::KeyHash;
use super::shard::Shard;
use super::{Keyspace, SHARD_BITS};
use crate::Lsn;

/// Locked shards by their index. Locks are always taken in ascending order, so two never wait for each other.
type ReadShards<'k> = BTreeMap<usize, RwLockReadGuard<'k, Shard>>;
type WriteShards<'k> = BTreeMap<usize, RwLockWriteGuard<'k, Shard>>;

impl Keyspace {
    /// The live entries of `keys`, in their order, and the highest LSN that this depends on.
    pub(crate) fn get_many(&self, keys: &[&[u8]]) -> (Vec<Option<Entry>>, Lsn) {
        let hashes: Vec<_> = keys.iter().map(|key| self.seed.hash(key)).collect();
        let shards: ReadShards<'_> =
            self.shard_indexes(&hashes).into_iter().map(|index| (index, self.shards[index].read())).collect();
        let mut depends_on = Lsn::ZERO;
        let look_up = |(key, &hash): (&&[u8], &KeyHash)| {
            let (entry, lsn) = shards.get(&shard_index(hash))?.look_up(hash, key);
            depends_on = depends_on.max(lsn);
            entry.cloned()
        };
        let entries = keys.iter().zip(&hashes).map(look_up).collect();
        (entries, depends_on)
    }

    /// Stores all `entries` by consecutive records, of which `append` returns the first LSN; returns the last.
    pub(crate) fn set_many(&self, entries: Vec<Entry>, append: impl FnOnce() -> Lsn) -> Lsn {
        let hashes: Vec<_> = entries.iter().map(|entry| self.seed.hash(entry.key())).collect();
        let mut shards = self.write_shards(&hashes);
        let mut lsn = Lsn::ZERO;
        let mut replaced = Vec::new();
        for (number, (entry, &hash)) in (append().get()..).zip(entries.into_iter().zip(&hashes)) {
            lsn = Lsn::new(number);
            entry.set_lsn(lsn);
            let shard = shards.get_mut(&shard_index(hash));
            replaced.push(shard.and_then(|shard| shard.put(self.seed, hash, entry)));
        }
        drop(shards);
        drop(replaced);
        lsn
    }

    /// Deletes those of `keys` that are there; `append` gets them, and returns the first LSN of as many records.
    ///
    /// Returns how many they were and the LSN that this answer depends on.
    pub(crate) fn delete_many(
        &self,
        keys: &[&[u8]],
        watermark: Lsn,
        append: impl FnOnce(&[&[u8]]) -> Lsn,
    ) -> (u64, Lsn) {
        let mut keys: Vec<(KeyHash, &[u8])> = keys.iter().map(|&key| (self.seed.hash(key), key)).collect();
        let hashes: Vec<_> = keys.iter().map(|&(hash, _)| hash).collect();
        // A key that comes twice is deleted once.
        keys.sort_unstable_by_key(|&(hash, key)| (hash.position(), key));
        keys.dedup();
        let mut shards = self.write_shards(&hashes);
        let mut depends_on = Lsn::ZERO;
        keys.retain(|&(hash, key)| {
            let (entry, lsn) =
                shards.get(&shard_index(hash)).map_or((None, Lsn::ZERO), |shard| shard.look_up(hash, key));
            depends_on = depends_on.max(lsn);
            entry.is_some()
        });
        if keys.is_empty() {
            return (0, depends_on);
        }
        let those_there: Vec<_> = keys.iter().map(|&(_, key)| key).collect();
        let first_lsn = append(&those_there).get();
        let mut removed = Vec::new();
        for (number, &(hash, key)) in (first_lsn..).zip(&keys) {
            let shard = shards.get_mut(&shard_index(hash));
            removed.push(
                shard.and_then(|shard| shard.delete(self.seed, hash, key, Lsn::new(number), watermark)),
            );
        }
        drop(shards);
        drop(removed);
        let deleted = keys.len() as u64;
        (deleted, Lsn::new(first_lsn + deleted - 1))
    }

    /// Takes all keys out, by the record that `append` puts into the log.
    pub(crate) fn clear(&self, append: impl FnOnce() -> Lsn) -> Lsn {
        let mut shards: Vec<_> = self.shards.iter().map(|shard| shard.write()).collect();
        let lsn = append();
        let emptied: Vec<Shard> = shards
            .iter_mut()
            .map(|shard| std::mem::replace(&mut **shard, Shard::new(SHARD_BITS, lsn)))
            .collect();
        drop(shards);
        // Freeing millions of entries takes a while: not under the locks.
        drop(emptied);
        lsn
    }

    fn write_shards(&self, hashes: &[KeyHash]) -> WriteShards<'_> {
        self.shard_indexes(hashes).into_iter().map(|index| (index, self.shards[index].write())).collect()
    }

    /// The shards of these keys, each once, in ascending order.
    fn shard_indexes(&self, hashes: &[KeyHash]) -> Vec<usize> {
        let mut indexes: Vec<_> = hashes.iter().map(|&hash| shard_index(hash)).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}

fn shard_index(hash: KeyHash) -> usize {
    hash.position().prefix(SHARD_BITS)
}
