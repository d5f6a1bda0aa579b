//! Fields of `INFO`: RustVault's own for both protocols, and before them Redis's for RESP. docs/redis-tools.md lists those of Redis.

mod commands;
mod cpu;
mod memory;
mod persistence;
mod rates;
mod rustvault;
mod server;
mod stats;

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::sync::Arc;

use arc_swap::Guard;
use rustvault_storage::Stats;

use crate::ServerConfig;
use crate::engine::Engine;
use crate::metrics::MetricsSnapshot;

pub(crate) use memory::MemoryUsage;
pub(crate) use rates::RateSampler;

/// Name and value of a field.
pub(crate) type Field = (Cow<'static, str>, String);

/// Names of sections that stand for several. The first one stands for those that are also shown when no section is named.
const SEVERAL: [&str; 3] = ["default", "all", "everything"];

/// State of the server at one moment, which the fields are made of.
pub(crate) struct InfoState<'a, S> {
    engine: &'a Engine<S>,
    config: Guard<Arc<ServerConfig>>,
    stats: &'a Stats,
    /// Since the last `CONFIG RESETSTAT`.
    metrics: MetricsSnapshot,
    /// Fields that could reveal writes that are not durable are omitted without it.
    show_data: bool,
}

/// A section of `INFO` in RESP.
struct Section<S> {
    name: &'static str,
    /// Set if it is shown when no section is named, as in Redis.
    is_default: bool,
    fields: fn(&InfoState<'_, S>) -> Vec<Field>,
}

impl<S> Section<S> {
    /// Returns the sections, in the order of Redis.
    fn all() -> [Self; 14] {
        let section = |name, fields| Self { name, is_default: true, fields };
        let detail = |name, fields| Self { name, is_default: false, fields };
        [
            section("Server", server::server),
            section("Clients", server::clients),
            section("Memory", memory::fields),
            section("Persistence", persistence::fields),
            section("Stats", stats::fields),
            section("Replication", server::replication),
            section("CPU", cpu::fields),
            section("Modules", |_| Vec::new()),
            detail("Commandstats", commands::command_stats),
            section("Errorstats", commands::error_stats),
            detail("Latencystats", commands::latency_stats),
            section("Cluster", server::cluster),
            section("Keyspace", server::keyspace),
            section("RustVault", rustvault::fields),
        ]
    }

    fn is_wanted(&self, names: &[&[u8]]) -> bool {
        let is = |name: &[u8], known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let [default, several @ ..] = SEVERAL;
        let is_meant = |name: &&[u8]| {
            is(name, self.name)
                || several.iter().any(|all| is(name, all))
                || (self.is_default && is(name, default))
        };
        if names.is_empty() { self.is_default } else { names.iter().any(is_meant) }
    }
}

impl<'a, S> InfoState<'a, S> {
    /// Collects the state; without `show_data` the fields are omitted that could reveal writes that are not durable.
    pub(crate) fn new(engine: &'a Engine<S>, stats: &'a Stats, show_data: bool) -> Self {
        Self { engine, config: engine.config(), stats, metrics: engine.metrics.since_reset(), show_data }
    }

    /// Returns RustVault's own fields.
    pub(crate) fn of_rustvault(&self) -> impl Iterator<Item = Field> {
        rustvault::fields(self).into_iter().filter(|(name, _)| self.shows(name))
    }

    /// Returns the named sections in Redis's format, or the default ones if no section is named.
    pub(crate) fn sections(&self, names: &[&[u8]]) -> String {
        let mut text = String::new();
        for section in Section::all().iter().filter(|section: &&Section<S>| section.is_wanted(names)) {
            let separator = if text.is_empty() { "" } else { "\r\n" };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}# {}\r\n", section.name);
            for (name, value) in (section.fields)(self).iter().filter(|(name, _)| self.shows(name)) {
                let _ = write!(text, "{name}:{value}\r\n");
            }
        }
        text
    }

    /// Returns the memory, as `MEMORY` reports it.
    pub(crate) fn memory(&self) -> MemoryUsage {
        MemoryUsage::new(self)
    }

    fn shows(&self, name: &str) -> bool {
        self.show_data || !is_of_data(name)
    }
}

/// Makes fields of their names and values.
fn fields<const N: usize>(figures: [(&'static str, &dyn Display); N]) -> Vec<Field> {
    figures.map(|(name, value)| (name.into(), one_line(&value.to_string()))).into()
}

/// Makes fields that always have the same value, because the server has nothing of the kind.
fn constants(value: &str, names: &'static str) -> impl Iterator<Item = Field> {
    names.split_ascii_whitespace().map(move |name| (name.into(), value.to_owned()))
}

/// Returns whether a field depends on the data, and so could reveal writes that are not durable.
fn is_of_data(name: &str) -> bool {
    const OF_DATA: &str = "keys used_bytes live_bytes log_bytes batches peak_batch_records used_memory used_memory_human \
        used_memory_dataset used_memory_peak_perc mem_fragmentation_ratio mem_fragmentation_bytes aof_current_size aof_base_size db0";
    OF_DATA.split(' ').any(|of_data| of_data == name)
}

/// Returns the text without control characters: a line break in a value would begin another field.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
