//! A limit on requests in a window of time, counted in RustVault: it holds for all processes of a service together.
//!
//! Start a daemon, then run `cargo run -p rustvault-client --example rate_limiter -- 127.0.0.1:8080` (or set
//! `RUSTVAULT_ADDR`). Eight tasks ask for more than they may, in two windows.
//!
//! Windows are fixed, each with a counter of its own per user: `INCR` counts in one step, so no two requests have the same
//! number. There is no expiry yet: whoever begins a window deletes the counters of old ones.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_client::{Client, Commands, Error};
use tokio::task::JoinSet;

const DEFAULT_ADDR: &str = "127.0.0.1:8080";

/// Begins the keys of counters.
const PREFIX: &str = "rate:";

const WINDOW: Duration = Duration::from_secs(60);

/// Requests that a user may make in a window.
const LIMIT: i64 = 100;

const TASKS: usize = 8;
const REQUESTS_OF_A_TASK: usize = 25;

#[tokio::main]
async fn main() -> ExitCode {
    let addr = std::env::args().nth(1).or_else(|| std::env::var("RUSTVAULT_ADDR").ok());
    match run(addr.as_deref().unwrap_or(DEFAULT_ADDR)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(addr: &str) -> Result<(), Box<dyn std::error::Error>> {
    let limiter = Limiter { client: Client::connect(addr).await? };
    // Windows of its own, so that a second run begins anew.
    let now = SystemTime::now();
    let user = format!("ada-{}", std::process::id());
    for at in [now, now + WINDOW] {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            tasks.spawn(ask_often(limiter.clone(), user.clone(), at));
        }
        let mut admitted = 0;
        while let Some(task) = tasks.join_next().await {
            admitted += task??;
        }
        println!("{admitted} of {} requests admitted, the limit is {LIMIT}", TASKS * REQUESTS_OF_A_TASK);
        if admitted != LIMIT as usize {
            return Err("the limiter let through another number than its limit".into());
        }
    }
    let left = limiter.delete_before(&user, window(now + 2 * WINDOW)).await?;
    println!("{left} counter deleted");
    Ok(())
}

async fn ask_often(limiter: Limiter, user: String, at: SystemTime) -> Result<usize, Error> {
    let mut admitted = 0;
    for _ in 0..REQUESTS_OF_A_TASK {
        admitted += usize::from(limiter.admits(&user, at).await?);
    }
    Ok(admitted)
}

/// The limiter. Clones share their connections.
#[derive(Clone)]
struct Limiter {
    client: Client,
}

impl Limiter {
    /// Counts a request of `user`; true if it is within the limit.
    async fn admits(&self, user: &str, now: SystemTime) -> Result<bool, Error> {
        let window = window(now);
        let number = self.client.incr(format!("{PREFIX}{user}:{window}")).await?;
        if number == 1 {
            self.delete_before(user, window).await?;
        }
        Ok(number <= LIMIT)
    }

    /// Deletes the counters of a user's windows before this one; returns how many there were.
    async fn delete_before(&self, user: &str, window: u64) -> Result<u64, Error> {
        let mut old = Vec::new();
        let mut keys = self.client.keys(format!("{PREFIX}{user}:"));
        while let Some(key) = keys.try_next().await? {
            let number =
                std::str::from_utf8(&key).ok().and_then(|key| key.rsplit(':').next()?.parse::<u64>().ok());
            if number.is_some_and(|number| number < window) {
                old.push(key);
            }
        }
        if old.is_empty() { Ok(0) } else { self.client.del(old).await }
    }
}

/// Returns the number of the window that a moment is in.
fn window(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / WINDOW.as_secs()
}
