//! `wal repair`: cuts a damaged end off a log, after it has shown what is lost and the user has agreed.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use rustvault_storage::offline::{Access, Cut, OfflineLog};
use serde_json::{Value, json};

use super::{Tools, damage_text};
use crate::error::CliError;

impl Tools {
    pub(super) fn repair(&mut self, path: &Path, yes: bool) -> Result<(), CliError> {
        let found = Self::with_bar(self.json, path, Access::Write, |log| {
            let cut = log.find_damage()?;
            Ok((log, cut))
        })?;
        let (log, Some(cut)) = found else {
            return self.out.report("sound: there is nothing to repair", &object("sound", None));
        };
        if !yes {
            self.out.report(&plan(&cut), &object("damaged", Some(&cut)))?;
            self.out.flush()?;
            if !self.is_agreed()? {
                return Err(cut.damage.into());
            }
        }
        log.repair(&cut)?;
        // What was promised is looked at.
        Self::with_bar(self.json, path, Access::Read, |log: OfflineLog| log.verify())?;
        let kept = cut.keep_in.as_ref().map(|file| format!("; they are in {}", file.display()));
        let text = format!(
            "repaired: cut {} bytes from byte {} on{}",
            cut.bytes,
            cut.offset,
            kept.unwrap_or_default()
        );
        self.out.report(&text, &object("repaired", Some(&cut)))
    }

    /// Asks whoever is at the terminal.
    fn is_agreed(&self) -> Result<bool, CliError> {
        if self.json || !io::stdin().is_terminal() {
            let text = "nobody can be asked here: with --yes it is cut without asking";
            return Err(CliError::Usage(text.to_owned()));
        }
        let mut stderr = io::stderr().lock();
        let asked = stderr.write_all(b"Cut it off? [y/N] ").and_then(|()| stderr.flush());
        asked.map_err(CliError::Output)?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(CliError::Input)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

fn plan(cut: &Cut) -> String {
    let mut text = format!(
        "damage: {}\nwould be cut: {} bytes, from byte {} on; the {} records before stay",
        damage_text(&cut.damage),
        cut.bytes,
        cut.offset,
        cut.kept_records
    );
    if let Some(lsn) = cut.highest_lost_lsn {
        text += &format!("\nlost would be: records up to LSN {lsn}");
    }
    if let Some(file) = &cut.keep_in {
        text += &format!("\nthey would be kept in: {}", file.display());
    }
    text
}

fn object(status: &str, cut: Option<&Cut>) -> Value {
    let Some(cut) = cut else { return json!({"status": status}) };
    json!({
        "status": status,
        "damage": damage_text(&cut.damage),
        "offset": cut.offset,
        "cut_bytes": cut.bytes,
        "kept_records": cut.kept_records,
        "highest_lost_lsn": cut.highest_lost_lsn.map(|lsn| lsn.get()),
        "kept_in": cut.keep_in.as_ref().map(|file| file.to_string_lossy()),
    })
}
