//! Look-ups of several keys. They hold the locks of all their shards, so their results are as of one moment.

use std::hint::black_box;

use super::entry::Entry;
use super::hash::KeyHash;
use super::locked::shard_index;
use super::shard::Shard;
use super::{Keyspace, Seen};
use crate::Lsn;
use crate::sync::RwLockReadGuard;

/// Most keys that are looked up in one pass; with more of them every shard is locked.
const MAX_KEYS_IN_A_PASS: usize = 1024;

/// Shards of several keys, locked for reading, and the shard of each key.
struct ReadShards<'k> {
    guards: Vec<RwLockReadGuard<'k, Shard>>,
    /// For each key the index of its guard.
    guard_of_key: Vec<usize>,
}

impl<'k> ReadShards<'k> {
    /// Looks up each of `keys`, whose shards these are, and passes the results to `see`.
    fn look_up(&self, keys: &[&[u8]], hashes: &[KeyHash], mut see: impl FnMut(Option<&Entry>, Lsn)) {
        for (index, (key, probe)) in keys.iter().zip(self.prefetch(hashes)).enumerate() {
            let (entry, lsn) = self.of_key(index).look_up_probed(probe, hashes[index], key);
            see(entry, lsn);
        }
    }

    fn of_key(&self, index: usize) -> &Shard {
        &self.guards[self.guard_of_key[index]]
    }

    /// Prefetches the memory that look-ups of these keys read, and returns their probable results.
    ///
    /// The operations of a pipeline wait for memory one after the other, because locks and reference counts prevent the processor from
    /// executing ahead. These passes have neither, and each is short, so many waits overlap.
    fn prefetch(&self, hashes: &[KeyHash]) -> Vec<Option<&Entry>> {
        let probe = |(index, &hash): (usize, &KeyHash)| self.of_key(index).probe(hash);
        let probed: Vec<_> = hashes.iter().enumerate().map(probe).collect();
        black_box(probed.iter().flatten().fold(0, |sum, entry| sum ^ entry.prefetch()));
        probed
    }
}

impl Keyspace {
    /// Looks up each key as of one moment, and returns the results.
    pub(crate) fn get_many<'k>(&self, keys: impl Iterator<Item = &'k [u8]> + Clone) -> Vec<Seen> {
        let hashes: Vec<_> = keys.clone().map(|key| self.seed.hash(key)).collect();
        let shards = self.read_shards(&hashes);
        let probed = shards.prefetch(&hashes);
        let look_up = |(index, (key, probe))| {
            let (entry, lsn) = shards.of_key(index).look_up_probed(probe, hashes[index], key);
            Seen { entry: entry.cloned(), lsn }
        };
        keys.zip(probed).enumerate().map(look_up).collect()
    }

    /// Looks up any number of keys as of one moment, and passes the results to `see`, so it needs little memory itself.
    pub(crate) fn see_many(&self, keys: &[&[u8]], mut see: impl FnMut(Option<&Entry>, Lsn)) {
        let hashes_of = |keys: &[&[u8]]| keys.iter().map(|key| self.seed.hash(key)).collect::<Vec<_>>();
        if keys.len() <= MAX_KEYS_IN_A_PASS {
            let hashes = hashes_of(keys);
            return self.read_shards(&hashes).look_up(keys, &hashes, see);
        }
        // So many keys touch nearly every shard, so all are locked.
        let guards = self.shards.iter().map(|shard| shard.read()).collect();
        let mut shards = ReadShards { guards, guard_of_key: Vec::new() };
        for keys in keys.chunks(MAX_KEYS_IN_A_PASS) {
            let hashes = hashes_of(keys);
            shards.guard_of_key.clear();
            shards.guard_of_key.extend(hashes.iter().map(|&hash| shard_index(hash)));
            shards.look_up(keys, &hashes, &mut see);
        }
    }

    /// Prefetches the memory that writes of these keys need.
    pub(crate) fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let hashes: Vec<_> = keys.map(|key| self.seed.hash(key)).collect();
        self.read_shards(&hashes).prefetch(&hashes);
    }

    fn read_shards(&self, hashes: &[KeyHash]) -> ReadShards<'_> {
        let mut order: Vec<_> = hashes.iter().map(|&hash| shard_index(hash)).enumerate().collect();
        order.sort_unstable_by_key(|&(_, shard)| shard);
        let mut shards =
            ReadShards { guards: Vec::with_capacity(order.len()), guard_of_key: vec![0; order.len()] };
        let mut last = None;
        for (key, shard) in order {
            if last != Some(shard) {
                shards.guards.push(self.shards[shard].read());
                last = Some(shard);
            }
            shards.guard_of_key[key] = shards.guards.len() - 1;
        }
        shards
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Effect, HashSeed};
    use super::*;

    #[test]
    fn keys_looked_up_together_are_seen_as_alone() {
        let keyspace = Keyspace::new(HashSeed([7; 16]));
        let keys: Vec<_> = (0..40_000_u32).map(u32::to_be_bytes).collect();
        for (lsn, key) in (1..).map(Lsn::new).zip(&keys).step_by(2) {
            let value = Content::Borrowed(&key[2..]);
            keyspace.apply(Effect::Put { key, value }, lsn, Lsn::ZERO);
        }
        for (lsn, key) in (50_000..).map(Lsn::new).zip(&keys).step_by(6) {
            keyspace.apply(Effect::Delete { key }, lsn, Lsn::ZERO);
        }
        let all: Vec<_> = keys.iter().map(|key| &key[..]).collect();
        for keys in [&all[..], &all[..1000], &all[..1]] {
            let mut seen = 0;
            keyspace.see_many(keys, |entry, lsn| {
                let alone = keyspace.get(keys[seen]);
                assert_eq!(
                    (entry.map(Entry::value), lsn),
                    (alone.entry.as_ref().map(Entry::value), alone.lsn)
                );
                seen += 1;
            });
            assert_eq!(seen, keys.len());
        }
        // Enough keys that many share their tag and place with another one, there or not.
        for keys in keys.chunks(32) {
            let keys = || keys.iter().map(|key| &key[..]);
            for (key, together) in keys().zip(keyspace.get_many(keys())) {
                let alone = keyspace.get(key);
                assert_eq!(together.lsn, alone.lsn);
                assert_eq!(together.entry.as_ref().map(Entry::value), alone.entry.as_ref().map(Entry::value));
                assert!(together.entry.is_none_or(|entry| entry.key() == key));
            }
        }
    }
}
