//! Where what a clear has emptied is freed. In a process of its own: threads are counted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};
use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{DurableStore, LogFormat, MemoryStore, Options};

/// So many that freeing them takes many times as long as a look for the thread that does it.
const MANY_KEYS: u32 = 300_000;

/// Longest time until that thread begins.
const BEGIN_LIMIT: Duration = Duration::from_secs(1);

/// How often it is tried to see it.
const TRIES: u32 = 20;

async fn fill(store: &MemoryStore, keys: u32) {
    let keys: Vec<_> = (0..keys).map(u32::to_le_bytes).collect();
    for keys in keys.chunks(1000) {
        let ops: Vec<_> = keys.iter().map(|key| Op::Set { key, value: b"value" }).collect();
        drop(store.submit(&ops, usize::MAX, &mut Vec::new()).await);
    }
}

/// Returns the cores on which the thread with this name may run, if there is one.
fn cores_of(name: &str) -> Option<CpuSet> {
    let mut tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let is_called = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let number = tasks.find(is_called)?.file_name().to_str().unwrap().parse().unwrap();
    sched_getaffinity(Pid::from_raw(number)).ok()
}

#[tokio::test]
async fn what_a_thread_that_is_bound_to_a_core_clears_is_freed_on_that_core() {
    let anywhere = sched_getaffinity(None).unwrap();
    if anywhere.count() < 2 {
        return println!("skipped: needs two cores");
    }
    let store = MemoryStore::new(Options::default()).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|&core| anywhere.is_set(core)).unwrap());
    sched_setaffinity(None, &one).unwrap();
    for _ in 0..TRIES {
        fill(&store, MANY_KEYS).await;
        drop(store.submit(&[Op::Clear], usize::MAX, &mut Vec::new()).await);
        // It ends soon: a look may come too late.
        let cleared = Instant::now();
        let mut was_there = false;
        while cleared.elapsed() < BEGIN_LIMIT {
            match cores_of("freeing") {
                Some(cores) => {
                    assert_eq!(cores, one, "the store sets no affinity");
                    was_there = true;
                }
                None if was_there => return,
                None => {}
            }
        }
    }
    panic!("it was never seen");
}

/// Counts the threads that this process has started so far, this one's among them.
fn threads_started() -> u64 {
    let id = thread::spawn(|| thread::current().id()).join().unwrap();
    let digits: String = format!("{id:?}").chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[tokio::test]
async fn a_log_of_lines_with_many_clears_is_recovered_without_a_thread_for_each() {
    const CLEARS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("the.log");
    // Each clear empties so much that a store which serves would have a thread free it.
    let value = "v".repeat(200 * 1024);
    let set = format!(r#"{{"timestamp":1,"command":{{"Set":{{"key":"a","value":"{value}"}}}}}}"#);
    let lines = format!("{set}\n{{\"timestamp\":1,\"command\":\"Clear\"}}\n");
    fs::write(&path, lines.repeat(CLEARS as usize)).unwrap();
    let mut options = Options::default();
    options.log_format = Some(LogFormat::Json);
    let before = threads_started();
    let store = DurableStore::open(&path, options).unwrap();
    let started = threads_started() - before;
    assert_eq!((store.recovery().records, store.count().await.unwrap()), (2 * CLEARS, 0));
    assert!(started < CLEARS / 4, "{started} threads");
}
