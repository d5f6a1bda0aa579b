//! `wal inspect`: prints what a log is made of, and on request a line for each batch, as text or JSON.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustvault_storage::Error;
use rustvault_storage::offline::{Access, Batch, BatchKind, Binary, Epoch, Inspection};
use serde_json::{Map, Value, json};

use super::{Tools, damage_text, format_name};
use crate::error::CliError;
use crate::output::Printer;

/// Names and values, in the order that people read them.
type Fields = Vec<(&'static str, Value)>;

impl Tools {
    pub(super) fn inspect(&mut self, path: &Path, batches: bool) -> Result<(), CliError> {
        let out = &mut self.out;
        let (mut len, mut format) = (0, None);
        let found = Self::with_bar(self.json, path, Access::Read, |log| {
            (len, format) = (log.len_bytes(), log.format());
            log.inspect(|batch| if batches { print_batch(out, batch) } else { Ok(()) })
        })?;
        let format = format.map_or("none", format_name);
        let mut fields = vec![("format", json!(format)), ("len_bytes", json!(len))];
        fields.extend(of_inspection(&found, len));
        let epochs = found.binary.iter().flat_map(|binary| &binary.epochs).map(of_epoch).collect();
        self.print(fields, epochs, found.damage.is_some())?;
        found.damage.map_or(Ok(()), |damage| Err(damage.into()))
    }

    fn print(&mut self, fields: Fields, epochs: Vec<Fields>, is_damaged: bool) -> Result<(), CliError> {
        let lines: Vec<_> = words(&fields).chain(epochs.iter().map(one_line)).collect();
        let mut summary = object(fields);
        summary.insert("status".to_owned(), json!(if is_damaged { "damaged" } else { "ok" }));
        summary.insert("epochs".to_owned(), epochs.into_iter().map(object).collect());
        self.out.report(&lines.join("\n"), &Value::Object(summary))
    }
}

/// Prints a line for the batch; an error ends the inspection.
fn print_batch<W: Write>(out: &mut Printer<W>, batch: &Batch) -> Result<(), Error> {
    let fields = of_batch(batch);
    out.report(&one_line(&fields), &json!({"batch": object(fields)})).map_err(|error| {
        let source = match error {
            CliError::Output(source) => source,
            error => io::Error::other(error),
        };
        Error::Io { action: "write to", path: "standard output".into(), source: Arc::new(source) }
    })
}

fn of_inspection(found: &Inspection, len: u64) -> Fields {
    let lsn = |lsn: Option<rustvault_storage::Lsn>| lsn.map_or(Value::Null, |lsn| json!(lsn.get()));
    let mut fields = found.binary.as_ref().map(of_binary).unwrap_or_default();
    fields.extend([
        ("sets", json!(found.sets)),
        ("deletes", json!(found.deletes)),
        ("clears", json!(found.clears)),
        ("first_lsn", lsn(found.first_lsn)),
        ("last_lsn", lsn(found.last_lsn)),
        ("first_time", found.first_timestamp_ms.map_or(Value::Null, time)),
        ("last_time", found.last_timestamp_ms.map_or(Value::Null, time)),
        ("sound_bytes", json!(found.end_offset)),
        ("torn_bytes", json!(found.torn_bytes)),
        ("bytes_behind", json!(len - found.end_offset - found.torn_bytes)),
        ("damage", found.damage.as_ref().map_or(Value::Null, |damage| json!(damage_text(damage)))),
    ]);
    fields
}

fn of_binary(binary: &Binary) -> Fields {
    let log_id: String = binary.log_id.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("format_version", json!(binary.format_version)),
        ("log_id", json!(log_id)),
        ("created", time(binary.created_ms)),
        ("compacted", json!(binary.is_compacted)),
        ("closed", json!(binary.is_closed)),
        ("blocks", json!(binary.blocks)),
        ("entries", json!(binary.entries)),
        ("batches", json!(binary.batches)),
        ("seals", json!(binary.seals)),
        ("synced_lsn", json!(binary.synced_lsn.get())),
    ]
}

fn of_epoch(epoch: &Epoch) -> Fields {
    vec![
        ("epoch", json!(epoch.number)),
        ("offset", json!(epoch.offset)),
        ("jumps", json!(epoch.jumps)),
        ("first_lsn", json!(epoch.first_lsn.get())),
        ("records", json!(epoch.records)),
        ("bytes", json!(epoch.bytes)),
    ]
}

fn of_batch(batch: &Batch) -> Fields {
    let kind = match batch.kind {
        BatchKind::Records => "records",
        BatchKind::Entries => "entries",
        BatchKind::Seal => "seal",
        BatchKind::ClosingSeal => "closing_seal",
        _ => "unknown",
    };
    vec![
        ("offset", json!(batch.offset)),
        ("kind", json!(kind)),
        ("epoch", json!(batch.epoch)),
        ("records", json!(batch.records)),
        ("first_lsn", json!(batch.first_lsn.get())),
        ("synced_lsn", json!(batch.synced_lsn.get())),
        ("bytes", json!(batch.bytes)),
    ]
}

fn time(timestamp_ms: u64) -> Value {
    // Lines of other programs may have any number there.
    const YEAR_9999_MS: u64 = 253_370_764_800_000;
    if timestamp_ms >= YEAR_9999_MS {
        return json!(timestamp_ms);
    }
    json!(humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(timestamp_ms)).to_string())
}

fn object(fields: Fields) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn one_line(fields: &Fields) -> String {
    words(fields).collect::<Vec<_>>().join(" ")
}

fn words(fields: &Fields) -> impl Iterator<Item = String> {
    fields.iter().map(|(name, value)| format!("{name}={}", plain(value)))
}

/// The value without the quotes of JSON; nothing for what is not there.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
