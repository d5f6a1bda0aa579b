//! Carries operations out on the keyspace, the same for every store.

use std::iter::once;

use crate::demand::check_fits;
use crate::keyspace::{Entry, Key, Keyspace, Seen, Value};
use crate::wal::{Change, Growth};
use crate::{Error, Lsn, Op, Options, Outcome, Pair, Reply, ScanPage, Sight, Stats};

/// Where an [`Executor`] puts the records of its writes.
pub(crate) trait RecordSink {
    /// Whether records of such a change may be appended.
    fn check_admitted(&self, growth: Growth) -> Result<(), Error>;

    /// Encodes the records of changes that belong together.
    fn prepare<'c>(&mut self, changes: impl Iterator<Item = Change<'c>>);

    /// Appends the prepared records and returns the LSN of the first; called under the locks of the keys'
    /// shards, so it neither waits nor fails.
    fn append_prepared(&mut self) -> Lsn;

    /// The LSN of the newest record.
    fn appended(&self) -> Lsn;

    /// Fills in the figures that a log has.
    fn fill_stats(&self, stats: &mut Stats);
}

/// Operations of a pipeline whose keys are looked up together: enough to overlap their waits for memory, and
/// few enough that the locks of their shards are held for a few microseconds only.
const MAX_KEYS_TOGETHER: usize = 32;

/// Keys that operations on several keys may have in all, before whoever has more operations lets others have a turn: some
/// 0.2 ms.
const MAX_KEYS_IN_A_RUN: usize = 2000;

/// Carries operations out against a keyspace, in order.
pub(crate) struct Executor<'a, S> {
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) options: &'a Options,
    /// Where replies have got to: deletions up to here need no tombstone.
    pub(crate) watermark: Lsn,
    pub(crate) sink: S,
}

