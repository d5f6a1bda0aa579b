//! A session at a terminal: line editing, history, pastes, and commands that Ctrl-C ends.

use std::env;
use std::fs;
use std::io::Write;
use std::mem;
use std::path::PathBuf;

use rustvault_protocol::SecretArguments;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::runtime::Runtime;
use tokio::signal::unix::Signal;

use super::assist::Assistant;
use super::quiet::QuietKeyboard;
use super::{Next, hint, run_line, waiting};
use crate::commands::CliSession;
use crate::error::CliError;
use crate::escape::visible;
use crate::names;
use crate::output::report_error;

/// Lines that the history keeps.
const HISTORY_LINES: usize = 1_000;

/// Reads and runs lines until `quit` or Ctrl-D; a failed line is reported and the session goes on.
pub(super) fn run<W: Write>(
    runtime: &Runtime,
    session: &mut CliSession<W>,
    json: bool,
) -> Result<(), CliError> {
    if let Err(error) = runtime.block_on(session.connect()) {
        report_error(&error, json);
        warn("the session starts without a connection; the next command tries again");
    }
    waiting::catch_ctrl_c(runtime)?;
    let prompt = format!("{}> ", session.addr());
    let mut terminal = Terminal::open()?;
    loop {
        let input = match terminal.editor.readline(&prompt) {
            Ok(input) => input,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let quiet = QuietKeyboard::new();
        // A paste is edited as one piece, whatever lines it has.
        let lines: Vec<_> = input.lines().filter(|line| !line.trim().is_empty()).collect();
        terminal.keep_history(&lines)?;
        let mut ctrl_c = waiting::listen(runtime)?;
        for (number, line) in lines.iter().enumerate() {
            if lines.len() > 1 {
                let shown = if has_secret(line) { "…" } else { line };
                session.printer.text(&visible(&format!("{prompt}{shown}")))?;
                session.printer.flush()?;
            }
            match run_at_terminal(runtime, session, line, &mut ctrl_c) {
                Ok(Next::Continue) => {}
                Ok(Next::Quit) => return Ok(()),
                Err(error @ CliError::Output(_)) => return Err(error),
                Err(error) => {
                    report_error(&error, json);
                    if matches!(error, CliError::Interrupted(_)) {
                        let left = lines.len() - number - 1;
                        if left > 0 {
                            say("note", &format!("{left} more lines were not run"));
                        }
                        terminal.forget_input()?;
                        break;
                    }
                }
            }
        }
        drop(quiet);
    }
}

fn run_at_terminal<W: Write>(
    runtime: &Runtime,
    session: &mut CliSession<W>,
    line: &str,
    ctrl_c: &mut Signal,
) -> Result<Next, CliError> {
    waiting::check(runtime, ctrl_c)?;
    if let Some(hint) = hint::of_line(line) {
        say("hint", &hint);
    }
    run_line(session, line.as_bytes(), |session, action| {
        runtime.block_on(waiting::execute(session, action, ctrl_c))
    })
}

struct Terminal {
    editor: Editor<Assistant, FileHistory>,
    /// Path of the history file, if the history is kept.
    history: Option<PathBuf>,
}

impl Terminal {
    fn open() -> Result<Self, CliError> {
        let mut editor = editor(FileHistory::with_config(&config()?))?;
        let history = history_path();
        if let Some(path) = history.as_deref().filter(|path| path.exists())
            && let Err(error) = editor.load_history(path)
        {
            warn(&format!("cannot read the history in {}: {error}", path.display()));
        }
        Ok(Self { editor, history })
    }

    /// Adds the lines to the history and its file: before they run, since a signal may end the session.
    fn keep_history(&mut self, lines: &[&str]) -> Result<(), CliError> {
        for line in lines.iter().filter(|line| !has_secret(line)) {
            self.editor.add_history_entry(*line)?;
        }
        let Some(path) = &self.history else { return Ok(()) };
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let kept = folder.map_err(ReadlineError::from).and_then(|()| self.editor.append_history(path));
        if let Err(error) = kept {
            warn(&format!("the history is not kept: cannot write {}: {error}", path.display()));
            self.history = None;
        }
        Ok(())
    }

    /// Drops what was read from the terminal and has not become a line yet, as the kernel has dropped what was not
    /// read: whoever pressed Ctrl-C does not want the rest of a paste to be run.
    fn forget_input(&mut self) -> Result<(), CliError> {
        self.editor = editor(mem::take(self.editor.history_mut()))?;
        Ok(())
    }
}

/// Returns whether a line has a password in it, which is not to be kept in a file.
fn has_secret(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    names::find_row(&words)
        .is_some_and(|(spec, _)| matches!(spec.secrets, SecretArguments::All | SecretArguments::From(_)))
}

fn config() -> Result<Config, CliError> {
    Ok(Config::builder().max_history_size(HISTORY_LINES)?.build())
}

fn editor(history: FileHistory) -> Result<Editor<Assistant, FileHistory>, CliError> {
    let mut editor = Editor::with_history(config()?, history)?;
    editor.set_helper(Some(Assistant));
    Ok(editor)
}

/// Returns the path of the history file: `RUSTVAULT_HISTORY` (empty: none), else one in the user's state directory.
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
    say("warning", message);
}

/// Prints a line beside the results.
pub(super) fn say(kind: &str, message: &str) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{kind}: {}", visible(message));
}

#[cfg(test)]
mod tests {
    use super::has_secret;

    #[test]
    fn lines_with_passwords_are_not_kept() {
        for (line, is_secret) in [
            ("auth me hunter2", true),
            ("  HELLO 3 AUTH me hunter2", true),
            ("acl dryrun me auth hunter2", true),
            ("get auth", false),
            ("", false),
        ] {
            assert_eq!(has_secret(line), is_secret, "{line:?}");
        }
    }
}
