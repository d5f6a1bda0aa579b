//! `export` and `import`: the keys and values of a running server as lines of JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustvault_client::{Client, Commands, ReplyHandle, SetOptions};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::args::CliArgs;
use crate::commands::{CliSession, runtime};
use crate::error::CliError;
use crate::output::{Printer, keys};

/// Bytes of the input that one read takes at most.
const READ_BYTES: usize = 1024 * 1024;

/// Most bytes of a line: a bound on memory, wide enough for the largest value of this program in base64.
const MAX_LINE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Lines that are sent in one piece at most, and bytes of their keys and values from which on no more are added.
const BATCH_LINES: usize = 1_000;
const BATCH_BYTES: usize = 1024 * 1024;

/// Keys between two updates of the progress bar.
const KEYS_A_STEP: u64 = 1_000;

/// Prints the keys that start with a prefix, and their values, as lines of JSON.
///
/// # Errors
/// Those of reads, and of the output.
pub(crate) fn export(args: &CliArgs, prefix: &[u8]) -> Result<(), CliError> {
    let mut printer = Printer::to_stdout(BufWriter::new(io::stdout()), true);
    // Lines at the same terminal show by themselves how far it is.
    let bar = bar(args.json || io::stdout().is_terminal());
    let mut session = CliSession::of_one_shot(args, io::sink())?;
    let exported = runtime()?.block_on(async {
        let mut entries = session.connect().await?.entries(prefix);
        let mut keys = 0;
        while let Some((key, value)) = entries.try_next().await? {
            printer.entry(&key, &value)?;
            keys += 1;
            if keys % KEYS_A_STEP == 0 {
                bar.set_position(keys);
            }
        }
        printer.flush()
    });
    bar.finish_and_clear();
    exported
}

/// Stores the keys and values of lines of JSON, and prints how many they were.
///
/// # Errors
/// A line that is not an entry, with its number; errors of writes and of the input. All say how many keys were stored.
pub(crate) fn import(args: &CliArgs, file: Option<&Path>, keeps_existing: bool) -> Result<(), CliError> {
    let bar = bar(args.json);
    let mut session = CliSession::of_one_shot(args, io::stdout())?;
    let runtime = runtime()?;
    // Connects before it reads, so that without a server no standard input is consumed.
    let client = runtime.block_on(session.connect())?;
    let mut import = Import { runtime, client, keeps_existing, stored: 0, kept: 0, bar: bar.clone() };
    let result = match file {
        None => import.run(io::stdin().lock(), CliError::Input),
        Some(path) => match File::open(path) {
            Ok(file) => import.run(BufReader::with_capacity(READ_BYTES, file), |source| CliError::Read {
                path: path.to_owned(),
                source,
            }),
            Err(source) => Err(CliError::Open { path: path.to_owned(), source }),
        },
    };
    bar.finish_and_clear();
    result?;
    let Import { stored, kept, .. } = import;
    let kept_text = if keeps_existing { format!(", kept {kept} that were there") } else { String::new() };
    let object = json!({"status": "ok", "stored": stored, "kept": kept});
    session.printer.report(&format!("stored {}{kept_text}", keys(stored)), &object)?;
    session.printer.flush()
}

/// Makes a progress bar, a count of keys on standard error; indicatif hides it where that is not a terminal.
fn bar(is_hidden: bool) -> ProgressBar {
    let target = if is_hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    match ProgressStyle::with_template("{spinner} {human_pos} keys in {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A key and its value on a line of JSON. A member that is unknown may matter: the line is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
}

/// Reads a line.
fn parse(line: &[u8]) -> Result<(Bytes, Bytes), String> {
    // serde would take an array of the members, too.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("expected an object such as {\"key\":\"user:1\",\"value\":\"john\"}".to_owned());
    }
    let EntryLine { key, key_base64, value, value_base64 } =
        serde_json::from_slice(line).map_err(|error| {
            let message = error.to_string();
            // Its line number counts from the start of this line, so it is always 1.
            let message = message.rsplit_once(" at line ").map_or(&message[..], |(message, _)| message);
            format!("{message}, at column {}", error.column())
        })?;
    Ok((bytes("key", key, key_base64)?, bytes("value", value, value_base64)?))
}

fn bytes(name: &str, text: Option<String>, base64: Option<String>) -> Result<Bytes, String> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into()),
        (None, Some(base64)) => {
            let bytes = STANDARD.decode(base64).map_err(|error| format!("{name}_base64: {error}"))?;
            Ok(bytes.into())
        }
        (None, None) => Err(format!("\"{name}\" or \"{name}_base64\" is missing")),
        (Some(_), Some(_)) => Err(format!("\"{name}\" and \"{name}_base64\" exclude each other")),
    }
}

