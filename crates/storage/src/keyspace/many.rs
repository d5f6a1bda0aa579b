//! Operations on several keys: they hold the locks of all shards concerned, so nobody sees a part of them.

use std::collections::BTreeMap;
use std::hint::black_box;

use super::entry::Entry;
use super::hash::KeyHash;
use super::layout::Layout;
use super::shard::Shard;
use super::usage::WriteShard;
use super::{Keyspace, SHARD_BITS, Seen};
use crate::cores::Affinity;
use crate::sync::{RwLockReadGuard, thread};
use crate::{Error, Lsn};

/// Most that a thread which serves others frees by itself, in bytes: that takes no longer than starting a thread.
const MAX_FREED_HERE_BYTES: u64 = 64 * 1024;

/// Most keys that are looked up in one pass; with more of them every shard is locked.
const MAX_KEYS_IN_A_PASS: usize = 1024;

/// Locked shards by their index. Locks are always taken in ascending order, so two never wait for each other.
type WriteShards<'k> = BTreeMap<usize, WriteShard<'k>>;

/// The shards of several keys, locked for reading, and which of them each key belongs to.
struct ReadShards<'k> {
    guards: Vec<RwLockReadGuard<'k, Shard>>,
    /// For each key the index of its guard.
    guard_of_key: Vec<usize>,
}

impl<'k> ReadShards<'k> {
    /// Looks up each of `keys`, whose shards these are, and shows `see` what is there.
    fn look_up(&self, keys: &[&[u8]], hashes: &[KeyHash], mut see: impl FnMut(Option<&Entry>, Lsn)) {
        for (index, (key, guess)) in keys.iter().zip(self.touch(hashes)).enumerate() {
            let (entry, lsn) = self.of_key(index).look_up_guessed(guess, hashes[index], key);
            see(entry, lsn);
        }
    }

    fn of_key(&self, index: usize) -> &Shard {
        &self.guards[self.guard_of_key[index]]
    }

    /// Reads what look-ups of these keys will read, and returns what they will probably find.
    ///
    /// The operations of a pipeline wait for memory one after the other, because locks and reference counts
    /// keep the processor from looking ahead. These passes have neither, and each is short: many waits overlap.
    fn touch(&self, hashes: &[KeyHash]) -> Vec<Option<&Entry>> {
        let guess = |(index, &hash): (usize, &KeyHash)| self.of_key(index).guess(hash);
        let guesses: Vec<_> = hashes.iter().enumerate().map(guess).collect();
        black_box(guesses.iter().flatten().fold(0, |sum, entry| sum ^ entry.touch()));
        guesses
    }
}

