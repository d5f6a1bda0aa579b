//! What a store is made to do, and what may be found of it afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use fastrand::Rng;
use rustvault_storage::batch::{BatchStore, Op, Submission};
use rustvault_storage::{DurableStore, LogFormat, Lsn, Options, SyncPolicy};

use crate::content::Image;
use crate::sim::{Operation, Recorded, SimFileSystem};

/// The log's name.
pub(crate) const LOG: &str = "vault.log";

/// What a store holds.
pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// A write.
pub(crate) enum Command {
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    SetMany(Vec<(Vec<u8>, Vec<u8>)>),
    DeleteMany(Vec<Vec<u8>>),
    Clear,
}

/// A stretch of work on one opened store, up to a crash or a clean stop, and all that may be found of it.
pub(crate) struct Session {
    /// The disk that the store was opened on.
    pub(crate) base: Image,
    pub(crate) recorded: Vec<Recorded>,
    /// What the store held when it was opened, and after each record.
    states: Vec<State>,
    digests: Vec<u64>,
    /// The LSN of each record; 0 for the state at the start.
    lsns: Vec<Lsn>,
    /// How many operations there were when the command of each record was given to the store.
    given_after: Vec<usize>,
    /// After how many operations a wait for a command ended.
    waited: Vec<(usize, Lsn)>,
    /// Replies up to here could have left in the end.
    acknowledged: Lsn,
    /// The highest LSN that was ever given before this session.
    highest_before: Lsn,
    options: Options,
    /// Whether the log is one of lines at some time of its life.
    has_lines: bool,
    /// How often the log was compacted.
    pub(crate) compactions: usize,
    /// Whether the log that the store was opened on had a torn tail.
    pub(crate) began_torn: bool,
}

/// How a session ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Crash,
    Close,
}

impl Session {
    /// Opens a store on `base`, which holds `state` or will after recovery, and runs commands on it.
    pub(crate) async fn run(
        base: Image,
        state: State,
        highest_before: Lsn,
        options: Options,
        has_lines: bool,
        ending: Ending,
        rng: &mut Rng,
    ) -> Self {
        let fs = SimFileSystem::of(&base);
        let store = DurableStore::open_on(Arc::new(fs.clone()), LOG, options.clone()).unwrap();
        fs.watch(&store);
        let mut session = Self {
            base,
            recorded: Vec::new(),
            digests: vec![digest(&state)],
            states: vec![state],
            lsns: vec![Lsn::ZERO],
            given_after: vec![0],
            waited: Vec::new(),
            acknowledged: Lsn::ZERO,
            highest_before,
            options,
            has_lines,
            compactions: 0,
            began_torn: store.recovery().torn_bytes_dropped > 0,
        };
        let compact_after = rng.usize(2..8);
        for group in 0..rng.usize(8..14) {
            session.run_group(&store, &fs, rng).await;
            if group == compact_after {
                session.compact(&store, &fs, rng).await;
            }
        }
        if ending == Ending::Close {
            store.close().unwrap();
        }
        session.acknowledged = store.reply_watermark();
        session.recorded = fs.take_recorded();
        fs.unwatch();
        session
    }

    /// Compacts the log: while nothing else happens, beside writes, or over some that are not written yet.
    async fn compact(&mut self, store: &DurableStore, fs: &SimFileSystem, rng: &mut Rng) {
        match rng.u8(..4) {
            0 => store.compact().await.unwrap(),
            1 => {
                let submissions = self.submit_group(store, fs, rng).await;
                store.compact().await.unwrap();
                drop(submissions);
            }
            _ => {
                let gate = fs.hold_creation();
                let beside = async {
                    // What comes now is newer than the entries that the compaction takes.
                    fs.creation_begun().await;
                    self.run_group(store, fs, rng).await;
                    self.run_group(store, fs, rng).await;
                    drop(gate);
                    self.run_group(store, fs, rng).await;
                };
                let (compacted, ()) = tokio::join!(store.compact(), beside);
                compacted.unwrap();
            }
        }
        self.compactions += 1;
    }

