//! Settings by the names that they have in Redis, with values as Redis writes them.

use rustvault_storage::SyncPolicy;

use crate::ServerConfig;
use crate::options::{ConfigOption, OptionKind};

/// Names of settings of Redis, and of the options that they are here.
const REDIS_NAMES: [(&str, &str); 8] = [
    ("appendfsync", "fsync"),
    ("latency-monitor-threshold", "latency-ms"),
    ("maxclients", "max-connections"),
    ("maxmemory", "max-memory"),
    ("proto-max-bulk-len", "max-value-bytes"),
    ("slowlog-log-slower-than", "slow-ms"),
    ("slowlog-max-len", "slow-log-entries"),
    ("timeout", "idle-timeout"),
];

/// Settings of Redis that have one value here.
const FIXED: [(&str, &str); 4] =
    [("appendonly", "yes"), ("databases", "1"), ("maxmemory-policy", "noeviction"), ("save", "")];

/// Returns the value of a setting of Redis that has one value here; the name is in lower case.
pub(super) fn fixed(name: &str) -> Option<&'static str> {
    FIXED.iter().find(|(fixed, _)| *fixed == name).map(|(_, only)| *only)
}

/// Finds an option by its name, or by that of the setting that it is in Redis; the name is in lower case.
pub(super) fn option(name: &str) -> Option<&'static ConfigOption> {
    let ours = REDIS_NAMES.iter().find(|(redis, _)| *redis == name).map_or(name, |(_, ours)| ours);
    ConfigOption::find(ours)
}

/// Returns whether the value of a setting may be shown. That of an unknown name may be a password: `requirepass` has one.
pub(crate) fn is_public_setting(name: &[u8]) -> bool {
    let name = str::from_utf8(name).unwrap_or_default().to_ascii_lowercase();
    let is_public = |option: &ConfigOption| !matches!(option.kind, OptionKind::Path | OptionKind::Secret);
    fixed(&name).is_some() || option(&name).is_some_and(is_public)
}

/// Returns the settings by their names in Redis, with values as Redis writes them. `tcp-keepalive` has one name in both.
pub(super) fn all(config: &ServerConfig) -> Vec<(&'static str, String)> {
    let value = |name: &str| match name {
        "appendfsync" => match config.sync_policy {
            SyncPolicy::Always => "always".to_owned(),
            SyncPolicy::Never => "no".to_owned(),
            _ => "everysec".to_owned(),
        },
        "latency-monitor-threshold" => {
            config.latency_threshold.map_or(0, |least| least.as_micros().div_ceil(1000)).to_string()
        }
        "maxclients" => config.max_connections.to_string(),
        "maxmemory" => config.max_memory_bytes.unwrap_or(0).to_string(),
        "proto-max-bulk-len" => config.max_value_bytes.to_string(),
        "slowlog-log-slower-than" => {
            config.slow_threshold.map_or_else(|| "-1".to_owned(), |slow| slow.as_micros().to_string())
        }
        "slowlog-max-len" => config.slow_log_entries.to_string(),
        _ => config.idle_timeout.map_or(0, |timeout| timeout.as_secs()).to_string(),
    };
    let fixed = FIXED.map(|(name, value)| (name, value.to_owned()));
    REDIS_NAMES.iter().map(|(name, _)| (*name, value(name))).chain(fixed).collect()
}

/// Returns a value that a client has sent for a setting as the option reads it.
pub(super) fn value(name: &str, sent: &str) -> Result<String, String> {
    match name {
        "latency-monitor-threshold" => {
            let ms = sent.parse().ok().filter(|ms: &u64| *ms <= u64::from(u32::MAX));
            let expected = "expected a number of whole milliseconds, or 0 for never";
            ms.map(|ms| ms.to_string()).ok_or_else(|| expected.to_owned())
        }
        "maxmemory" => Ok(memory(sent)),
        "slowlog-log-slower-than" => micros(sent),
        _ => Ok(sent.to_owned()),
    }
}

/// Returns a number of microseconds in milliseconds. In Redis −1 is never and 0 is every command: here the shortest time that can
/// be set, which every command exceeds.
fn micros(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(-1) => Ok("0".to_owned()),
        Ok(micros @ 0..) => {
            let micros: i64 = micros;
            let micros = micros.max(1);
            Ok(format!("{}.{:03}", micros / 1000, micros % 1000))
        }
        _ => Err("expected a number of whole microseconds, 0 for every command, or -1 for none".to_owned()),
    }
}

/// Returns a size as Redis reads it, `100mb` being 100 × 1024 × 1024 bytes, in bytes; any other text as it is.
fn memory(text: &str) -> String {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return text.to_owned(),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.map_or_else(|| text.to_owned(), |bytes| bytes.to_string())
}
