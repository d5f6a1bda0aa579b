//! Actions that one-shots and lines of a session ask for.

use bytes::Bytes;
use rustvault_protocol::{Command, Flags};

use crate::error::CliError;
use crate::names::{self, PROTOCOL};

const SCAN_USAGE: &str =
    "usage: scan [--prefix P] [--limit N], or scan CURSOR [MATCH PATTERN] [COUNT N] [TYPE TYPE]";
const DELETE_USAGE: &str = "usage: delete KEY, or delete --prefix P [--yes]";

/// A piece of work that is done over the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// One command: its name and its arguments.
    Command(Vec<Bytes>),
    /// Print the value of a key, its bytes alone.
    GetRaw(Bytes),
    /// Print the keys that start with a prefix, and their values.
    GetPrefix(Bytes),
    /// Remove the keys that start with a prefix.
    DeletePrefix { prefix: Bytes, is_agreed: bool },
    /// Print the keys that start with a prefix.
    Scan { prefix: Bytes, limit: Option<u64> },
}

impl Action {
    /// Asks for a command that is no subcommand.
    pub(crate) fn command(command: Command, arguments: impl IntoIterator<Item = Bytes>) -> Self {
        let name = Bytes::from_static(command.name().as_bytes());
        Self::Command([name].into_iter().chain(arguments).collect())
    }

    /// Reads the words of a command, some of which have options of this program's own.
    ///
    /// # Errors
    /// [`CliError::Usage`] for options that they do not have.
    pub(crate) fn from_words(words: Vec<Bytes>) -> Result<Self, CliError> {
        let Some((name, arguments)) = words.split_first() else {
            return Err(CliError::Usage("a command is missing".to_owned()));
        };
        let name =
            names::resolve_alias(name).map_or(name.clone(), |name| Bytes::from_static(name.as_bytes()));
        match (Command::find(&name, PROTOCOL), arguments) {
            (Some(Command::Scan), []) => parse_scan(&[]),
            (Some(Command::Scan), [option, ..]) if option.starts_with(b"--") => parse_scan(arguments),
            (Some(Command::Get), [option, prefix]) if option == "--prefix" => {
                Ok(Self::GetPrefix(prefix.clone()))
            }
            (Some(Command::Delete | Command::Del), [option, _, ..]) if is_of_delete(option) => {
                parse_delete(arguments)
            }
            _ => Ok(Self::Command([&[name], arguments].concat())),
        }
    }

    /// Returns whether it may change data; a command that the table lacks may.
    pub(crate) fn is_write(&self) -> bool {
        match self {
            Self::Command(words) => {
                names::find_row(words).is_none_or(|(spec, _)| spec.flags.contains(Flags::WRITE))
            }
            Self::DeletePrefix { .. } => true,
            Self::GetRaw(_) | Self::GetPrefix(_) | Self::Scan { .. } => false,
        }
    }

    /// Returns whether it is this command of the table.
    pub(crate) fn is(&self, command: Command) -> bool {
        matches!(self, Self::Command(words) if names::find_row(words).is_some_and(|(spec, _)| spec.command == command))
    }
}

fn parse_scan(options: &[Bytes]) -> Result<Action, CliError> {
    let (mut prefix, mut limit) = (Bytes::new(), None);
    for option in options.chunks(2) {
        match option {
            [name, value] if name == "--prefix" => prefix = value.clone(),
            [name, value] if name == "--limit" => limit = Some(parse_number(value)?),
            _ => return Err(CliError::Usage(SCAN_USAGE.to_owned())),
        }
    }
    Ok(Action::Scan { prefix, limit })
}

fn parse_number(word: &[u8]) -> Result<u64, CliError> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| CliError::Usage(SCAN_USAGE.to_owned()))
}

fn is_of_delete(option: &Bytes) -> bool {
    option == "--prefix" || option == "--yes"
}

fn parse_delete(options: &[Bytes]) -> Result<Action, CliError> {
    match options {
        [name, prefix] if name == "--prefix" => {
            Ok(Action::DeletePrefix { prefix: prefix.clone(), is_agreed: false })
        }
        [yes, name, prefix] | [name, prefix, yes] if name == "--prefix" && yes == "--yes" => {
            Ok(Action::DeletePrefix { prefix: prefix.clone(), is_agreed: true })
        }
        _ => Err(CliError::Usage(DELETE_USAGE.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(line: &str) -> Result<Action, String> {
        let words = line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        Action::from_words(words).map_err(|error| error.to_string())
    }

    fn command(line: &str) -> Result<Action, String> {
        Ok(Action::Command(line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()))
    }

    #[test]
    fn commands_stay_as_they_are_typed() {
        for line in
            ["INCR k", "get k", "get --prefix", "delete --prefix", "nonsense --prefix x", "scan 0 MATCH x"]
        {
            assert_eq!(action(line), command(line));
        }
    }

    #[test]
    fn options_of_our_own_are_read_in_any_order() {
        let scan = |prefix: &'static str, limit| Ok(Action::Scan { prefix: prefix.into(), limit });
        assert_eq!(action("scan"), scan("", None));
        assert_eq!(action("scan --limit 7 --prefix user:"), scan("user:", Some(7)));
        assert_eq!(action("get --prefix a"), Ok(Action::GetPrefix("a".into())));
        for line in ["delete --prefix a --yes", "del --yes --prefix a", "RM --prefix a --yes"] {
            let expected = Ok(Action::DeletePrefix { prefix: "a".into(), is_agreed: true });
            assert_eq!(action(line), expected, "{line}");
        }
        for line in ["scan --limit x", "scan --prefix", "scan --frob 1", "delete --prefix a b", "del --yes a"]
        {
            assert!(action(line).is_err_and(|error| error.starts_with("usage: ")), "{line}");
        }
    }

    #[test]
    fn aliases_are_their_commands() {
        assert_eq!(action("rm k"), command("delete k"));
        assert_eq!(action("PUT k v"), command("set k v"));
        assert_eq!(action("ls"), action("scan"));
        assert_eq!(action("del a b"), command("del a b"));
    }

    #[test]
    fn what_the_table_lacks_may_be_a_write() {
        for (line, is_write) in
            [("get k", false), ("incr k", true), ("client list", false), ("nonsense", true)]
        {
            assert_eq!(action(line).unwrap().is_write(), is_write, "{line}");
        }
    }
}