impl Keyspace {
    /// What a look-up of each key sees, all at one moment.
    pub(crate) fn get_many<'k>(&self, keys: impl Iterator<Item = &'k [u8]> + Clone) -> Vec<Seen> {
        let hashes: Vec<_> = keys.clone().map(|key| self.seed.hash(key)).collect();
        let shards = self.read_shards(&hashes);
        let guesses = shards.touch(&hashes);
        let look_up = |(index, (key, guess))| {
            let (entry, lsn) = shards.of_key(index).look_up_guessed(guess, hashes[index], key);
            Seen { entry: entry.cloned(), lsn }
        };
        keys.zip(guesses).enumerate().map(look_up).collect()
    }

    /// Looks up any number of keys, all at one moment, and shows `see` what is there; beside that it takes little memory.
    pub(crate) fn see_many(&self, keys: &[&[u8]], mut see: impl FnMut(Option<&Entry>, Lsn)) {
        let hashes_of = |keys: &[&[u8]]| keys.iter().map(|key| self.seed.hash(key)).collect::<Vec<_>>();
        if keys.len() <= MAX_KEYS_IN_A_PASS {
            let hashes = hashes_of(keys);
            return self.read_shards(&hashes).look_up(keys, &hashes, see);
        }
        // So many keys are in nearly every shard.
        let guards = self.shards.iter().map(|shard| shard.read()).collect();
        let mut shards = ReadShards { guards, guard_of_key: Vec::new() };
        for keys in keys.chunks(MAX_KEYS_IN_A_PASS) {
            let hashes = hashes_of(keys);
            shards.guard_of_key.clear();
            shards.guard_of_key.extend(hashes.iter().map(|&hash| shard_index(hash)));
            shards.look_up(keys, &hashes, &mut see);
        }
    }

    /// Reads the memory that writes of these keys, one after the other, are about to need.
    pub(crate) fn touch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let hashes: Vec<_> = keys.map(|key| self.seed.hash(key)).collect();
        self.read_shards(&hashes).touch(&hashes);
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

    /// Stores all `entries` by consecutive records, of which `append` returns the first LSN; returns the last.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], before `append` is called, if there would be more than `max_bytes`.
    pub(crate) fn set_many(
        &self,
        entries: Vec<Entry>,
        max_bytes: Option<u64>,
        watermark: Lsn,
        append: impl FnOnce() -> Lsn,
    ) -> Result<Lsn, Error> {
        let hashes: Vec<_> = entries.iter().map(|entry| self.seed.hash(entry.key())).collect();
        let mut shards = self.write_shards(&hashes);
        let added_bytes = entries.iter().map(Entry::memory_bytes).sum::<usize>() as u64;
        self.used.check_room(max_bytes, added_bytes, || replaced_bytes(&shards, &entries, &hashes))?;
        let mut lsn = Lsn::ZERO;
        let mut replaced = Vec::new();
        for (number, (entry, &hash)) in (append().get()..).zip(entries.into_iter().zip(&hashes)) {
            lsn = Lsn::new(number);
            entry.set_lsn(lsn);
            let Some(shard) = shards.get_mut(&shard_index(hash)) else { continue };
            replaced.push(shard.put(self.seed, hash, entry));
            shard.clear_some_tombstones(watermark);
        }
        drop(shards);
        drop(replaced);
        Ok(lsn)
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
            let Some(shard) = shards.get_mut(&shard_index(hash)) else { continue };
            removed.push(shard.delete(self.seed, hash, key, Lsn::new(number), watermark));
            shard.clear_some_tombstones(watermark);
        }
        drop(shards);
        drop(removed);
        let deleted = keys.len() as u64;
        (deleted, Lsn::new(first_lsn + deleted - 1))
    }

    /// Takes all keys out, by the record that `append` puts into the log; returns its LSN, and what is still to be
    /// freed.
    pub(crate) fn clear(&self, append: impl FnOnce() -> Lsn) -> (Lsn, Emptied) {
        let mut shards: Vec<_> = self.shards.iter().map(|shard| shard.write(&self.used)).collect();
        let lsn = append();
        let emptied = shards
            .iter_mut()
            .enumerate()
            .map(|(index, shard)| std::mem::replace(&mut **shard, Shard::new(Layout::of_shard(index), lsn)))
            .collect();
        drop(shards);
        (lsn, Emptied { shards: emptied, affinity: self.affinity })
    }

    fn write_shards(&self, hashes: &[KeyHash]) -> WriteShards<'_> {
        let indexes = self.shard_indexes(hashes).into_iter();
        indexes.map(|index| (index, self.shards[index].write(&self.used))).collect()
    }

    /// The shards of these keys, each once, in ascending order.
    fn shard_indexes(&self, hashes: &[KeyHash]) -> Vec<usize> {
        let mut indexes: Vec<_> = hashes.iter().map(|&hash| shard_index(hash)).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}

/// Entries that a clear has taken out of the keyspace. Dropped, they are freed on this thread.
#[must_use]
pub(crate) struct Emptied {
    shards: Vec<Shard>,
    affinity: Affinity,
}

impl Emptied {
    /// Frees it, but not on this thread if that takes long: millions of entries do.
    pub(crate) fn free_soon(self) {
        let bytes: u64 = self.shards.iter().map(Shard::used_bytes).sum();
        if bytes <= MAX_FREED_HERE_BYTES {
            return;
        }
        let free = move || {
            self.affinity.take();
            drop(self.shards);
        };
        if let Err(error) = thread::Builder::new().name("freeing".to_owned()).spawn(free) {
            tracing::warn!(%error, "no thread to free the cleared entries on; freed them here");
        }
    }
}

/// Memory that becomes free when all `entries` are stored: what their keys have, and those of them that a
/// later one replaces.
fn replaced_bytes(shards: &WriteShards<'_>, entries: &[Entry], hashes: &[KeyHash]) -> u64 {
    let mut newest = BTreeMap::new();
    let mut bytes = 0;
    for (entry, &hash) in entries.iter().zip(hashes) {
        bytes += match newest.insert(entry.key(), entry) {
            Some(earlier) => earlier.memory_bytes() as u64,
            None => shards.get(&shard_index(hash)).map_or(0, |shard| shard.entry_bytes(hash, entry.key())),
        };
    }
    bytes
}

fn shard_index(hash: KeyHash) -> usize {
    hash.position().prefix(SHARD_BITS)
}

#[cfg(test)]
mod tests {
    use super::super::HashSeed;
    use super::*;

    #[test]
    fn keys_looked_up_together_are_seen_as_alone() {
        let keyspace = Keyspace::new(HashSeed([7; 16]));
        let keys: Vec<_> = (0..40_000_u32).map(u32::to_be_bytes).collect();
        for (lsn, key) in (1..).map(Lsn::new).zip(&keys).step_by(2) {
            keyspace.set(key, &key[2..], None, Lsn::ZERO, || lsn).unwrap();
        }
        for (lsn, key) in (50_000..).map(Lsn::new).zip(&keys).step_by(6) {
            keyspace.delete(key, Lsn::ZERO, || lsn);
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
