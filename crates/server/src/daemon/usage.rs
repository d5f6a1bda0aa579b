//! Usage errors as one line, which names the environment variable if the bad value came from one.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, ValueEnum};

use super::args::{Args, LogFormat};

const LOG_FORMAT: &str = "log-format";

/// Returns what is wrong, as one line, for a command line of these arguments.
pub(super) fn explain(error: &clap::Error, args: &[OsString]) -> String {
    let line = one_line(&error.to_string());
    if error.kind() == ErrorKind::InvalidUtf8 && args.iter().all(|arg| arg.to_str().is_some()) {
        return unreadable_variable().unwrap_or(line);
    }
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => match variable_behind(option, args) {
            Some(name) => line.replacen(&format!("'{option}'"), &format!("{name} ({option})"), 1),
            None => line,
        },
        _ => line,
    }
}

/// Returns the format that messages were asked for in, by a command line that has an error somewhere.
pub(super) fn message_format(args: &[OsString]) -> LogFormat {
    let command = Args::command();
    let option = command.get_arguments().find(|arg| arg.get_long() == Some(LOG_FORMAT));
    let variable = option.and_then(Arg::get_env).and_then(env::var_os);
    let asked = last_value(LOG_FORMAT, args).or(variable);
    let format = asked.as_deref().and_then(OsStr::to_str).map(|name| LogFormat::from_str(name, false));
    format.and_then(Result::ok).unwrap_or(LogFormat::Text)
}

/// The first paragraph of a usage error, which says what is wrong, as one line.
pub(super) fn one_line(usage_error: &str) -> String {
    let lines = usage_error.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// Returns the environment variable that an option, as clap shows it (`--threads <N>`), has its value from.
fn variable_behind(option: &str, args: &[OsString]) -> Option<String> {
    let long = option.strip_prefix("--")?.split(' ').next()?;
    let command = Args::command();
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(long))?;
    let variable = arg.get_env().filter(|name| env::var_os(name).is_some())?;
    let is_on_command_line = args.iter().any(|arg| value_after(long, arg).is_some());
    (!is_on_command_line).then(|| variable.to_string_lossy().into_owned())
}

/// Returns a message about a variable that is no UTF-8, of those that must be; a path need not be.
fn unreadable_variable() -> Option<String> {
    let command = Args::command();
    let is_path = |arg: &Arg| ["wal", "unix_socket"].iter().any(|id| arg.get_id() == id);
    let variables = command.get_arguments().filter(|arg| !is_path(arg)).filter_map(Arg::get_env);
    let name =
        variables.into_iter().find(|name| env::var_os(name).is_some_and(|value| value.to_str().is_none()))?;
    Some(format!("error: the value of {} is not valid UTF-8", name.display()))
}

/// Returns the value that the command line gives to an option, `--long VALUE` or `--long=VALUE`, at last.
fn last_value(long: &str, args: &[OsString]) -> Option<OsString> {
    let mut values = args.iter().enumerate().filter_map(|(number, arg)| match value_after(long, arg)? {
        Some(value) => Some(OsString::from(value)),
        None => args.get(number + 1).cloned(),
    });
    values.next_back()
}

/// Returns the value within an argument that is this option; `Some(None)` if the next argument has it.
fn value_after<'a>(long: &str, arg: &'a OsStr) -> Option<Option<&'a str>> {
    let rest = arg.to_str()?.strip_prefix("--")?.strip_prefix(long)?;
    if rest.is_empty() { Some(None) } else { rest.strip_prefix('=').map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_format_is_found_wherever_it_stands_on_a_bad_command_line() {
        for line in ["--log-format json --threads 0", "--threads 0 --log-format=json", "x --log-format json"]
        {
            assert_eq!(message_format(&args(line)), LogFormat::Json, "{line}");
        }
        for line in ["--threads 0", "--log-format", "--log-format xml", "--log-format=json --log-format=text"]
        {
            assert_eq!(message_format(&args(line)), LogFormat::Text, "{line}");
        }
    }
}
