//! Recovery: opening a log of many records, or of as many compacted entries, that the system has in its page
//! cache.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing else to say")]

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rustvault_benches::{Key, ScratchLog, bare_value, key, scaled, sets};
use rustvault_storage::SyncPolicy;
use rustvault_storage::batch::BatchStore;
use tokio::runtime::Builder;

const RECORDS: usize = 500_000;
const BATCH_RECORDS: usize = 1000;
const VALUE_BYTES: usize = 64;

fn replay(c: &mut Criterion) {
    let records = scaled(RECORDS);
    let batches = LazyCell::new(|| written_log(records));
    let entries = LazyCell::new(|| compacted_log(records));
    let mut group = c.benchmark_group("replay");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(records as u64));
    group.bench_function("batches", |b| {
        let log: &ScratchLog = &batches;
        b.iter_custom(|opens| (0..opens).map(|_| time_open(log, records)).sum());
    });
    group.bench_function("compacted_entries", |b| {
        let log: &ScratchLog = &entries;
        b.iter_custom(|opens| (0..opens).map(|_| time_open(log, records)).sum());
    });
}

/// How long it takes to open the log; closing it again is not counted.
fn time_open(log: &ScratchLog, records: usize) -> Duration {
    let began = Instant::now();
    let store = log.open(SyncPolicy::Never).expect("the log opens");
    let took = began.elapsed();
    assert_eq!(store.recovery().records, records as u64);
    took
}

/// A log of as many keys, written a batch at a time.
fn written_log(records: usize) -> ScratchLog {
    let log = ScratchLog::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder is made");
    let store = log.open(SyncPolicy::Never).expect("the log opens");
    let keys: Vec<Key> = (0..records as u64).map(key).collect();
    let value = bare_value(VALUE_BYTES);
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    runtime.block_on(async {
        for batch in sets(&keys, &value).chunks(BATCH_RECORDS) {
            let mut replies = Vec::with_capacity(batch.len());
            store.submit(batch, usize::MAX, &mut replies).await;
            let last = replies.last().expect("every operation has a reply");
            store.wait(last.depends_on).await.expect("the log takes the batch");
        }
    });
    store.close().expect("the log closes");
    log
}

/// The same after a compaction.
fn compacted_log(records: usize) -> ScratchLog {
    let log = written_log(records);
    let store = log.open(SyncPolicy::Never).expect("the log opens");
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    runtime.block_on(store.compact()).expect("the log is compacted");
    store.close().expect("the log closes");
    log
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = replay
}
criterion_main!(benches);
