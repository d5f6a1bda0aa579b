//! Error codes.

use std::fmt;

/// Code of an error, for programs: the first word after `ERROR` in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The line is not a well-formed command.
    Syntax,
    /// The command does not exist.
    UnknownCommand,
    /// A key, a value or the whole line is over its limit.
    TooLarge,
    /// The limit on connections is reached.
    TooManyConnections,
    /// The write would exceed the server's memory limit.
    OutOfMemory,
    /// The server refuses writes at present, for example because the disk is full.
    ReadOnly,
    /// The log failed; it is unknown whether the command took effect.
    Storage,
    /// The connection must authenticate first.
    AuthRequired,
    /// The user may not do this.
    Denied,
    /// The command took too long.
    Timeout,
    /// Another operation of a kind that runs one at a time is running.
    Busy,
    /// The stored value does not fit the command, for example because it is not a number.
    WrongType,
    /// The result is out of the command's range.
    OutOfRange,
    /// The key does not exist, and the command needs it.
    NoSuchKey,
    /// The server is stopping.
    ShuttingDown,
    /// Another server holds this key (reserved).
    Moved,
    /// A code of a newer server that this version does not know; the message starts with its name.
    Other,
}

impl ErrorCode {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 17] = [
        Self::Syntax,
        Self::UnknownCommand,
        Self::TooLarge,
        Self::TooManyConnections,
        Self::OutOfMemory,
        Self::ReadOnly,
        Self::Storage,
        Self::AuthRequired,
        Self::Denied,
        Self::Timeout,
        Self::Busy,
        Self::WrongType,
        Self::OutOfRange,
        Self::NoSuchKey,
        Self::ShuttingDown,
        Self::Moved,
        Self::Other,
    ];

    /// Returns the code's name on the wire, for example `UNKNOWN_COMMAND`.
    pub const fn as_str(self) -> &'static str {
        self.words().0
    }

    /// Returns the first word of an error in RESP, by which Redis's clients tell its kind. Where Redis has a sentence for it
    /// that clients may know, that is `ERR`; where it has none, it is a word of the code's own.
    pub const fn resp_kind(self) -> &'static str {
        self.words().1
    }

    /// Returns its words on the wire: in the text protocol, and in RESP.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Syntax => ("SYNTAX", "ERR"),
            Self::UnknownCommand => ("UNKNOWN_COMMAND", "ERR"),
            Self::TooLarge => ("TOO_LARGE", "TOOLARGE"),
            Self::TooManyConnections => ("TOO_MANY_CONNECTIONS", "ERR"),
            Self::OutOfMemory => ("OUT_OF_MEMORY", "OOM"),
            // Not READONLY, which makes clients assume a replica and look for another server.
            Self::ReadOnly => ("READ_ONLY", "MISCONF"),
            // Redis has no kind for "the outcome is unknown", and ERR would mean that nothing happened.
            Self::Storage => ("STORAGE", "STORAGE"),
            Self::AuthRequired => ("AUTH_REQUIRED", "NOAUTH"),
            Self::Denied => ("DENIED", "NOPERM"),
            Self::Timeout => ("TIMEOUT", "TIMEOUT"),
            Self::Busy => ("BUSY", "ERR"),
            Self::WrongType => ("WRONG_TYPE", "ERR"),
            Self::OutOfRange => ("OUT_OF_RANGE", "ERR"),
            Self::NoSuchKey => ("NO_SUCH_KEY", "ERR"),
            Self::ShuttingDown => ("SHUTTING_DOWN", "SHUTDOWN"),
            Self::Moved => ("MOVED", "MOVED"),
            Self::Other => ("OTHER", "ERR"),
        }
    }

    /// Returns the code with this name on the wire, if there is one.
    pub fn from_wire(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str().as_bytes() == name)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
