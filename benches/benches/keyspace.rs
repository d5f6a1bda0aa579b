//! The keyspace: reads, writes and scans of a store without a log, from several threads.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing else to say")]

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustvault_benches::{Key, bare_value, key, scaled, sets};
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use rustvault_storage::{MemoryStore, Options};
use tokio::runtime::{Builder, Runtime};

const KEYS: usize = 1_000_000;
const THREADS: [usize; 3] = [1, 2, 4];
const VALUE_BYTES: usize = 64;
const PAGE_KEYS: usize = 100;

/// Operations of one `submit`: what calls it costs little beside what it does.
const BATCH: usize = 16;

fn keyspace(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    let keys = scaled(KEYS).max(THREADS[2] * BATCH);
    let present = shuffled(0..keys as u64);
    let absent = shuffled(keys as u64..2 * keys as u64);
    let value = bare_value(VALUE_BYTES);
    let store = LazyCell::new(|| preloaded(&runtime, keys, &value));

    let bench = Bench { runtime: &runtime, store: &store };
    let mut group = c.benchmark_group("keyspace");
    bench.threads(&mut group, "get_hit", &gets(&present));
    bench.threads(&mut group, "get_miss", &gets(&absent));
    bench.threads(&mut group, "set", &sets(&present, &value));
    bench.scan(&mut group);
}

/// Where the operations go.
struct Bench<'a, F> {
    runtime: &'a Runtime,
    store: &'a LazyCell<MemoryStore, F>,
}

impl<F: FnOnce() -> MemoryStore> Bench<'_, F> {
    fn threads(&self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, ops: &[Op<'_>]) {
        for threads in THREADS {
            group.throughput(Throughput::Elements((threads * BATCH) as u64));
            group.bench_function(BenchmarkId::new(name, threads), |b| {
                let store: &MemoryStore = self.store;
                b.iter_custom(|batches| time_threads(self.runtime, store, ops, threads, batches));
            });
        }
    }

    fn scan(&self, group: &mut BenchmarkGroup<'_, WallTime>) {
        let mut cursor = 0;
        group.throughput(Throughput::Elements(PAGE_KEYS as u64));
        group.bench_function(format!("scan_page_of_{PAGE_KEYS}"), |b| {
            let store: &MemoryStore = self.store;
            b.iter(|| {
                let page =
                    self.runtime.block_on(store.scan(cursor, b"", PAGE_KEYS)).expect("a scan succeeds");
                cursor = page.next_cursor;
                page
            });
        });
    }
}

/// How long `threads` threads, each in a part of `ops` of its own, take for `batches` batches each.
fn time_threads(
    runtime: &Runtime,
    store: &MemoryStore,
    ops: &[Op<'_>],
    threads: usize,
    batches: u64,
) -> Duration {
    let start = Barrier::new(threads + 1);
    let began = thread::scope(|scope| {
        for part in ops.chunks_exact(ops.len() / threads).take(threads) {
            let (store, start, handle) = (store.clone(), &start, runtime.handle());
            scope.spawn(move || {
                start.wait();
                handle.block_on(submit_all(&store, part, batches));
            });
        }
        start.wait();
        Instant::now()
    });
    began.elapsed()
}

async fn submit_all(store: &MemoryStore, ops: &[Op<'_>], batches: u64) {
    let mut parts = ops.chunks_exact(BATCH).cycle();
    let mut replies = Vec::with_capacity(BATCH);
    for batch in (0..batches).zip(&mut parts).map(|(_, batch)| batch) {
        store.submit(batch, usize::MAX, &mut replies).await;
        black_box(&replies);
        replies.clear();
    }
}

/// A store with the keys 0 to `keys`, put in by number, so that what a shuffled reader visits next is
/// not what lies next in memory.
fn preloaded(runtime: &Runtime, keys: usize, value: &[u8]) -> MemoryStore {
    let store = MemoryStore::new(Options::default()).expect("the system has random bytes");
    let keys: Vec<Key> = (0..keys as u64).map(key).collect();
    let mut replies = Vec::with_capacity(keys.len());
    runtime.block_on(store.submit(&sets(&keys, value), usize::MAX, &mut replies));
    assert!(replies.iter().all(|reply| matches!(reply.outcome, Ok(Outcome::Stored))));
    store
}

fn gets(keys: &[Key]) -> Vec<Op<'_>> {
    keys.iter().map(|key| Op::Get { key }).collect()
}

fn shuffled(numbers: impl Iterator<Item = u64>) -> Vec<Key> {
    let mut keys: Vec<Key> = numbers.map(key).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut keys);
    keys
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = keyspace
}
criterion_main!(benches);
