//! Places in a text, and the lines there with carets below.

use std::ops::Range;
use std::path::Path;

use super::FilePlace;

/// Most characters of a line that are shown.
const MAX_SHOWN_LINE_CHARS: usize = 100;

/// Characters that are shown before a mistake in a line that is too long.
const SHOWN_BEFORE_CHARS: usize = 40;

/// A file's text, in which bytes have places.
pub(super) struct FileText<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> FileText<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    pub(super) fn end(&self) -> Range<usize> {
        self.text.len()..self.text.len()
    }

    pub(super) fn text(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Returns the line in which these bytes begin, and those before it up to one that has a key.
    pub(super) fn statement(&self, span: &Range<usize>) -> &'a str {
        let (before, after) = self.text.split_at_checked(span.start).unwrap_or((self.text, ""));
        let line_end = before.len() + after.find('\n').unwrap_or(after.len());
        let key_end = before.rfind('=').unwrap_or_default();
        let start = before.get(..key_end).and_then(|keys| keys.rfind('\n')).map_or(0, |newline| newline + 1);
        self.text.get(start..line_end).unwrap_or_default()
    }

    /// Returns the place of these bytes, with the line in which they begin.
    pub(super) fn at(&self, span: &Range<usize>) -> FilePlace {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let shown = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let offset = before.get(line_start..).unwrap_or_default().chars().count();
        let length = self.text(span).lines().next().unwrap_or_default().chars().count();
        let excerpt = excerpt(line, shown, offset, length);
        FilePlace { path: self.path.to_owned(), line, column: offset + 1, excerpt }
    }
}

/// Returns a line with its number, and below it carets under `length` of its characters.
fn excerpt(number: usize, line: &str, offset: usize, length: usize) -> String {
    let chars: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let is_long = chars.len() > MAX_SHOWN_LINE_CHARS;
    let start = if is_long { offset.saturating_sub(SHOWN_BEFORE_CHARS) } else { 0 };
    let end = chars.len().min(start + MAX_SHOWN_LINE_CHARS);
    let (head, tail) = (if start > 0 { "…" } else { "" }, if end < chars.len() { "…" } else { "" });
    let shown: String = chars.get(start..end).unwrap_or_default().iter().collect();
    let indent = offset.min(end) - start + head.chars().count();
    let carets = "^".repeat(length.min(end.saturating_sub(offset)).max(1));
    let margin = " ".repeat(number.to_string().len());
    format!("  {number} | {head}{shown}{tail}\n  {margin} | {}{carets}", " ".repeat(indent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_below_what_is_wrong() {
        let source = FileText::new(Path::new("f"), "a = 1\n\tä = \"x\"\r\n");
        let at = |span: Range<usize>| {
            let place = source.at(&span);
            (place.line, place.column, place.excerpt)
        };
        assert_eq!(at(4..5), (1, 5, "  1 | a = 1\n    |     ^".to_owned()));
        assert_eq!(at(12..15), (2, 6, "  2 |  ä = \"x\"\n    |      ^^^".to_owned()));
        assert_eq!(at(source.end()).0, 3);
    }

    #[test]
    fn a_long_line_is_shown_around_the_mistake() {
        let text = format!("{}BAD{}", "x".repeat(500), "y".repeat(500));
        let excerpt = FileText::new(Path::new("f"), &text).at(&(500..503)).excerpt;
        let (line, carets) = excerpt.split_once('\n').unwrap();
        assert_eq!(line.chars().count(), 6 + MAX_SHOWN_LINE_CHARS + 2);
        let at = |text: &str, part: &str| text[..text.find(part).unwrap()].chars().count();
        assert_eq!(at(line, "BAD"), at(carets, "^^^"));
    }
}
