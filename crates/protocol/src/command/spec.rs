//! The specification of a command: what parsers, servers and documents read.

use super::Command;
use crate::Protocol;

/// A row of the table of commands, from which parsers, `COMMAND`, `HELP` and the documents take their facts.
#[derive(Debug)]
pub struct CommandSpec {
    /// The command.
    pub command: Command,
    /// Its name in upper case; a subcommand's stands behind its command's, as in `CLIENT|ID`.
    pub name: &'static str,
    /// Other names that it is served under.
    pub aliases: &'static [&'static str],
    /// The subject.
    pub group: Group,
    /// The right that it takes.
    pub category: Category,
    /// The number of arguments behind the name.
    pub arity: Arity,
    /// Its arguments, in the notation of Redis's documents; empty if it takes none.
    pub syntax: &'static str,
    /// The effect, in one sentence.
    pub summary: &'static str,
    /// The time complexity.
    pub complexity: &'static str,
    /// The version of RustVault that had it first.
    pub since: &'static str,
    /// Effects on data and server.
    pub flags: Flags,
    /// Which of its arguments are keys; `None` if none is.
    pub keys: Option<KeySpec>,
    /// The arguments that may be secrets.
    pub secrets: SecretArguments,
    /// The argument, counted from 0, that is the rest of a line of the text protocol unless it is quoted.
    pub rest: Option<u8>,
    /// Set if its first argument names a subcommand.
    pub is_container: bool,
    /// Set if it is a subcommand itself.
    pub is_subcommand: bool,
    /// The protocols that it is served in.
    pub protocols: Protocols,
}

impl CommandSpec {
    /// Returns the name of the command that this is a subcommand of.
    #[inline]
    pub fn container(&self) -> Option<&'static str> {
        self.parts().map(|(container, _)| container)
    }

    #[inline]
    fn parts(&self) -> Option<(&'static str, &'static str)> {
        if self.is_subcommand { self.name.split_once('|') } else { None }
    }

    /// Returns its name; a subcommand's without that of its command.
    #[inline]
    pub fn own_name(&self) -> &'static str {
        self.parts().map_or(self.name, |(_, own)| own)
    }

    /// Returns the positions of the keys among so many arguments, counted from 0.
    #[inline]
    pub fn key_positions(&'static self, arguments: usize) -> impl Iterator<Item = usize> + use<> {
        self.keys.iter().flat_map(move |keys| keys.positions(arguments))
    }

    /// Returns how to write the command: its name and its arguments.
    pub fn usage(&self) -> String {
        let name = self.name.replace('|', " ");
        if self.syntax.is_empty() { name } else { format!("{name} {}", self.syntax) }
    }
}

/// The subject of a command: a chapter of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Values that are byte strings.
    String,
    /// Keys, whatever their values are.
    Generic,
    /// The connection that asks.
    Connection,
    /// The server as a whole.
    Server,
    /// Several commands at one moment.
    Transactions,
}

impl Group {
    /// All groups, in the order of the documents.
    pub const ALL: [Self; 5] =
        [Self::String, Self::Generic, Self::Connection, Self::Server, Self::Transactions];

    /// Returns its name, as `COMMAND DOCS` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Generic => "generic",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Transactions => "transactions",
        }
    }
}

/// The right that a command takes. Every row of the table names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// About the connection that asks, and what anybody may know: whoever has logged in may do it.
    Connection,
    /// Reads keys and values.
    Read,
    /// Changes keys and values.
    Write,
    /// Shows the state of the server.
    Metrics,
    /// Is for those who run the server.
    Admin,
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 5] = [Self::Connection, Self::Read, Self::Write, Self::Metrics, Self::Admin];

    /// Returns its name, as in a file of users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Read => "read",
            Self::Write => "write",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }

    /// Returns whether its commands are about keys, so that a right to it may be limited to a prefix.
    pub const fn has_keys(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }
}

/// The number of arguments that a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    min: usize,
    max: usize,
    /// More than `min` come in groups of so many.
    step: usize,
}

impl Arity {
    /// Takes exactly so many.
    pub const fn exactly(arguments: usize) -> Self {
        Self { min: arguments, max: arguments, step: 1 }
    }

    /// Takes so many or more.
    pub const fn at_least(arguments: usize) -> Self {
        Self { min: arguments, max: usize::MAX, step: 1 }
    }

    /// Takes from `min` to `max`.
    pub const fn between(min: usize, max: usize) -> Self {
        Self { min, max, step: 1 }
    }

