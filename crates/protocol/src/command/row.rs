//! Parts that many rows of the command table share, and the macro that makes commands of the rows.

use super::Command;
use super::spec::{
    Arity, Category, CommandSpec, Flags, Group, KeyAccess, KeySpec, Protocols, SecretArguments,
};

/// The fields that a row has unless it says otherwise.
pub(super) const USUAL: CommandSpec = CommandSpec {
    command: Command::ALL[0],
    name: "",
    aliases: &[],
    group: Group::Generic,
    category: Category::Admin,
    arity: Arity::exactly(0),
    syntax: "",
    summary: "",
    complexity: "O(1)",
    since: "0.1.0",
    flags: Flags::NONE,
    keys: None,
    secrets: SecretArguments::None,
    rest: None,
    is_container: false,
    is_subcommand: false,
    protocols: Protocols::ALL,
};

/// Returns whether a name is that of a subcommand, as `CLIENT|ID` is.
pub(super) const fn is_subcommand(name: &str) -> bool {
    let name = name.as_bytes();
    let mut at = 0;
    while at < name.len() {
        if name[at] == b'|' {
            return true;
        }
        at += 1;
    }
    false
}

const fn keys(last: i8, step: u8, access: KeyAccess) -> Option<KeySpec> {
    Some(KeySpec { first: 1, last, step, access })
}

pub(super) const ONE_READ: Option<KeySpec> = keys(1, 1, KeyAccess::ReadOnly);
pub(super) const ALL_READ: Option<KeySpec> = keys(-1, 1, KeyAccess::ReadOnly);
pub(super) const ONE_SET: Option<KeySpec> = keys(1, 1, KeyAccess::Overwrite);
pub(super) const PAIRS_SET: Option<KeySpec> = keys(-1, 2, KeyAccess::Overwrite);
pub(super) const ONE_CHANGED: Option<KeySpec> = keys(1, 1, KeyAccess::ReadWrite);
pub(super) const ONE_AMENDED: Option<KeySpec> = keys(1, 1, KeyAccess::Amend);
pub(super) const COPIED: Option<KeySpec> = keys(2, 1, KeyAccess::Copy);
pub(super) const MOVED: Option<KeySpec> = keys(2, 1, KeyAccess::Move);
pub(super) const MOVED_IF_NEW: Option<KeySpec> = keys(2, 1, KeyAccess::MoveIfNew);
pub(super) const ONE_REMOVED: Option<KeySpec> = keys(1, 1, KeyAccess::Remove);
pub(super) const ALL_REMOVED: Option<KeySpec> = keys(-1, 1, KeyAccess::Remove);

pub(super) const READ: Flags = Flags::READ.union(Flags::FAST);
pub(super) const ENLARGE: Flags = Flags::WRITE.union(Flags::DENY_OOM);
pub(super) const ENLARGE_FAST: Flags = ENLARGE.union(Flags::FAST);
pub(super) const NO_AUTH: Flags = Flags::FAST.union(Flags::NO_AUTH);
pub(super) const OPERATION: Flags = Flags::ADMIN.union(Flags::DANGEROUS);
pub(super) const CLEAR: Flags = Flags::WRITE.union(Flags::DANGEROUS);

/// Makes the enumeration of the commands, and their rows, from the table.
macro_rules! commands {
    ($($command:ident $name:literal $group:ident $category:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        /// A command, without its arguments; [`spec`](Self::spec) describes it.
        ///
        /// Its number is its position in the table, which changes with it: it is for the memory of one program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Command {
            $(#[doc = concat!("`", $name, "`")] $command,)*
        }

        impl Command {
            /// All commands, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$command),*];
        }

        /// The rows, in the order of [`Command::ALL`].
        pub(super) static SPECS: [CommandSpec; Command::ALL.len()] = [
            $(CommandSpec {
                command: Command::$command,
                name: $name,
                group: Group::$group,
                category: Category::$category,
                is_subcommand: is_subcommand($name),
                $($field: $value,)*
                ..USUAL
            },)*
        ];
    };
}

pub(super) use commands;
