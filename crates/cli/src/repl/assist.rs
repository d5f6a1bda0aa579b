//! Text that the line editor shows beside what is typed: completions of names, and hints.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::{complete, hint};

/// Completes the names of commands and subcommands, and shows hints behind the line.
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
        Ok(line.get(..pos).map(complete::candidates).unwrap_or_default())
    }
}

impl Hinter for Assistant {
    type Hint = Remark;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Remark> {
        // Behind the line, not in its midst.
        if pos < line.len() {
            return None;
        }
        if let Some(warning) = hint::of_line(line) {
            return Some(Remark(format!("   {warning}")));
        }
        let rest = hint::rest_of_syntax(line)?;
        let space = if line.ends_with(' ') { "" } else { " " };
        Some(Remark(format!("{space}{rest}")))
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[m"))
    }
}

impl Helper for Assistant {}
impl Validator for Assistant {}
