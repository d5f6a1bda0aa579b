use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use tokio::runtime::Runtime;

use crate::commands::Session;
use crate::error::CliError;
use crate::output::report_error;

use super::line::VERBS;
use super::{Next, run_line};

const PROMPT: &str = "> ";

/// Lines that the history keeps.
const HISTORY_LINES: usize = 1_000;

/// Reads and runs lines until `quit` or Ctrl-D; a failed line is reported and the session goes on.
pub(super) fn run<W: Write>(runtime: &Runtime, session: &mut Session<W>, json: bool) -> Result<(), CliError> {
    if let Err(error) = runtime.block_on(session.connect()) {
        report_error(&error, json);
        warn("the session starts without a connection; the next command tries again");
    }
    let mut terminal = Terminal::open()?;
    loop {
        let line = match terminal.editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        terminal.keep_history();
        match run_line(runtime, session, line.as_bytes()) {
            Ok(Next::Continue) => {}
            Ok(Next::Quit) => return Ok(()),
            Err(error @ CliError::Output(_)) => return Err(error),
            Err(error) => report_error(&error, json),
        }
    }
}

struct Terminal {
    editor: Editor<VerbCompleter, FileHistory>,
    /// Where the history is kept, if it is.
    history: Option<PathBuf>,
}

impl Terminal {
    fn open() -> Result<Self, CliError> {
        let config = Config::builder().max_history_size(HISTORY_LINES)?.auto_add_history(true).build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(VerbCompleter));
        let history = history_path();
        if let Some(path) = history.as_deref().filter(|path| path.exists())
            && let Err(error) = editor.load_history(path)
        {
            warn(&format!("cannot read the history in {}: {error}", path.display()));
        }
        Ok(Self { editor, history })
    }

    /// Writes the newest line to the history file: after each line, since a signal may end the session.
    fn keep_history(&mut self) {
        let Some(path) = &self.history else { return };
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let kept = folder.map_err(ReadlineError::from).and_then(|()| self.editor.append_history(path));
        if let Err(error) = kept {
            warn(&format!("the history is not kept: cannot write {}: {error}", path.display()));
            self.history = None;
        }
    }
}

/// Where the history is kept: `RUSTVAULT_HISTORY` (empty: nowhere), else the user's state directory.
fn history_path() -> Option<PathBuf> {
    if let Some(path) = env::var_os("RUSTVAULT_HISTORY") {
        return Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
    }
    // The base directory specification has relative paths ignored.
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| env::home_dir().map(|home| home.join(".local/state")))?;
    Some(state.join("rustvault/history"))
}

fn warn(message: &str) {
    // With standard error gone there is nobody to warn.
    let _ = writeln!(std::io::stderr().lock(), "warning: {message}");
}

/// Completes the command names at the start of a line.
struct VerbCompleter;

impl Completer for VerbCompleter {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, line.get(..pos).map(complete_verb).unwrap_or_default()))
    }
}

fn complete_verb(typed: &str) -> Vec<String> {
    let typed = typed.to_ascii_lowercase();
    VERBS.iter().filter(|verb| verb.starts_with(&typed)).map(|verb| format!("{verb} ")).collect()
}

impl Helper for VerbCompleter {}
impl Hinter for VerbCompleter {
    type Hint = String;
}
impl Highlighter for VerbCompleter {}
impl Validator for VerbCompleter {}

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
