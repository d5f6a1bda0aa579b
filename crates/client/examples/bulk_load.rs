//! Many keys at once: pipelines of writes, several under way, with progress and figures.
//!
//! Start a daemon, then run `cargo run --release -p rustvault-client --example bulk_load -- 127.0.0.1:8080 1000000` (or
//! set `RUSTVAULT_ADDR`); the second argument is the number of keys, 100,000 unless it is given.
//!
//! A pipeline saves round trips, and the server syncs its writes together. Several pipelines under way keep the server
//! busy while answers travel. A pipeline that fails may have taken effect in part: a load is repeated as a whole, which
//! is harmless, because it stores the same again.

use std::process::ExitCode;
use std::time::Instant;

use rustvault_client::{Client, Commands, Error};
use tokio::task::JoinSet;

const DEFAULT_ADDR: &str = "127.0.0.1:8080";
const DEFAULT_KEYS: usize = 100_000;

/// Begins the keys.
const PREFIX: &str = "bulk:";

/// Writes in a pipeline: large enough that the round trip counts for little, small enough for its answers to come soon.
const PIPELINE_KEYS: usize = 1_000;

/// Pipelines under way at a time.
const PIPELINES: usize = 4;

/// Pipelines after which the progress is told.
const PIPELINES_OF_A_REPORT: usize = 25;

#[tokio::main]
async fn main() -> ExitCode {
    let addr = std::env::args().nth(1).or_else(|| std::env::var("RUSTVAULT_ADDR").ok());
    let keys = std::env::args().nth(2).map_or(Ok(DEFAULT_KEYS), |keys| keys.parse());
    let result = match keys {
        Ok(keys) => run(addr.as_deref().unwrap_or(DEFAULT_ADDR), keys).await,
        Err(error) => Err(format!("the number of keys: {error}").into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(addr: &str, keys: usize) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(addr).await?;
    let before = client.count().await?;
    let start = Instant::now();
    let mut begins = (0..keys).step_by(PIPELINE_KEYS);
    let mut under_way = JoinSet::new();
    let (mut loaded, mut pipelines) = (0, 0);
    loop {
        while under_way.len() < PIPELINES
            && let Some(begin) = begins.next()
        {
            under_way.spawn(load(client.clone(), begin, keys.min(begin + PIPELINE_KEYS)));
        }
        let Some(done) = under_way.join_next().await else { break };
        loaded += done??;
        pipelines += 1;
        if pipelines % PIPELINES_OF_A_REPORT == 0 {
            let rate = loaded as f64 / start.elapsed().as_secs_f64();
            println!("{loaded} of {keys} keys, {rate:.0} a second");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{loaded} keys in {seconds:.2} s, {:.0} a second", loaded as f64 / seconds);
    println!("the server had {before} keys, and has {}", client.count().await?);
    Ok(())
}

/// Stores the keys of these numbers; returns how many.
async fn load(client: Client, begin: usize, end: usize) -> Result<usize, Error> {
    let mut pipeline = client.pipeline();
    for number in begin..end {
        pipeline.set(format!("{PREFIX}{number:012}"), format!("value of key {number}"));
    }
    // One that fails does not stop the others, so all of them are checked.
    pipeline.send().await?.check()?;
    Ok(end - begin)
}
