//! Executes operations on the keyspace, for every store.

mod many;

use std::iter::once;

use crate::batch::{Completion, Outcome, Sight};
use crate::keyspace::{Effect, Entry, Key, Keyspace, Locked, PageBuilder, Seen, Value};
use crate::op::{Decision, KeyUpdate, Op, Records, StringUpdate, change, total_bytes};
use crate::wal::{Growth, LoggedChange};
use crate::{Error, KeyPage, Lsn, Options, Stats};

/// Destination of the records of an [`Executor`]'s writes.
pub(crate) trait RecordSink {
    /// Checks that records of a change with this growth are admitted.
    fn check_admitted(&self, growth: Growth) -> Result<(), Error>;

    /// Returns the admitted bytes of records for the next operation whose records depend on stored values.
    fn next_bound(&mut self) -> usize;

    /// Encodes the records of one operation.
    fn prepare<'c>(&mut self, changes: impl Iterator<Item = LoggedChange<'c>>);

    /// Appends the prepared records and returns the LSN of the first. Callers hold the locks of the keys' shards, so it must
    /// neither wait nor fail.
    fn append_prepared(&mut self) -> Lsn;

    /// Returns the LSN of the newest record.
    fn appended(&self) -> Lsn;

    /// Fills in the statistics of a log.
    fn fill_stats(&self, stats: &mut Stats);
}

/// Operations of a pipeline whose keys are looked up together: enough to overlap their waits for memory, and few enough that the
/// locks of their shards are held for a few microseconds.
const MAX_KEYS_TOGETHER: usize = 32;

/// Total keys of operations on several keys after which a submit ends, so that other connections have a turn: some 0.2 ms.
const MAX_KEYS_IN_A_RUN: usize = 2000;

/// Executes operations on a keyspace, in order.
pub(crate) struct Executor<'a, S> {
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) options: &'a Options,
    /// Highest LSN up to which replies may be revealed. Deletions up to it need no tombstone.
    pub(crate) watermark: Lsn,
    pub(crate) sink: S,
}

/// Reason for which an operation has no outcome.
enum ExecuteError {
    /// It failed; the error reveals state up to the record with this LSN.
    Failed(Error, Lsn),
    /// It needs this many bytes of records, more than were admitted.
    Unadmitted(usize),
}

impl From<Error> for ExecuteError {
    fn from(error: Error) -> Self {
        Self::Failed(error, Lsn::ZERO)
    }
}

/// An outcome, and the LSN that it depends on.
type Done = Result<(Outcome, Lsn), ExecuteError>;

