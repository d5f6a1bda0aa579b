//! Environment variables of the options: an empty one counts as not set, and variables of earlier releases still work.

use std::env;
use std::ffi::{OsStr, OsString};

use super::{CONFIG_FILE_VARIABLE, ConfigOption, OptionKind, options};

/// Names of variables, and the names that they had before; an old one is read only if the new one is not set.
const RENAMED: [(&str, &str); 2] = [
    ("RUSTVAULT_MESSAGE_FORMAT", "RUSTVAULT_LOG_FORMAT"),
    ("RUSTVAULT_MESSAGE_LEVEL", "RUSTVAULT_LOG_LEVEL"),
];

/// Variables that set options, as they were when the process started.
#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<(String, OsString)>);

impl Variables {
    /// Reads the variables of this process.
    ///
    /// A unit file or a container's definition leaves a variable out by setting it to nothing.
    pub fn from_process() -> Self {
        Self::new(|name| env::var_os(name))
    }

    /// Reads variables by a function that returns the value of a variable.
    pub fn new(value: impl Fn(&str) -> Option<OsString>) -> Self {
        let old_names = RENAMED.iter().map(|(_, old)| (*old).to_owned());
        let secrets = options().filter(|option| option.kind == OptionKind::Secret);
        let names = options().map(|option| option.variable.to_owned()).chain(secrets.map(file_variable));
        let names = names.chain(old_names).chain([CONFIG_FILE_VARIABLE.to_owned()]);
        let set = |name: String| Some((value(&name).filter(|value| !value.is_empty())?, name));
        Self(names.filter_map(set).map(|(value, name)| (name, value)).collect())
    }

    /// Returns the variable that sets an option, and its value.
    pub fn of(&self, option: &ConfigOption) -> Option<(&str, &OsStr)> {
        let old_name = RENAMED.iter().find(|(new, _)| option.variable == *new).map(|(_, old)| *old);
        self.find(option.variable).or_else(|| self.find(old_name?))
    }

    /// Returns the variable with the path of a secret's file, and the path.
    pub(super) fn of_file(&self, option: &ConfigOption) -> Option<(&str, &OsStr)> {
        self.find(&file_variable(option))
    }

    pub(super) fn find(&self, name: &str) -> Option<(&str, &OsStr)> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(name, value)| (name.as_str(), value.as_os_str()))
    }
}

fn file_variable(option: &ConfigOption) -> String {
    format!("{}_FILE", option.variable)
}
