//! Keys of the configuration file, and what an unknown one may mean.

use toml::de::DeValue;

use super::{ConfigOption, OptionKind};
use crate::options::options;

/// Least similarity of an unknown key and the known one that is suggested, 1 for equal ones.
const MIN_SIMILARITY: f64 = 0.6;

/// Least length of an unknown key that is taken for the beginning of a known one.
const MIN_BEGINNING_BYTES: usize = 4;

pub(super) fn find(name: &str) -> Option<&'static ConfigOption> {
    options().find(|option| option.key() == name)
}

pub(super) fn is_table(name: &str) -> bool {
    tables().any(|table| table == name)
}

fn tables() -> impl Iterator<Item = &'static str> {
    options().filter_map(|option| option.name.rsplit_once('.')).map(|(table, _)| table)
}

/// Returns true if a line has a word by which it may have a secret, so that it is not shown.
pub(super) fn may_be_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["pass", "secret", "token", "pwd"].iter().any(|word| line.contains(word))
}

/// Returns the message for a key that is unknown in a table, with the one that it is most like.
pub(super) fn unknown(prefix: &str, key: &str, value: &DeValue<'_>) -> String {
    let name = format!("{prefix}{key}");
    if is_table(&name) {
        return format!("'{name}' is a table: write [{name}], and its keys below");
    }
    if let Some(option) = options().find(|option| option.name == name && option.kind == OptionKind::Secret) {
        let (file_key, variable) = (option.key(), option.variable);
        return format!(
            "a secret is not written here: write it into a file of its own and its path here as '{file_key}', or set \
             {variable}"
        );
    }
    let meant = match suggestion(prefix, key) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "rustvault-server --help lists the options".to_owned(),
    };
    match value {
        DeValue::Table(_) => format!("unknown table [{}]: {meant}", name.escape_debug()),
        _ => format!("unknown key '{}': {meant}", name.escape_debug()),
    }
}

fn suggestion(prefix: &str, key: &str) -> Option<String> {
    let known = || options().map(ConfigOption::key).chain(tables().map(str::to_owned));
    let typed = key.to_ascii_lowercase().replace('_', "-");
    let typed = typed.trim_start_matches("rustvault-").trim_start_matches('-');
    // The flag of an option of a table, or a key below the table of another.
    let moved = known().find(|name| name.replace('.', "-") == typed || name == typed);
    let moved = moved.filter(|name| *name != format!("{prefix}{key}"));
    let typed_name = format!("{prefix}{typed}");
    let begun = || known().find(|name| typed.len() >= MIN_BEGINNING_BYTES && name.starts_with(&typed_name));
    let similar = || {
        let score = |name: &str| strsim::normalized_damerau_levenshtein(&typed_name, name);
        let close = known().map(|name| (score(&name), name)).filter(|(score, _)| *score >= MIN_SIMILARITY);
        close.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
    };
    moved.or_else(begun).or_else(similar).map(|name| in_words(prefix, &name))
}

/// Returns a key as it is to be written.
fn in_words(prefix: &str, name: &str) -> String {
    match name.rsplit_once('.') {
        _ if is_table(name) => format!("[{name}]"),
        Some((table, key)) if prefix != format!("{table}.") => format!("'{key}' in [{table}]"),
        Some((_, key)) => format!("'{key}'"),
        None if prefix.is_empty() => format!("'{name}'"),
        None => format!("'{name}', above the first [table]"),
    }
}