impl<S: RecordSink> Executor<'_, S> {
    /// Executes a prefix of `ops` and appends a reply for each operation.
    ///
    /// The prefix ends when the replies hold `max_reply_bytes`, when operations that take long should give others a turn, or when an
    /// operation needs more log space than was admitted: then that is returned, in bytes of records.
    pub(crate) fn run(
        &mut self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Option<usize> {
        let mut room_bytes = max_reply_bytes;
        let mut keys_left = MAX_KEYS_IN_A_RUN;
        let mut rest = ops;
        let mut touched = 0;
        while !rest.is_empty() {
            let (reads, after) = rest.split_at(leading(rest, Op::key_of_read));
            if reads.len() > 1 {
                for Seen { entry, lsn } in self.keyspace.get_many(reads.iter().filter_map(Op::key_of_read)) {
                    let outcome = Ok(Outcome::Value(entry.map(Value::of)));
                    if !push(replies, Completion { depends_on: lsn, outcome }, &mut room_bytes) {
                        return None;
                    }
                }
                rest = after;
            } else if let Some((op, after)) = rest.split_first() {
                touched = self.touch_writes(rest, touched);
                let reply = match self.reply(op) {
                    Ok(reply) => reply,
                    Err(unadmitted_bytes) => return Some(unadmitted_bytes),
                };
                keys_left = keys_left.saturating_sub(op.many_keys());
                if !push(replies, reply, &mut room_bytes) || keys_left == 0 || op.is_long() {
                    return None;
                }
                rest = after;
            }
        }
        None
    }

    /// Prepares for the writes in front, of which the first `touched` were prepared for; returns how many of
    /// those after the first are.
    fn touch_writes(&self, ops: &[Op<'_>], touched: usize) -> usize {
        if touched > 0 {
            return touched - 1;
        }
        let writes = leading(ops, Op::key_of_write);
        if writes > 1 {
            self.keyspace.prefetch(ops.iter().take(writes).filter_map(Op::key_of_write));
        }
        writes.saturating_sub(1)
    }

    /// Returns the reply to an operation, or the bytes of records that it needs if those were not admitted.
    fn reply(&mut self, op: &Op<'_>) -> Result<Completion, usize> {
        match self.execute(op) {
            Ok((outcome, depends_on)) => Ok(Completion { depends_on, outcome: Ok(outcome) }),
            Err(ExecuteError::Unadmitted(record_bytes)) => Err(record_bytes),
            Err(ExecuteError::Failed(error, seen)) => {
                // These errors depend on all keys. Others depend on the keys that were read, or on the request alone.
                let tells_of_all_keys =
                    matches!(error, Error::TooManyKeys { .. } | Error::OutOfMemory { .. });
                let depends_on = if tells_of_all_keys { self.sink.appended() } else { seen };
                Ok(Completion { depends_on, outcome: Err(error) })
            }
        }
    }

    fn execute(&mut self, op: &Op<'_>) -> Done {
        match *op {
            Op::Get { key } => {
                let Seen { entry, lsn } = self.keyspace.get(key);
                Ok((Outcome::Value(entry.map(Value::of)), lsn))
            }
            Op::Exists { key } => {
                let Seen { entry, lsn } = self.keyspace.get(key);
                Ok((Outcome::Exists(entry.is_some()), lsn))
            }
            Op::Set { key, value } => self.set(key, value),
            Op::Delete { key } => self.delete(key),
            Op::Update { key, update } => self.update(key, update),
            Op::UpdateKeys { from, to, update } => self.update_keys(from, to, update),
            Op::GetMany { keys } => Ok(self.get_many(keys)),
            Op::GetManyWithin { keys, max_bytes } => Ok(self.get_many_within(keys, max_bytes)),
            Op::CountOf { keys } => Ok(self.count_of(keys)),
            Op::SetMany { pairs } => self.set_many(pairs, false),
            Op::SetManyIfNew { pairs } => self.set_many(pairs, true),
            Op::DeleteMany { keys } => self.delete_many(keys),
            Op::Clear => self.clear(),
            Op::Count => {
                let keys = self.keyspace.count();
                Ok((Outcome::Count(keys), self.sink.appended()))
            }
            Op::Keys { prefix, max_keys } => {
                let keys = self.keyspace.keys(prefix, max_keys).ok_or(Error::TooManyKeys { max_keys })?;
                Ok((Outcome::Keys(keys), self.sink.appended()))
            }
            Op::Scan { cursor, prefix, rules, limit } => {
                let page = self.keyspace.scan(cursor, PageBuilder::new(prefix, rules, limit));
                Ok((Outcome::Page(page), self.sink.appended()))
            }
            Op::Stats => {
                let stats = self.stats();
                Ok((Outcome::Stats(Box::new(stats)), self.sink.appended()))
            }
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Done {
        self.check_pair(key, value)?;
        self.sink.check_admitted(Growth::Grows)?;
        self.sink.prepare(once(LoggedChange::Set { key, value }));
        let (hash, content) = (self.keyspace.hash(key), Keyspace::content(key, value));
        let added_bytes = Entry::memory_bytes_of(key.len() + value.len()) as u64;
        let mut locked = self.keyspace.lock(hash);
        locked.check_room(added_bytes, || locked.entry_bytes(hash, key))?;
        let lsn = self.sink.append_prepared();
        locked.put(hash, key, content, lsn, self.watermark);
        Ok((Outcome::Stored, lsn))
    }

    fn delete(&mut self, key: &[u8]) -> Done {
        self.check_key(key)?;
        self.sink.check_admitted(Growth::Shrinks)?;
        self.sink.prepare(once(LoggedChange::Delete { key }));
        let hash = self.keyspace.hash(key);
        let mut locked = self.keyspace.lock(hash);
        // Also if the key does not exist: otherwise the tombstones of a mass removal would stay until the next write.
        locked.clear_some_tombstones(hash, self.watermark);
        if locked.look(hash, key).is_none() {
            return Ok((Outcome::Deleted(false), locked.seen()));
        }
        let lsn = self.sink.append_prepared();
        locked.delete(hash, key, lsn, self.watermark);
        Ok((Outcome::Deleted(true), lsn))
    }

    #[inline(never)]
    fn update(&mut self, key: &[u8], update: StringUpdate<'_>) -> Done {
        let bound_bytes = self.bound(&Op::Update { key, update });
        self.check_key(key)?;
        let hash = self.keyspace.hash(key);
        let locked = self.keyspace.lock(hash);
        let decision = update.decide(key, locked.look(hash, key), self.options.max_value_bytes);
        self.carry_out(locked, decision, bound_bytes)
    }

    #[inline(never)]
    fn update_keys(&mut self, from: &[u8], to: &[u8], update: KeyUpdate) -> Done {
        let bound_bytes = self.bound(&Op::UpdateKeys { from, to, update });
        [from, to].iter().try_for_each(|key| self.check_key(key))?;
        let (from_hash, to_hash) = (self.keyspace.hash(from), self.keyspace.hash(to));
        let locked = self.keyspace.lock_keys([from_hash, to_hash].into_iter());
        let decision = update.decide((from, locked.look(from_hash, from)), (to, locked.look(to_hash, to)));
        self.carry_out(locked, decision, bound_bytes)
    }

    /// Returns the admitted bytes of records for an operation.
    fn bound(&mut self, op: &Op<'_>) -> usize {
        match op.records() {
            Records::None => 0,
            Records::AtMost(bytes) => bytes,
            Records::DependsOnValue { .. } => self.sink.next_bound(),
        }
    }

    /// Logs and applies a decision on locked keys. On an error nothing has changed.
    fn carry_out(
        &mut self,
        mut locked: Locked<'_>,
        decision: Result<Decision<'_>, Error>,
        bound_bytes: usize,
    ) -> Done {
        let seen = locked.seen();
        let failed = |error| ExecuteError::Failed(error, seen);
        let Decision { outcome, effects } = decision.map_err(failed)?;
        if effects.is_empty() {
            return Ok((outcome, seen));
        }
        let removes_only = effects.iter().all(|effect| matches!(effect, Effect::Delete { .. }));
        let growth = if removes_only { Growth::Shrinks } else { Growth::Grows };
        self.sink.check_admitted(growth).map_err(failed)?;
        let record_bytes = total_bytes(effects.iter().map(change));
        if record_bytes > bound_bytes {
            return Err(ExecuteError::Unadmitted(record_bytes));
        }
        let added_bytes = effects.iter().map(Effect::memory_bytes).sum();
        let replaced_bytes = || {
            effects
                .iter()
                .filter_map(Effect::key)
                .map(|key| locked.entry_bytes(self.keyspace.hash(key), key))
                .sum()
        };
        locked.check_room(added_bytes, replaced_bytes).map_err(failed)?;
        self.sink.prepare(effects.iter().map(change));
        let mut lsn = Lsn::ZERO;
        for (number, effect) in (self.sink.append_prepared().get()..).zip(effects) {
            lsn = Lsn::new(number);
            locked.apply(effect, lsn, self.watermark);
        }
        Ok((outcome, lsn))
    }
    fn check_pair(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let (len_bytes, max_bytes) = (value.len(), self.options.max_value_bytes);
        if len_bytes > max_bytes {
            return Err(Error::ValueTooLarge { len_bytes, max_bytes });
        }
        self.check_key(key)
    }

    fn check_key(&self, key: &[u8]) -> Result<(), Error> {
        let (len_bytes, max_bytes) = (key.len(), self.options.max_key_bytes);
        if len_bytes > max_bytes {
            return Err(Error::KeyTooLarge { len_bytes, max_bytes });
        }
        Ok(())
    }

    fn stats(&self) -> Stats {
        let keyspace = self.keyspace.stats();
        let mut stats = Stats {
            keys: keyspace.live_keys,
            used_bytes: keyspace.used_bytes,
            live_bytes: LoggedChange::live_bytes(keyspace.live_keys, keyspace.live_payload_bytes),
            ..Stats::default()
        };
        self.sink.fill_stats(&mut stats);
        stats
    }
}

/// Returns the length of the leading run of operations for which `key_of` returns a key, as far as they are looked up
/// together.
fn leading<'a>(ops: &[Op<'a>], key_of: impl Fn(&Op<'a>) -> Option<&'a [u8]>) -> usize {
    ops.iter().take(MAX_KEYS_TOGETHER).take_while(|op| key_of(op).is_some()).count()
}

/// Adds a reply; returns `false` if the limit on replies is reached.
fn push(replies: &mut Vec<Completion>, reply: Completion, room_bytes: &mut usize) -> bool {
    let bytes = payload_bytes(&reply);
    replies.push(reply);
    let has_room = bytes < *room_bytes;
    *room_bytes = room_bytes.saturating_sub(bytes);
    has_room
}

fn held_bytes(sight: &Sight) -> usize {
    match sight {
        Sight::Value(value) => value.len(),
        Sight::Missing | Sight::NotHeld(_) => 0,
    }
}

fn payload_bytes(reply: &Completion) -> usize {
    match &reply.outcome {
        Ok(Outcome::Value(Some(value))) => value.len(),
        Ok(Outcome::Values(values)) => values.iter().flatten().map(|value| value.len()).sum(),
        Ok(Outcome::Seen(sights)) => sights.iter().map(held_bytes).sum(),
        Ok(Outcome::Keys(keys)) => keys.iter().map(|key| key.len()).sum(),
        Ok(Outcome::Page(KeyPage { keys, .. })) => keys.iter().map(|key: &Key| key.len()).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::HashSeed;
    use crate::op::Pair;

    /// Counts the records of each append.
    #[derive(Default)]
    struct Appends {
        prepared: usize,
        counts: Vec<usize>,
        last_lsn: u64,
    }

    impl RecordSink for Appends {
        fn check_admitted(&self, _: Growth) -> Result<(), Error> {
            Ok(())
        }

        fn next_bound(&mut self) -> usize {
            usize::MAX
        }

        fn prepare<'c>(&mut self, changes: impl Iterator<Item = LoggedChange<'c>>) {
            self.prepared = changes.count();
        }

        fn append_prepared(&mut self) -> Lsn {
            self.counts.push(self.prepared);
            self.last_lsn += self.prepared as u64;
            Lsn::new(self.last_lsn + 1 - self.prepared as u64)
        }

        fn appended(&self) -> Lsn {
            Lsn::new(self.last_lsn)
        }

        fn fill_stats(&self, _: &mut Stats) {}
    }

    /// Checks that it is one append, and so one batch of the log: a crash leaves all of it or nothing.
    #[test]
    fn whatever_an_operation_changes_is_one_append() {
        let pairs: &[Pair<'_>] = &[[b"a", b"1"], [b"b", b"2"], [b"c", b"3"]];
        let keys: &[&[u8]] = &[b"b", b"c", b"missing"];
        let ops = [
            Op::SetMany { pairs },
            Op::SetManyIfNew { pairs: &[[b"d", b"4"], [b"e", b"5"]] },
            Op::UpdateKeys { from: b"a", to: b"f", update: KeyUpdate::Rename { only_if_new: false } },
            Op::UpdateKeys { from: b"f", to: b"g", update: KeyUpdate::Copy { replaces: false } },
            Op::DeleteMany { keys },
            Op::Clear,
        ];
        let (keyspace, options) = (Keyspace::new(HashSeed([7; 16])), Options::default());
        let sink = Appends::default();
        let mut executor = Executor { keyspace: &keyspace, options: &options, watermark: Lsn::ZERO, sink };
        let mut completions = Vec::new();
        for op in ops {
            assert_eq!(executor.run(&[op], usize::MAX, &mut completions), None);
            assert_eq!(
                completions.last().map(|done| done.depends_on),
                Some(executor.sink.appended()),
                "{op:?}"
            );
        }
        assert_eq!(executor.sink.counts, [3, 2, 2, 1, 2, 1]);
    }
}
