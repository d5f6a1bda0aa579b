//! The code map of ARCHITECTURE.md names every module that there is, and none that there is not.

use std::collections::BTreeSet;

use crate::document::{section, spans};
use crate::sources::{SOURCES, workspace};

/// Returns the modules of a crate, by their paths in `src` without `.rs`; tests are left out.
fn modules(of: &str) -> BTreeSet<String> {
    let src = format!("crates/{of}/src/");
    let paths = SOURCES.iter().filter_map(|source| source.path.strip_prefix(&src)?.strip_suffix(".rs"));
    let paths = paths.filter(|path| !path.split('/').any(|part| part == "tests"));
    // A folder's own file is documented with the folder.
    paths.map(|path| path.strip_suffix("/mod").unwrap_or(path).to_owned()).collect()
}

/// Returns whether this can be the name of a module in a folder.
fn may_be_module(span: &str) -> bool {
    let span = span.trim_end_matches('/');
    !span.is_empty() && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Returns the modules that the code map names for a crate. A name in the first column is a path in `src`, one in the second
/// column of a folder's row is in that folder.
fn documented_modules(of: &str) -> BTreeSet<String> {
    let mut documented = BTreeSet::new();
    for cells in section(of).rows() {
        let names: Vec<_> = spans(cells[0]).collect();
        let folder = names.iter().find_map(|name| name.strip_suffix('/'));
        documented.extend(names.iter().map(|name| name.trim_end_matches('/').to_owned()));
        if let Some(folder) = folder {
            let inside = cells[1..].iter().flat_map(|cell| spans(cell)).filter(|span| may_be_module(span));
            documented.extend(inside.map(|name| format!("{folder}/{}", name.trim_end_matches('/'))));
        }
    }
    documented
}

#[test]
fn every_module_is_in_the_code_map_and_there_is_no_other() {
    for entry in workspace().join("crates").read_dir().unwrap() {
        let of = entry.unwrap().file_name().into_string().unwrap();
        let (modules, documented) = (modules(&of), documented_modules(&of));
        let folders: BTreeSet<_> =
            modules.iter().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned())).collect();
        let missing: Vec<_> = modules.difference(&documented).collect();
        assert!(missing.is_empty(), "the code map of ARCHITECTURE.md lacks modules of {of}: {missing:#?}");
        let gone: Vec<_> =
            documented.iter().filter(|path| !modules.contains(*path) && !folders.contains(*path)).collect();
        assert!(gone.is_empty(), "the code map of ARCHITECTURE.md names modules that {of} lacks: {gone:#?}");
    }
}
