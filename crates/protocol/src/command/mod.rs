//! The commands: a table with one row for each, which parsers, servers, `COMMAND`, `HELP` and the documents read.

mod later;
mod lookup;
pub(crate) mod name;
mod row;
mod spec;
mod syntax;
mod table;

use crate::Protocol;

pub(crate) use later::why_not_served;
pub use spec::{Arity, Category, CommandSpec, Flags, Group, KeyAccess, KeySpec, Protocols, SecretArguments};
pub use syntax::{Argument, ArgumentKind};
pub use table::Command;

impl Command {
    /// Returns what the table says of it.
    #[inline]
    pub fn spec(self) -> &'static CommandSpec {
        // The table has a row for each command, in their order.
        &table::SPECS[self as usize]
    }

    /// Returns its name, as in [`CommandSpec::name`].
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Returns its subcommand of this name, in any case, if the protocol serves it.
    pub fn find_subcommand(self, name: &[u8], protocol: Protocol) -> Option<Self> {
        let matches = |command: &Self| command.spec().own_name().as_bytes().eq_ignore_ascii_case(name);
        self.served_subcommands(protocol).find(matches)
    }

    /// Returns the command or subcommand of a whole name such as `client|id`, in any case.
    pub fn find_whole(name: &[u8], protocol: Protocol) -> Option<Self> {
        match name.iter().position(|byte| *byte == b'|') {
            None => Self::find(name, protocol),
            Some(bar) => {
                let (of, own) = name.split_at(bar);
                Self::find(of, protocol)?.find_subcommand(own.get(1..)?, protocol)
            }
        }
    }

    /// Returns its subcommands.
    pub fn subcommands(self) -> impl Iterator<Item = Self> {
        let of_this = move |command: &Self| command.spec().container().is_some_and(|of| of == self.name());
        Self::ALL.iter().copied().filter(of_this)
    }

    /// Returns its subcommands that a protocol serves.
    pub fn served_subcommands(self, protocol: Protocol) -> impl Iterator<Item = Self> {
        self.subcommands().filter(move |command| command.spec().protocols.contains(protocol))
    }

    /// Returns the commands that a protocol serves, each before its subcommands.
    pub fn served_with_subcommands(protocol: Protocol) -> impl Iterator<Item = Self> {
        let with_subcommands =
            move |command: Self| std::iter::once(command).chain(command.served_subcommands(protocol));
        Self::served(protocol).flat_map(with_subcommands)
    }

    /// Returns the commands that a protocol serves, without their subcommands.
    pub fn served(protocol: Protocol) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |command| {
            let spec = command.spec();
            spec.container().is_none() && spec.protocols.contains(protocol)
        })
    }
}
