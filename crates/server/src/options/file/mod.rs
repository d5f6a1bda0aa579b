//! The configuration file: TOML, whose keys are the names of options. All its mistakes are found at once.

mod keys;
mod place;
mod values;

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{ConfigProblem, FilePlace, MAX_REPORTED_PROBLEMS};
use super::secret::read_file;
use super::{ConfigOption, OptionKind, defaults};
use place::FileText;

/// Most bytes of a configuration file.
const MAX_CONFIG_FILE_BYTES: u64 = 1024 * 1024;

/// Most mistakes of either kind that are looked at, each of which takes time: a file with more is hardly a configuration.
const MAX_EXAMINED_PROBLEMS: usize = 2 * MAX_REPORTED_PROBLEMS;

/// A file that was read, with what was found to be wrong.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) entries: Vec<FileEntry>,
    pub(super) problems: Vec<ConfigProblem>,
}

/// An option that the file sets.
#[derive(Debug)]
pub(super) struct FileEntry {
    pub(super) option: &'static ConfigOption,
    /// The value, as a flag would have it; of a secret the path of its file.
    pub(super) value: OsString,
    pub(super) place: FilePlace,
}

impl ConfigFile {
    /// Reads a file. It sets no option twice.
    pub(super) fn read(path: &Path) -> Self {
        match read_file(path, MAX_CONFIG_FILE_BYTES) {
            Ok(contents) => Self::parse(path, &contents),
            Err(reason) => {
                let problem =
                    ConfigProblem::new(format!("the configuration file {} {reason}", path.display()));
                Self { entries: Vec::new(), problems: vec![problem] }
            }
        }
    }

    fn parse(path: &Path, contents: &[u8]) -> Self {
        let text = match str::from_utf8(contents) {
            Ok(text) => text,
            Err(error) => {
                let (text, at) = (String::from_utf8_lossy(contents), error.valid_up_to());
                let place = FileText::new(path, &text).at(&(at..at + 1));
                let message = "the file is not valid UTF-8 from here on: save it as UTF-8".to_owned();
                return Self {
                    problems: vec![ConfigProblem { message, place: Some(place) }],
                    ..Self::default()
                };
            }
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reading =
            ConfigReader { source: FileText::new(path, text), entries: Vec::new(), found: Vec::new() };
        reading.read_table(table.get_ref(), "");
        reading.finish(&errors)
    }

    pub(super) fn entry(&self, option: &ConfigOption) -> Option<&FileEntry> {
        self.entries.iter().find(|entry| entry.option.name == option.name)
    }
}

/// A file that is being read.
struct ConfigReader<'a> {
    source: FileText<'a>,
    entries: Vec<FileEntry>,
    found: Vec<ConfigProblem>,
}

impl ConfigReader<'_> {
    /// Reads a table, whose name ends with a dot unless it is the whole file.
    fn read_table(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            if self.found.len() >= MAX_EXAMINED_PROBLEMS {
                return;
            }
            let name = format!("{prefix}{}", key.get_ref());
            match (keys::find(&name), value.get_ref()) {
                (Some(option), _) => self.read_value(option, value),
                (None, DeValue::Table(table)) if keys::is_table(&name) => {
                    self.read_table(table, &format!("{name}."));
                }
                (None, value) => {
                    let place = self.place_without_secret(&key.span());
                    let message = keys::unknown(prefix, key.get_ref(), value);
                    self.found.push(ConfigProblem { message, place: Some(place) });
                }
            }
        }
    }

    fn read_value(&mut self, option: &'static ConfigOption, value: &Spanned<DeValue<'_>>) {
        let place = self.source.at(&value.span());
        let text = values::as_flag(option, value.get_ref());
        // The file of a secret is read when it is known that no variable counts more.
        let checked = text.and_then(|text| match option.kind {
            OptionKind::Secret => Ok(text),
            _ => option.set(&mut defaults(), &text).map(|()| text),
        });
        match checked {
            Ok(text) => self.entries.push(FileEntry { option, value: text.into(), place }),
            Err(expected) => {
                let message = format!("invalid value for '{}': {expected}", option.key());
                self.found.push(ConfigProblem { message, place: Some(place) });
            }
        }
    }

    /// Adds errors of syntax. A line that is not TOML has no other mistakes: they would follow from it.
    fn finish(mut self, errors: &[toml::de::Error]) -> ConfigFile {
        let mut problems: Vec<ConfigProblem> = Vec::new();
        for error in errors.iter().take(MAX_EXAMINED_PROBLEMS) {
            let problem = self.syntax_error(error);
            if !problems.iter().any(|earlier| line(earlier) == line(&problem)) {
                problems.push(problem);
            }
        }
        self.found.retain(|problem| !problems.iter().any(|syntax| line(syntax) == line(problem)));
        problems.append(&mut self.found);
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        ConfigFile { entries: self.entries, problems }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigProblem {
        let span = error.span().unwrap_or_else(|| self.source.end());
        let message = match error.message() {
            "duplicate key" => format!("'{}' stands twice: keep one of them", self.source.text(&span)),
            message => format!("not valid TOML: {message}"),
        };
        ConfigProblem { message, place: Some(self.place_without_secret(&span)) }
    }

    /// Returns a place, without its line if that may have a secret: messages and `INFO` have more readers than the file.
    fn place_without_secret(&self, span: &Range<usize>) -> FilePlace {
        let mut place = self.source.at(span);
        if keys::may_be_secret(self.source.statement(span)) {
            place.excerpt.clear();
        }
        place
    }
}

fn line(problem: &ConfigProblem) -> Option<usize> {
    problem.place.as_ref().map(|place| place.line)
}

#[cfg(test)]
mod tests;
