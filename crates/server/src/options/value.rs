//! Values of options: functions that read them, with errors that say which values are expected, and functions that show them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use rustvault_storage::{LogFormat, SyncPolicy};
use tracing::level_filters::LevelFilter;

use crate::{CpuAffinity, DEFAULT_BIND_ADDR, ServerConfig};

/// Names of the levels of messages, the fewest messages first.
pub(super) const MESSAGE_LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// Units of sizes, the largest first.
const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Stores a value that was read, or returns why it could not be read.
pub(super) fn put<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

pub(super) fn text(value: &OsStr) -> Result<&str, String> {
    value.to_str().ok_or_else(|| "it is not valid UTF-8".to_owned())
}

/// Reads a number from 1 to `max`.
pub(super) fn number(value: &OsStr, max: usize) -> Result<usize, String> {
    let number = text(value)?.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {max}"))
}

/// Reads a number of seconds, at most `max`; 0 is never.
pub(super) fn seconds(value: &OsStr, max: Duration) -> Result<Option<Duration>, String> {
    let max = max.as_secs();
    let seconds = text(value)?.parse().ok().filter(|seconds: &u64| *seconds <= max);
    let seconds =
        seconds.ok_or_else(|| format!("expected a number of seconds from 1 to {max}, or 0 for never"))?;
    Ok((seconds != 0).then(|| Duration::from_secs(seconds)))
}

pub(super) fn seconds_text(duration: Option<Duration>) -> String {
    duration.map_or(0, |duration| duration.as_secs()).to_string()
}

/// Reads a number of milliseconds, at most `max`; 0 is never. The shortest time that is kept is a microsecond.
pub(super) fn millis(value: &OsStr, max: Duration) -> Result<Option<Duration>, String> {
    let max_ms = max.as_millis();
    let millis = text(value)?.parse().ok().filter(|millis: &f64| (0.0..=max_ms as f64).contains(millis));
    let millis =
        millis.ok_or_else(|| format!("expected a number of milliseconds up to {max_ms}, or 0 for never"))?;
    let micros = (millis * 1000.0).round() as u64;
    Ok((millis > 0.0).then(|| Duration::from_micros(micros.max(1))))
}

pub(super) fn millis_text(duration: Option<Duration>) -> String {
    duration.map_or(0.0, |duration| duration.as_micros() as f64 / 1000.0).to_string()
}

pub(super) fn size(value: &OsStr) -> Result<u64, String> {
    let size = text(value)?.parse::<ByteSize>();
    size.map(|size| size.as_u64()).map_err(|_| "expected a size, for example 4096 or 32MiB".to_owned())
}

/// Reads a size from 1 to `max` bytes.
pub(super) fn size_up_to(value: &OsStr, max: usize) -> Result<usize, String> {
    let bytes = size(value).ok().and_then(|bytes| usize::try_from(bytes).ok());
    bytes.filter(|bytes| (1..=max).contains(bytes)).ok_or_else(|| {
        format!("expected a size from 1 to {}, for example 4096 or 16MiB", ByteSize(max as u64))
    })
}

/// Reads a size of at least one byte.
pub(super) fn some_bytes(value: &OsStr) -> Result<usize, String> {
    match usize::try_from(size(value)?) {
        Ok(0) => Err("expected more than 0, for example 32MiB".to_owned()),
        bytes => Ok(bytes.unwrap_or(usize::MAX)),
    }
}

