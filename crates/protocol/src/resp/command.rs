//! Commands that only RESP has, and the forms in which it asks for those of both protocols.

use super::{RespValue, RespVersion, Shape};
use crate::Request;

/// What one RESP command asks for; it borrows from the read buffer and gets exactly one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RespCommand<'a> {
    /// A command that the text protocol has, too.
    One {
        /// What to carry out.
        request: Request<'a>,
        /// How its response is put on the wire.
        shape: Shape<'a>,
    },
    /// A command on many keys.
    Many {
        /// What to carry out, as one atomic step.
        request: ManyRequest<'a>,
        /// How its response is put on the wire.
        shape: Shape<'a>,
    },
    /// A command that reads or changes only the connection.
    Session(SessionCommand<'a>),
    /// A command of transactions, which a server may refuse but must not overlook: what follows `MULTI` is not to be
    /// carried out one by one.
    Transaction(TransactionCommand),
    /// A word of HTTP as a command: the client speaks another protocol, so answer with the error `message`, close the
    /// connection and carry out nothing of what follows.
    Foreign {
        /// For [`RespValue::Error`](crate::RespValue::Error).
        message: &'static [u8],
    },
    /// The answer is known from the command alone: `ECHO`, or an error such as a wrong number of arguments.
    Answered(RespValue<'a>),
}

/// A command on many keys, which the text protocol does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManyRequest<'a> {
    /// Read the value of each key; the response is a `List`, `None` for a key that is not there.
    Get {
        /// The keys to read.
        keys: Vec<&'a [u8]>,
    },
    /// Store each value under its key, a later pair over an earlier one; the response is `Ok`.
    Set {
        /// The keys and their values.
        pairs: Vec<[&'a [u8]; 2]>,
    },
    /// Remove the keys; the response is a `Value`, the number of those that were there, in decimal.
    Delete {
        /// The keys to remove.
        keys: Vec<&'a [u8]>,
    },
    /// Count the keys that are there, one named twice twice; the response is a `Value`, in decimal.
    Exists {
        /// The keys to look for.
        keys: Vec<&'a [u8]>,
    },
    /// Read all keys with a prefix; the response is a `List`.
    Keys {
        /// What the keys start with; empty for all.
        prefix: &'a [u8],
    },
    /// Remove every key; the response is `Ok`.
    Clear,
}

/// A command that reads or changes only the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionCommand<'a> {
    /// `HELLO`: log in and take the name if they are given, switch the version if that worked, then answer
    /// with the server's properties as a map.
    Hello {
        /// The version to switch to, if any.
        version: Option<RespVersion>,
        /// Whom to log in.
        credentials: Option<Credentials<'a>>,
        /// The connection's new name.
        name: Option<&'a [u8]>,
    },
    /// `AUTH`: log in.
    Auth(Credentials<'a>),
    /// `CLIENT SETNAME`: name the connection; the empty name takes the name away.
    SetName {
        /// Printable ASCII without spaces.
        name: &'a [u8],
    },
    /// `CLIENT GETNAME`: the name, or null.
    GetName,
    /// `CLIENT ID`: the connection's number.
    Id,
    /// `CONFIG GET`: names and values of the settings that match a pattern, as a map.
    ConfigGet {
        /// Globs for names ([`glob_matches`](crate::glob_matches)).
        patterns: Vec<&'a [u8]>,
    },
    /// `RESET`: forget login, name and version; answered `+RESET` in RESP2.
    Reset,
}

/// A command of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionCommand {
    /// `MULTI`: what follows is to be carried out at `EXEC`, all at once.
    Multi,
    /// `EXEC`: carry out what came since `MULTI`.
    Exec,
    /// `DISCARD`: forget what came since `MULTI`.
    Discard,
    /// `WATCH`: the next `EXEC` is to do nothing if one of these keys has changed.
    Watch,
    /// `UNWATCH`: watch no key any more.
    Unwatch,
}

/// Who wants to log in.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// The user; `None` for `AUTH <password>`, which means the user `default`.
    pub user: Option<&'a [u8]>,
    /// The password.
    pub password: &'a [u8],
}

impl std::fmt::Debug for Credentials<'_> {
    /// Leaves the password out, because what is printed ends in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}
