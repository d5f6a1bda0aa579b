//! What a log gives back after a stop, a crash, a fault, or damage.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod every_byte;
mod every_byte_of_lines;
mod every_fault;
mod history;
mod injector;
mod refused;
mod reopen;
mod steps;
mod two_committers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustvault_storage::{DurableStore, Error, Options};
use rustvault_testkit::files::{LOG, MemoryDisk};

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(file: &MemoryDisk) -> Result<DurableStore, Error> {
    DurableStore::open_on(Arc::new(file.clone()), LOG, Options::default())
}

async fn state(store: &DurableStore) -> State {
    let mut state = State::new();
    let mut cursor = 0;
    loop {
        let page = store.scan(cursor, b"", 1000).await.unwrap();
        for key in &page.keys {
            state.insert(key.to_vec(), store.get(key).await.unwrap().unwrap().to_vec());
        }
        cursor = page.next_cursor;
        if cursor == 0 {
            return state;
        }
    }
}

/// Calls `body` with every item, on all cores, until it panics.
fn in_parallel<T: Sync>(items: &[T], body: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let _others = StopOthers { next: &next, end: items.len() };
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    body(item);
                }
            });
        }
    });
}

/// Lets nobody begin with another item once its thread panics.
struct StopOthers<'a> {
    next: &'a AtomicUsize,
    end: usize,
}

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.next.store(self.end, Ordering::Relaxed);
        }
    }
}
