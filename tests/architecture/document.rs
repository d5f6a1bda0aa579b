//! ARCHITECTURE.md as its tests read it: sections, rows of tables, and words between backticks.

use std::sync::LazyLock;

use crate::sources::read;

/// The document's sections, with those that they have themselves.
pub(crate) static SECTIONS: LazyLock<Vec<Section>> = LazyLock::new(|| sections(&read("ARCHITECTURE.md")));

/// A heading with the lines below it, up to the next heading of any level.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) heading: String,
    /// Without the blocks of code.
    pub(crate) lines: Vec<String>,
    /// The blocks of code.
    pub(crate) blocks: Vec<Vec<String>>,
}

fn sections(text: &str) -> Vec<Section> {
    let new = |heading: &str| Section { heading: heading.to_owned(), lines: vec![], blocks: vec![] };
    let (mut sections, mut is_code) = (vec![new("")], false);
    for line in text.lines() {
        let section = sections.last_mut().unwrap();
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            if is_code {
                section.blocks.push(vec![]);
            }
        } else if is_code {
            section.blocks.last_mut().unwrap().push(line.trim().to_owned());
        } else if line.starts_with('#') {
            sections.push(new(line.trim_start_matches(['#', ' '])));
        } else {
            section.lines.push(line.to_owned());
        }
    }
    sections
}

/// Returns the section with this heading.
pub(crate) fn section(heading: &str) -> &'static Section {
    let found = SECTIONS.iter().find(|section| section.heading == heading);
    found.unwrap_or_else(|| panic!("ARCHITECTURE.md has no section {heading:?}"))
}

impl Section {
    /// Returns the cells of each row of its tables, their headings and lines left out.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let lines = self.lines.iter().filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
        let rows = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        rows.filter(|cells| {
            !cells.iter().all(|cell| cell.is_empty() || cell.trim_matches([':', '-']).is_empty())
        })
    }

    /// Returns the words between backticks, in their order.
    pub(crate) fn spans(&self) -> impl Iterator<Item = String> {
        spans(&self.lines.join("\n")).map(str::to_owned).collect::<Vec<_>>().into_iter()
    }
}

/// Returns what stands between backticks.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns whether a span is one word, such as a path or a name, and no command or piece of code.
pub(crate) fn is_word(span: &str) -> bool {
    !span.is_empty() && span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:*".contains(c))
}

#[test]
fn sections_rows_and_spans_are_found() {
    let text = "# A\n`one`\n## B\n| | |\n|---|--:|\n| `two` | x |\n\n```rust\n  code `no`\n```\n";
    let sections = sections(text);
    let headings: Vec<_> = sections.iter().map(|section| section.heading.as_str()).collect();
    assert_eq!(headings, ["", "A", "B"]);
    assert_eq!(sections[2].rows().collect::<Vec<_>>(), [["`two`", "x"]]);
    assert_eq!(sections[2].spans().collect::<Vec<_>>(), ["two"]);
    assert_eq!(sections[2].blocks, [["code `no`"]]);
    assert!(is_word("wal/read") && is_word("A::b") && !is_word("git apply"));
}