impl<S: RecordSink> Executor<'_, S> {
    /// Appends a reply for each operation of a prefix of `ops`: all, or until they hold `max_reply_bytes`, or
    /// until some of them may have taken long, so that whoever has many of those lets others have a turn in between.
    pub(crate) fn run(&mut self, ops: &[Op<'_>], max_reply_bytes: usize, replies: &mut Vec<Reply>) {
        let mut room_bytes = max_reply_bytes;
        let mut keys_left = MAX_KEYS_IN_A_RUN;
        let mut rest = ops;
        let mut touched = 0;
        while !rest.is_empty() {
            let (reads, after) = rest.split_at(leading(rest, key_of_get));
            if reads.len() > 1 {
                for Seen { entry, lsn } in self.keyspace.get_many(reads.iter().filter_map(key_of_get)) {
                    let outcome = Ok(Outcome::Value(entry.map(Value::of)));
                    if !push(replies, Reply { depends_on: lsn, outcome }, &mut room_bytes) {
                        return;
                    }
                }
                rest = after;
            } else if let Some((op, after)) = rest.split_first() {
                touched = self.touch_writes(rest, touched);
                let reply = self.reply(op);
                keys_left = keys_left.saturating_sub(keys_in(op));
                if !push(replies, reply, &mut room_bytes) || keys_left == 0 || is_long(op) {
                    return;
                }
                rest = after;
            }
        }
    }

    /// Prepares for the writes in front, of which the first `touched` were prepared for; returns how many of
    /// those after the first are.
    fn touch_writes(&self, ops: &[Op<'_>], touched: usize) -> usize {
        if touched > 0 {
            return touched - 1;
        }
        let writes = leading(ops, key_of_write);
        if writes > 1 {
            self.keyspace.touch(ops.iter().take(writes).filter_map(key_of_write));
        }
        writes.saturating_sub(1)
    }

    fn reply(&mut self, op: &Op<'_>) -> Reply {
        match self.execute(op) {
            Ok((outcome, depends_on)) => Reply { depends_on, outcome: Ok(outcome) },
            Err(error) => {
                // These tell of the keys that are there; other errors tell of the request alone.
                let tells_of_keys = matches!(error, Error::TooManyKeys { .. } | Error::OutOfMemory { .. });
                let depends_on = if tells_of_keys { self.sink.appended() } else { Lsn::ZERO };
                Reply { depends_on, outcome: Err(error) }
            }
        }
    }

    fn execute(&mut self, op: &Op<'_>) -> Result<(Outcome, Lsn), Error> {
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
            Op::GetMany { keys } => Ok(self.get_many(keys)),
            Op::GetManyWithin { keys, max_bytes } => Ok(self.get_many_within(keys, max_bytes)),
            Op::CountOf { keys } => Ok(self.count_of(keys)),
            Op::SetMany { pairs } => self.set_many(pairs),
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
            Op::Scan { cursor, prefix, limit } => {
                let page = self.keyspace.scan(cursor, prefix, limit);
                Ok((Outcome::Page(page), self.sink.appended()))
            }
            Op::Stats => {
                let stats = self.stats();
                Ok((Outcome::Stats(Box::new(stats)), self.sink.appended()))
            }
        }
    }

    // Operations on several keys are kept out of line, so that those on one key remain short.

    #[inline(never)]
    fn get_many(&self, keys: &[&[u8]]) -> (Outcome, Lsn) {
        let seen = self.keyspace.get_many(keys.iter().copied());
        let depends_on = highest_lsn(&seen);
        let values = seen.into_iter().map(|seen| seen.entry.map(Value::of)).collect();
        (Outcome::Values(values), depends_on)
    }

    #[inline(never)]
    fn count_of(&self, keys: &[&[u8]]) -> (Outcome, Lsn) {
        let (mut keys_there, mut depends_on) = (0, Lsn::ZERO);
        self.keyspace.see_many(keys, |entry, lsn| {
            keys_there += u64::from(entry.is_some());
            depends_on = depends_on.max(lsn);
        });
        (Outcome::Count(keys_there), depends_on)
    }

    #[inline(never)]
    fn clear(&mut self) -> Result<(Outcome, Lsn), Error> {
        self.sink.check_admitted(Growth::Shrinks)?;
        self.sink.prepare(once(Change::Clear));
        let (lsn, emptied) = self.keyspace.clear(|| self.sink.append_prepared());
        emptied.free_soon();
        Ok((Outcome::Cleared, lsn))
    }

    #[inline(never)]
    fn get_many_within(&self, keys: &[&[u8]], max_bytes: usize) -> (Outcome, Lsn) {
        let (mut sights, mut depends_on) = (Vec::with_capacity(keys.len()), Lsn::ZERO);
        // `None` once there was too little: what is held is to be the front.
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

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(Outcome, Lsn), Error> {
        self.check_pair(key, value)?;
        self.sink.check_admitted(Growth::Grows)?;
        self.sink.prepare(once(Change::Set { key, value }));
        let (max_bytes, append) = (self.options.max_memory_bytes, || self.sink.append_prepared());
        let lsn = self.keyspace.set(key, value, max_bytes, self.watermark, append)?;
        Ok((Outcome::Stored, lsn))
    }

    #[inline(never)]
    fn set_many(&mut self, pairs: &[Pair<'_>]) -> Result<(Outcome, Lsn), Error> {
        pairs.iter().try_for_each(|[key, value]| self.check_pair(key, value))?;
        if pairs.is_empty() {
            return Ok((Outcome::Stored, Lsn::ZERO));
        }
        let changes = || pairs.iter().map(|[key, value]| Change::Set { key, value });
        check_fits(changes())?;
        self.sink.check_admitted(Growth::Grows)?;
        self.sink.prepare(changes());
        let entries = pairs.iter().map(|[key, value]| Entry::live(key, value)).collect();
        let (max_bytes, append) = (self.options.max_memory_bytes, || self.sink.append_prepared());
        let lsn = self.keyspace.set_many(entries, max_bytes, self.watermark, append)?;
        Ok((Outcome::Stored, lsn))
    }

    fn delete(&mut self, key: &[u8]) -> Result<(Outcome, Lsn), Error> {
        self.check_key(key)?;
        self.sink.check_admitted(Growth::Shrinks)?;
        self.sink.prepare(once(Change::Delete { key }));
        let (was_there, lsn) = self.keyspace.delete(key, self.watermark, || self.sink.append_prepared());
        Ok((Outcome::Deleted(was_there), lsn))
    }

    #[inline(never)]
    fn delete_many(&mut self, keys: &[&[u8]]) -> Result<(Outcome, Lsn), Error> {
        keys.iter().try_for_each(|key| self.check_key(key))?;
        if keys.is_empty() {
            return Ok((Outcome::Count(0), Lsn::ZERO));
        }
        check_fits(keys.iter().map(|key| Change::Delete { key }))?;
        self.sink.check_admitted(Growth::Shrinks)?;
        let (deleted, lsn) = self.keyspace.delete_many(keys, self.watermark, |those_there| {
            self.sink.prepare(those_there.iter().map(|&key| Change::Delete { key }));
            self.sink.append_prepared()
        });
        Ok((Outcome::Count(deleted), lsn))
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
        let figures = self.keyspace.figures();
        let mut stats = Stats {
            keys: figures.live_keys,
            used_bytes: figures.used_bytes,
            live_bytes: Change::live_bytes(figures.live_keys, figures.live_payload_bytes),
            ..Stats::default()
        };
        self.sink.fill_stats(&mut stats);
        stats
    }
}

fn highest_lsn(seen: &[Seen]) -> Lsn {
    seen.iter().map(|seen| seen.lsn).max().unwrap_or_default()
}

/// How many operations stand in front that `key_of` has a key of, as far as they are looked up together.
fn leading<'a>(ops: &[Op<'a>], key_of: impl Fn(&Op<'a>) -> Option<&'a [u8]>) -> usize {
    ops.iter().take(MAX_KEYS_TOGETHER).take_while(|op| key_of(op).is_some()).count()
}

fn key_of_get<'a>(op: &Op<'a>) -> Option<&'a [u8]> {
    match *op {
        Op::Get { key } => Some(key),
        _ => None,
    }
}

