//! Error of a reload: why the configuration stays as it is.

use std::fmt;

use crate::ConfigError;

/// Reasons for which a configuration is not taken over, all at once. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadError {
    /// A sentence for each; one may have several lines.
    problems: Vec<String>,
}

impl ReloadError {
    /// Makes an error of sentences for people, each of which says what is wrong and what to do.
    pub fn new(problems: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { problems: problems.into_iter().map(Into::into).collect() }
    }

    /// Returns the problems, in the order in which they were found.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }
}

impl From<ConfigError> for ReloadError {
    fn from(error: ConfigError) -> Self {
        Self::new([error.to_string()])
    }
}

impl fmt::Display for ReloadError {
    /// Shows all problems in one line, for answers and `INFO`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems().enumerate() {
            let separator = if number > 0 { "; " } else { "" };
            let lines: Vec<_> = problem.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            write!(f, "{separator}{}", lines.join(" "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ReloadError {}
