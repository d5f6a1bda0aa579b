//! The report of a run, as a table and as JSON.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::tally::Tally;
use crate::args::{BenchArgs, BenchProtocol};

/// The results of a run; its fields are those of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    protocol: BenchProtocol,
    clients: u32,
    pipeline: u32,
    requests: u64,
    value_bytes: usize,
    keys: u64,
    reads_percent: u8,
    elapsed_seconds: f64,
    requests_per_second: f64,
    errors: u64,
    not_sent: u64,
    first_error: Option<String>,
    commands: Vec<CommandReport>,
}

#[derive(Debug, Serialize)]
struct CommandReport {
    command: &'static str,
    requests: u64,
    not_found: u64,
    requests_per_second: f64,
    p50_microseconds: f64,
    p95_microseconds: f64,
    p99_microseconds: f64,
    max_microseconds: f64,
}

impl Report {
    pub(super) fn new(bench: &BenchArgs, elapsed: Duration, tally: &Tally) -> Self {
        let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let commands = [
            CommandReport::new("GET", &tally.gets, tally.misses, seconds),
            CommandReport::new("SET", &tally.sets, 0, seconds),
        ];
        Self {
            protocol: bench.protocol,
            clients: bench.clients,
            pipeline: bench.pipeline,
            requests: bench.requests,
            value_bytes: bench.value_bytes,
            keys: bench.keys,
            reads_percent: bench.reads,
            elapsed_seconds: seconds,
            requests_per_second: (tally.gets.len() + tally.sets.len()) as f64 / seconds,
            errors: tally.errors,
            not_sent: tally.not_sent,
            first_error: tally.first_error.clone(),
            commands: commands.into_iter().filter(|command| command.requests > 0).collect(),
        }
    }

    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|text| text + "\n")
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{} requests, {} clients, {} protocol, pipeline {}, {}-byte values, {} keys, {}% reads\n\
             {:.2} s, {:.0} requests/s, {} errors{}\n\n",
            self.requests,
            self.clients,
            self.protocol,
            self.pipeline,
            self.value_bytes,
            self.keys,
            self.reads_percent,
            self.elapsed_seconds,
            self.requests_per_second,
            self.errors,
            never_sent(self.not_sent)
        );
        let header =
            ["", "requests", "not found", "requests/s", "p50", "p95", "p99", "max"].map(str::to_owned);
        for row in std::iter::once(header).chain(self.commands.iter().map(CommandReport::cells)) {
            let [command, numbers @ ..] = row;
            let _ = write!(text, "{command:<4}");
            for cell in numbers {
                let _ = write!(text, "{cell:>12}");
            }
            text.push('\n');
        }
        text
    }
}

impl CommandReport {
    fn new(command: &'static str, nanoseconds: &Histogram<u64>, not_found: u64, seconds: f64) -> Self {
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1_000.0;
        let quantile = |quantile| microseconds(nanoseconds.value_at_quantile(quantile));
        Self {
            command,
            requests: nanoseconds.len(),
            not_found,
            requests_per_second: nanoseconds.len() as f64 / seconds,
            p50_microseconds: quantile(0.50),
            p95_microseconds: quantile(0.95),
            p99_microseconds: quantile(0.99),
            max_microseconds: microseconds(nanoseconds.max()),
        }
    }

    fn cells(&self) -> [String; 8] {
        [
            self.command.to_owned(),
            self.requests.to_string(),
            self.not_found.to_string(),
            format!("{:.0}", self.requests_per_second),
            milliseconds(self.p50_microseconds),
            milliseconds(self.p95_microseconds),
            milliseconds(self.p99_microseconds),
            milliseconds(self.max_microseconds),
        ]
    }
}

/// A part of a sentence about requests that were not sent, if there are any.
pub(crate) fn never_sent(requests: u64) -> String {
    if requests == 0 { String::new() } else { format!(", {requests} requests never sent") }
}

fn milliseconds(microseconds: f64) -> String {
    format!("{:.3} ms", microseconds / 1_000.0)
}