fn key_of_write<'a>(op: &Op<'a>) -> Option<&'a [u8]> {
    match *op {
        Op::Set { key, .. } | Op::Delete { key } => Some(key),
        _ => None,
    }
}

/// Returns whether the operation alone may take long.
const fn is_long(op: &Op<'_>) -> bool {
    matches!(op, Op::Keys { .. } | Op::Scan { .. } | Op::Clear | Op::Stats)
}

/// Returns how many keys an operation on several has.
const fn keys_in(op: &Op<'_>) -> usize {
    match op {
        Op::GetMany { keys }
        | Op::GetManyWithin { keys, .. }
        | Op::CountOf { keys }
        | Op::DeleteMany { keys } => keys.len(),
        Op::SetMany { pairs } => pairs.len(),
        _ => 0,
    }
}

/// Adds a reply; `false` if there is no room for a further one.
fn push(replies: &mut Vec<Reply>, reply: Reply, room_bytes: &mut usize) -> bool {
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

fn payload_bytes(reply: &Reply) -> usize {
    match &reply.outcome {
        Ok(Outcome::Value(Some(value))) => value.len(),
        Ok(Outcome::Values(values)) => values.iter().flatten().map(|value| value.len()).sum(),
        Ok(Outcome::Seen(sights)) => sights.iter().map(held_bytes).sum(),
        Ok(Outcome::Keys(keys)) => keys.iter().map(|key| key.len()).sum(),
        Ok(Outcome::Page(ScanPage { keys, .. })) => keys.iter().map(|key: &Key| key.len()).sum(),
        _ => 0,
    }
}
