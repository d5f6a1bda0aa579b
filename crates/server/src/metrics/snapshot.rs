//! The sum of all workers' figures at one moment.

use std::collections::BTreeMap;

use rustvault_protocol::{Command, ErrorCode};

use super::histogram::HistogramSnapshot;
use super::listener_kind::ListenerKind;

/// The sum of all workers' figures at one moment.
#[derive(Debug, Clone)]
pub(crate) struct MetricsSnapshot {
    /// In the order of [`Command::ALL`], and behind those the requests whose first word names no command.
    pub(super) commands: Box<[CommandSnapshot]>,
    pub(super) errors: [u64; ErrorCode::ALL.len()],
    /// Values that were looked up and were there.
    pub(crate) hits: u64,
    /// Values that were looked up and were not there.
    pub(crate) misses: u64,
    /// Bytes that sockets have received.
    pub(crate) received_bytes: u64,
    /// Bytes that sockets have sent.
    pub(crate) sent_bytes: u64,
}

/// Figures of one command.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandSnapshot {
    /// Answered ones, also with an error, by the kind of listener.
    pub(crate) answered: [u64; ListenerKind::ALL.len()],
    /// The number of them that were refused before they were executed.
    pub(crate) rejected: u64,
    /// The number of them that failed in their execution.
    pub(crate) failed: u64,
    /// Times from reading a batch to its answer leaving; `None` if there was none.
    pub(crate) durations: Option<HistogramSnapshot>,
}

impl CommandSnapshot {
    /// Returns the number of answers.
    pub(crate) fn total(&self) -> u64 {
        self.answered.iter().sum()
    }

    /// Adds the figures of a command that has the same name in another protocol.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, other) in self.answered.iter_mut().zip(&other.answered) {
            *sum = sum.wrapping_add(*other);
        }
        self.rejected = self.rejected.wrapping_add(other.rejected);
        self.failed = self.failed.wrapping_add(other.failed);
        if let Some(other) = &other.durations {
            self.durations.get_or_insert_default().add(other);
        }
    }

    fn subtract(&mut self, earlier: &Self) {
        for (sum, earlier) in self.answered.iter_mut().zip(&earlier.answered) {
            *sum = sum.wrapping_sub(*earlier);
        }
        self.rejected = self.rejected.wrapping_sub(earlier.rejected);
        self.failed = self.failed.wrapping_sub(earlier.failed);
        if let (Some(durations), Some(earlier)) = (&mut self.durations, &earlier.durations) {
            durations.subtract(earlier);
        }
    }
}

impl Default for MetricsSnapshot {
    fn default() -> Self {
        Self {
            commands: vec![CommandSnapshot::default(); Command::ALL.len() + 1].into_boxed_slice(),
            errors: [0; ErrorCode::ALL.len()],
            hits: 0,
            misses: 0,
            received_bytes: 0,
            sent_bytes: 0,
        }
    }
}

impl MetricsSnapshot {
    /// Returns the figures of each command; the last ones, without a command, are those of unknown commands.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (Option<Command>, &CommandSnapshot)> {
        let names = Command::ALL.iter().copied().map(Some).chain([None]);
        names.zip(self.commands.iter())
    }

    /// Returns the figures of each command that was answered, by its name in lower case, without those of unknown commands. The protocols
    /// share some names: whoever reads the figures expects each once.
    pub(crate) fn commands_by_name(&self) -> BTreeMap<String, CommandSnapshot> {
        let mut by_name: BTreeMap<_, CommandSnapshot> = BTreeMap::new();
        for (command, figures) in self.commands() {
            let Some(command) = command.filter(|_| figures.total() > 0) else { continue };
            by_name.entry(command.name().to_lowercase()).or_default().add(figures);
        }
        by_name
    }

    /// Returns the figures of requests whose first word names no command.
    pub(crate) fn unknown_commands(&self) -> &CommandSnapshot {
        // There is always one: the last.
        &self.commands[Command::ALL.len()]
    }

    /// Returns the number of errors by code.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        ErrorCode::ALL.into_iter().zip(self.errors)
    }

    /// Returns the number of answered commands.
    pub(crate) fn total_commands(&self) -> u64 {
        self.commands.iter().map(CommandSnapshot::total).sum()
    }

    /// Returns the number of errors.
    pub(crate) fn total_errors(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// Subtracts what an earlier snapshot has.
    pub(super) fn subtract(&mut self, earlier: &Self) {
        for (command, earlier) in self.commands.iter_mut().zip(earlier.commands.iter()) {
            command.subtract(earlier);
        }
        for (sum, earlier) in self.errors.iter_mut().zip(&earlier.errors) {
            *sum = sum.wrapping_sub(*earlier);
        }
        self.hits = self.hits.wrapping_sub(earlier.hits);
        self.misses = self.misses.wrapping_sub(earlier.misses);
        self.received_bytes = self.received_bytes.wrapping_sub(earlier.received_bytes);
        self.sent_bytes = self.sent_bytes.wrapping_sub(earlier.sent_bytes);
    }
}
