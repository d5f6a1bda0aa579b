//! What a key costs in memory: by how much this process grows, and what the store counts.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing else to say")]

use std::fs;
use std::thread;
use std::time::Instant;

use rustvault_benches::{Key, bare_value, key, scaled, sets};
use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{MemoryStore, Options};
use tokio::runtime::{Builder, Runtime};

/// As in the server, whose threads' memory this is about.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hash tables double: between these sizes tables may be nearly full, or just doubled.
const KEYS: [usize; 8] = [250_000, 500_000, 750_000, 1_000_000, 1_250_000, 1_500_000, 1_750_000, 2_000_000];

const THREADS: usize = 2;
const VALUE_BYTES: usize = 64;

/// Operations of one `submit`, as a pipeline has them.
const BATCH: usize = 16;

fn main() {
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    let store = MemoryStore::new(Options::default()).expect("the system has random bytes");
    let value = bare_value(VALUE_BYTES);
    fill(&runtime, &store, 0..THREADS * BATCH, &value);
    let empty_bytes = resident_bytes();
    let mut filled = 0;
    println!("{:>9}  {:>8}  {:>8}  {:>6}", "keys", "resident", "counted", "ns/set");
    for keys in KEYS.map(scaled) {
        let began = Instant::now();
        fill(&runtime, &store, filled..keys, &value);
        let nanos = began.elapsed().as_nanos() as f64 / (keys - filled) as f64;
        filled = keys;
        let resident = resident_bytes().saturating_sub(empty_bytes) as f64 / keys as f64;
        let counted = runtime.block_on(store.stats()).expect("figures").used_bytes as f64 / keys as f64;
        println!("{keys:>9}  {resident:>8.1}  {counted:>8.1}  {nanos:>6.0}");
    }
}

/// Stores the keys with these numbers, from several threads, each of which takes every other batch.
fn fill(runtime: &Runtime, store: &MemoryStore, numbers: std::ops::Range<usize>, value: &[u8]) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (numbers, handle) = (numbers.clone(), runtime.handle());
            scope.spawn(move || {
                let mut replies = Vec::with_capacity(BATCH);
                for first in numbers.clone().step_by(BATCH).skip(thread).step_by(THREADS) {
                    let last = (first + BATCH).min(numbers.end);
                    let keys: Vec<Key> = (first..last).map(|number| key(number as u64)).collect();
                    let ops: Vec<Op<'_>> = sets(&keys, value);
                    handle.block_on(store.submit(&ops, usize::MAX, &mut replies));
                    replies.clear();
                }
            });
        }
    });
}

/// The memory that this process has in use (`VmRSS`), in bytes.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line VmRSS");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}
