//! The workspace's files, and the names that its sources define.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The patch of the worked example.
pub(crate) const PATCH: &str = "docs/add-a-command.patch";

/// A source file.
pub(crate) struct Source {
    /// Below the workspace's root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All sources of the workspace, in order.
pub(crate) static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources = Vec::new();
    for folder in ["crates", "benches", "tests", "fuzz"] {
        find_sources(&workspace().join(folder), &mut sources);
    }
    // The document tells of what the worked example adds, too.
    let patch = read(PATCH);
    let added = patch.lines().filter_map(|line| line.strip_prefix('+')).collect::<Vec<_>>().join("\n");
    sources.push(Source { path: PATCH.to_owned(), text: added });
    assert!(sources.len() > 300, "the sources were not found");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
});

/// Returns the workspace's root.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns the text of a file of the workspace.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn find_sources(folder: &Path, found: &mut Vec<Source>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            find_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(workspace()).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path, text });
        }
    }
}

/// Returns the source that a path means: from the root, or from `crates/`.
pub(crate) fn source(path: &str) -> Option<&'static Source> {
    let in_crates = format!("crates/{path}");
    SOURCES.iter().find(|source| source.path == path || source.path == in_crates)
}

impl Source {
    /// Returns its modules, the outermost first: `wal`, `read`, `judge`.
    fn modules(&self) -> impl Iterator<Item = &str> {
        self.path.trim_end_matches(".rs").split('/')
    }

    /// Returns whether it has a function of this name.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        let heads = ["(", "<"].map(|after| format!("fn {name}{after}"));
        heads.iter().any(|head| self.text.contains(head))
    }

    /// Returns whether it has a test of this name: one with an attribute, or one that a macro of that file makes of a list.
    pub(crate) fn has_test(&self, name: &str) -> bool {
        let is_listed =
            || self.text.contains("macro_rules!") && self.text.contains(&format!("\n    {name},\n"));
        let head = format!("fn {name}(");
        self.text.match_indices(&head).any(|(at, _)| {
            let before = self.text[..at].rsplit("\n\n").next().unwrap();
            let is_attribute = |line: &str| line.trim_start().starts_with("#[") && line.contains("test");
            before.lines().any(is_attribute) || is_listed()
        })
    }

    /// Returns whether it defines something of this name: an item, a variant, a field.
    pub(crate) fn defines(&self, name: &str) -> bool {
        if !self.text.contains(name) {
            return false;
        }
        let lines = self.text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        lines.flat_map(|line| line.split("macro_rules! ")).any(|line| is_definition(line, name))
    }

    /// Returns whether it defines what a path such as `Waiters::wake_group` names.
    pub(crate) fn defines_path(&self, path: &str) -> bool {
        let mut names = path.rsplit("::");
        let last = names.next().unwrap();
        self.defines(last)
            && names.all(|name| self.has_word(name) || self.modules().any(|module| module == name))
    }

    fn has_word(&self, word: &str) -> bool {
        self.text.split(|c| !is_part_of_name(c)).any(|other| other == word)
    }
}

fn is_definition(line: &str, name: &str) -> bool {
    const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "const", "static", "type", "mod"];
    let names: Vec<&str> = line.split(|c| !is_part_of_name(c)).filter(|name| !name.is_empty()).collect();
    let is_item = names.windows(2).any(|pair| KEYWORDS.contains(&pair[0]) && pair[1] == name);
    // A field has a colon behind its name, a variant a comma, what it holds, or nothing.
    let member = match line.strip_prefix("pub") {
        Some(line) => line.split_once(' ').map_or("", |(_, line)| line),
        None => line,
    };
    let is_variant = name.starts_with(|c: char| c.is_ascii_uppercase());
    let is_end = |rest: &str| {
        rest.starts_with(": ") || is_variant && (rest.is_empty() || rest.starts_with([',', '(', ' ']))
    };
    is_item || member.strip_prefix(name).is_some_and(is_end)
}

fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn definitions_are_told_from_uses() {
    for line in
        ["pub(in crate::wal) struct Shared {", "pub(super) const fn Shared<T>()", "Shared(i64),", "Shared,"]
    {
        assert!(is_definition(line, "Shared"), "{line}");
    }
    for line in ["pub(super) tail: Tail,", "tail: usize,", "fn tail(&self) {", "mod tail;"] {
        assert!(is_definition(line, "tail"), "{line}");
    }
    for line in ["let tail = 1;", "self.tail()", "tail(1);", "use super::tail;", "fn tails() {}"] {
        assert!(!is_definition(line, "tail"), "{line}");
    }
}
