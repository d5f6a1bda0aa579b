//! Mistakes in a configuration, each with its place and the line there.

use std::fmt;
use std::path::PathBuf;

use crate::MessageFormat;

/// Most mistakes that are reported at once.
pub(super) const MAX_REPORTED_PROBLEMS: usize = 100;

/// A mistake in a configuration: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Sentence without a full stop.
    pub message: String,
    /// Place in the file, if it is a mistake there.
    pub place: Option<FilePlace>,
}

/// Place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Path of the file, as it was given.
    pub path: PathBuf,
    /// Number of the line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line, and below it carets at the mistake; empty if it must not be shown.
    pub excerpt: String,
}

/// All mistakes of a configuration, in the order of their places; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems {
    problems: Vec<ConfigProblem>,
    message_format: MessageFormat,
}

impl ConfigProblem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None }
    }
}

impl fmt::Display for ConfigProblem {
    /// Shows place, message and the line. It has several lines if there is one to show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else { return f.write_str(&self.message) };
        write!(f, "{}:{}:{}: {}", place.path.display(), place.line, place.column, self.message)?;
        if place.excerpt.is_empty() { Ok(()) } else { write!(f, "\n{}", place.excerpt) }
    }
}

impl ConfigProblems {
    pub(super) fn new(mut problems: Vec<ConfigProblem>, message_format: MessageFormat) -> Self {
        let found = problems.len();
        if found > MAX_REPORTED_PROBLEMS {
            problems.truncate(MAX_REPORTED_PROBLEMS);
            problems.push(ConfigProblem::new(format!(
                "and at least {} mistakes more",
                found - MAX_REPORTED_PROBLEMS
            )));
        }
        Self { problems, message_format }
    }

    /// Returns the mistakes.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigProblem> {
        self.problems.iter()
    }

    /// Returns the format in which to report them: the configured one, as far as it could be read.
    pub const fn message_format(&self) -> MessageFormat {
        self.message_format
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if number > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}
