//! Families of commands.

use super::samples::{HistogramValue, Samples};
use crate::engine::Engine;
use crate::metrics::family::MetricFamily;
use crate::metrics::histogram::HistogramSnapshot;
use crate::metrics::{ListenerKind, MetricsSnapshot};

pub(super) static FAMILIES: [&MetricFamily; 7] =
    [&COMMANDS, &DURATION, &SLOW, &LOOK_UPS, &REJECTED, &FAILED, &ERRORS];

static COMMANDS: MetricFamily = MetricFamily::counter(
    "rustvault_commands_total",
    &["command", "listener"],
    "Answered commands, by name (unknown: there is no such command) and by the kind of listener (tcp, tls, unix)",
    "A sudden change is a change of the clients. `unknown` grows if a client needs a command that is not served",
);

static DURATION: MetricFamily = MetricFamily::histogram(
    "rustvault_command_duration_seconds",
    &["command"],
    "Time from reading a command's batch to its answer leaving, sync included; all commands of a submit share it",
    "If writes are slow and reads are not, look at the log's stages; if all are slow, at the processor and the clients' pipelines",
);

static SLOW: MetricFamily = MetricFamily::counter(
    "rustvault_slow_commands_total",
    &[],
    "Entries of the slow log (--slow-ms); commands that are answered together make one",
    "`SLOWLOG GET` and the messages `slow command` have command, client and user. A command on the whole keyspace is slow by itself; \
     writes are slow if the log is",
);

static LOOK_UPS: MetricFamily = MetricFamily::counter(
    "rustvault_key_lookups_total",
    &["result"],
    "Keys whose values clients asked for (GET and the like, each key of an MGET), by result (hit: it was there, miss: it was not)",
    "Many misses in a cache: its keys are deleted too early, or clients ask for others than they store",
);

static REJECTED: MetricFamily = MetricFamily::counter(
    "rustvault_commands_rejected_total",
    &["command"],
    "Commands that were refused before they were executed: unknown, with wrong arguments, or not allowed",
    "Look for the client whose code, user or rights are wrong: denied commands are in the audit messages",
);

static FAILED: MetricFamily = MetricFamily::counter(
    "rustvault_commands_failed_total",
    &["command"],
    "Commands whose execution failed",
    "`rustvault_command_errors_total` has the reasons",
);

static ERRORS: MetricFamily = MetricFamily::counter(
    "rustvault_command_errors_total",
    &["code"],
    "Error answers, by the code of the text protocol",
    "OUT_OF_MEMORY: raise --max-memory or delete keys. READ_ONLY: see `rustvault_read_only`. STORAGE: the log has failed. DENIED, \
     AUTH_REQUIRED: look at the audit messages. Others are mistakes of clients",
);

/// Name of the commands that do not exist.
const UNKNOWN: &str = "unknown";

/// Adds the figures of commands. A command has series once it was answered: there are many, and most are never used.
pub(super) fn collect<S>(engine: &Engine<S>, metrics: &MetricsSnapshot, samples: &mut Samples) {
    samples.count(&SLOW, &[], engine.slow_log.total());
    samples.count(&LOOK_UPS, &["hit"], metrics.hits);
    samples.count(&LOOK_UPS, &["miss"], metrics.misses);
    let unknown = Some(metrics.unknown_commands()).filter(|figures| figures.total() > 0);
    let unknown = unknown.map(|figures| (UNKNOWN.to_owned(), figures.clone()));
    for (name, figures) in metrics.commands_by_name().into_iter().chain(unknown) {
        for (listener, answered) in ListenerKind::ALL.iter().zip(figures.answered) {
            if answered > 0 {
                samples.count(&COMMANDS, &[&name, listener.name()], answered);
            }
        }
        if let Some(durations) = &figures.durations {
            samples.histogram(&DURATION, &[&name], value(durations));
        }
        samples.count(&REJECTED, &[&name], figures.rejected);
        samples.count(&FAILED, &[&name], figures.failed);
    }
    for (code, count) in metrics.errors() {
        samples.count(&ERRORS, &[code.as_str()], count);
    }
}

fn value(durations: &HistogramSnapshot) -> HistogramValue {
    HistogramValue {
        count: durations.count(),
        sum: durations.sum().as_secs_f64(),
        buckets: durations.octaves().map(|(upper, count)| (upper.as_secs_f64(), count)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustvault_protocol::Command;

    use super::*;
    use crate::ServerConfig;

    #[test]
    fn a_command_has_series_once_it_was_answered() {
        let (engine, mut samples) = (Engine::new((), &ServerConfig::default()), Samples::default());
        let worker = engine.metrics.worker(0);
        worker.answered(Some(Command::ClientId), ListenerKind::Unix, Duration::from_micros(3), 2);
        collect(&engine, &engine.metrics.snapshot(), &mut samples);
        let text = samples.into_text();
        let has = |line: &str| text.contains(&format!("\n{line}\n"));
        assert!(has("rustvault_commands_total{command=\"client|id\",listener=\"unix\"} 2"), "{text}");
        let buckets = [("2.048e-06", 0), ("4.096e-06", 2), ("+Inf", 2)];
        for (le, count) in buckets {
            let line = format!(
                "rustvault_command_duration_seconds_bucket{{command=\"client|id\",le=\"{le}\"}} {count}"
            );
            assert!(has(&line), "{line}\n{text}");
        }
        assert!(has("rustvault_command_duration_seconds_sum{command=\"client|id\"} 0.000006"), "{text}");
        assert_eq!(text.matches("rustvault_commands_total{").count(), 1);
    }
}
