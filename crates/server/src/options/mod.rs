//! Options of a server: one table, which the command line, variables, the file, the documents and reloads read.
//!
//! # How to add an option
//! 1. Add its field to [`ServerConfig`], with its limits in `ServerConfig::validate`.
//! 2. Add a row to a group of [`OPTION_GROUPS`] (`options/table/`); its place there is its place in help and documents. `value.rs` has
//!    functions that read and show values of the usual kinds.
//! 3. Run `RUSTVAULT_BLESS=1 cargo test -p rustvault-server --test configuration_document`.
//!
//! Nothing else: the flag, the variable, the key of the file, `config show`, the documents and reloads come from the row.
//!
//! A row of the kind [`OptionKind::Secret`] is a secret `x`: it has the flag `--x-file`, the key `x-file`, the variable
//! `RUSTVAULT_X_FILE`, each with the path of a file, and the variable `RUSTVAULT_X` with the secret itself. `set` receives
//! the secret, `get` returns it, and [`ConfigOption::show`] hides it.

mod arguments;
mod file;
mod layers;
mod problem;
mod secret;
mod table;
mod value;
mod variables;

use std::ffi::OsStr;

pub use arguments::{CONFIG_FILE_VARIABLE, arguments, with_variable};
pub use layers::{ConfigLayers, LoadedConfig, Origin};
pub use problem::{ConfigProblem, ConfigProblems, FilePlace};
pub use table::{OPTION_GROUPS, OptionGroup, options};
pub use variables::Variables;

use crate::{CpuAffinity, ServerConfig};

/// A row of the table of options.
#[derive(Debug)]
pub struct ConfigOption {
    /// Name, which is the key in the file; a part before a dot is the table: `tls.cert` is `cert` in `[tls]`.
    pub name: &'static str,
    /// Flag without its dashes: the name with a dash for each dot.
    pub flag: &'static str,
    /// Environment variable.
    pub variable: &'static str,
    /// Word that stands for the value in help: `N`, `SIZE`.
    pub value_name: &'static str,
    /// Kind of value.
    pub kind: OptionKind,
    /// Default in words, if there is no value by default, or one that depends on the machine.
    pub default: Option<&'static str>,
    /// Value in the example file, as a flag has it; empty for the default, if that is a value which every machine has.
    pub example: &'static str,
    /// Set if a reload changes it in a running server; any other needs a restart.
    pub is_live: bool,
    /// Description, without a full stop at its end.
    pub help: &'static str,
    get: fn(&ServerConfig) -> String,
    set: fn(&mut ServerConfig, &OsStr) -> Result<(), String>,
    copy: fn(&mut ServerConfig, &ServerConfig),
}

/// Kind of an option's value, which says how the file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// A whole number.
    Number,
    /// A whole number of seconds.
    Seconds,
    /// A number of bytes, or a text such as `16MiB`.
    Size,
    /// A number, with a decimal point or without.
    Ratio,
    /// A text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A path; a relative one begins in the working directory, also in the file.
    Path,
    /// Several texts: an array in the file, with commas between them elsewhere.
    List,
    /// `true` or `false`.
    Switch,
    /// A secret, in a file or a variable of its own.
    Secret,
}

