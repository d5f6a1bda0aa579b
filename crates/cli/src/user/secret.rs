//! A new password: from a file, the environment or whoever sits at the terminal, never from an argument.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use rustvault_users::{MAX_SECRET_BYTES, Secret, TOKEN_PREFIX, is_token};

use super::args::PasswordArgs;
use crate::error::CliError;
use crate::prompt::SecretPrompt;

const PASSWORD_VARIABLE: &str = "RUSTVAULT_NEW_PASSWORD";

/// Longest end of the line behind a password.
const LINE_END_BYTES: usize = 2;

/// Reads and hashes a new password for this user.
pub(super) fn new_password(args: &PasswordArgs, name: &str) -> Result<Secret, CliError> {
    let password = match (&args.password_file, env::var_os(PASSWORD_VARIABLE)) {
        (Some(path), _) if path == Path::new("-") => {
            only_line(io::stdin().lock()).map_err(CliError::Input)?
        }
        (Some(path), _) => {
            let file = File::open(path).map_err(|source| CliError::Open { path: path.clone(), source })?;
            only_line(file).map_err(|source| CliError::Read { path: path.clone(), source })?
        }
        (None, Some(password)) if !password.is_empty() => password.into_encoded_bytes(),
        (None, _) => asked(name)?,
    };
    if is_token(&password) {
        let text =
            format!("a password cannot begin with '{TOKEN_PREFIX}', as tokens do; 'user token' makes one");
        return Err(CliError::Usage(text));
    }
    if password.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        return Err(CliError::Usage("a password is one line, without zero bytes".to_owned()));
    }
    Secret::of(&password).map_err(|error| CliError::Usage(error.to_string()))
}

/// Reads a line, and a byte more than a password can have.
fn only_line(input: impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.take((MAX_SECRET_BYTES + LINE_END_BYTES + 1) as u64).read_to_end(&mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
        line.pop_if(|byte| *byte == b'\r');
    }
    Ok(line)
}

fn asked(name: &str) -> Result<Vec<u8>, CliError> {
    if !io::stdin().is_terminal() {
        let text = format!(
            "nobody can be asked for a password here: give --password-file FILE ('-' for standard input) or {PASSWORD_VARIABLE}"
        );
        return Err(CliError::Usage(text));
    }
    let terminal = SecretPrompt::new()?;
    let password = terminal.ask(&format!("New password of '{name}': "))?;
    if password != terminal.ask("The same again: ")? {
        return Err(CliError::Usage("these passwords differ: nothing was changed".to_owned()));
    }
    Ok(password.into_bytes())
}
