//! Waiting that ends: what a test waits for comes within a minute, or the test fails.

use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything before a test fails instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Longest wait for what takes no time worth speaking of; only a failing test waits this long.
pub const SOON: Duration = Duration::from_secs(20);

/// Time between two looks at a condition whose change wakes nobody.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Looks until `condition` is true.
///
/// # Panics
/// It is not within [`PATIENCE`]; `what` is the message.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(POLL_INTERVAL);
    }
}

/// Waits for a future that should end at once, within this process.
///
/// # Panics
/// It does not within [`SOON`].
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(SOON, future).await;
    ended.unwrap_or_else(|_| panic!("not within {SOON:?}: it should have happened at once"))
}

/// Runs a future on this thread, with a runtime that has a clock and no sockets: thousands of these cost little.
///
/// # Panics
/// The future does.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}
