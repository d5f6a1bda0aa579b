//! A store without a log.

use std::fmt;
use std::sync::Arc;

use crate::batch::{BatchStore, Completion, Op, Submission};
use crate::execute::{Executor, RecordSink};
use crate::keyspace::{HashSeed, Keyspace};
use crate::sync::counter::{AtomicU64, Ordering};
use crate::wal::{Growth, LoggedChange};
use crate::{Error, Lsn, Options, Stats};

/// A store without a log: a cache, or a stand-in for [`DurableStore`](crate::DurableStore) in tests.
///
/// Dropping the last clone frees all data.
#[derive(Clone)]
pub struct MemoryStore {
    keyspace: Arc<Keyspace>,
    options: Arc<Options>,
    last_lsn: Arc<AtomicU64>,
}

impl MemoryStore {
    /// Returns an empty store. The sync policy of `options` has no effect.
    ///
    /// # Errors
    /// [`Error::Io`] if the system provides no random bytes for the keyed hash.
    pub fn new(options: Options) -> Result<Self, Error> {
        let seed = HashSeed(crate::random::bytes()?);
        let keyspace = Arc::new(Keyspace::new(seed));
        keyspace.limit_memory(options.max_memory_bytes);
        Ok(Self { keyspace, options: Arc::new(options), last_lsn: Arc::default() })
    }
}

impl BatchStore for MemoryStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        let (keyspace, options) = (&*self.keyspace, &*self.options);
        let sink = NoLog { last_lsn: &self.last_lsn, prepared: 0 };
        let mut executor = Executor { keyspace, options, watermark: self.reply_watermark(), sink };
        executor.run(ops, max_reply_bytes, replies);
        Submission::done()
    }

    async fn wait(&self, _: Lsn) -> Result<(), Error> {
        Ok(())
    }

    fn reply_watermark(&self) -> Lsn {
        Lsn::new(u64::MAX)
    }

    async fn compact(&self) -> Result<(), Error> {
        Ok(())
    }

    fn limit_memory(&self, max_bytes: Option<u64>) {
        self.keyspace.limit_memory(max_bytes);
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.keyspace.count()).finish_non_exhaustive()
    }
}

/// Sink of a store without a log: LSNs only distinguish versions of a value, and nothing waits for them.
struct NoLog<'a> {
    last_lsn: &'a AtomicU64,
    /// Number of prepared records.
    prepared: u64,
}

impl RecordSink for NoLog<'_> {
    fn check_admitted(&self, _: Growth) -> Result<(), Error> {
        Ok(())
    }

    fn next_bound(&mut self) -> usize {
        usize::MAX
    }

    fn prepare<'c>(&mut self, changes: impl Iterator<Item = LoggedChange<'c>>) {
        self.prepared = changes.count() as u64;
    }

    fn append_prepared(&mut self) -> Lsn {
        Lsn::new(self.last_lsn.fetch_add(self.prepared, Ordering::Relaxed) + 1)
    }

    fn appended(&self) -> Lsn {
        Lsn::ZERO
    }

    fn fill_stats(&self, _: &mut Stats) {}
}
