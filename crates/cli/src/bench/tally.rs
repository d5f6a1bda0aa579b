//! Counts and latencies of a load.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::error::CliError;

/// Latencies are recorded to three decimal digits.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Longer latencies are recorded as this.
const MAX_LATENCY_NANOSECONDS: u64 = 3_600_000_000_000;

/// The kinds of commands that a load consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    Get,
    Set,
}

/// Results that the clients of one thread, or of all threads, have counted.
#[derive(Debug)]
pub(super) struct Tally {
    /// Latencies of good answers to GET, in nanoseconds.
    pub(super) gets: Histogram<u64>,
    /// Latencies of good answers to SET, in nanoseconds.
    pub(super) sets: Histogram<u64>,
    /// GETs whose key was not there.
    pub(super) misses: u64,
    /// Requests that were answered with an error, wrongly, or not at all.
    pub(super) errors: u64,
    /// Requests of connections that broke before it was their turn.
    pub(super) not_sent: u64,
    pub(super) first_error: Option<String>,
    /// When the last client ended.
    pub(super) ended: Option<Instant>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, CliError> {
        let (gets, sets) = (histogram()?, histogram()?);
        Ok(Self { gets, sets, misses: 0, errors: 0, not_sent: 0, first_error: None, ended: None })
    }

    pub(super) fn record(&mut self, kind: RequestKind, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        match kind {
            RequestKind::Get => self.gets.saturating_record(nanoseconds),
            RequestKind::Set => self.sets.saturating_record(nanoseconds),
        }
    }

    /// Counts `requests` failures of one reason.
    pub(super) fn fail(&mut self, requests: u64, reason: String) {
        self.errors += requests;
        self.first_error.get_or_insert(reason);
    }

    pub(super) fn merged(mut self, other: Self) -> Result<Self, CliError> {
        self.gets.add(&other.gets).map_err(internal)?;
        self.sets.add(&other.sets).map_err(internal)?;
        self.misses += other.misses;
        self.errors += other.errors;
        self.not_sent += other.not_sent;
        self.first_error = self.first_error.or(other.first_error);
        self.ended = self.ended.max(other.ended);
        Ok(self)
    }
}

fn histogram() -> Result<Histogram<u64>, CliError> {
    Histogram::new_with_bounds(1, MAX_LATENCY_NANOSECONDS, SIGNIFICANT_DIGITS).map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Runtime(io::Error::other(error))
}
