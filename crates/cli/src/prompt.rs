//! Asks the person at the terminal for a secret, which is not shown.

use std::io;

use crate::error::CliError;
use crate::repl::QuietKeyboard;

/// Returns what is typed behind the prompt, up to the end of the line.
///
/// # Errors
/// Ctrl-C, or there is no terminal.
pub(crate) fn ask_secret(prompt: &str) -> Result<String, CliError> {
    // Before the prompt: whoever types at once, or pastes, is not shown either.
    let _quiet = QuietKeyboard::new();
    rpassword::prompt_password(prompt).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => CliError::Interrupted(""),
        _ => CliError::Input(error),
    })
}
