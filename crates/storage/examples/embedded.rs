//! A program with a durable store inside: counts how often it was run.
//!
//! `cargo run -p rustvault-storage --example embedded [LOG]` (default: a log in the folder for temporary files)

use std::path::PathBuf;

use rustvault_storage::{Change, DurableStore, Options};

const RUNS: &str = "runs";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .map_or_else(|| std::env::temp_dir().join("rustvault-embedded.log"), PathBuf::from);
    let store = DurableStore::open(&path, Options::default())?;

    // When this returns, the new count survives a power loss.
    store.update(RUNS, |count| Change::Put((runs(count) + 1).to_string().into_bytes())).await?;
    let runs = runs(store.get(RUNS).await?.as_deref());

    println!("run number {runs}, kept in {}", path.display());
    store.close()?;
    Ok(())
}

fn runs(count: Option<&[u8]>) -> u64 {
    count.and_then(|count| std::str::from_utf8(count).ok()?.parse().ok()).unwrap_or(0)
}