    /// Some groups are not waited for: the next ones overtake their acknowledgement.
    async fn run_group(&mut self, store: &DurableStore, fs: &SimFileSystem, rng: &mut Rng) {
        let mut submissions = self.submit_group(store, fs, rng).await;
        // By the log's thread, or by this one; there an unfinished batch may meet the next group.
        if rng.bool() {
            submissions.drain(..).for_each(Submission::commit_here);
        }
        drop(submissions);
        if rng.u8(..3) > 0 {
            let lsn = self.lsns[self.lsns.len() - 1];
            store.wait(lsn).await.unwrap();
            self.waited.push((fs.operations(), lsn));
        }
    }

    /// Gives some commands to the store, which become one batch once what is returned is dropped.
    async fn submit_group<'s>(
        &mut self,
        store: &'s DurableStore,
        fs: &SimFileSystem,
        rng: &mut Rng,
    ) -> Vec<Submission<'s>> {
        let mut submissions = Vec::new();
        for _ in 0..rng.usize(1..5) {
            let state = &self.states[self.states.len() - 1];
            let command = Command::random(state, self.states.len(), self.has_lines, rng);
            let records = command.records(state);
            let given_after = fs.operations();
            let (last_lsn, submission) = command.submit(store).await;
            submissions.push(submission);
            let highest = self.highest_before.max(self.lsns[self.lsns.len() - 1]);
            let first_lsn = last_lsn.get() + 1 - records.len() as u64;
            assert!(first_lsn > highest.get(), "LSN {first_lsn} was given, although {highest} was before");
            for (lsn, after) in (first_lsn..).zip(records) {
                self.given_after.push(given_after);
                self.lsns.push(Lsn::new(lsn));
                self.digests.push(digest(&after));
                self.states.push(after);
            }
        }
        submissions
    }

    /// The states, by number, that a power loss after the first `operations` may leave, given that replies
    /// up to `synced` may have left that promise to survive it.
    pub(crate) fn allowed(&self, operations: usize, promised: Lsn) -> Range<usize> {
        let first = self.lsns.partition_point(|&lsn| lsn <= promised) - 1;
        first..self.given_after.partition_point(|&given| given < operations.max(1))
    }

    /// Replies up to here may have left when a crash comes after the first `operations`.
    pub(crate) fn acknowledged(&self, operations: usize) -> Lsn {
        let next = self.recorded.get(operations).map_or(self.acknowledged, |next| next.acknowledged);
        let waited = self.waited.iter().filter(|&&(after, _)| after <= operations);
        waited.map(|&(_, lsn)| lsn).fold(next, Lsn::max)
    }

    /// Whether every reply promises that its write survives a power loss.
    pub(crate) fn promises_power_loss(&self) -> bool {
        self.options.sync_policy == SyncPolicy::Always
    }

    /// Whether the log is one of lines at some time of its life.
    pub(crate) const fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// The highest LSN that may have been given before a crash after the first `operations`.
    pub(crate) fn highest_lsn(&self, operations: usize) -> Lsn {
        self.lsns[self.allowed(operations, Lsn::ZERO).end - 1].max(self.highest_before)
    }

    /// The states, by number, that end a batch in a binary log.
    pub(crate) fn batch_ends(&self) -> BTreeSet<usize> {
        let mut ends = BTreeSet::new();
        // A write may end inside a batch header, at the end of a sector: then the next one has the rest.
        let mut head = Vec::new();
        for recorded in &self.recorded {
            let Operation::Change { head: piece, .. } = &recorded.operation else { continue };
            if head.len() >= BATCH_HEAD_BYTES {
                head.clear();
            }
            head.extend_from_slice(piece);
            ends.extend(end_of_batch(&head));
            if !BATCH_START.starts_with(&head) && !head.starts_with(BATCH_START) {
                head.clear();
            }
        }
        (0..self.lsns.len()).filter(|&number| number == 0 || ends.contains(&self.lsns[number])).collect()
    }

    pub(crate) fn digest(&self, number: usize) -> u64 {
        self.digests[number]
    }

    pub(crate) fn state(&self, number: usize) -> &State {
        &self.states[number]
    }

    pub(crate) fn states(&self) -> usize {
        self.states.len()
    }
}

/// How a batch begins (docs/wal-format.md).
const BATCH_START: &[u8] = b"RVB\xf1";

/// The kinds of batches behind which a log may end, which follows: records, a seal.
const KINDS: [u8; 2] = [1, 2];

/// What of a batch header tells its LSNs.
const BATCH_HEAD_BYTES: usize = 28;

