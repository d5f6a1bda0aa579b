//! Conventions of the crates' sources: headers, openings of doc comments, lengths of files and functions, names of types
//! and of commands.
#![cfg(test)]

mod names;

use std::path::Path;

const HEADER_LINES: usize = 3;
const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 60;
/// The options' help is doc comments, too, and people rely on its words: so not none.
const VAGUE_PERCENT: usize = 2;

/// Words after which a first sentence names neither an action nor a thing.
const VAGUE_OPENINGS: &str = "What How Whether Where Of Has From As Who Whom Those That One Such";

/// Functions that may be longer, each with the reason.
const LONG_FUNCTIONS: [(&str, &str, &str); 3] = [
    ("crates/server/src/commands/mod.rs", "handler", "a match that names every command"),
    ("crates/storage/src/op/strings.rs", "decide", "a match that decides every change of a string"),
    ("crates/storage/src/wal/read/reader/oracle.rs", "step", "the rules of a batch, to be read in one piece"),
];

/// Lines of a file that were looked for, by number, with what is there.
type Findings = Vec<(usize, String)>;

fn without_header(text: &str) -> Findings {
    let has_header = text.lines().take(HEADER_LINES).any(|line| line.starts_with("//!"));
    if has_header { vec![] } else { vec![(1, "no header".to_owned())] }
}

fn too_many_lines(text: &str) -> Findings {
    let lines = text.lines().count();
    if lines > MAX_FILE_LINES { vec![(MAX_FILE_LINES + 1, format!("{lines} lines"))] } else { vec![] }
}

/// Returns the first line of every run of doc comments.
fn doc_blocks(text: &str) -> Findings {
    let mut blocks = Vec::new();
    let mut in_block = false;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        blocks.extend(doc.filter(|_| !in_block).map(|doc| (number, doc.trim().to_owned())));
        in_block = doc.is_some();
    }
    blocks
}

fn vague_openings(text: &str) -> Findings {
    let is_vague = |doc: &str| {
        let first = doc.split(' ').next().unwrap().trim_matches([',', '.', ':']);
        VAGUE_OPENINGS.split(' ').any(|word| word == first)
    };
    doc_blocks(text).into_iter().filter(|(_, doc)| is_vague(doc)).collect()
}

/// Finds functions by their closing brace, which rustfmt indents as their first line.
fn long_functions(text: &str) -> Findings {
    let lines: Vec<&str> = text.lines().map(|line| line.split(" // ").next().unwrap()).collect();
    let functions = lines.iter().enumerate().filter_map(|(at, line)| {
        let (before, after) = line.split_once("fn ")?;
        let keywords = ["async", "const", "extern"];
        let is_modifier =
            |word: &str| keywords.contains(&word) || word.starts_with("pub") || word.ends_with([')', '"']);
        let name = after.split(['(', '<']).next().filter(|_| before.split_whitespace().all(is_modifier))?;
        let indent = &line[..line.len() - line.trim_start().len()];
        let opens = |line: &str| {
            line.ends_with('{') && line.strip_prefix(indent).is_some_and(|line| !line.starts_with(' '))
        };
        let rest = &lines[at..];
        let head = rest.iter().position(|line| line.ends_with([';', '}']) || opens(line))?;
        let is_end = |line: &&str| line.strip_prefix(indent) == Some("}");
        let last = if opens(rest[head]) { rest.iter().position(is_end).unwrap_or(rest.len()) } else { head };
        (last >= MAX_FUNCTION_LINES).then(|| (at + 1, format!("`{name}` has {} lines", last + 1)))
    });
    functions.collect()
}

fn read_folder(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(path).unwrap()));
        }
    }
}

/// Checks every file of `crates/*/src`.
fn in_the_crates(check: fn(&str) -> Findings) -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for member in workspace.join("crates").read_dir().unwrap() {
        read_folder(&member.unwrap().path().join("src"), &mut files);
    }
    assert!(files.len() > 100, "the sources were not found");
    files.sort();
    let name = |path: &str| Path::new(path).strip_prefix(workspace).unwrap().display().to_string();
    let located = |(path, text): &(String, String)| {
        let path = name(path);
        check(text).into_iter().map(move |(line, what)| format!("{path}:{line}: {what}"))
    };
    files.iter().flat_map(located).collect()
}

#[test]
fn every_file_begins_with_a_header() {
    assert_eq!(without_header("\n\n\n//! Late.\n").len(), 1);
    assert_eq!(without_header("\n\n//! In time.\n"), []);
    let found = in_the_crates(without_header);
    assert!(found.is_empty(), "say at the top, in a line of `//!`, what these are for: {found:#?}");
}

#[test]
fn doc_comments_open_with_a_verb_or_a_noun() {
    let text =
        "//! Such a file.\n\n/// Makes it.\n/// What it is.\nfn a() {}\n    /// How: so.\n    fn b() {}\n";
    assert_eq!(vague_openings(text), [(1, "Such a file.".to_owned()), (6, "How: so.".to_owned())]);
    assert_eq!(doc_blocks(text).len(), 3);
    let (found, blocks) = (in_the_crates(vague_openings), in_the_crates(doc_blocks).len());
    let message =
        format!("{} of {blocks} doc blocks do not open with a verb or the noun itself", found.len());
    assert!(found.len() * 100 < blocks * VAGUE_PERCENT, "{message}: {found:#?}");
}

#[test]
fn no_file_is_too_long() {
    assert_eq!(too_many_lines(&"\n".repeat(MAX_FILE_LINES)), []);
    assert_eq!(too_many_lines(&"\n".repeat(MAX_FILE_LINES + 1)).len(), 1);
    let found = in_the_crates(too_many_lines);
    assert!(found.is_empty(), "at most {MAX_FILE_LINES} lines: divide these: {found:#?}");
}

#[test]
fn no_function_is_too_long() {
    let head = "trait T {\n    fn a();\n    pub(in crate::x) async fn b<A>(\n        a: A,\n    ) {\n";
    let text = |lines| format!("{head}{}    }}\n}}\n", "        b();\n".repeat(lines));
    assert_eq!(long_functions(&text(MAX_FUNCTION_LINES - 4)), []);
    assert_eq!(long_functions(&text(MAX_FUNCTION_LINES - 3)), [(3, "`b` has 61 lines".to_owned())]);
    let mut found = in_the_crates(long_functions);
    for (path, function, reason) in LONG_FUNCTIONS {
        let all = found.len();
        found.retain(|at| !(at.starts_with(path) && at.contains(&format!("`{function}`"))));
        assert_eq!(found.len() + 1, all, "not long, take it off the list: {path}, {function} ({reason})");
    }
    assert!(found.is_empty(), "at most {MAX_FUNCTION_LINES} lines: divide these: {found:#?}");
}
