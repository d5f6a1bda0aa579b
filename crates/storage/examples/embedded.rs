//! A program with a durable store inside: counts how often it was run.
//!
//! `cargo run -p rustvault-storage --example embedded [LOG]` (default: a log in the folder for temporary files)

use std::path::PathBuf;

use rustvault_storage::{DurableStore, Options, Store};

const RUNS: &[u8] = b"runs";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .map_or_else(|| std::env::temp_dir().join("rustvault-embedded.log"), PathBuf::from);
    let store = DurableStore::open(&path, Options::default())?;

    let runs: u64 = match store.get(RUNS).await? {
        Some(count) => std::str::from_utf8(&count)?.parse()?,
        None => 0,
    };
    // When this returns, the new count survives a power loss.
    store.set(RUNS, (runs + 1).to_string().as_bytes()).await?;

    println!("run number {}, kept in {}", runs + 1, path.display());
    store.close()?;
    Ok(())
}