pub(super) fn memory_limit(value: &OsStr) -> Result<u64, String> {
    match size(value)? {
        0 => Err("expected more than 0; leave the option out for no limit".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Returns a size in the largest unit that divides it: 16MiB, but 1000.
pub(super) fn size_text(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, unit_bytes)| bytes != 0 && bytes.is_multiple_of(*unit_bytes));
    unit.map_or_else(|| bytes.to_string(), |(unit, unit_bytes)| format!("{}{unit}", bytes / unit_bytes))
}

pub(super) fn ratio(value: &OsStr) -> Result<f64, String> {
    let ratio = text(value)?.parse().ok();
    let config = ratio.map(|compact_ratio| ServerConfig { compact_ratio, ..ServerConfig::default() });
    let config = config.filter(|config| config.validate().is_ok());
    config
        .map(|config| config.compact_ratio)
        .ok_or_else(|| "expected a number above 1, for example 2".to_owned())
}

pub(super) fn path(value: &OsStr) -> Result<PathBuf, String> {
    let is_path = !value.is_empty() && !value.as_encoded_bytes().contains(&0);
    if is_path { Ok(PathBuf::from(value)) } else { Err("expected a path".to_owned()) }
}

/// Reads the path of a socket. Refuses `unix:PATH`, the form of clients' addresses: the server would create a socket in a folder
/// `unix:`, or with that name.
pub(super) fn socket_path(value: &OsStr) -> Result<PathBuf, String> {
    match value.to_str().and_then(|text| text.strip_prefix("unix:")) {
        Some(rest) => Err(format!(
            "expected a path: write {rest}, without unix:, which is for the addresses of clients"
        )),
        None => path(value),
    }
}

/// Returns a path as people read it; one that is not valid UTF-8 has escapes for its other bytes.
pub(super) fn path_text(path: &Path) -> String {
    path.to_str()
        .map_or_else(|| path.as_os_str().as_encoded_bytes().escape_ascii().to_string(), str::to_owned)
}

pub(super) fn optional_path(path: Option<&Path>) -> String {
    path.map_or_else(String::new, path_text)
}

/// Reads values with commas between them, spaces around which do not count.
pub(super) fn list(value: &OsStr, read: fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    text(value)?.split(',').map(|item| read(item.trim())).collect()
}

pub(super) fn list_text(items: &[String]) -> String {
    items.join(",")
}

pub(super) fn bind_addr(item: &str) -> Result<String, String> {
    let config = ServerConfig { bind_addrs: vec![item.to_owned()], ..ServerConfig::default() };
    let valid = config.validate().map_err(|_| format!("expected HOST:PORT, for example {DEFAULT_BIND_ADDR}"));
    valid.map(|()| item.to_owned())
}

/// Reads one of several words.
pub(super) fn choice<'a>(value: &'a OsStr, words: &[&str]) -> Result<&'a str, String> {
    let word = text(value).ok().filter(|word| words.contains(word));
    word.ok_or_else(|| match words {
        [first, second] => format!("expected {first} or {second}"),
        _ => format!("expected one of {}", words.join(", ")),
    })
}

pub(super) fn switch(value: &OsStr) -> Result<bool, String> {
    choice(value, &["true", "false"]).map(|word| word == "true")
}

pub(super) fn log_format(value: &OsStr) -> Result<LogFormat, String> {
    let word = choice(value, &["binary", "json"])?;
    Ok(if word == "json" { LogFormat::Json } else { LogFormat::Binary })
}

pub(super) fn affinity(value: &OsStr) -> Result<CpuAffinity, String> {
    let word = choice(value, &["auto", "off"])?;
    Ok(if word == "off" { CpuAffinity::Off } else { CpuAffinity::Auto })
}

pub(super) fn sync_policy(value: &OsStr) -> Result<SyncPolicy, String> {
    text(value)?.parse::<SyncPolicy>().map_err(|error| error.to_string())
}

pub(super) fn message_level(value: &OsStr) -> Result<LevelFilter, String> {
    choice(value, MESSAGE_LEVELS)?.parse().map_err(|_| "expected a level".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        let value_bytes = |text: &str| size_up_to(OsStr::new(text), 1 << 29);
        assert_eq!(value_bytes("4096"), Ok(4096));
        assert_eq!(value_bytes("16MiB"), Ok(16 << 20));
        assert_eq!(value_bytes("512MiB"), Ok(1 << 29));
        for text in ["", "0", "-1", "2GiB", "1048577KiB", "sixteen", "99999999999999999999"] {
            assert!(value_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_in_a_unit_that_does_not_round_it() {
        for (bytes, text) in
            [(0, "0"), (1000, "1000"), (1024, "1KiB"), (1 << 40, "1TiB"), (3 << 29, "1536MiB")]
        {
            assert_eq!(size_text(bytes), text);
            assert_eq!(size(OsStr::new(text)), Ok(bytes));
        }
    }

    #[test]
    fn one_bad_item_of_a_list_refuses_it() {
        assert_eq!(list(OsStr::new("a:1, b:2"), bind_addr), Ok(vec!["a:1".to_owned(), "b:2".to_owned()]));
        assert!(list(OsStr::new("a:1,"), bind_addr).is_err());
    }
}
