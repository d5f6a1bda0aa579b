//! Help on commands: those of this program, and the rows of the table.

use std::fmt::Write as _;

use rustvault_protocol::{CommandSpec, Group};

use crate::error::CliError;
use crate::names;

/// Width up to which names of a group share a line.
const MAX_LINE_CHARS: usize = 96;

/// The lines that this program has forms of its own for, and what they do.
pub(crate) const OWN_FORMS: [(&str, &str); 13] = [
    ("set KEY VALUE", "store; the value is the rest of the line"),
    ("get KEY", "print the value, or (nil)"),
    ("get --prefix P", "print the keys that start with P, and their values"),
    ("delete KEY", "remove; OK, or (nil) if it was not there"),
    ("delete --prefix P --yes", "remove all keys that start with P, and print how many"),
    ("exists KEY", "OK or (nil)"),
    ("count", "print the number of keys"),
    ("scan [--prefix P] [--limit N]", "print keys, one a line"),
    ("ping", "PONG"),
    ("info", "print the server's state"),
    ("compact", "rewrite the server's log as the live data; OK once that has ended"),
    ("help [COMMAND | GROUP]", "print this, or what is known about a command or a group"),
    ("quit, exit, Ctrl-D", "end the session"),
];

const QUOTING: &str = "\
A key or value in double quotes takes the escapes \\\" \\\\ \\r \\n \\t \\xHH; keys with spaces need the quotes.
Empty lines and lines that start with # are ignored.";

/// Returns the help on a session: its own forms, and the other commands by group.
pub(crate) fn session() -> String {
    let mut text = String::new();
    for (usage, what) in OWN_FORMS {
        put_line(&mut text, usage, what);
    }
    text += QUOTING;
    text += "\n\nThe server's commands, which print what redis-cli prints for them:\n";
    text + &groups()
}

/// Returns the names of all commands by group, without subcommands.
pub(crate) fn groups() -> String {
    let groups = Group::ALL.into_iter().map(|group| {
        let rows = names::rows().filter(|spec| spec.group == group && !spec.is_subcommand);
        wrapped(group.name(), rows.map(names::typed_name))
    });
    groups.collect::<Vec<_>>().join("\n")
}

fn wrapped(heading: &str, names: impl Iterator<Item = String>) -> String {
    const INDENT: usize = 16;
    let mut text = format!("  {:14}", format!("{heading}:")).trim_end().to_owned();
    let mut line_chars = INDENT;
    for name in names {
        if line_chars > INDENT && line_chars + name.len() > MAX_LINE_CHARS {
            let _ = write!(text, "\n{:INDENT$}{name}", "");
            line_chars = INDENT;
        } else if line_chars == INDENT {
            text = format!("{text:INDENT$}{name}");
        } else {
            let _ = write!(text, " {name}");
        }
        line_chars += name.len() + 1;
    }
    text
}

/// Returns the help on what these words name: a command with its subcommand, or a group.
///
/// # Errors
/// [`CliError::Usage`] if they name nothing.
pub(crate) fn on(words: &[impl AsRef<str>]) -> Result<String, CliError> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let Some((first, others)) = words.split_first() else { return Ok(session()) };
    if let Some(group) = Group::ALL.into_iter().find(|group| is_group(*group, first) && others.is_empty()) {
        return Ok(on_group(group));
    }
    let first = names::resolve_alias(first.as_bytes()).unwrap_or(first);
    let own = own_forms(if others.is_empty() { first } else { "" });
    match names::find_row(&[&[first], others].concat()) {
        Some((spec, name_words)) if name_words == words.len() => Ok(own + &on_row(spec)),
        _ if !own.is_empty() => Ok(own),
        _ => Err(CliError::Usage(no_help_on(&words.join(" ")))),
    }
}

fn is_group(group: Group, word: &str) -> bool {
    // redis-cli writes them like that.
    word.strip_prefix('@').unwrap_or(word).eq_ignore_ascii_case(group.name())
}

fn no_help_on(name: &str) -> String {
    let meant = names::advise_on(name.as_bytes());
    let advice = meant.unwrap_or_else(|| "type help for the commands".to_owned());
    format!("no command or group is named '{}'; {advice}", name.escape_debug())
}