    /// Takes one pair or more.
    pub const fn pairs() -> Self {
        Self { min: 2, max: usize::MAX, step: 2 }
    }

    /// Returns whether it takes so many.
    #[inline]
    pub const fn admits(self, arguments: usize) -> bool {
        self.min <= arguments
            && arguments <= self.max
            && (self.step == 1 || (arguments - self.min).is_multiple_of(self.step))
    }

    /// Returns the fewest and the most that it takes, `usize::MAX` for no limit.
    pub const fn bounds(self) -> (usize, usize) {
        (self.min, self.max)
    }
}

/// Which arguments are keys, the first behind the command's name being 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// The first of them.
    pub first: u8,
    /// The last of them, or −1 for the last argument.
    pub last: i8,
    /// The distance from one to the next.
    pub step: u8,
    /// The use that is made of them.
    pub access: KeyAccess,
}

impl KeySpec {
    /// Returns which of so many arguments are keys, counted from 0.
    #[inline]
    pub fn positions(&self, arguments: usize) -> impl Iterator<Item = usize> {
        let (first, step) = (usize::from(self.first), usize::from(self.step));
        let end = usize::try_from(self.last).unwrap_or(arguments).min(arguments);
        let mut next = first.saturating_sub(1);
        std::iter::from_fn(move || {
            let position = next;
            next += step;
            (position < end).then_some(position)
        })
    }
}

/// The arguments that may be passwords, and are not to be shown to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretArguments {
    /// None.
    None,
    /// All: a password that stands in a wrong place is one, too.
    All,
    /// All from this one on, counted from 0: they are a whole command, perhaps one that logs in.
    From(u8),
    /// Every second one: the value of a setting, behind its name.
    SettingValues,
}

/// The use that a command makes of its keys, in Redis's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAccess {
    /// Reads them.
    ReadOnly,
    /// Reads them and writes what depends on that.
    ReadWrite,
    /// Changes a part of what they hold, and returns nothing of it but its length.
    Amend,
    /// Replaces what they hold, whatever that is.
    Overwrite,
    /// Removes them.
    Remove,
    /// Reads the first and replaces what the second holds.
    Copy,
    /// Removes the first and replaces what the second holds.
    Move,
    /// Removes the first and makes the second.
    MoveIfNew,
}

impl KeyAccess {
    /// Returns whether it takes the right to read that key, the first one being number 0: the answer, or another key, then has
    /// something of what the key holds. That it was there, or how long its value is, does not count.
    #[inline]
    pub const fn reads(self, key: usize) -> bool {
        match self {
            Self::ReadOnly | Self::ReadWrite => true,
            Self::Amend | Self::Overwrite | Self::Remove => false,
            Self::Copy | Self::Move | Self::MoveIfNew => key == 0,
        }
    }

    /// Returns whether it takes the right to write that key.
    #[inline]
    pub const fn writes(self, key: usize) -> bool {
        match self {
            Self::ReadOnly => false,
            Self::Copy => key > 0,
            Self::ReadWrite | Self::Amend | Self::Overwrite | Self::Remove | Self::Move | Self::MoveIfNew => {
                true
            }
        }
    }
}

/// Effects of a command on data and server: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// Does none of this.
    pub const NONE: Self = Self(0);
    /// Reads data.
    pub const READ: Self = Self(1);
    /// Changes data.
    pub const WRITE: Self = Self(1 << 1);
    /// Takes about as long whatever the data is.
    pub const FAST: Self = Self(1 << 2);
    /// Is refused once the memory limit is reached.
    pub const DENY_OOM: Self = Self(1 << 3);
    /// Is for those who run the server.
    pub const ADMIN: Self = Self(1 << 4);
    /// Can do harm: it may take long, or removes much.
    pub const DANGEROUS: Self = Self(1 << 5);
    /// Is served before a login.
    pub const NO_AUTH: Self = Self(1 << 6);

    /// Returns this and `other`.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all of `other` is in this.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The protocols that a command is served in: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols(u8);

impl Protocols {
    /// In the text protocol.
    pub const TEXT: Self = Self(1);
    /// In RESP.
    pub const RESP: Self = Self(1 << 1);
    /// In both.
    pub const ALL: Self = Self(Self::TEXT.0 | Self::RESP.0);

    /// Returns whether the command is served in this protocol.
    #[inline]
    pub const fn contains(self, protocol: Protocol) -> bool {
        let of_protocol = match protocol {
            Protocol::Text => Self::TEXT,
            Protocol::Resp2 | Protocol::Resp3 => Self::RESP,
        };
        self.0 & of_protocol.0 != 0
    }
}
