//! Memory of the keyspace, in bytes: counted at every change, and limited for changes that add to it.

use std::ops::{Deref, DerefMut};

use super::shard::Shard;
use crate::Error;
use crate::sync::counter::{AtomicU64, Ordering};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Memory of all shards together, and its limit, in bytes.
pub(super) struct UsedBytes {
    bytes: AtomicU64,
    /// [`UNLIMITED`] for no limit. It may change at any time, and no other memory access is ordered by it.
    max_bytes: AtomicU64,
}

const UNLIMITED: u64 = u64::MAX;

impl Default for UsedBytes {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), max_bytes: AtomicU64::new(UNLIMITED) }
    }
}

impl UsedBytes {
    pub(super) fn get(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Limits the memory from now on.
    pub(super) fn limit(&self, max_bytes: Option<u64>) {
        self.max_bytes.store(max_bytes.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }

    /// Checks that a write of entries of `added_bytes` keeps the memory within its limit.
    ///
    /// `replaced_bytes` returns the bytes that it frees. It is called only near the limit, because it is slow.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the write adds memory, and the sum would exceed the limit.
    #[inline]
    pub(super) fn check_room(
        &self,
        added_bytes: u64,
        replaced_bytes: impl FnOnce() -> u64,
    ) -> Result<(), Error> {
        let max_bytes = self.max_bytes.load(Ordering::Relaxed);
        if max_bytes == UNLIMITED {
            return Ok(());
        }
        let used = self.get();
        if used.saturating_add(added_bytes) <= max_bytes {
            return Ok(());
        }
        let growth = added_bytes.saturating_sub(replaced_bytes());
        let has_room = growth == 0 || used.saturating_add(growth) <= max_bytes;
        if has_room { Ok(()) } else { Err(Error::OutOfMemory { max_bytes }) }
    }
}

/// A shard behind a lock that counts its bytes at every change.
pub(super) struct ShardLock(RwLock<Shard>);

impl ShardLock {
    /// Wraps an empty shard.
    pub(super) fn new(shard: Shard, used: &UsedBytes) -> Self {
        used.bytes.fetch_add(shard.used_bytes(), Ordering::Relaxed);
        Self(RwLock::new(shard))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Shard> {
        self.0.read()
    }

    pub(super) fn write<'k>(&'k self, used: &'k UsedBytes) -> WriteShard<'k> {
        let shard = self.0.write();
        WriteShard { bytes_before: shard.used_bytes(), shard, used }
    }
}

/// A shard that is locked for writing; unlocking adds its growth to the sum.
pub(super) struct WriteShard<'k> {
    shard: RwLockWriteGuard<'k, Shard>,
    bytes_before: u64,
    used: &'k UsedBytes,
}

impl Deref for WriteShard<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for WriteShard<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for WriteShard<'_> {
    fn drop(&mut self) {
        let growth = self.shard.used_bytes().wrapping_sub(self.bytes_before);
        // Most writes replace a value by one of the same length, and then do not contend for this cache line.
        if growth != 0 {
            self.used.bytes.fetch_add(growth, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Effect, Entry, HashSeed, Keyspace, Layout, Shard};
    use crate::Lsn;

    const SEED: HashSeed = HashSeed([7; 16]);

    fn key(number: u64) -> Vec<u8> {
        format!("key:{number}").into_bytes()
    }

    #[test]
    fn a_shard_counts_what_it_holds_when_its_tables_grow_split_and_go() {
        let mut shard = Shard::new(Layout::of_shard(0), Lsn::ZERO);
        let check = |shard: &Shard| assert_eq!(shard.used_bytes(), shard.recount_used_bytes());
        for number in 0..40_000 {
            let key = key(number);
            shard.put(SEED, SEED.hash(&key), Entry::live(&key, b"value"));
            if number % 1_000 == 0 {
                check(&shard);
            }
        }
        for number in 0..40_000 {
            let key = key(number);
            let watermark = Lsn::new(5_000);
            shard.delete(SEED, SEED.hash(&key), &key, Lsn::new(number), watermark);
            if number % 1_000 == 0 {
                check(&shard);
            }
        }
        shard.clear_tombstones(Lsn::new(u64::MAX));
        check(&shard);
    }

    #[test]
    fn the_sum_is_what_the_shards_hold_after_any_change() {
        let keyspace = Keyspace::new(SEED);
        let check = || {
            let recount: u64 = keyspace.shards.iter().map(|shard| shard.read().recount_used_bytes()).sum();
            assert_eq!(keyspace.stats().used_bytes, recount);
        };
        let put = |number: u64, lsn| {
            let effect = Effect::Put { key: &key(number), value: Content::Borrowed(b"value") };
            keyspace.apply(effect, Lsn::new(lsn), Lsn::ZERO);
            check();
        };
        let delete = |number: u64, lsn| {
            keyspace.apply(Effect::Delete { key: &key(number) }, Lsn::new(lsn), Lsn::ZERO);
            check();
        };
        check();
        [(1, 1), (1, 2), (2, 3), (3, 4), (4, 5), (4, 6)]
            .into_iter()
            .for_each(|(number, lsn)| put(number, lsn));
        [(1, 7), (2, 8), (3, 9)].into_iter().for_each(|(number, lsn)| delete(number, lsn));
        keyspace.clear_tombstones(Lsn::new(u64::MAX));
        check();
        keyspace.apply(Effect::Clear, Lsn::new(10), Lsn::ZERO);
        check();
    }
}
