//! Text that the line editor shows beside what is typed: completions of command names, and hints.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::hint;
use super::line::VERBS;

/// Completes the command names at the start of a line, and shows hints behind it.
pub(super) struct Assistant;

/// A hint that no key takes over into the line.
pub(super) struct Remark(String);

impl Hint for Remark {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, line.get(..pos).map(complete_verb).unwrap_or_default()))
    }
}

fn complete_verb(typed: &str) -> Vec<String> {
    let typed = typed.to_ascii_lowercase();
    VERBS.iter().filter(|verb| verb.starts_with(&typed)).map(|verb| format!("{verb} ")).collect()
}

impl Hinter for Assistant {
    type Hint = Remark;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Remark> {
        // Behind the line, not in its midst.
        if pos < line.len() {
            return None;
        }
        hint::of_line(line).map(|hint| Remark(format!("   {hint}")))
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[m"))
    }
}

impl Helper for Assistant {}
impl Validator for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_word_is_completed() {
        assert_eq!(complete_verb("ex"), ["exists ", "exit "]);
        assert_eq!(complete_verb("G"), ["get "]);
        assert!(complete_verb("get s").is_empty());
    }
}
