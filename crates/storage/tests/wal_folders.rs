//! The log's folders form layers: `format`, on it `read` and `write`, on all of them `rewrite`.
#![cfg(test)]

use std::path::{Path, PathBuf};

/// The folders of the log, each with those that it may use beside itself.
const MAY_USE: [(&str, &[&str]); 4] = [
    ("format", &[]),
    ("read", &["format"]),
    ("write", &["format"]),
    ("rewrite", &["format", "read", "write"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The code of a file without comments, white space and what says who sees an item: a path stands in one piece.
fn code(text: &str) -> String {
    let code = text.lines().flat_map(|line| line.split("//").next().unwrap().split_whitespace());
    code.collect::<String>().replace("pub(incrate::wal)", "pub")
}

/// The word at the start of `code`.
fn first_word(code: &str) -> &str {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap()
}

/// Paths in the code of a file of `folder` that lead out of it, and not to a folder that it may use.
///
/// They are all of one form, `crate::wal::<folder>::…`: neither `super` nor what `wal` re-exports, which would
/// hide the folder, leads out of one.
fn forbidden_paths(folder: &str, may_use: &[&str], is_folder_root: bool, code: &str) -> Vec<String> {
    let into_log = code.match_indices("wal").filter(|&(at, _)| code[..at].ends_with([':', '{', ',']));
    let into_log = into_log.map(|(at, _)| &code[at..]).filter(|path| first_word(path) == "wal");
    let is_allowed = |path: &str| {
        let target = path.strip_prefix("wal::").map(first_word);
        target.is_some_and(|target| target == folder || may_use.contains(&target))
    };
    let upwards = if is_folder_root { "super::" } else { "super::super" };
    let upwards = code.match_indices(upwards).map(|(at, _)| &code[at..]);
    let forbidden = into_log.filter(|path| !is_allowed(path)).chain(upwards);
    forbidden.map(|path| path.split([';', '(', '}']).next().unwrap().to_owned()).collect()
}

#[test]
fn a_folder_of_the_log_uses_those_below_it_alone() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wal");
    let mut forbidden = Vec::new();
    let mut files = vec![log.join("mod.rs")];
    for (folder, may_use) in MAY_USE {
        let root = log.join(folder).join("mod.rs");
        let first = files.len();
        sources(&log.join(folder), &mut files);
        for file in &files[first..] {
            let code = code(&std::fs::read_to_string(file).unwrap());
            let paths = forbidden_paths(folder, may_use, *file == root, &code);
            forbidden.extend(paths.iter().map(|path| format!("{}: {path}", file.display())));
        }
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    let mut strays = Vec::new();
    sources(&log, &mut strays);
    strays.retain(|file| !files.contains(file));
    assert!(strays.is_empty(), "every file of the log is in one of its folders, not so {strays:?}");
}

#[test]
fn a_forbidden_path_is_found_in_any_spelling() {
    let found = |text: &str| forbidden_paths("read", &["format"], false, &code(text));
    for forbidden in [
        "use crate::wal::write::space::Space;",
        "use crate::wal::rewrite;",
        "use crate::wal::{format::batch, write::space};",
        "use crate::{\n    Error,\n    wal::write::space::Space,\n};",
        "let log: crate::wal::Log;",
        "use crate::wal;",
        "use super::super::write::space::Space;",
    ] {
        assert_eq!(found(forbidden).len(), 1, "{forbidden}");
    }
    for allowed in [
        "use crate::wal::format::batch::BatchHeader;",
        "use super::unit::Unit;",
        "pub(in crate::wal) struct Scanner;",
        "//! As crate::wal::write does.",
        "thread(\"wal-writer\", crate::wal::read::scanner::run)",
    ] {
        assert_eq!(found(allowed), [""; 0], "{allowed}");
    }
    let root = forbidden_paths("read", &["format"], true, &code("use super::write::space::Space;"));
    assert_eq!(root.len(), 1, "`super` is the log itself there");
}
