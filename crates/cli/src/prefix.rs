//! Keys that start with a prefix: their values are printed, or they are removed.

use std::io::{self, Write};

use bytes::Bytes;
use rustvault_client::{Client, Commands};
use serde_json::json;

use crate::commands::{CliSession, CommandOutcome};
use crate::error::CliError;
use crate::escape::quoted;
use crate::output::keys;

/// Keys that one command removes at most.
const DELETE_KEYS: usize = 500;

impl<W: Write> CliSession<W> {
    /// Prints the keys that start with a prefix, and their values.
    pub(crate) async fn get_prefix(
        &mut self,
        client: &Client,
        prefix: &[u8],
    ) -> Result<CommandOutcome, CliError> {
        let mut entries = client.entries(prefix);
        while let Some((key, value)) = entries.try_next().await? {
            self.printer.entry(&key, &value)?;
        }
        Ok(CommandOutcome::Done)
    }

    /// Removes the keys that start with a prefix, and prints how many there were.
    pub(crate) async fn delete_prefix(
        &mut self,
        client: &Client,
        prefix: &[u8],
        is_agreed: bool,
    ) -> Result<CommandOutcome, CliError> {
        if !is_agreed {
            let count = count(client, prefix).await?;
            if count > 0 && !self.agrees(&described(count, prefix))? {
                self.printer.report("nothing was deleted", &json!({"status": "ok", "deleted": 0}))?;
                return Ok(CommandOutcome::Done);
            }
        }
        let deleted = delete_all(client, prefix).await?;
        self.printer.report(&deleted.to_string(), &json!({"status": "ok", "deleted": deleted}))?;
        Ok(CommandOutcome::Done)
    }

    /// Asks whether these keys are to be removed.
    fn agrees(&self, keys: &str) -> Result<bool, CliError> {
        if !self.can_ask {
            let text = format!("this would delete {keys}; with --yes it does");
            return Err(CliError::Usage(text));
        }
        let mut stderr = io::stderr().lock();
        let asked = write!(stderr, "Delete {keys}? [y/N] ").and_then(|()| stderr.flush());
        asked.map_err(CliError::Output)?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(CliError::Input)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

fn described(count: u64, prefix: &[u8]) -> String {
    let start = if count == 1 { "starts" } else { "start" };
    let shown = quoted(prefix);
    format!("{} that {start} with {}", keys(count), String::from_utf8_lossy(&shown))
}

/// Returns how many keys start with a prefix; those that come twice in a scan count twice.
async fn count(client: &Client, prefix: &[u8]) -> Result<u64, CliError> {
    let (mut keys, mut count) = (client.keys(prefix), 0);
    while keys.try_next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Removes the keys that start with a prefix; returns how many were there.
async fn delete_all(client: &Client, prefix: &[u8]) -> Result<u64, CliError> {
    let (mut keys, mut deleted) = (client.keys(prefix), 0);
    let mut group = Vec::with_capacity(DELETE_KEYS);
    while let Some(key) = keys.try_next().await? {
        group.push(key);
        if group.len() == DELETE_KEYS {
            deleted += delete(client, &mut group).await?;
        }
    }
    Ok(deleted + delete(client, &mut group).await?)
}

async fn delete(client: &Client, keys: &mut Vec<Bytes>) -> Result<u64, CliError> {
    if keys.is_empty() {
        return Ok(0);
    }
    Ok(client.del(keys.drain(..)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_shows_number_and_prefix_and_nothing_that_controls_a_terminal() {
        assert_eq!(described(1, b"user:"), "1 key that starts with \"user:\"");
        assert_eq!(described(12, b"\x1b[2J"), "12 keys that start with \"\\x1b[2J\"");
    }
}
