//! Errors that end a row, or the whole comparison.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a row, or the whole comparison, cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error("cannot {action}: {source}")]
    System { action: String, source: io::Error },

    #[error("cargo cannot build {program}: {message}")]
    Build { program: &'static str, message: String },

    #[error(
        "{folder} is on {file_system}, where a sync costs nothing; point CARGO_TARGET_DIR at a real disk"
    )]
    NotADisk { folder: String, file_system: String },

    #[error("{server} ended at its start ({status}); its log ends with: {log}")]
    ServerEnded { server: &'static str, status: ExitStatus, log: String },

    #[error("{server} did not stop cleanly ({status})")]
    BadStop { server: &'static str, status: ExitStatus },

    #[error("{server} could not compact its log: {message}")]
    Compaction { server: &'static str, message: String },

    #[error("{server} does not speak RESP as this needs it: it answered {command} with {reply}")]
    Reply { server: &'static str, command: &'static str, reply: String },

    #[error("{server} has {found} keys where there should be {expected}")]
    Keys { server: &'static str, expected: u64, found: u64 },

    #[error("{program} failed ({status}): {message}")]
    ProgramFailed { program: &'static str, status: ExitStatus, message: String },

    #[error("{program} printed what is no result: {text:?}")]
    NoResult { program: &'static str, text: String },

    #[error("{what} took longer than {limit:?}")]
    TimedOut { what: String, limit: Duration },

    #[error("{needed} files must be open at a time, and the hard limit is {limit}: raise it (ulimit -Hn)")]
    OpenFiles { needed: u64, limit: u64 },

    #[error("the attack {name:?} was not answered as it should be: {message}")]
    Attack { name: &'static str, message: String },

    #[error("a goal is about {name:?}, which is no figure of its row; mend rows/list.rs")]
    NoFigure { name: &'static str },

    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),

    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// For `map_err`: what could not be done, in the words that follow "cannot".
    pub(crate) fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action: action.into(), source }
    }
}
