//! Files that are made from the command line of a program: completions for shells, and man pages. They are in `packaging/`; tests
//! compare them with the command line, or write them if `RUSTVAULT_BLESS=1` is set.

mod man_page;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use clap::Command;
use clap_complete::{Shell, generate};

use crate::need;

/// Section of all pages: commands for everybody.
const MAN_SECTION: &str = "1";

/// Facts for man pages that the command line does not have, as names with what they mean.
#[derive(Debug, Clone, Copy)]
pub struct ManFacts<'a> {
    /// Environment variables beside those of the options.
    pub environment: &'a [(&'a str, &'a str)],
    /// Files that the program reads or writes.
    pub files: &'a [(&'a str, &'a str)],
    /// Other pages, such as `rustvault-cli(1)`.
    pub see_also: &'a [&'a str],
    /// Returns the options that the page with this name does not show, because its command ignores them.
    pub ignored_options: fn(&str) -> &'static [&'static str],
}

/// Files by name, with what they contain.
type FilesByName = BTreeMap<String, String>;

/// Compares the completions of a program for bash, fish and zsh with `packaging/completions`.
///
/// # Panics
/// If they differ.
pub fn check_completions(command: &Command) {
    let name = command.get_name();
    let shells = [
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Fish, format!("{name}.fish")),
        (Shell::Zsh, format!("_{name}")),
    ];
    let files = shells.map(|(shell, file)| {
        let mut script = Vec::new();
        generate(shell, &mut command.clone(), name, &mut script);
        let script = String::from_utf8(script).unwrap();
        // clap_complete 4.6 writes the hyphen of a program's name in two ways, and finds no subcommand then.
        let script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
        (file, tidy(&script))
    });
    check_files("packaging/completions", name, &files.into());
}

/// Checks that bash, with the completions in `packaging/completions`, completes the last of these words to `expected`.
///
/// # Panics
/// If it completes it to something else.
pub fn check_bash_completion(words: &[&str], expected: &[&str]) {
    // Sources the completions, and calls their function as bash does.
    const SCRIPT: &str = r#"
        set -e
        source "$0"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        "_${1//-/__}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    if !need("bash") {
        return;
    }
    let file = folder("packaging/completions").join(format!("{}.bash", words.first().unwrap()));
    let bash =
        process::Command::new("bash").args(["--norc", "-c", SCRIPT]).arg(file).args(words).output().unwrap();
    assert!(bash.status.success() && bash.stderr.is_empty(), "{bash:?}");
    let completed = String::from_utf8(bash.stdout).unwrap();
    assert_eq!(completed.lines().collect::<Vec<_>>(), expected);
}

/// Compares the man pages of a program and of its subcommands with `packaging/man`, and has `man` read them.
///
/// # Panics
/// If they differ, or `man` warns.
pub fn check_man_pages(command: &Command, facts: ManFacts<'_>) {
    let mut files = FilesByName::new();
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let source = format!("RustVault {}", command.get_version().unwrap());
    put_pages(&command, None, &source, facts, &mut files);
    check_files("packaging/man", command.get_name(), &files);
    if need("man") {
        files.keys().for_each(|page| lint(&folder("packaging/man").join(page)));
    }
}

/// Formats a page by `man`.
fn lint(page: &Path) {
    let man = process::Command::new("man")
        .args(["--warnings", "--encoding=UTF-8", "--troff-device=utf8", "--local-file"])
        .arg(page)
        .env("MANWIDTH", "80")
        .output()
        .unwrap();
    let warnings = String::from_utf8_lossy(&man.stderr);
    assert!(
        man.status.success() && warnings.is_empty() && !man.stdout.is_empty(),
        "{}: {warnings}",
        page.display()
    );
}

/// Returns the path of a folder of the repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn put_pages(
    command: &Command,
    parent: Option<&Command>,
    source: &str,
    facts: ManFacts<'_>,
    files: &mut FilesByName,
) {
    let title = man_page::title(command);
    let ignored = (facts.ignored_options)(&title).iter();
    let shown =
        ignored.fold(command.clone(), |command, option| command.mut_arg(option, |arg| arg.hide(true)));
    let page = man_page::render(&shown, parent, source, facts);
    files.insert(format!("{title}.{MAN_SECTION}"), tidy(&page));
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        put_pages(subcommand, Some(command), source, facts, files);
    }
}

/// Returns the text without blanks at the ends of its lines.
fn tidy(text: &str) -> String {
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Compares files with those of a folder that are about the program.
fn check_files(folder_name: &str, program: &str, files: &FilesByName) {
    let folder = folder(folder_name);
    let is_blessed = env::var_os("RUSTVAULT_BLESS").is_some();
    for (name, text) in files {
        let path = folder.join(name);
        if is_blessed {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == *text,
            "{name} is not what the command line says: run this test with RUSTVAULT_BLESS=1"
        );
    }
    for name in present(&folder, program).into_iter().filter(|name| !files.contains_key(name)) {
        if is_blessed {
            fs::remove_file(folder.join(&name)).unwrap();
        } else {
            panic!("{name} is of no command: run this test with RUSTVAULT_BLESS=1");
        }
    }
}

/// Returns the names of the files that are about the program.
fn present(folder: &Path, program: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.trim_start_matches('_').starts_with(program)).collect()
}
