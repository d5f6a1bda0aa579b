//! The codes of errors.

use std::fmt;

/// The first word after `ERROR` in an answer: what kind of error, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The line is not a well-formed command.
    Syntax,
    /// There is no such command.
    UnknownCommand,
    /// A key, a value or the whole line is over its limit.
    TooLarge,
    /// The server serves as many connections as it may.
    TooManyConnections,
    /// The write would pass the server's memory limit.
    OutOfMemory,
    /// The server takes no writes now, for example because the disk is full.
    ReadOnly,
    /// The log failed; it is unknown whether the command took effect.
    Storage,
    /// The connection has to authenticate first.
    AuthRequired,
    /// The user may not do this.
    Denied,
    /// It took too long.
    Timeout,
    /// Something of which there is one at a time is under way.
    Busy,
    /// The stored value is not what the command works on, for example no number.
    WrongType,
    /// The result would be beyond what the command can hold.
    OutOfRange,
    /// There is no such key, and the command needs one.
    NoSuchKey,
    /// The server is stopping.
    ShuttingDown,
    /// Another server holds this key (reserved).
    Moved,
    /// A code that this version does not know, from a newer server; the message starts with its name.
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

    /// The code as it stands on the wire, for example `UNKNOWN_COMMAND`.
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
            // Not READONLY: clients take that for a replica and look for another server.
            Self::ReadOnly => ("READ_ONLY", "MISCONF"),
            // Redis has nothing for "the outcome is unknown", and ERR would say that nothing happened.
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

    /// The code with this name on the wire, if there is one.
    pub fn from_wire(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str().as_bytes() == name)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
