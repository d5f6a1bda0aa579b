//! Errors: their codes on the wire, and why bytes are no command or answer.

use std::fmt;

use thiserror::Error;

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
    /// The server is stopping.
    ShuttingDown,
    /// Another server holds this key (reserved).
    Moved,
    /// A code that this version does not know, from a newer server; the message starts with its name.
    Other,
}

impl ErrorCode {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 13] = [
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
        Self::ShuttingDown,
        Self::Moved,
        Self::Other,
    ];

    /// The code as it stands on the wire, for example `UNKNOWN_COMMAND`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "SYNTAX",
            Self::UnknownCommand => "UNKNOWN_COMMAND",
            Self::TooLarge => "TOO_LARGE",
            Self::TooManyConnections => "TOO_MANY_CONNECTIONS",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::ReadOnly => "READ_ONLY",
            Self::Storage => "STORAGE",
            Self::AuthRequired => "AUTH_REQUIRED",
            Self::Denied => "DENIED",
            Self::Timeout => "TIMEOUT",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Moved => "MOVED",
            Self::Other => "OTHER",
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

/// Why bytes are not a command or an answer. [`code`](Self::code) gives the code that a server answers with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The line is not a well-formed command or answer; the text says what was expected.
    #[error("{0}")]
    Syntax(&'static str),
    /// The first word is no command; it is shown shortened and escaped.
    #[error("unknown command '{0}'; commands are SET GET DELETE EXISTS COUNT SCAN PING INFO COMPACT QUIT")]
    UnknownCommand(String),
    /// The first line of a connection begins with a word that is no command; it is shown shortened and escaped.
    ///
    /// Only a [guarded](crate::RequestParser::guarded) parser reports it, and the connection is to be closed.
    #[error(
        "unknown command '{0}' in the first line; the connection is closed, because its client seems to speak another \
        protocol; commands are SET GET DELETE EXISTS COUNT SCAN PING INFO COMPACT QUIT"
    )]
    UnknownFirstCommand(String),
    /// The line belongs to a request of HTTP.
    ///
    /// Only a [guarded](crate::RequestParser::guarded) parser reports it, and the connection is to be closed.
    #[error("this is a request of HTTP, which is not spoken here; the connection is closed")]
    Http,
    /// The key is over its limit.
    #[error("key of {len_bytes} bytes is over the limit of {max_bytes}")]
    KeyTooLarge {
        /// The key's length.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The value is over its limit.
    #[error("value of {len_bytes} bytes is over the limit of {max_bytes}")]
    ValueTooLarge {
        /// The value's length.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The line is longer than its key and value may be; it is skipped to its end.
    #[error("line is longer than {max_bytes} bytes, not counting what escapes add")]
    LineTooLong {
        /// The limit.
        max_bytes: usize,
    },
}

impl ProtocolError {
    /// Returns whether the client speaks another protocol: a server closes the connection after its answer, and carries
    /// out nothing of what follows.
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::UnknownFirstCommand(_) | Self::Http)
    }

    /// The code that a server answers with.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Syntax(_) | Self::Http => ErrorCode::Syntax,
            Self::UnknownCommand(_) | Self::UnknownFirstCommand(_) => ErrorCode::UnknownCommand,
            Self::KeyTooLarge { .. } | Self::ValueTooLarge { .. } | Self::LineTooLong { .. } => {
                ErrorCode::TooLarge
            }
        }
    }
}
