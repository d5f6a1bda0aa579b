//! Appending to the log: writes that nobody waits for one by one, under the policy `never`.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing else to say")]

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustvault_benches::{Key, ScratchLog, VALUE_BYTES, bare_value, key, sets};
use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{DurableStore, Lsn, SyncPolicy};
use tokio::runtime::Builder;

/// Keys that are written over and over, so that the tables stop growing.
const KEYS: u64 = 1024;

fn append(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    let keys: Vec<Key> = (0..KEYS).map(key).collect();
    let mut group = c.benchmark_group("append");
    for len_bytes in VALUE_BYTES {
        let value = bare_value(len_bytes);
        let ops = sets(&keys, &value);
        for records in [1, 64] {
            let log = LazyCell::new(scratch_log);
            let store = LazyCell::new(|| log.open(SyncPolicy::Never).expect("the log opens"));
            group.throughput(Throughput::Elements(records as u64));
            group.bench_function(BenchmarkId::new(format!("{records}_per_submit"), len_bytes), |b| {
                let store: &DurableStore = &store;
                b.iter_custom(|submits| runtime.block_on(submit_all(store, &ops, records, submits)));
            });
        }
    }
}

fn scratch_log() -> ScratchLog {
    ScratchLog::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder is made")
}

/// How long `submits` batches take, until the last is written: the log's queue is bounded, so what a
/// single `submit` takes says little.
async fn submit_all(store: &DurableStore, ops: &[Op<'_>], records: usize, submits: u64) -> Duration {
    let mut batches = ops.chunks_exact(records).cycle();
    let mut replies = Vec::with_capacity(records);
    let mut last = Lsn::ZERO;
    let began = Instant::now();
    for batch in (0..submits).zip(&mut batches).map(|(_, batch)| batch) {
        replies.clear();
        store.submit(batch, usize::MAX, &mut replies).await;
        last = replies.last().map_or(last, |reply| reply.depends_on);
    }
    store.wait(last).await.expect("the log takes the writes");
    began.elapsed()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = append
}
criterion_main!(benches);
