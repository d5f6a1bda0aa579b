//! Mistakes in a text: their places, the lines they are in, and what was meant. No secret of a line is shown.

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// Most mistakes that are shown of a file; the others are counted.
pub const MAX_SHOWN_MISTAKES: usize = 20;

/// Most characters of a line that are shown.
const MAX_SHOWN_LINE_CHARS: usize = 120;

/// Keys whose values are no secrets, so that they may be shown.
const HARMLESS_KEYS: [&str; 10] =
    ["name", "label", "expires", "allow", "deny", "prefix", "prefix-base64", "user", "credential", "right"];

/// A mistake in a file of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The number of the line, from 1.
    pub line: usize,
    /// The number of the character in that line, from 1.
    pub column: usize,
    /// The line, without what may be a secret.
    pub shown: String,
    /// The reason, and what to do.
    pub reason: String,
}

/// The mistakes in a file of users: at least one, by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    list: Vec<Mistake>,
    /// Beyond those that are listed.
    others: usize,
}

impl Mistakes {
    /// Returns them in the order of the file, [`MAX_SHOWN_MISTAKES`] at most.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// Returns how many there are, those that are not listed included.
    pub fn count(&self) -> usize {
        self.list.len() + self.others
    }

    /// Shows them with the name of their file.
    pub(super) fn in_file(&self, path: &Path) -> String {
        self.text(&format!("{}:", path.display()))
    }

    fn text(&self, file: &str) -> String {
        let mut text = match self.count() {
            1 => "a mistake:".to_owned(),
            count => format!("{count} mistakes:"),
        };
        for Mistake { line, column, shown, reason } in &self.list {
            text += &format!("\n{file}{line}:{column}: {reason}\n  {shown}");
        }
        if self.others > 0 {
            text += &format!("\nand {} more", self.others);
        }
        text
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(""))
    }
}

impl std::error::Error for Mistakes {}

/// Collects the mistakes of a text.
pub(super) struct MistakeList<'a> {
    text: &'a str,
    found: Vec<(usize, String, Certainty)>,
}

/// Reason to show or to hide a mistake and its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// The text is not TOML there.
    Syntax,
    /// A key or a value is wrong.
    Sure,
    /// Something is missing, perhaps because of an error of syntax.
    Missing,
}

impl<'a> MistakeList<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Notes what is no TOML.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(self.text.len(), |span| span.start);
        self.found.push((at, error.message().to_owned(), Certainty::Syntax));
    }

    /// Notes a wrong key or value.
    pub(super) fn wrong(&mut self, at: Range<usize>, reason: impl fmt::Display) {
        self.found.push((at.start, reason.to_string(), Certainty::Sure));
    }

    /// Notes that a table lacks something.
    pub(super) fn missing(&mut self, at: Range<usize>, reason: impl fmt::Display) {
        self.found.push((at.start, reason.to_string(), Certainty::Missing));
    }

    /// Returns the number of the line and of the character that stand at a byte.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.matches('\n').count();
        (line, 1 + before.get(line_start..).unwrap_or_default().chars().count())
    }

    /// Returns all of them in order; `None` if there are none.
    pub(super) fn finish(mut self) -> Option<Mistakes> {
        let is_toml = self.found.iter().all(|(_, _, certainty)| *certainty != Certainty::Syntax);
        self.found.retain(|(_, _, certainty)| is_toml || *certainty != Certainty::Missing);
        self.found.sort_by_key(|(at, _, certainty)| (*at, *certainty != Certainty::Syntax));
        let mut mistakes = Mistakes { list: Vec::new(), others: 0 };
        let mut last_syntax_line = 0;
        let (mut line, mut counted_bytes) = (1, 0);
        for (at, reason, certainty) in &self.found {
            // From the one before, not from the beginning: a file that is none of ours has as many mistakes as lines.
            line += self.text.get(counted_bytes..*at).unwrap_or_default().matches('\n').count();
            counted_bytes = *at;
            // One slip makes several errors of syntax, and wrong values behind it.
            if line == last_syntax_line {
                continue;
            }
            if *certainty == Certainty::Syntax {
                last_syntax_line = line;
            }
            if mistakes.list.len() == MAX_SHOWN_MISTAKES {
                mistakes.others += 1;
                continue;
            }
            let (_, column) = self.place(*at);
            let shown = shown_line(self.text.lines().nth(line - 1).unwrap_or_default(), *certainty);
            mistakes.list.push(Mistake { line, column, shown, reason: reason.clone() });
        }
        (!mistakes.list.is_empty()).then_some(mistakes)
    }
}

/// Returns a line as it may be shown: up to the first value that may be a secret, and without control characters.
fn shown_line(line: &str, certainty: Certainty) -> String {
    let mut end = line.len();
    for (at, _) in line.match_indices('=') {
        let key = line.get(..at).unwrap_or_default().trim_end().trim_end_matches(['"', '\'']);
        let start =
            key.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').map_or(0, |at| at + 1);
        if !HARMLESS_KEYS.contains(&key.get(start..).unwrap_or_default()) {
            end = at + 1;
            break;
        }
    }
    let is_plain =
        line.contains('=') || line.trim_start().starts_with(['[', '#']) || certainty == Certainty::Sure;
    if !is_plain {
        end = 0;
    }
    let visible = line.get(..end).unwrap_or_default();
    let shown: String =
        visible.chars().take(MAX_SHOWN_LINE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let is_whole = end == line.len() && visible.chars().nth(MAX_SHOWN_LINE_CHARS).is_none();
    if is_whole { shown } else { shown + " …" }
}
