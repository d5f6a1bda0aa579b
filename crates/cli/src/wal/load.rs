//! `wal load`: carries out the lines of a log on another one.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use rustvault_storage::offline::{check_first_line, load};
use rustvault_storage::{DurableStore, LogFormat, Options, SyncPolicy};
use serde_json::json;

use super::{Tools, bar};
use crate::commands::LIMITS;
use crate::error::CliError;

/// Bytes of the lines that one read takes at most.
const READ_BYTES: usize = 1024 * 1024;

impl Tools {
    pub(super) fn load(
        &mut self,
        path: &Path,
        lines: Option<&Path>,
        format: Option<LogFormat>,
    ) -> Result<(), CliError> {
        let records = match lines {
            None => load_into(path, format, io::stdin().lock())?,
            Some(lines) => {
                let opened =
                    File::open(lines).and_then(|file| file.metadata().map(|data| (file, data.len())));
                let (file, len) =
                    opened.map_err(|source| CliError::Open { path: lines.to_owned(), source })?;
                let bar = bar(self.json, len);
                let input = BufReader::with_capacity(READ_BYTES, bar.wrap_read(file));
                let result = load_into(path, format, input);
                bar.finish_and_clear();
                result?
            }
        };
        self.out.report(&format!("loaded {records} records"), &json!({"status": "ok", "records": records}))
    }
}

fn load_into(path: &Path, format: Option<LogFormat>, lines: impl BufRead) -> Result<u64, CliError> {
    // Before the log is opened: lines that are none must not leave a new, empty log behind.
    let lines = check_first_line(lines)?;
    let mut options = Options::default();
    // Synced once, at the end.
    options.sync_policy = SyncPolicy::Never;
    options.log_format = format;
    (options.max_key_bytes, options.max_value_bytes) = (LIMITS.max_value_bytes, LIMITS.max_value_bytes);
    let store = DurableStore::open(path, options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(CliError::Runtime)?;
    let loaded = runtime.block_on(load(&store, lines));
    store.close()?;
    Ok(loaded?)
}
