//! Layers of a configuration: a flag counts more than a variable, a variable more than the file, the file more than a default.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::arguments::CONFIG_FILE_FLAG;
use super::file::ConfigFile;
use super::problem::FilePlace;
use super::secret::read_secret;
use super::{
    CONFIG_FILE_VARIABLE, ConfigOption, ConfigProblem, ConfigProblems, OptionKind, Variables, defaults,
    options,
};
use crate::ServerConfig;

/// Sources of a configuration: the command line and the variables of the process, and the path of the file.
///
/// Each [`load`](Self::load) reads the file again, and the files of secrets.
#[derive(Debug, Clone)]
pub struct ConfigLayers {
    flags: Vec<(&'static ConfigOption, OsString)>,
    variables: Variables,
    file: Option<PathBuf>,
}

/// A configuration that was loaded, with the origin of each value.
#[derive(Debug, Clone)]
pub struct LoadedConfig {
    /// The configuration, which is valid.
    pub config: ServerConfig,
    origins: Vec<Origin>,
}

/// Origin of an option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The default.
    Default,
    /// A flag of the command line.
    Flag(String),
    /// An environment variable, with its name.
    Variable(String),
    /// A line of the file.
    File {
        /// Path, as it was given.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
    },
}

impl Origin {
    fn of(place: &FilePlace) -> Self {
        Self::File { path: place.path.clone(), line: place.line }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

impl ConfigLayers {
    /// Takes what the [arguments](super::arguments) parsed, and the variables.
    pub fn new(matches: &ArgMatches, variables: Variables) -> Self {
        let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let typed = options().filter(|option| is_typed(option.name));
        let flags = typed.map(|option| {
            let values: Vec<_> = matches.get_many::<OsString>(option.name).into_iter().flatten().collect();
            (
                option,
                values.into_iter().map(OsString::as_os_str).collect::<Vec<&OsStr>>().join(OsStr::new(",")),
            )
        });
        let flags = flags.collect();
        let flag = matches.get_one::<OsString>(CONFIG_FILE_FLAG).map(OsString::as_os_str);
        let file =
            flag.or_else(|| variables.find(CONFIG_FILE_VARIABLE).map(|(_, path)| path)).map(PathBuf::from);
        Self { flags, variables, file }
    }

    /// Returns the path of the configuration file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Loads the configuration.
    ///
    /// # Errors
    /// All mistakes that were found, in the file and in the variables.
    pub fn load(&self) -> Result<LoadedConfig, ConfigProblems> {
        let mut loaded = LoadedConfig { config: defaults(), origins: Vec::new() };
        let mut file = self.file.as_deref().map(ConfigFile::read).unwrap_or_default();
        let mut problems = std::mem::take(&mut file.problems);
        for option in options() {
            let config = &mut loaded.config;
            let origin = match option.kind {
                OptionKind::Secret => self.apply_secret(option, &file, config, &mut problems),
                _ => self.apply(option, &file, config, &mut problems),
            };
            loaded.origins.push(origin);
        }
        if problems.is_empty()
            && let Err(error) = loaded.config.validate()
        {
            let message = error.to_string();
            let option = error.option().and_then(ConfigOption::find);
            let origin =
                option.and_then(|option| loaded.origins().find(|(other, _)| other.name == option.name));
            problems.push(match (option.and_then(|option| file.entry(option)), origin) {
                (Some(entry), Some((_, Origin::File { .. }))) => {
                    ConfigProblem { message, place: Some(entry.place.clone()) }
                }
                (_, Some((_, origin))) => ConfigProblem::new(format!("{message} ({origin})")),
                (_, None) => ConfigProblem::new(message),
            });
        }
        if problems.is_empty() {
            Ok(loaded)
        } else {
            Err(ConfigProblems::new(problems, loaded.config.message_format))
        }
    }

    /// Returns the value that the command line gives to an option.
    fn flag(&self, option: &ConfigOption) -> Option<&OsStr> {
        let flag = self.flags.iter().find(|(flag, _)| flag.name == option.name);
        flag.map(|(_, value)| value.as_os_str())
    }

    /// Sets an option from the layer that counts.
    fn apply(
        &self,
        option: &'static ConfigOption,
        file: &ConfigFile,
        config: &mut ServerConfig,
        problems: &mut Vec<ConfigProblem>,
    ) -> Origin {
        let (origin, name, value) = if let Some(value) = self.flag(option) {
            (Origin::Flag(option.flag.to_owned()), format!("'--{}'", option.flag), value)
        } else if let Some((name, value)) = self.variables.of(option) {
            let shown = format!("{name} (--{} <{}>)", option.flag, option.value_name);
            (Origin::Variable(name.to_owned()), shown, value)
        } else if let Some(entry) = file.entry(option) {
            (Origin::of(&entry.place), String::new(), entry.value.as_os_str())
        } else {
            return Origin::Default;
        };
        // The file's values have been checked.
        if let Err(expected) = option.set(config, value) {
            problems.push(refused(value, &name, &expected));
        }
        origin
    }

    /// Sets a secret, whose flag and file have the path of a file.
    fn apply_secret(
        &self,
        option: &'static ConfigOption,
        file: &ConfigFile,
        config: &mut ServerConfig,
        problems: &mut Vec<ConfigProblem>,
    ) -> Origin {
        let (origin, path) =
            match (self.flag(option), self.variables.of(option), self.variables.of_file(option)) {
                (Some(path), ..) => (Origin::Flag(format!("{}-file", option.flag)), path),
                (None, Some((name, _)), Some((file_name, _))) => {
                    problems.push(ConfigProblem::new(format!(
                        "{name} and {file_name} are both set: keep one of them"
                    )));
                    return Origin::Variable(name.to_owned());
                }
                (None, Some((name, secret)), None) => {
                    if let Err(expected) = option.set(config, secret) {
                        problems.push(ConfigProblem::new(format!("invalid {name}: {expected}")));
                    }
                    return Origin::Variable(name.to_owned());
                }
                (None, None, Some((name, path))) => (Origin::Variable(name.to_owned()), path),
                (None, None, None) => match file.entry(option) {
                    Some(entry) => (Origin::of(&entry.place), entry.value.as_os_str()),
                    None => return Origin::Default,
                },
            };
        let read = read_secret(Path::new(path)).and_then(|secret| {
            option.set(config, secret).map_err(|expected| format!("has no valid {}: {expected}", option.name))
        });
        if let Err(reason) = read {
            problems.push(ConfigProblem::new(format!("{} ({origin}) {reason}", path.display())));
        }
        origin
    }
}

fn refused(value: &OsStr, name: &str, expected: &str) -> ConfigProblem {
    ConfigProblem::new(format!("invalid value '{}' for {name}: {expected}", value.display()))
}

impl LoadedConfig {
    /// Returns the options, each with the origin of its value.
    pub fn origins(&self) -> impl Iterator<Item = (&'static ConfigOption, &Origin)> {
        options().zip(&self.origins)
    }

    /// Returns the values as a configuration file, with the origin of each in a comment if that is wanted. Options without a
    /// value are comments, and so are secrets, which are hidden.
    pub fn to_toml(&self, with_origins: bool) -> String {
        let line = |option: &ConfigOption| match option.toml(&self.config) {
            Some(value) => format!("{} = {value}", option.key()),
            None if option.get(&self.config).is_empty() => {
                format!("# {}: {}", option.key(), option.default.unwrap_or("none"))
            }
            None => format!("# {}: {}", option.name, option.show(&self.config)),
        };
        let lines: Vec<_> = self.origins().map(|(option, origin)| (line(option), origin)).collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
        let with_origin = |(line, origin): (String, &Origin)| match with_origins {
            true => format!("{line:width$}  # {}\n", origin.to_string().escape_debug()),
            false => format!("{line}\n"),
        };
        lines.into_iter().map(with_origin).collect()
    }
}
