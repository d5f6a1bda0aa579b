//! Every name in ARCHITECTURE.md is one of the sources': paths, functions, types, threads, tests.

use std::collections::BTreeSet;

use crate::document::{SECTIONS, is_word, section, spans};
use crate::sources::{SOURCES, read, source, workspace};

/// Most functions, and most files, in which a `SET` is told from read to write.
const MAX_STEPS: usize = 12;

/// Returns whether there is a file or folder, seen from the root, from `crates/`, or from the `src` of a crate.
fn exists(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let root = workspace();
    let sources = [format!("/src/{path}.rs"), format!("/src/{path}")];
    let in_a_crate = |source: &str| {
        source.starts_with("crates/")
            && sources.iter().any(|path| source.ends_with(path) || source.contains(&format!("{path}/")))
    };
    root.join(path).exists()
        || root.join("crates").join(path).exists()
        || SOURCES.iter().any(|source| in_a_crate(&source.path))
}

fn is_path(span: &str) -> bool {
    is_word(span)
        && !span.contains("::")
        && (span.contains('/') || span.ends_with(".rs") || span.ends_with(".md"))
}

#[test]
fn every_path_exists() {
    assert!(
        exists("storage/src/wal") && exists("wal/read/") && exists("wal/read/reader") && exists(".ci/run")
    );
    assert!(!exists("wal/nothing") && !exists("ead/reader"));
    let mut missing = BTreeSet::new();
    for path in SECTIONS.iter().flat_map(|section| section.spans()).filter(|span| is_path(span)) {
        // `crates/*/tests`: in one of them.
        let found = match path.split_once("*/") {
            Some((folder, rest)) => {
                let mut folders = workspace().join(folder).read_dir().unwrap();
                folders.any(|entry| entry.unwrap().path().join(rest).exists())
            }
            None => exists(&path),
        };
        if !found {
            missing.insert(path);
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md names files that do not exist: {missing:#?}");
}

/// Returns what follows the last backtick.
fn last_word(text: &str) -> &str {
    text.rsplit('`').next().unwrap()
}

/// Finds what stands as `` `file.rs` (`name`, `name`) ``, `` `name` in `file.rs` `` or `` `name` of `file.rs` ``.
fn names_in_files(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, separator) in line.match_indices(".rs` (") {
        let names = line[at + separator.len()..].split(')').next().unwrap();
        found.extend(spans(names).map(|name| (last_word(&line[..at + 3]), name)));
    }
    for (at, separator) in ["` in `", "` of `"].iter().flat_map(|word| line.match_indices(word)) {
        let file = line[at + separator.len()..].split('`').next().unwrap();
        found.extend(file.ends_with(".rs").then_some((file, last_word(&line[..at]))));
    }
    found
}

#[test]
fn a_name_beside_a_file_is_in_that_file() {
    let line = "`a/b.rs` (`c`, `D::e`), `f.rs` (see `g`), `h`, `i` in `j.rs`, `k` of `l`";
    let expected = [("a/b.rs", "c"), ("a/b.rs", "D::e"), ("f.rs", "g"), ("j.rs", "i")];
    assert_eq!(names_in_files(line), expected);
    let mut wrong = Vec::new();
    for section in SECTIONS.iter() {
        // A list or a paragraph is one line; the rows of a table stay apart.
        let text = section.lines.join("\n").replace("|\n|", "\0").replace('\n', " ");
        for (file, name) in text.split('\0').flat_map(names_in_files) {
            if !source(file).is_some_and(|source| source.defines_path(name)) {
                wrong.push(format!("{file}: {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not where ARCHITECTURE.md says, which is below crates/: {wrong:#?}");
}

/// Returns whether this is the name of something that a source defines, as far as its form tells.
fn is_item(span: &str) -> bool {
    let is_type =
        span.starts_with(|c: char| c.is_ascii_uppercase()) && span.contains(|c: char| c.is_ascii_lowercase());
    is_word(span)
        && !span.starts_with("std::")
        && !span.replace("::", "").contains(['/', '-', '.', ':'])
        && (span.contains("::") || span.contains('_') || is_type)
}

#[test]
fn every_item_is_defined() {
    for span in ["A::b", "max_output_bytes", "LEADER_GRACE", "WaitFor"] {
        assert!(is_item(span), "{span}");
    }
    for span in ["INFO", "GET", "std::fs", "wal-writer", "Cargo.toml", "set", "a b_c"] {
        assert!(!is_item(span), "{span}");
    }
    let mut unknown = BTreeSet::new();
    for span in SECTIONS.iter().flat_map(|section| section.spans()).filter(|span| is_item(span)) {
        let path = span.replace("rustvault_", "");
        if !SOURCES.iter().any(|source| source.defines_path(&path)) {
            unknown.insert(span);
        }
    }
    assert!(unknown.is_empty(), "ARCHITECTURE.md names what no source defines: {unknown:#?}");
}

#[test]
fn a_set_is_told_in_twelve_functions_each_in_the_file_that_is_named() {
    let section = section("The write path");
    let rows: Vec<_> = section.rows().filter(|cells| cells[0].parse::<usize>().is_ok()).collect();
    assert!((2..=MAX_STEPS).contains(&rows.len()), "{} steps", rows.len());
    let mut files = Vec::new();
    for (number, cells) in (1..).zip(&rows) {
        assert_eq!(cells[0], number.to_string(), "the steps are numbered in their order");
        let one = |cell: &'static str| spans(cell).next().unwrap_or_else(|| panic!("step {number}: {cell}"));
        let (function, file) = (one(cells[1]), one(cells[2]));
        let source = source(file).unwrap_or_else(|| panic!("step {number}: there is no {file}"));
        let name = function.rsplit("::").next().unwrap();
        assert!(
            source.has_function(name) && source.defines_path(function),
            "step {number}: no {function} in {file}"
        );
        files.push(file);
    }
    // From the server down into the store, and back: whatever jumps to and fro is told in the wrong order.
    let mut crates: Vec<_> = files.iter().map(|file| file.split('/').next().unwrap()).collect();
    crates.dedup();
    assert_eq!(crates, ["server", "protocol", "server", "storage", "server"]);
}

#[test]
fn each_invariant_names_what_holds_it() {
    let section = section("Invariants");
    let text = section.lines.join("\n");
    let items = text.split_inclusive('\n').fold(Vec::<String>::new(), |mut items, line| {
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            items.push(String::new());
        }
        if let Some(item) = items.last_mut() {
            item.push_str(line);
        }
        items
    });
    assert!(items.len() >= 9, "{} invariants", items.len());
    for item in items {
        let title = item.lines().next().unwrap().to_owned();
        let (_, held_by) = item.split_once('—').unwrap_or_else(|| panic!("{title}: which tests hold it?"));
        assert!(spans(held_by).next().is_some(), "{title}: no test is named");
        for name in
            spans(held_by).filter(|span| is_word(span) && span.contains('_') && !span.contains([':', '/']))
        {
            assert!(SOURCES.iter().any(|source| source.has_test(name)), "{title}: there is no test {name}");
        }
    }
}

#[test]
fn every_thread_is_named_and_runs_under_that_name() {
    let section = section("Threads, and who wakes whom");
    let told: BTreeSet<&str> = section
        .rows()
        .skip(1)
        .flat_map(|cells| spans(cells[0]))
        .map(|name| name.trim_end_matches('N'))
        .collect();
    let code = SOURCES.iter().filter(|source| {
        ["crates/server/src", "crates/storage/src"].iter().any(|of| source.path.starts_with(of))
    });
    let starts = [".name(\"", ".name(format!(\"", "spawn(\""];
    let named: BTreeSet<&str> = code
        .flat_map(|source| starts.iter().flat_map(|start| source.text.split(start).skip(1)))
        .map(|rest| rest.split(['"', '{']).next().unwrap())
        .collect();
    assert_eq!(told, named, "left: ARCHITECTURE.md; right: the sources");
}

#[test]
fn the_lock_order_is_the_one_that_debug_builds_check() {
    let ranks = read("crates/storage/src/sync/ordered.rs");
    let ranks = ranks.split("enum Rank {").nth(1).unwrap().split('}').next().unwrap();
    let ranks: Vec<_> = ranks.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    let told: Vec<_> = section("Lock order")
        .spans()
        .filter_map(|span| Some(span.strip_prefix("Rank::")?.to_owned()))
        .collect();
    assert_eq!(told, ranks);
}
