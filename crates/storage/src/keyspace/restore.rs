//! Builder of a keyspace from a log's records, in any order.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use super::entry::Entry;
use super::hash::{HashSeed, KeyHash};
use super::layout::Layout;
use super::shard::Shard;
use super::{Keyspace, SHARD_BITS};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::{Error, Lsn, cores};

/// Number of entries below which one thread builds the keyspace, which takes about a millisecond.
const ENTRIES_PER_THREAD: usize = 16 * 1024;

/// State of a key according to one record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) key: &'a [u8],
    /// `None`: the key was deleted.
    pub(crate) value: Option<&'a [u8]>,
}

/// Builder that accepts records from several threads. For each key the newest LSN wins, in whatever order the records come.
pub(crate) struct Restore {
    seed: HashSeed,
    shards: Box<[Mutex<RestoreShard>]>,
}

/// The newest that is known of each key. There is no limit to this table, because nobody waits for it
/// while it grows, and it does not read the keys to grow, because it has their hashes.
#[derive(Default)]
struct RestoreShard {
    /// Tombstones stay: an older entry may still come.
    newest: HashTable<Hashed>,
    /// The newest record that cleared everything before it.
    cleared: Lsn,
}

struct Hashed {
    hash: KeyHash,
    entry: Entry,
}

impl Restore {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self { seed, shards: (0..1 << SHARD_BITS).map(|_| Mutex::default()).collect() }
    }

    /// Takes out everything older than `lsn`, also what is yet to come.
    pub(crate) fn clear(&self, lsn: Lsn) {
        for shard in &self.shards {
            shard.lock().clear(lsn);
        }
    }

    /// Puts in those of `records` that are about a key, as `past` tells.
    ///
    /// It is cheapest for many records, oldest first.
    pub(crate) fn put<'r, R>(&self, records: &'r [R], past: impl Fn(&'r R) -> Option<Past<'r>>) {
        let mut groups: Vec<Vec<(KeyHash, &R)>> = self.shards.iter().map(|_| Vec::new()).collect();
        for record in records {
            let Some(past) = past(record) else { continue };
            let hash = self.seed.hash(past.key);
            groups[hash.position().prefix(SHARD_BITS)].push((hash, record));
        }
        for (shard, group) in self.shards.iter().zip(&groups) {
            if group.is_empty() {
                continue;
            }
            let mut shard = shard.lock();
            // The newest first: what it outdates is not even made.
            for &(hash, record) in group.iter().rev() {
                past(record).into_iter().for_each(|past| shard.put(hash, past));
            }
        }
    }

    /// The keyspace as it is after all records.
    ///
    /// # Errors
    /// [`Error::Internal`] if a thread panicked.
    pub(crate) fn finish(self) -> Result<Keyspace, Error> {
        let keyspace = Keyspace::new(self.seed);
        let next = AtomicUsize::new(0);
        let entries: usize = self.shards.iter().map(|shard| shard.lock().newest.len()).sum();
        cores::run((cores::available() - 1).min(entries / ENTRIES_PER_THREAD), || {
            let next = || next.fetch_add(1, Ordering::Relaxed);
            while let Some((index, (restored, shard))) = Some(next())
                .and_then(|index| Some(index).zip(self.shards.get(index).zip(keyspace.shards.get(index))))
            {
                let restored = std::mem::take(&mut *restored.lock());
                *shard.write(&keyspace.used) = restored.finish(Layout::of_shard(index), self.seed);
            }
        })?;
        Ok(keyspace)
    }
}

impl RestoreShard {
    fn clear(&mut self, lsn: Lsn) {
        if lsn > self.cleared {
            self.cleared = lsn;
            self.newest.retain(|known| known.entry.lsn() > lsn);
        }
    }

    fn put(&mut self, hash: KeyHash, past: Past<'_>) {
        if past.lsn <= self.cleared {
            return;
        }
        let is_it = |known: &Hashed| known.hash == hash && known.entry.key() == past.key;
        match self.newest.entry(hash.0, is_it, |known| known.hash.0) {
            Place::Occupied(mut known) => {
                if known.get().entry.lsn() < past.lsn {
                    known.get_mut().entry = past.entry();
                }
            }
            Place::Vacant(place) => {
                place.insert(Hashed { hash, entry: past.entry() });
            }
        }
    }

    fn finish(self, layout: Layout, seed: HashSeed) -> Shard {
        let live = self.newest.into_iter().filter(|known| known.entry.is_live());
        let live: Vec<_> = live.map(|known| (known.hash, known.entry)).collect();
        Shard::restored(layout, self.cleared, seed, live)
    }
}