/// The last LSN up to the batch that begins like this, if one does.
fn end_of_batch(head: &[u8]) -> Option<Lsn> {
    let records = u32::from_le_bytes(head.get(16..20)?.try_into().unwrap());
    let first_lsn = u64::from_le_bytes(head.get(20..BATCH_HEAD_BYTES)?.try_into().unwrap());
    let is_batch = head.starts_with(BATCH_START) && KINDS.contains(&head[BATCH_START.len()]);
    is_batch.then(|| Lsn::new(first_lsn + u64::from(records) - 1))
}

impl Command {
    /// The `number`th command, on a store with this state. It always changes something.
    ///
    /// In what order the keys of a `DeleteMany` go is not known: `in_order` there is none.
    fn random(state: &State, number: usize, in_order: bool, rng: &mut Rng) -> Self {
        let some_key = |rng: &mut Rng| state.keys().nth(rng.usize(..state.len())).unwrap().clone();
        match rng.u8(..100) {
            0..15 if !state.is_empty() => Self::Delete(some_key(rng)),
            15..20 if !state.is_empty() && !in_order => {
                Self::DeleteMany((0..3).map(|_| some_key(rng)).collect::<BTreeSet<_>>().into_iter().collect())
            }
            20..22 if !state.is_empty() => Self::Clear,
            22..40 => Self::SetMany((0..rng.usize(2..6)).map(|_| (key(rng), value(number, rng))).collect()),
            _ => Self::Set(key(rng), value(number, rng)),
        }
    }

    /// What a store of this state holds after each record of the command.
    fn records(&self, before: &State) -> Vec<State> {
        let mut state = before.clone();
        match self {
            Self::Set(key, value) => drop(state.insert(key.clone(), value.clone())),
            Self::Delete(key) => drop(state.remove(key)),
            Self::SetMany(pairs) => {
                let after = |(key, value): &(Vec<u8>, Vec<u8>)| {
                    state.insert(key.clone(), value.clone());
                    state.clone()
                };
                return pairs.iter().map(after).collect();
            }
            Self::DeleteMany(keys) => {
                let after = |key| {
                    state.remove(key);
                    state.clone()
                };
                return keys.iter().map(after).collect();
            }
            Self::Clear => state.clear(),
        }
        vec![state]
    }

    /// Gives the command to the store; returns the LSN of its last record.
    async fn submit<'s>(&self, store: &'s DurableStore) -> (Lsn, Submission<'s>) {
        match self {
            Self::Set(key, value) => submit(store, Op::Set { key, value }).await,
            Self::Delete(key) => submit(store, Op::Delete { key }).await,
            Self::SetMany(pairs) => {
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| [&key[..], &value[..]]).collect();
                submit(store, Op::SetMany { pairs: &pairs }).await
            }
            Self::DeleteMany(keys) => {
                let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
                submit(store, Op::DeleteMany { keys: &keys }).await
            }
            Self::Clear => submit(store, Op::Clear).await,
        }
    }
}

pub(crate) async fn submit<'s>(store: &'s DurableStore, op: Op<'_>) -> (Lsn, Submission<'s>) {
    let mut replies = Vec::new();
    let submission = store.submit(&[op], usize::MAX, &mut replies).await;
    let reply = replies.pop().unwrap();
    reply.outcome.unwrap();
    (reply.depends_on, submission)
}

fn key(rng: &mut Rng) -> Vec<u8> {
    format!("key:{}", rng.u8(..20)).into_bytes()
}

/// A value that no other command has, a part of a sector to several sectors long.
fn value(number: usize, rng: &mut Rng) -> Vec<u8> {
    let len = match rng.u8(..20) {
        0..12 => rng.usize(..200),
        12..18 => rng.usize(200..1500),
        18 => rng.usize(1500..5000),
        // Large enough to go into the file by a write of its own.
        _ if rng.u8(..16) == 0 => rng.usize(64 * 1024..66 * 1024),
        _ => rng.usize(1500..5000),
    };
    // All zeros look like what a crash leaves of a sector that was never written.
    let fill = if rng.u8(..8) == 0 { 0 } else { rng.u8(..) };
    let mut value = format!("{number}:").into_bytes();
    value.resize(value.len() + len, fill);
    value
}

pub(crate) fn options(policy: SyncPolicy, format: Option<LogFormat>) -> Options {
    let mut options = Options::default();
    options.sync_policy = policy;
    options.log_format = format;
    options
}

pub(crate) fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
