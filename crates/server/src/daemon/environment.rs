//! Environment variables of the options: an empty one counts as not set, and variables of earlier releases still work.

use std::env;
use std::ffi::OsStr;

use clap::builder::Resettable;
use clap::{Arg, Command};

/// Names of variables, and the names that they had before; an old one is read only if the new one is not set.
const RENAMED: [(&str, &str); 2] = [
    ("RUSTVAULT_MESSAGE_FORMAT", "RUSTVAULT_LOG_FORMAT"),
    ("RUSTVAULT_MESSAGE_LEVEL", "RUSTVAULT_LOG_LEVEL"),
];

/// Returns the command with each option reading the variable that is set for it, or none.
///
/// A unit file or a container's definition leaves a variable out by setting it to nothing.
pub(super) fn read(command: Command) -> Command {
    command.mut_args(|arg| {
        let Some(name) = arg.get_env() else { return arg };
        if is_set(name) {
            return arg;
        }
        match old_name(name).filter(|name| is_set(OsStr::new(name))) {
            Some(name) => arg.env(name),
            None => arg.env(Resettable::Reset),
        }
    })
}

/// Returns the name of the variable that gives this option of a command from [`read`] its value.
pub(super) fn variable(arg: &Arg) -> Option<&OsStr> {
    arg.get_env().filter(|name| is_set(name))
}

fn old_name(name: &OsStr) -> Option<&'static str> {
    RENAMED.iter().find(|(new, _)| name == *new).map(|(_, old)| *old)
}

fn is_set(name: &OsStr) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}