impl Past<'_> {
    fn entry(&self) -> Entry {
        let entry =
            self.value.map_or_else(|| Entry::tombstone(self.key), |value| Entry::live(self.key, value));
        entry.set_lsn(self.lsn);
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::slice::from_ref;

    use proptest::prelude::*;

    use super::super::{Content, Effect};
    use super::*;

    const SEED: HashSeed = HashSeed([1; 16]);

    #[derive(Debug, Clone)]
    enum ModelStep {
        Set(u8, u8),
        Delete(u8),
        Clear,
    }

    fn step() -> impl Strategy<Value = ModelStep> {
        prop_oneof![
            8 => (0..12_u8, any::<u8>()).prop_map(|(key, value)| ModelStep::Set(key, value)),
            4 => (0..12_u8).prop_map(ModelStep::Delete),
            1 => Just(ModelStep::Clear),
        ]
    }

    /// The keys and values after these steps, and the LSN of the last clear.
    fn model(steps: &[(Lsn, ModelStep)]) -> (BTreeMap<u8, u8>, Lsn) {
        let (mut map, mut cleared) = (BTreeMap::new(), Lsn::ZERO);
        for (lsn, step) in steps {
            match *step {
                ModelStep::Set(key, value) => drop(map.insert(key, value)),
                ModelStep::Delete(key) => drop(map.remove(&key)),
                ModelStep::Clear => {
                    map.clear();
                    cleared = *lsn;
                }
            }
        }
        (map, cleared)
    }

    fn put(restore: &Restore, records: &[(Lsn, ModelStep)]) {
        for (lsn, step) in records {
            if matches!(step, ModelStep::Clear) {
                restore.clear(*lsn);
            }
        }
        restore.put(records, |(lsn, step)| match step {
            ModelStep::Set(key, value) => {
                Some(Past { lsn: *lsn, key: from_ref(key), value: Some(from_ref(value)) })
            }
            ModelStep::Delete(key) => Some(Past { lsn: *lsn, key: from_ref(key), value: None }),
            ModelStep::Clear => None,
        });
    }

    proptest! {
        #[test]
        fn records_in_any_order_give_the_state_that_their_lsns_say(
            (steps, shuffled) in prop::collection::vec(step(), 1..120).prop_flat_map(|steps| {
                let steps: Vec<_> = (1..).map(Lsn::new).zip(steps).collect();
                (Just(steps.clone()), Just(steps).prop_shuffle())
            }),
            chunk in 1..20_usize,
        ) {
            let restore = Restore::new(SEED);
            shuffled.chunks(chunk).for_each(|records| put(&restore, records));
            let keyspace = restore.finish().unwrap();
            let (expected, cleared) = model(&steps);
            for key in 0..12 {
                let seen = keyspace.get(&[key]);
                let value = seen.entry.map(|entry| entry.value().to_vec());
                prop_assert_eq!(value, expected.get(&key).map(|&value| vec![value]));
                prop_assert!(expected.contains_key(&key) || seen.lsn == cleared);
            }
            prop_assert_eq!(keyspace.count(), expected.len() as u64);
        }
    }

    fn store(keyspace: &Keyspace, key: &[u8], value: &[u8], lsn: Lsn) {
        keyspace.apply(Effect::Put { key, value: Content::Borrowed(value) }, lsn, lsn);
    }

    #[test]
    fn a_large_keyspace_is_restored_and_goes_on_like_any_other() {
        let keys: Vec<_> = (0..20_000_u32).map(u32::to_le_bytes).collect();
        let restore = Restore::new(SEED);
        restore.put(&keys, |key| Some(Past { lsn: Lsn::new(1), key, value: Some(key) }));
        let restored = restore.finish().unwrap();
        let usual = Keyspace::new(SEED);
        for key in &keys {
            store(&usual, key, key, Lsn::new(1));
        }
        for keyspace in [&restored, &usual] {
            for number in 20_000..100_000_u32 {
                store(keyspace, &number.to_le_bytes(), b"", Lsn::new(2));
            }
        }
        assert_eq!(restored.count(), 100_000);
        assert!(keys.iter().all(|key| restored.get(key).entry.is_some()));
        let (restored, usual) = (restored.stats(), usual.stats());
        assert_eq!(restored.live_payload_bytes, usual.live_payload_bytes);
        assert!(restored.used_bytes <= usual.used_bytes + usual.used_bytes / 20, "{restored:?}, {usual:?}");
    }
}