/// Returns the lines on a command's own forms, with an empty line behind them if there are any.
fn own_forms(name: &str) -> String {
    let mut text = String::new();
    for (usage, what) in OWN_FORMS {
        let names = usage.split(", ").filter_map(|form| form.split(' ').next());
        if names.into_iter().any(|own| own.eq_ignore_ascii_case(name)) {
            put_line(&mut text, usage, what);
        }
    }
    text
}

/// Returns the options that this program takes for a command instead of the arguments of its row.
pub(crate) fn own_options(spec: &CommandSpec) -> &'static str {
    let name = names::typed_name(spec);
    let of_this = OWN_FORMS.iter().filter_map(|(usage, _)| usage.strip_prefix(&name)?.strip_prefix(' '));
    let mut options = of_this.filter(|arguments| arguments.trim_start_matches('[').starts_with("--"));
    options.next().unwrap_or_default()
}

fn on_group(group: Group) -> String {
    let mut text = String::new();
    for spec in names::rows().filter(|spec| spec.group == group && !spec.is_container) {
        put_line(&mut text, &usage(spec), spec.summary);
    }
    text.trim_end().to_owned()
}

/// Returns all about a row.
pub(crate) fn on_row(spec: &CommandSpec) -> String {
    let mut text = format!(
        "usage: {}\n{}\ncomplexity: {}\ngroup: {}\nsince: {}",
        usage(spec),
        spec.summary,
        spec.complexity,
        spec.group.name(),
        spec.since
    );
    if !spec.aliases.is_empty() {
        let _ = write!(text, "\nalso: {}", spec.aliases.join(", ").to_ascii_lowercase());
    }
    for subcommand in names::rows().filter(|row| row.container() == Some(spec.name)) {
        let _ = write!(text, "\nsee: {}", usage(subcommand));
    }
    text
}

/// Returns how a command is typed: its name in lower case, and its arguments.
pub(crate) fn usage(spec: &CommandSpec) -> String {
    format!("{} {}", names::typed_name(spec), spec.syntax).trim_end().to_owned()
}

/// Adds a line in two columns; a usage that is too long for its column has a line of its own.
fn put_line(text: &mut String, usage: &str, what: &str) {
    const COLUMN: usize = 32;
    let separator = if usage.len() > COLUMN { format!("\n{:COLUMN$}", "") } else { String::new() };
    let _ = writeln!(text, "{usage:COLUMN$}{separator} {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_command_that_can_be_typed() {
        let text = session();
        for spec in names::rows().filter(|spec| !spec.is_subcommand) {
            let name = names::typed_name(spec);
            assert!(text.split(|c: char| !c.is_alphanumeric()).any(|word| word == name), "{name}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn help_on_a_command_is_its_row() {
        let text = on(&["client", "LIST"]).unwrap();
        for part in
            ["usage: client list [TYPE", "Returns a line on each client", "complexity: O(c", "since: 0.1.0"]
        {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(on(&["client"]).unwrap().contains("\nsee: client setname connection-name"));
        assert!(on(&["dbsize"]).unwrap().contains("\nalso: count"));
    }

    #[test]
    fn help_on_a_form_of_our_own_shows_it_before_the_row() {
        let text = on(&["scan"]).unwrap();
        assert!(text.starts_with("scan [--prefix P] [--limit N]"), "{text}");
        assert!(text.contains("\nusage: scan cursor [MATCH pattern]"), "{text}");
        assert!(on(&["help"]).unwrap().starts_with("help [COMMAND"));
        assert_eq!(on(&["ls"]).unwrap(), text);
        assert!(on(&["exit"]).unwrap().starts_with("quit, exit, Ctrl-D"));
    }

    #[test]
    fn help_on_a_group_has_a_line_for_each_of_its_commands() {
        for word in ["string", "@STRING"] {
            let text = on(&[word]).unwrap();
            assert!(text.lines().any(|line| line.starts_with("incrby key increment ")), "{text}");
            assert!(!text.contains("client"), "{text}");
        }
    }

    #[test]
    fn help_on_nothing_is_an_error_that_names_what_is_like_it() {
        let error = on(&["gett"]).unwrap_err().to_string();
        assert_eq!(error, "no command or group is named 'gett'; did you mean 'get'?");
        let error = on(&["frobnicate", "x"]).unwrap_err().to_string();
        assert!(error.ends_with("type help for the commands"), "{error}");
        assert!(on(&["client", "nonsense"]).is_err());
        assert!(on(&["get", "nonsense"]).is_err());
    }
}
