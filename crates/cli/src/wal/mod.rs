//! Tools for a log file that no server has open.

mod args;
mod inspect;
mod load;
mod repair;

use std::io::{self, IsTerminal, StdoutLock};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustvault_storage::offline::{Access, Checked, OfflineLog};
use rustvault_storage::{Error, LogFormat};
use serde_json::json;

pub(crate) use args::WalCommand;

use crate::args::CliArgs;
use crate::error::CliError;
use crate::escape::JsonTerminal;
use crate::output::Printer;

/// Carries out one command on a log file.
///
/// # Errors
/// What the log is found to be, and what the system says.
pub(crate) fn run(args: &CliArgs, command: WalCommand) -> Result<(), CliError> {
    let mut tools = Tools { json: args.json, out: Printer::to_stdout(io::stdout().lock(), args.json) };
    match command {
        WalCommand::Inspect { path, batches } => tools.inspect(&path, batches),
        WalCommand::Verify { path } => tools.verify(&path),
        WalCommand::Dump { path } => tools.dump(&path),
        WalCommand::Load { path, lines, wal_format } => {
            tools.load(&path, lines.as_deref(), wal_format.map(LogFormat::from))
        }
        WalCommand::Convert { path, to } => tools.convert(&path, to.into()),
        WalCommand::Repair { path, yes } => tools.repair(&path, yes),
    }
}

struct Tools {
    json: bool,
    out: Printer<StdoutLock<'static>>,
}

impl Tools {
    fn verify(&mut self, path: &Path) -> Result<(), CliError> {
        let checked = Self::with_bar(self.json, path, Access::Read, |log| log.verify())?;
        let Checked { records, end_offset, torn_bytes, .. } = checked;
        let text = format!("sound: {records} records in {end_offset} bytes{}", torn_tail(&checked));
        let object = json!({
            "status": "ok", "records": records, "end_offset": end_offset, "torn_bytes": torn_bytes,
        });
        self.out.report(&text, &object)
    }

    fn dump(&mut self, path: &Path) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        Self::with_bar(self.json, path, Access::Read, |log| {
            if out.is_terminal() { log.dump(&mut JsonTerminal::new(out)) } else { log.dump(&mut out) }
        })?;
        Ok(())
    }

    fn convert(&mut self, path: &Path, to: LogFormat) -> Result<(), CliError> {
        let name = format_name(to);
        let mut is_converted = true;
        let checked = Self::with_bar(self.json, path, Access::Write, |log| {
            is_converted = log.format() != Some(to);
            log.convert(to)
        })?;
        let text = if is_converted {
            format!("converted {} records to {name}{}", checked.records, torn_tail(&checked))
        } else {
            format!("the log is {name} already: nothing was changed")
        };
        let object = json!({
            "status": "ok", "format": name, "converted": is_converted, "records": checked.records,
            "torn_bytes": checked.torn_bytes,
        });
        self.out.report(&text, &object)
    }

    /// Opens the log for `work`, and shows how much of it was read.
    fn with_bar<T>(
        json: bool,
        path: &Path,
        access: Access,
        work: impl FnOnce(OfflineLog) -> Result<T, Error>,
    ) -> Result<T, CliError> {
        let log = OfflineLog::open(path, access)?;
        let len = log.len_bytes();
        let bar = bar(json, len);
        let counter = bar.clone();
        // Some bytes are read again.
        let on_read = move |bytes| counter.set_position(len.min(counter.position() + bytes));
        let result = work(log.on_read(on_read));
        bar.finish_and_clear();
        Ok(result?)
    }
}

/// A bar on standard error; indicatif hides it where that is not a terminal.
fn bar(json: bool, bytes: u64) -> ProgressBar {
    let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    match ProgressStyle::with_template("{wide_bar} {binary_bytes}/{binary_total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

const fn format_name(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Json => "json",
        _ => "binary",
    }
}

/// Returns what is wrong with a log, without what to do about it.
fn damage_text(damage: &Error) -> String {
    match damage {
        Error::Corrupted { offset, reason, .. } => format!("at byte {offset}: {reason}"),
        other => other.to_string(),
    }
}

fn torn_tail(checked: &Checked) -> String {
    let Checked { end_offset, torn_bytes, .. } = *checked;
    if torn_bytes == 0 {
        return String::new();
    }
    format!(
        "; behind them, from byte {end_offset} on, a torn tail of {torn_bytes} bytes, as a crash leaves it: it does not count, and goes when the log is opened"
    )
}