/// An import under way.
struct Import {
    runtime: Runtime,
    client: Client,
    keeps_existing: bool,
    stored: u64,
    kept: u64,
    bar: ProgressBar,
}

impl Import {
    /// Stores the lines of an input; `unreadable` names it in the error of a read.
    fn run(
        &mut self,
        mut input: impl BufRead,
        unreadable: impl Fn(io::Error) -> CliError,
    ) -> Result<(), CliError> {
        let (mut batch, mut batch_bytes) = (Vec::new(), 0);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
            let entry = match read {
                Ok(0) => break,
                Ok(_) if line.trim_ascii().is_empty() => continue,
                Ok(_) => parse(&line),
                Err(error) => {
                    self.send(&mut batch)?;
                    return Err(self.ended(unreadable(error)));
                }
            };
            match entry {
                Ok((key, value)) => {
                    batch_bytes += key.len() + value.len();
                    batch.push((number, key, value));
                }
                Err(reason) => {
                    self.send(&mut batch)?;
                    return Err(CliError::BadEntry { line: number, reason, stored: self.stored });
                }
            }
            if batch.len() >= BATCH_LINES || batch_bytes >= BATCH_BYTES {
                self.send(&mut batch)?;
                batch_bytes = 0;
            }
        }
        self.send(&mut batch)
    }

    /// Sends these lines in one pipeline; one that fails does not stop the others.
    fn send(&mut self, lines: &mut Vec<(u64, Bytes, Bytes)>) -> Result<(), CliError> {
        let mut pipeline = self.client.pipeline();
        let options = if self.keeps_existing { SetOptions::new().nx() } else { SetOptions::new() };
        let mut handles: Vec<(u64, ReplyHandle<bool>)> = Vec::with_capacity(lines.len());
        for (number, key, value) in lines.drain(..) {
            handles.push((number, pipeline.set_with(key, value, options)));
        }
        let mut replies = match self.runtime.block_on(pipeline.send()) {
            Ok(replies) => replies,
            Err(error) => return Err(self.ended(error.into())),
        };
        let mut failed = None;
        for (number, handle) in handles {
            match replies.take(handle) {
                Ok(true) => self.stored += 1,
                Ok(false) => self.kept += 1,
                Err(error) => drop(failed.get_or_insert((number, error))),
            }
        }
        self.bar.set_position(self.stored + self.kept);
        match failed {
            None => Ok(()),
            Some((line, error)) => Err(self.ended(CliError::Line { line, source: Box::new(error.into()) })),
        }
    }

    fn ended(&self, source: CliError) -> CliError {
        CliError::Import { stored: self.stored, source: Box::new(source) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_export_are_read_in_any_order_of_their_members() {
        let entry = |key: &'static [u8], value: &'static [u8]| {
            Ok((Bytes::from_static(key), Bytes::from_static(value)))
        };
        assert_eq!(parse(br#"{"key":"a","value":"b"}"#), entry(b"a", b"b"));
        assert_eq!(
            parse(b" { \"value_base64\" : \"/wA=\", \"key\" : \"\\u00e9\" } \r\n"),
            entry("é".as_bytes(), b"\xff\0")
        );
        assert_eq!(parse(br#"{"key_base64":"","value":""}"#), entry(b"", b""));
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused_with_a_reason() {
        for (line, reason) in [
            (&b"key value"[..], "expected an object"),
            (br#"["a",null,"b",null]"#, "expected an object"),
            (br#"{"key":"a"}"#, "\"value\" or \"value_base64\" is missing"),
            (br#"{"key":"a","key_base64":"YQ==","value":"b"}"#, "exclude each other"),
            (br#"{"key":"a","value":"b","expires":5}"#, "unknown field `expires`"),
            (br#"{"key":"a","key":"a","value":"b"}"#, "duplicate field `key`"),
            (br#"{"key":"a","value_base64":"*"}"#, "value_base64: Invalid"),
            (br#"{"key":"a","value":5}"#, "expected a string, at column 20"),
            (br#"{"key":"a","value":"b"#, "at column 21"),
            (b"{\"key\":\"\xff\",\"value\":\"b\"}", "at column"),
        ] {
            let error = parse(line).expect_err("no entry");
            assert!(error.contains(reason), "{error}");
        }
    }
}
