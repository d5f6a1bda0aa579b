//! Operations on several or all keys. They are not inlined, so that the code for single keys stays short.

use std::collections::BTreeMap;
use std::iter::once;

use super::{Done, Executor, RecordSink};
use crate::batch::{Outcome, Sight};
use crate::demand::check_fits;
use crate::keyspace::{Entry, KeyHash, Locked, Seen, Value};
use crate::op::Pair;
use crate::wal::{Growth, LoggedChange};
use crate::{Error, Lsn};

impl<S: RecordSink> Executor<'_, S> {
    #[inline(never)]
    pub(super) fn get_many(&self, keys: &[&[u8]]) -> (Outcome, Lsn) {
        let seen = self.keyspace.get_many(keys.iter().copied());
        let depends_on = highest_lsn(&seen);
        let values = seen.into_iter().map(|seen| seen.entry.map(Value::of)).collect();
        (Outcome::Values(values), depends_on)
    }

    #[inline(never)]
    pub(super) fn count_of(&self, keys: &[&[u8]]) -> (Outcome, Lsn) {
        let (mut keys_there, mut depends_on) = (0, Lsn::ZERO);
        self.keyspace.see_many(keys, |entry, lsn| {
            keys_there += u64::from(entry.is_some());
            depends_on = depends_on.max(lsn);
        });
        (Outcome::Count(keys_there), depends_on)
    }

    #[inline(never)]
    pub(super) fn clear(&mut self) -> Done {
        self.sink.check_admitted(Growth::Shrinks)?;
        self.sink.prepare(once(LoggedChange::Clear));
        let mut locked = self.keyspace.lock_all();
        let lsn = self.sink.append_prepared();
        let emptied = locked.clear(lsn);
        drop(locked);
        emptied.free_soon();
        Ok((Outcome::Cleared, lsn))
    }

    #[inline(never)]
    pub(super) fn get_many_within(&self, keys: &[&[u8]], max_bytes: usize) -> (Outcome, Lsn) {
        let (mut sights, mut depends_on) = (Vec::with_capacity(keys.len()), Lsn::ZERO);
        // `None` after a value did not fit: the values that are held must be the first ones.
        let (mut room_bytes, mut holds_none) = (Some(max_bytes), true);
        self.keyspace.see_many(keys, |entry, lsn| {
            depends_on = depends_on.max(lsn);
            let Some(entry) = entry else { return sights.push(Sight::Missing) };
            let bytes = entry.memory_bytes();
            room_bytes = room_bytes.and_then(|room| {
                if holds_none { Some(room.saturating_sub(bytes)) } else { room.checked_sub(bytes) }
            });
            holds_none = false;
            sights.push(match room_bytes {
                Some(_) => Sight::Value(Value::of(entry.clone())),
                None => Sight::NotHeld(lsn),
            });
        });
        (Outcome::Seen(sights), depends_on)
    }

    #[inline(never)]
    pub(super) fn set_many(&mut self, pairs: &[Pair<'_>], only_if_new: bool) -> Done {
        pairs.iter().try_for_each(|[key, value]| self.check_pair(key, value))?;
        let done = || if only_if_new { Outcome::Changed(true) } else { Outcome::Stored };
        if pairs.is_empty() {
            return Ok((done(), Lsn::ZERO));
        }
        let changes = || pairs.iter().map(|[key, value]| LoggedChange::Set { key, value });
        check_fits(changes())?;
        self.sink.check_admitted(Growth::Grows)?;
        self.sink.prepare(changes());
        // Records and entries are made before the locks are taken, because with so many keys the locks are held for long.
        let entries: Vec<_> =
            pairs.iter().map(|[key, value]| (self.keyspace.hash(key), Entry::live(key, value))).collect();
        let mut locked = self.keyspace.lock_keys(entries.iter().map(|&(hash, _)| hash));
        if only_if_new && entries.iter().any(|(hash, entry)| locked.look(*hash, entry.key()).is_some()) {
            return Ok((Outcome::Changed(false), locked.seen()));
        }
        self.check_room_for(&locked, &entries)?;
        let mut lsn = Lsn::ZERO;
        for (number, (hash, entry)) in (self.sink.append_prepared().get()..).zip(entries) {
            lsn = Lsn::new(number);
            locked.put_entry(hash, entry, lsn, self.watermark);
        }
        Ok((done(), lsn))
    }

    /// Checks that these entries keep the memory within its limit. Of a repeated key, the last entry counts.
    fn check_room_for(&self, locked: &Locked<'_>, entries: &[(KeyHash, Entry)]) -> Result<(), Error> {
        let added_bytes: usize = entries.iter().map(|(_, entry)| entry.memory_bytes()).sum();
        locked.check_room(added_bytes as u64, || {
            let mut newest = BTreeMap::new();
            let replaced = entries.iter().map(|(hash, entry)| match newest.insert(entry.key(), entry) {
                Some(earlier) => earlier.memory_bytes() as u64,
                None => locked.entry_bytes(*hash, entry.key()),
            });
            replaced.sum()
        })
    }

    #[inline(never)]
    pub(super) fn delete_many(&mut self, keys: &[&[u8]]) -> Done {
        keys.iter().try_for_each(|key| self.check_key(key))?;
        if keys.is_empty() {
            return Ok((Outcome::Count(0), Lsn::ZERO));
        }
        check_fits(keys.iter().map(|key| LoggedChange::Delete { key }))?;
        self.sink.check_admitted(Growth::Shrinks)?;
        let mut keys: Vec<(KeyHash, &[u8])> =
            keys.iter().map(|&key| (self.keyspace.hash(key), key)).collect();
        // A repeated key is deleted once.
        keys.sort_unstable_by_key(|&(hash, key)| (hash.position(), key));
        keys.dedup();
        let mut locked = self.keyspace.lock_keys(keys.iter().map(|&(hash, _)| hash));
        keys.retain(|&(hash, key)| locked.look(hash, key).is_some());
        if keys.is_empty() {
            return Ok((Outcome::Count(0), locked.seen()));
        }
        self.sink.prepare(keys.iter().map(|&(_, key)| LoggedChange::Delete { key }));
        let mut lsn = Lsn::ZERO;
        for (number, &(hash, key)) in (self.sink.append_prepared().get()..).zip(&keys) {
            lsn = Lsn::new(number);
            locked.delete(hash, key, lsn, self.watermark);
            locked.clear_some_tombstones(hash, self.watermark);
        }
        Ok((Outcome::Count(keys.len() as u64), lsn))
    }
}

fn highest_lsn(seen: &[Seen]) -> Lsn {
    seen.iter().map(|seen| seen.lsn).max().unwrap_or_default()
}
