//! Figures of one worker. The worker alone changes them, so that serving threads share nothing; scrapes sum them.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rustvault_protocol::{Command, ErrorCode};

use super::counter;
use super::histogram::Histogram;
use super::listener_kind::ListenerKind;
use super::snapshot::MetricsSnapshot;

/// Figures of one worker.
///
/// The alignment keeps two workers' figures out of each other's cache lines, and of pairs of them, which processors prefetch.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct WorkerMetrics {
    commands: [CommandMetrics; Command::ALL.len()],
    /// Requests whose first word names no command.
    unknown: CommandMetrics,
    errors: [AtomicU64; ErrorCode::ALL.len()],
    hits: AtomicU64,
    misses: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

/// Figures of one command.
#[derive(Debug)]
struct CommandMetrics {
    answered: [AtomicU64; ListenerKind::ALL.len()],
    /// The number of commands that were refused before they were executed.
    rejected: AtomicU64,
    /// The number of commands that failed in their execution.
    failed: AtomicU64,
    /// Made when the first one is answered: most commands are never used.
    durations: OnceLock<Box<Histogram>>,
}

impl CommandMetrics {
    const fn new() -> Self {
        Self {
            answered: [const { AtomicU64::new(0) }; ListenerKind::ALL.len()],
            rejected: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            durations: OnceLock::new(),
        }
    }
}

/// An error in answer to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandError {
    /// The command was not executed: it is unknown, has wrong arguments, or the user may not do it.
    Rejected,
    /// Its execution failed.
    Failed,
}

impl WorkerMetrics {
    pub(super) fn new() -> Self {
        Self {
            commands: [const { CommandMetrics::new() }; Command::ALL.len()],
            unknown: CommandMetrics::new(),
            errors: [const { AtomicU64::new(0) }; ErrorCode::ALL.len()],
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    fn of(&self, command: Option<Command>) -> &CommandMetrics {
        let known = command.and_then(|command| self.commands.get(command as usize));
        known.unwrap_or(&self.unknown)
    }

    /// Records `count` answers to a command that shared one duration; `None` is an unknown command.
    #[inline]
    pub(crate) fn answered(
        &self,
        command: Option<Command>,
        listener: ListenerKind,
        duration: Duration,
        count: u64,
    ) {
        let command = self.of(command);
        if let Some(answered) = command.answered.get(listener as usize) {
            counter::add(answered, count);
        }
        command.durations.get_or_init(|| Box::new(Histogram::new())).record(duration, count);
    }

    /// Records an error in answer to a command.
    pub(crate) fn error(&self, command: Option<Command>, kind: CommandError, code: ErrorCode) {
        let command = self.of(command);
        counter::add(
            match kind {
                CommandError::Rejected => &command.rejected,
                CommandError::Failed => &command.failed,
            },
            1,
        );
        if let Some(errors) = self.errors.get(code as usize) {
            counter::add(errors, 1);
        }
    }

    /// Records values that were looked up: of keys that were there, and of keys that were not.
    #[inline]
    pub(crate) fn looked_up(&self, hits: u64, misses: u64) {
        counter::add(&self.hits, hits);
        counter::add(&self.misses, misses);
    }

    /// Records bytes of sockets.
    #[inline]
    pub(crate) fn count_traffic(&self, received_bytes: u64, sent_bytes: u64) {
        counter::add(&self.received_bytes, received_bytes);
        counter::add(&self.sent_bytes, sent_bytes);
    }

    /// Adds everything to a snapshot.
    pub(super) fn add_to(&self, snapshot: &mut MetricsSnapshot) {
        for (sum, command) in snapshot.commands.iter_mut().zip(self.commands.iter().chain([&self.unknown])) {
            for (sum, answered) in sum.answered.iter_mut().zip(&command.answered) {
                *sum = sum.wrapping_add(counter::get(answered));
            }
            sum.rejected = sum.rejected.wrapping_add(counter::get(&command.rejected));
            sum.failed = sum.failed.wrapping_add(counter::get(&command.failed));
            if let Some(durations) = command.durations.get() {
                durations.add_to(sum.durations.get_or_insert_default());
            }
        }
        for (sum, errors) in snapshot.errors.iter_mut().zip(&self.errors) {
            *sum = sum.wrapping_add(counter::get(errors));
        }
        snapshot.hits = snapshot.hits.wrapping_add(counter::get(&self.hits));
        snapshot.misses = snapshot.misses.wrapping_add(counter::get(&self.misses));
        snapshot.received_bytes = snapshot.received_bytes.wrapping_add(counter::get(&self.received_bytes));
        snapshot.sent_bytes = snapshot.sent_bytes.wrapping_add(counter::get(&self.sent_bytes));
    }
}
