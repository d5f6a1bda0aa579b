//! Why the program failed: the message, the exit code, and the fields of its JSON form.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use rustvault_protocol::ErrorCode;
use rustvault_storage::offline::LoadError;
use thiserror::Error;

use crate::bench::never_sent;
use crate::output::keys;
use crate::{help, names};

/// Advice where the server wants a login.
const LOGIN_HINT: &str = "log in with --user NAME; the password comes from --password-file FILE, RUSTVAULT_PASSWORD or \
    a prompt; in a session also with AUTH";

/// Why the program could not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// The arguments or a line of the session are not well-formed; the text says how to do it.
    #[error("{0}")]
    Usage(String),
    /// The server could not be reached, did not answer, or answered with an error.
    #[error(transparent)]
    Client(#[from] rustvault_client::Error),
    /// The server answered a command that has no form of its own here with an error: its line in RESP.
    #[error("{line}")]
    Answer { line: String, code: ErrorCode, words: Vec<Bytes> },
    /// A line that was to be imported is no key with its value.
    #[error("line {line}: {reason}; before it, {} had been stored", keys(*stored))]
    BadEntry { line: u64, reason: String, stored: u64 },
    /// An import ended before its lines did.
    #[error("{source}; {} had been stored", keys(*stored))]
    Import { stored: u64, source: Box<CliError> },
    /// A log file could not be worked on.
    #[error(transparent)]
    Storage(#[from] rustvault_storage::Error),
    /// Lines could not be loaded into a log file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file of users could not be changed or read.
    #[error(transparent)]
    Users(#[from] rustvault_users::edit::EditError),
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot read standard input: {0}")]
    Input(#[source] io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] rustyline::error::ReadlineError),
    /// Ctrl-C ended the wait for a command of a session; the text says what that leaves open.
    #[error("interrupted{0}")]
    Interrupted(&'static str),
    /// A line of a script failed; those after it were not run.
    #[error("line {line}: {source}")]
    Line { line: u64, source: Box<CliError> },
    #[error("cannot connect client {client} of {clients} to {addr}: {source}")]
    BenchConnect { client: u32, clients: u32, addr: String, source: io::Error },
    #[error("cannot make a connection ready for the load: {0}")]
    BenchLogin(String),
    #[error("no password: {0}")]
    Password(#[source] io::Error),
    #[error("no answer for {}, after {answered} of {requests} requests", humantime::format_duration(*timeout))]
    BenchStalled { timeout: Duration, answered: u64, requests: u64 },
    #[error(
        "{clients} clients need {needed} open files, but the limit is {limit}; raise it with 'ulimit -Hn'"
    )]
    OpenFiles { clients: u32, needed: u64, limit: u64 },
    /// The bench ran and was reported, but not every answer was right.
    #[error("{errors} of {requests} requests failed{}; the first: {first}", never_sent(*not_sent))]
    BenchErrors { errors: u64, not_sent: u64, requests: u64, first: String },
}

impl CliError {
    /// Tells the server's error to a command that has no form of its own here from others.
    pub(crate) fn of_command(error: rustvault_client::Error, words: &[Bytes]) -> Self {
        match error.reply() {
            Some(reply) => Self::Answer {
                line: String::from_utf8_lossy(reply.line()).into_owned(),
                code: reply.code,
                words: words.to_vec(),
            },
            None => error.into(),
        }
    }

    /// Returns what may help whoever typed what the server refused.
    pub(crate) fn hint(&self) -> Option<String> {
        if self.needs_login() {
            return Some(LOGIN_HINT.to_owned());
        }
        match self {
            Self::Answer { code, words, .. } => match names::find_row(words) {
                None => words.first().and_then(|name| names::advise_on(name)),
                Some((spec, name_words)) => {
                    let is_malformed =
                        *code == ErrorCode::Syntax || !spec.arity.admits(words.len() - name_words);
                    is_malformed.then(|| format!("usage: {}", help::usage(spec)))
                }
            },
            Self::Line { source, .. } => source.hint(),
            _ => None,
        }
    }

    /// Returns whether the server wants somebody to log in.
    pub(crate) fn needs_login(&self) -> bool {
        match self {
            Self::BenchErrors { first, .. } => {
                let code = ErrorCode::AuthRequired;
                first.starts_with(code.as_str()) || first.starts_with(code.resp_kind())
            }
            _ => self.server_code().is_some_and(|code| code == ErrorCode::AuthRequired.as_str()),
        }
    }

    /// The process's exit code for this error, as `--help` documents it.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind() {
            FailureKind::Server | FailureKind::Io | FailureKind::Users | FailureKind::Interrupted => 1,
            FailureKind::Usage => 2,
            FailureKind::Log => 3,
            FailureKind::Connection | FailureKind::Timeout => 4,
        }
    }

    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Usage(_) => FailureKind::Usage,
            Self::Interrupted(_) => FailureKind::Interrupted,
            Self::Client(source) if source.is_wrong_setting() => FailureKind::Usage,
            Self::Client(source) if source.is_timeout() => FailureKind::Timeout,
            Self::Client(source) if source.is_not_connected() => FailureKind::Connection,
            Self::BenchConnect { .. } => FailureKind::Connection,
            Self::BenchStalled { .. } => FailureKind::Timeout,
            Self::Client(_) | Self::Answer { .. } | Self::BenchErrors { .. } | Self::BenchLogin(_) => {
                FailureKind::Server
            }
            Self::BadEntry { .. } | Self::Password(_) => FailureKind::Usage,
            Self::Storage(source) | Self::Load(LoadError::Store(source)) if source.is_bad_log() => {
                FailureKind::Log
            }
            Self::Load(LoadError::BadLine { .. }) => FailureKind::Log,
            Self::Users(_) => FailureKind::Users,
            Self::Storage(_)
            | Self::Load(_)
            | Self::Open { .. }
            | Self::Read { .. }
            | Self::Input(_)
            | Self::Output(_)
            | Self::Runtime(_)
            | Self::Terminal(_)
            | Self::OpenFiles { .. } => FailureKind::Io,
            Self::Line { source, .. } | Self::Import { source, .. } => source.kind(),
        }
    }

    /// The server's error code, if it answered with one.
    pub(crate) fn server_code(&self) -> Option<String> {
        match self {
            Self::Client(source) => source.code().map(|code| code.to_string()),
            Self::Answer { code, .. } => Some(code.to_string()),
            Self::Line { source, .. } | Self::Import { source, .. } => source.server_code(),
            _ => None,
        }
    }

    /// The number of the script's line that failed, from 1.
    pub(crate) fn line(&self) -> Option<u64> {
        match self {
            Self::Line { line, .. }
            | Self::BadEntry { line, .. }
            | Self::Load(LoadError::BadLine { line, .. }) => Some(*line),
            _ => None,
        }
    }

    /// Returns whether the reader of our output has gone, as in `scan | head -1`: the wanted end of a program.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            // A log is a file: a pipe is what its records are written to.
            Self::Storage(rustvault_storage::Error::Io { source, .. }) => {
                source.kind() == io::ErrorKind::BrokenPipe
            }
            Self::Line { source, .. } | Self::Import { source, .. } => source.is_broken_pipe(),
            _ => false,
        }
    }
}

/// Whose failure it is; `kind` in the JSON form of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Usage,
    Server,
    Io,
    Connection,
    Timeout,
    Log,
    Users,
    Interrupted,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usage => "usage",
            Self::Server => "server",
            Self::Io => "io",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Log => "log",
            Self::Users => "users",
            Self::Interrupted => "interrupted",
        })
    }
}
