//! Requests: a command and its arguments.

use std::fmt;

use bytes::Bytes;

use crate::{Command, SecretArguments};

/// A client's request; it borrows from the read buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The command, or subcommand.
    pub command: Command,
    /// The arguments after its name.
    pub arguments: &'a [&'a [u8]],
}

impl<'a> Request<'a> {
    /// Returns an argument; an empty one if it is missing.
    #[inline]
    pub fn argument(&self, position: usize) -> &'a [u8] {
        self.arguments.get(position).copied().unwrap_or_default()
    }

    /// Returns the arguments that are keys.
    #[inline]
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let arguments = self.arguments;
        let positions = self.command.spec().key_positions(arguments.len());
        positions.filter_map(|position| arguments.get(position).copied())
    }
}

/// A request that owns its arguments.
///
/// ```
/// use rustvault_protocol::{Command, OwnedRequest};
///
/// let request = OwnedRequest::new(Command::Set, ["user:1", "ada"]);
/// assert_eq!(request.arguments, ["user:1", "ada"]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedRequest {
    /// The command, or subcommand.
    pub command: Command,
    /// The arguments after its name.
    pub arguments: Vec<Bytes>,
}

impl OwnedRequest {
    /// Makes a request with these arguments.
    pub fn new<A: Into<Bytes>>(command: Command, arguments: impl IntoIterator<Item = A>) -> Self {
        Self { command, arguments: arguments.into_iter().map(Into::into).collect() }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("Request", self.command, &self.arguments, f)
    }
}

impl fmt::Debug for OwnedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("OwnedRequest", self.command, &self.arguments, f)
    }
}

/// Shows a request without arguments that may be passwords: messages have more readers than passwords may.
fn show(name: &str, command: Command, arguments: &dyn fmt::Debug, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = f.debug_struct(name);
    shown.field("command", &command);
    if command.spec().secrets != SecretArguments::None {
        return shown.finish_non_exhaustive();
    }
    shown.field("arguments", arguments).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_printed() {
        for command in [Command::Auth, Command::Hello, Command::AclDryRun, Command::ConfigSet] {
            let request = Request { command, arguments: &[b"hunter2"] };
            let owned = OwnedRequest::new(command, ["hunter2"]);
            assert!(!format!("{request:?} {owned:?}").contains("arguments"));
        }
        assert!(format!("{:?}", OwnedRequest::new(Command::Get, ["user"])).contains("user"));
    }

    #[test]
    fn keys_are_found_by_the_table() {
        let keys = |command, arguments: &[&[u8]]| {
            Request { command, arguments }.keys().map(<[u8]>::len).collect::<Vec<_>>()
        };
        let arguments: [&[u8]; 4] = [b"", b"1", b"22", b"333"];
        assert_eq!(keys(Command::Get, &arguments), [0]);
        assert_eq!(keys(Command::MGet, &arguments), [0, 1, 2, 3]);
        assert_eq!(keys(Command::MSet, &arguments), [0, 2]);
        assert_eq!(keys(Command::Ping, &arguments), [0; 0]);
        assert_eq!(keys(Command::MGet, &[]), [0; 0]);
    }
}