impl ConfigOption {
    /// Finds an option by its name, in any case of letters.
    pub fn find(name: &str) -> Option<&'static Self> {
        options().find(|option| option.name.eq_ignore_ascii_case(name))
    }

    /// Returns the value as [`set`](Self::set) reads it; empty if there is none. That of a secret is the secret.
    pub fn get(&self, config: &ServerConfig) -> String {
        (self.get)(config)
    }

    /// Returns the value for people: that of a secret is `(hidden)`, and one that is not set is empty.
    pub fn show(&self, config: &ServerConfig) -> String {
        let value = self.get(config);
        if self.kind == OptionKind::Secret && !value.is_empty() { "(hidden)".to_owned() } else { value }
    }

    /// Sets the value, as flags and variables write it. [`ServerConfig::validate`] checks how options fit together.
    ///
    /// # Errors
    /// A text that says which values are expected; the configuration is unchanged.
    pub fn set(&self, config: &mut ServerConfig, value: impl AsRef<OsStr>) -> Result<(), String> {
        (self.set)(config, value.as_ref())
    }

    /// Gives one configuration the value of another.
    pub fn copy(&self, to: &mut ServerConfig, from: &ServerConfig) {
        (self.copy)(to, from);
    }

    /// Returns true if both configurations have the same value.
    pub fn is_same(&self, one: &ServerConfig, other: &ServerConfig) -> bool {
        self.get(one) == self.get(other)
    }

    /// Returns the value as the file has it, as TOML; `None` if there is none, or if it is a secret.
    pub fn toml(&self, config: &ServerConfig) -> Option<String> {
        let value = self.get(config);
        (!value.is_empty() && self.kind != OptionKind::Secret).then(|| self.toml_of(&value))
    }

    /// Returns the value in the example file, as TOML; of a secret the path of its file.
    pub fn toml_example(&self) -> String {
        let example = Some(self.example).filter(|example| !example.is_empty());
        self.toml_of(&example.map_or_else(|| self.get(&defaults()), str::to_owned))
    }

    /// Returns a value that a flag would have as TOML.
    fn toml_of(&self, value: &str) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match self.kind {
            OptionKind::Number | OptionKind::Seconds | OptionKind::Ratio | OptionKind::Switch => {
                value.to_owned()
            }
            OptionKind::Size if value.parse::<u64>().is_ok() => value.to_owned(),
            OptionKind::List => format!("[{}]", value.split(',').map(quoted).collect::<Vec<_>>().join(", ")),
            _ => quoted(value),
        }
    }

    /// Returns the key in the file: the name, but for a secret that of its file.
    pub fn key(&self) -> String {
        format!("{}{}", self.name, if self.kind == OptionKind::Secret { "-file" } else { "" })
    }

    /// Returns the default value for people, for example `1000`, `16MiB` or `one per core`.
    pub fn default_text(&self) -> String {
        self.default.map_or_else(|| self.get(&defaults()), str::to_owned)
    }
}

/// Returns the configuration of a daemon without options: [`ServerConfig::default`], but for the CPU affinity. A process of
/// its own may pin its threads.
pub fn defaults() -> ServerConfig {
    ServerConfig { cpu_affinity: CpuAffinity::Auto, ..ServerConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_as_it_is_shown() {
        let mut config = defaults();
        for option in options() {
            let value = option.get(&defaults());
            if !value.is_empty() {
                assert_eq!(option.set(&mut config, &value), Ok(()), "{}", option.name);
            }
        }
        assert_eq!(config, defaults());
    }

    #[test]
    fn copying_every_option_copies_the_configuration() {
        let mut other = defaults();
        for option in options() {
            let words = if let OptionKind::Choice(words) = option.kind { words } else { &[] };
            let mut values = ["7", "1.5", "never", "off:1", "true", "1MiB", "other"].iter().chain(words);
            assert!(
                values.any(
                    |value| option.set(&mut other, value).is_ok() && !option.is_same(&other, &defaults())
                ),
                "no other value for {}: add one to this test",
                option.name
            );
        }
        let mut copy = defaults();
        for option in options() {
            option.copy(&mut copy, &other);
            assert!(option.is_same(&copy, &other), "{}", option.name);
        }
        assert_eq!(copy, other);
    }

    #[test]
    fn names_flags_and_variables_follow_one_rule_but_for_two_old_variables() {
        for option in options() {
            let flag = option.name.replace('.', "-");
            let variable = match option.name {
                "bind" => "RUSTVAULT_BIND_ADDR".to_owned(),
                "wal" => "RUSTVAULT_WAL_PATH".to_owned(),
                _ => format!("RUSTVAULT_{}", flag.replace('-', "_").to_uppercase()),
            };
            assert_eq!((option.flag, option.variable), (flag.as_str(), variable.as_str()));
            assert!(!option.help.is_empty() && !option.help.ends_with('.'), "{}", option.name);
            assert!(!option.default_text().is_empty(), "{}: say in `default` what there is", option.name);
            assert_eq!(options().filter(|other| other.name == option.name).count(), 1);
        }
    }

    #[test]
    fn a_refused_value_changes_nothing() {
        for option in options().filter(|option| option.kind != OptionKind::Path) {
            let mut config = defaults();
            let refused = option.set(&mut config, "\u{1}");
            assert!(refused.is_err() || option.kind == OptionKind::Secret, "{}", option.name);
            assert!(refused.is_ok() || config == defaults(), "{}", option.name);
        }
    }
}
