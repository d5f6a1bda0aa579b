//! Usage errors as one line, which names the option as it was typed.

use std::ffi::{OsStr, OsString};

use clap::Arg;
use clap::error::{ContextKind, ContextValue};
use rustvault_server::MessageFormat;
use rustvault_server::options::{ConfigOption, Variables, defaults};

use super::args;

/// Returns the reason why the command line is refused, as one line.
pub(super) fn explain(error: &clap::Error, typed: &[OsString]) -> String {
    let mut line = one_line(&error.to_string());
    if let Some(ContextValue::String(similar)) = error.get(ContextKind::SuggestedArg) {
        line.push_str(&format!(": did you mean '{similar}'?"));
    }
    let command = args::command();
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return line };
    let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == long_name(option)) else {
        return line;
    };
    let quoted = format!("'{option}'");
    match (arg.get_long(), typed_names(arg, typed).as_slice()) {
        (Some(long), [name]) => line.replacen(&quoted, &quoted.replacen(long, name, 1), 1),
        (_, [name, other, ..]) => format!("error: --{name} and --{other} are the same option: give it once"),
        _ => line,
    }
}

/// Returns the format of messages for a command line that has an error somewhere.
pub(super) fn message_format(typed: &[OsString], variables: &Variables) -> MessageFormat {
    let Some(option) = ConfigOption::find("message-format") else { return MessageFormat::Text };
    let command = args::command();
    let arg = command.get_arguments().find(|arg| arg.get_id() == option.name);
    let value = arg.and_then(|arg| last_value(arg, typed));
    let value = value.or_else(|| variables.of(option).map(|(_, value)| value.to_owned()));
    let mut config = defaults();
    match value.map(|value| option.set(&mut config, value)) {
        Some(Ok(())) => config.message_format,
        _ => MessageFormat::Text,
    }
}

/// Returns the first paragraph of a usage error, which contains the reason, as one line.
pub(super) fn one_line(usage_error: &str) -> String {
    let lines = usage_error.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// Returns the name of an option that clap shows as `--threads <N>`.
fn long_name(option: &str) -> Option<&str> {
    option.strip_prefix("--")?.split(' ').next()
}

/// Returns all names of an option, the present one first.
fn names(arg: &Arg) -> Vec<&str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default()).collect()
}

/// Returns the names by which the command line gives an option.
fn typed_names<'a>(arg: &'a Arg, args: &[OsString]) -> Vec<&'a str> {
    let is_typed = |name: &&str| args.iter().any(|arg| value_after(name, arg).is_some());
    names(arg).into_iter().filter(is_typed).collect()
}

/// Returns the last value that the command line gives to an option, as `--name VALUE` or `--name=VALUE`.
fn last_value(option: &Arg, args: &[OsString]) -> Option<OsString> {
    let names = names(option);
    let mut values = args.iter().enumerate().filter_map(|(number, arg)| {
        match names.iter().find_map(|name| value_after(name, arg))? {
            Some(value) => Some(OsString::from(value)),
            None => args.get(number + 1).cloned(),
        }
    });
    values.next_back()
}

/// Returns the value in this argument if it is the option `long`; `Some(None)` if the value is the next argument.
fn value_after<'a>(long: &str, arg: &'a OsStr) -> Option<Option<&'a str>> {
    let rest = arg.to_str()?.strip_prefix("--")?.strip_prefix(long)?;
    if rest.is_empty() { Some(None) } else { rest.strip_prefix('=').map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_misspelt_option_is_answered_with_the_one_that_was_meant() {
        let typed = words("rustvault-server --max-conections 5");
        let error = args::command().try_get_matches_from(&typed).unwrap_err();
        let line = explain(&error, &typed);
        assert!(line.ends_with("did you mean '--max-connections'?"), "{line}");
    }

    #[test]
    fn the_format_is_found_wherever_it_stands_on_a_bad_command_line() {
        for line in
            ["--message-format json --threads 0", "--threads 0 --log-format=json", "x --message-format json"]
        {
            assert_eq!(message_format(&words(line), &Variables::default()), MessageFormat::Json, "{line}");
        }
        for line in
            ["--threads 0", "--log-format", "--message-format xml", "--log-format=json --message-format=text"]
        {
            assert_eq!(message_format(&words(line), &Variables::default()), MessageFormat::Text, "{line}");
        }
    }
}
