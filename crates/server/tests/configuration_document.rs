//! `docs/configuration.md` and `rustvault.example.toml` say what the table of options says. After a change:
//! `RUSTVAULT_BLESS=1 cargo test -p rustvault-server --test configuration_document`.
#![cfg(test)]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rustvault_server::options::{
    ConfigLayers, ConfigOption, OPTION_GROUPS, OptionKind, Origin, Variables, arguments, defaults, options,
};

const INTRODUCTION: &str = include_str!("configuration_introduction.md");

const EXAMPLE_INTRODUCTION: &str = "\
# Configuration of RustVault: rustvault-server --config rustvault.toml
#
# All options, commented out. A value is the default, unless the text above it says otherwise. Flags and environment
# variables count more than this file. docs/configuration.md describes the options; after a change,
# rustvault-server --config rustvault.toml --check-config
# checks this file.
";

fn root(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for group in &OPTION_GROUPS {
        write!(text, "\n## {}\n", group.title).unwrap();
        group.options.iter().for_each(|option| describe(option, &mut text));
    }
    text
}

fn describe(option: &ConfigOption, text: &mut String) {
    let is_secret = option.kind == OptionKind::Secret;
    let (flag_suffix, variable_suffix) = if is_secret { ("-file", "_FILE") } else { ("", "") };
    write!(text, "\n### `{}`\n\n{}.\n\n", option.name, option.help.trim_end_matches('.')).unwrap();
    writeln!(text, "- Flag: `--{}{flag_suffix} <{}>`", option.flag, option.value_name).unwrap();
    write!(text, "- Variable: `{}{variable_suffix}`", option.variable).unwrap();
    writeln!(
        text,
        "{}",
        if is_secret { format!(", or `{}` with the secret itself", option.variable) } else { String::new() }
    )
    .unwrap();
    let key = option.key();
    let value = option.toml_example();
    match key.rsplit_once('.') {
        Some((table, key)) => writeln!(text, "- File: `{key} = {value}` in `[{table}]`").unwrap(),
        None => writeln!(text, "- File: `{key} = {value}`").unwrap(),
    }
    if let Some(values) = values(option) {
        writeln!(text, "- Values: {values}").unwrap();
    }
    writeln!(text, "- Default: {}", option.default_text()).unwrap();
    writeln!(
        text,
        "- A change takes effect: {}",
        if option.is_live { "at a reload" } else { "after a restart" }
    )
    .unwrap();
}

/// Returns the values that are accepted, as the error for any other says.
fn values(option: &ConfigOption) -> Option<String> {
    match option.kind {
        OptionKind::Number
        | OptionKind::Seconds
        | OptionKind::Size
        | OptionKind::Ratio
        | OptionKind::Choice(_) => {
            let expected = option.set(&mut defaults(), "\u{1}").unwrap_err();
            Some(expected.trim_start_matches("expected ").to_owned())
        }
        OptionKind::Switch => Some("true or false; the flag alone is true".to_owned()),
        OptionKind::Path | OptionKind::Secret => Some("a path".to_owned()),
        _ => None,
    }
}

/// Returns the example file, and the lines in it that set options, without their mark.
fn example() -> (String, Vec<String>) {
    let (mut text, mut lines, mut current_table) = (EXAMPLE_INTRODUCTION.to_owned(), Vec::new(), None);
    for group in &OPTION_GROUPS {
        write!(text, "\n## {}\n", group.title).unwrap();
        for option in group.options {
            let key = option.key();
            let (table, key) = key
                .rsplit_once('.')
                .map_or((None, key.as_str()), |(table, key)| (Some(table.to_owned()), key));
            if table != current_table {
                let table = table.clone().expect("keys without a table come before the first table");
                write!(text, "\n[{table}]\n").unwrap();
                current_table = Some(table);
            }
            let default = option.default.filter(|default| !option.help.contains(default));
            let default = default.map_or_else(String::new, |default| format!(". Default: {default}"));
            let help = textwrap(&format!("{}{default}.", option.help));
            let line = format!("{key} = {}", option.toml_example());
            write!(text, "\n{help}#{line}\n").unwrap();
            lines.push(line);
        }
    }
    (text, lines)
}

/// Returns a text as comments of at most 100 characters.
fn textwrap(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split(' ') {
        if lines.last().unwrap().len() + word.len() > 98 {
            lines.push(String::from("#"));
        }
        let line = lines.last_mut().unwrap();
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}

fn compare(file: &str, expected: &str) {
    let path = root(file);
    if std::env::var_os("RUSTVAULT_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{file} is not what the table of options says: run this test with RUSTVAULT_BLESS=1"
    );
}

fn layers(text: &str, folder: &Path) -> ConfigLayers {
    let path = folder.join("rustvault.toml");
    std::fs::write(&path, text).unwrap();
    let args = [Path::new("rustvault-server").as_os_str(), "--config".as_ref(), path.as_os_str()];
    let matches = clap::Command::new("rustvault-server").args(arguments()).get_matches_from(args);
    ConfigLayers::new(&matches, Variables::default())
}

#[test]
fn the_document_says_what_the_table_says() {
    compare("docs/configuration.md", &document());
}

#[test]
fn the_example_says_what_the_table_says() {
    compare("rustvault.example.toml", &example().0);
}

#[test]
fn the_example_sets_nothing_and_with_its_lines_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (text, lines) = example();
    let loaded = layers(&text, folder.path()).load().unwrap();
    assert_eq!(loaded.config, defaults());
    let all = lines
        .iter()
        .fold(text, |text, line| text.replacen(&format!("\n#{line}\n"), &format!("\n{line}\n"), 1));
    // The example's secrets are in files that are not there.
    let is_secret = |line: &str| {
        options().any(|option| option.kind == OptionKind::Secret && line.starts_with(&option.key()))
    };
    let all: String = all.lines().filter(|line| !is_secret(line)).map(|line| format!("{line}\n")).collect();
    let loaded = layers(&all, folder.path()).load().unwrap_or_else(|problems| panic!("{problems}\n{all}"));
    for (option, origin) in loaded.origins().filter(|(option, _)| option.kind != OptionKind::Secret) {
        assert!(matches!(origin, Origin::File { .. }), "{}: {origin}", option.name);
        if option.example.is_empty() {
            assert!(option.is_same(&loaded.config, &defaults()), "{}", option.name);
        }
    }
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let text = "max-connections = 7\nunix-socket = \"a b\\\"c\"\nbind = [\"a:1\", \"b:2\"]\nmax-memory = 1_000_000\n";
    let loaded = layers(text, folder.path()).load().unwrap();
    for with_origins in [false, true] {
        let shown = loaded.to_toml(with_origins);
        assert_eq!(shown.lines().count(), options().count(), "{shown}");
        let again =
            layers(&shown, folder.path()).load().unwrap_or_else(|problems| panic!("{problems}\n{shown}"));
        assert_eq!(again.config, loaded.config, "{shown}");
    }
    let line =
        loaded.to_toml(true).lines().find(|line| line.starts_with("max-connections")).unwrap().to_owned();
    assert!(line.starts_with("max-connections = 7 ") && line.ends_with("rustvault.toml:1"), "{line}");
}
