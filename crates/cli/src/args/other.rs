//! Commands that have no form of their own here: which of their words are options of this program, and help on them.

use std::ffi::{OsStr, OsString};

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::{CliArgs, CliCommand};
use crate::help;

/// Options of all commands that take a value.
const WITH_VALUE: [&str; 8] =
    ["--addr", "--timeout", "--user", "--password-file", "--ca", "--cert", "--key", "--server-name"];

/// Options of all commands that take none.
const FLAGS: [&str; 2] = ["--json", "--tls"];

/// The words of a command line, sorted.
pub(super) struct Split {
    /// The program and its options, with the command's name, but without arguments.
    pub(super) options: Vec<OsString>,
    /// The command's name and its arguments.
    pub(super) command: Vec<OsString>,
    /// The help that was asked for.
    pub(super) help: Option<String>,
}

/// Takes the options of this program out of the words of a command, up to `--`, which goes, too.
pub(super) fn split(words: &[OsString], command: &[OsString]) -> Split {
    let (before, _) = words.split_at(words.len().saturating_sub(command.len()));
    let mut split = Split { options: before.to_vec(), command: vec![], help: None };
    let mut words = command.iter();
    split.command.extend(words.next().cloned());
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        let option = text.split_once('=').map_or(text, |(option, _)| option);
        if text == "--" {
            break;
        } else if text == "--help"
            && split.help.is_none()
            && let Some(help) = row_help(&split.command)
        {
            split.help = Some(help);
        } else if FLAGS.contains(&text) || WITH_VALUE.contains(&option) && option != text {
            split.options.push(word.clone());
        } else if WITH_VALUE.contains(&text) {
            split.options.push(word.clone());
            match words.next() {
                Some(value) => split.options.push(value.clone()),
                // Or the command's name would be taken for the value.
                None => return split,
            }
        } else {
            split.command.push(word.clone());
        }
    }
    split.command.extend(words.cloned());
    split.options.extend(split.command.first().cloned());
    split
}

/// Returns the first word that is no option: the name of the command that is asked for, or that help is asked for on.
pub(super) fn subcommand(words: &[OsString]) -> Option<&OsString> {
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if WITH_VALUE.iter().any(|option| word == option) {
            words.next();
        } else if word != "help" && !word.as_encoded_bytes().starts_with(b"-") {
            return Some(word);
        }
    }
    None
}

/// Returns the help on the command that these words begin with.
fn row_help(words: &[OsString]) -> Option<String> {
    let words: Vec<_> = words.iter().map(|word| word.as_encoded_bytes()).collect();
    crate::names::find_row(&words).map(|(spec, _)| help::on_row(spec))
}

/// Returns the arguments for the help on a command of the table, or a group, if `help` was asked for it and clap does not
/// know it.
///
/// # Errors
/// The error that clap gave, or if it is on what `help` was asked for, that nothing has this name.
pub(super) fn help_on(words: &[OsString], error: clap::Error) -> Result<CliArgs, clap::Error> {
    let Some(at) = words.iter().position(|word| word == "help") else { return Err(error) };
    // Behind a command, such as `wal`, `help` is a word of that command.
    if error.kind() != ErrorKind::InvalidSubcommand || subcommand(words) != words.get(at + 1) {
        return Err(error);
    }
    let names = words.iter().skip(at + 1).filter(|word| FLAGS.iter().all(|flag| word != flag));
    let names: Vec<_> = names.map(|word| OsStr::to_string_lossy(word)).collect();
    match help::on(&names) {
        Ok(text) => {
            let mut args = CliArgs::parse(words.get(..1).unwrap_or_default(), None)?;
            args.command = Some(CliCommand::Text(text));
            Ok(args)
        }
        Err(unknown) => Err(CliArgs::command().error(ErrorKind::InvalidSubcommand, unknown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options and the words of the command, or the help.
    fn split_words(line: &str) -> (Vec<String>, Vec<String>, bool) {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        let at = words.iter().position(|word| word == "incr" || word == "client").unwrap();
        let texts =
            |words: Vec<OsString>| words.into_iter().map(|word| word.into_string().unwrap()).collect();
        let Split { options, command, help } = split(&words, &words[at..]);
        (texts(options), texts(command), help.is_some())
    }

    #[test]
    fn options_of_this_program_are_taken_out_up_to_two_hyphens() {
        for (line, options, command) in [
            ("cli incr k", "cli incr", "incr k"),
            ("cli --json incr k -5", "cli --json incr", "incr k -5"),
            ("cli incr k --json --addr h:1", "cli --json --addr h:1 incr", "incr k"),
            ("cli incr --timeout=1s --timeouts k", "cli --timeout=1s incr", "incr --timeouts k"),
            ("cli --json incr -- --json -- --addr", "cli --json incr", "incr --json -- --addr"),
            ("cli incr k --addr", "cli --addr", "incr k"),
            ("cli incr -- --help", "cli incr", "incr --help"),
        ] {
            let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(split_words(line), (words(options), words(command), false), "{line}");
        }
    }

    #[test]
    fn help_is_asked_for_behind_the_name() {
        assert!(split_words("cli incr --help").2);
        assert!(split_words("cli client list --help").2);
        assert!(!split_words("cli incr -h").2);
    }
}
