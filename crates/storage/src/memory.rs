use std::fmt;
use std::sync::Arc;

use crate::execute::{Executor, NoLog};
use crate::keyspace::{HashSeed, Keyspace};
use crate::{Error, Lsn, Op, Options, Reply, Store, Submission};

/// A store without a log: a cache, or a stand-in for [`DurableStore`](crate::DurableStore) in tests.
///
/// Everything is gone when the last clone is dropped.
#[derive(Clone)]
pub struct MemoryStore {
    keyspace: Arc<Keyspace>,
    options: Arc<Options>,
}

impl MemoryStore {
    /// An empty store; the sync policy of `options` means nothing here.
    ///
    /// # Errors
    /// [`Error::Io`] when the system gives no random bytes for the keyed hash.
    pub fn new(options: Options) -> Result<Self, Error> {
        let seed = HashSeed(crate::random::bytes()?);
        Ok(Self { keyspace: Arc::new(Keyspace::new(seed)), options: Arc::new(options) })
    }
}

impl Store for MemoryStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Reply>,
    ) -> Submission<'_> {
        let (keyspace, options) = (&*self.keyspace, &*self.options);
        let mut executor = Executor { keyspace, options, watermark: Lsn::ZERO, sink: NoLog };
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
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.keyspace.count()).finish_non_exhaustive()
    }
}
