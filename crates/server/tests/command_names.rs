//! Names of commands stand in the table and with the handlers, nowhere else.
#![cfg(test)]

use std::path::{Path, PathBuf};

use rustvault_protocol::Command;

/// Where names of commands may stand.
const HOMES: [&str; 2] = ["protocol/src/command", "server/src/commands"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The code of a file, without its comments and its tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).enumerate()
}

/// Whether a line has `name`, or the variant of its command, as a word of its own.
fn mentions(line: &str, name: &str, variant: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(|c| !is_part(c)).any(|word| word == name) || line.contains(&format!("Command::{variant}"))
}

#[test]
fn a_command_is_named_in_the_table_and_where_it_is_carried_out() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    ["protocol/src", "server/src"].iter().for_each(|folder| sources(&crates.join(folder), &mut files));
    assert!(files.len() > 40, "the sources were found");
    let mut named_elsewhere = Vec::new();
    for file in files.iter().filter(|file| !HOMES.iter().any(|home| file.starts_with(crates.join(home)))) {
        let text = std::fs::read_to_string(file).unwrap();
        for (number, line) in code(&text) {
            for command in Command::ALL.iter().filter(|command| command.spec().container().is_none()) {
                let (name, variant) = (command.name(), format!("{command:?}"));
                if mentions(line, name, &variant) {
                    named_elsewhere.push(format!("{}:{}: {name}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(named_elsewhere.is_empty(), "{named_elsewhere:#?}");
}
