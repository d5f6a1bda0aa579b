//! Group commit: how many writers share a sync, under the policy `always` on a real disk.
//!
//! Every writer waits for its own write before the next. 64 writers have to reach at least 10 times the
//! throughput of one.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing else to say")]

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rustvault_benches::{ScratchLog, bare_value, is_measuring, key};
use rustvault_storage::{DurableStore, SyncPolicy};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const WRITERS: [u64; 3] = [1, 8, 64];
const VALUE_BYTES: usize = 64;

/// Pairs of measurements that the ratio is the median of; odd.
const PAIRS: usize = 9;

/// Writes of every writer in one measurement of a pair.
const PAIR_ROUNDS: u64 = 500;

fn group_commit(c: &mut Criterion) {
    let runtimes = [
        ("current_thread", Builder::new_current_thread().build()),
        ("multi_thread", Builder::new_multi_thread().worker_threads(2).build()),
    ];
    let mut group = c.benchmark_group("group_commit");
    group.sampling_mode(SamplingMode::Flat);
    for (name, runtime) in runtimes {
        let runtime = runtime.expect("a runtime starts");
        for writers in WRITERS {
            let log = LazyCell::new(scratch_log);
            let store = LazyCell::new(|| log.open(SyncPolicy::Always).expect("the log opens"));
            group.throughput(Throughput::Elements(writers));
            group.bench_function(BenchmarkId::new(name, writers), |b| {
                let store: &DurableStore = &store;
                b.iter_custom(|rounds| time_writers(&runtime, store, writers, rounds));
            });
        }
    }
}

/// Prints the throughput of 64 writers over that of one. Both are measured in turn, because a disk that
/// others use is not as fast now as it was a minute ago.
fn ratio(_: &mut Criterion) {
    if !is_measuring() {
        return;
    }
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    let log = scratch_log();
    let store = log.open(SyncPolicy::Always).expect("the log opens");
    let [one, _, many] = WRITERS;
    let writes_per_second = |writers| {
        (writers * PAIR_ROUNDS) as f64 / time_writers(&runtime, &store, writers, PAIR_ROUNDS).as_secs_f64()
    };
    let mut ratios = [(); PAIRS].map(|()| writes_per_second(many) / writes_per_second(one));
    ratios.sort_by(f64::total_cmp);
    let [least, .., most] = ratios;
    let median = ratios[PAIRS / 2];
    println!(
        "group_commit: {many} writers reach {median:.1} x the throughput of {one} \
         (median of {PAIRS} pairs, {least:.1} to {most:.1})"
    );
}

fn scratch_log() -> ScratchLog {
    ScratchLog::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder is made")
}

/// How long it takes `writers` tasks to make `rounds` writes each; none waits for the others' rounds.
fn time_writers(runtime: &Runtime, store: &DurableStore, writers: u64, rounds: u64) -> Duration {
    let write = |writer| {
        let store = store.clone();
        async move {
            let (key, value) = (key(writer), bare_value(VALUE_BYTES));
            for _ in 0..rounds {
                store.set(&key, &value).await.expect("the log takes the write");
            }
        }
    };
    runtime.block_on(async {
        let began = Instant::now();
        (0..writers).map(write).collect::<JoinSet<()>>().join_all().await;
        began.elapsed()
    })
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = group_commit, ratio
}
criterion_main!(benches);
