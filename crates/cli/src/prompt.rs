//! Asks the person at the terminal for a secret, which is not shown.

use std::fs::File;
use std::io::{self, Read, Write};

use rpassword::{ConfigBuilder, read_password_with_config};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::error::CliError;

/// Byte of Ctrl-C.
const CTRL_C: u8 = 3;

/// The terminal of this program, which shows nothing of what is typed until this is dropped.
///
/// rpassword alone hides the input only while it waits for it, so what is typed or pasted before the prompt, or between two
/// prompts, would be shown. At Ctrl-C it raises SIGINT, which ends the program while the terminal is still hidden. So it gets
/// the bytes alone, and the terminal is kept here.
#[derive(Debug)]
pub(crate) struct SecretPrompt {
    terminal: File,
    /// The modes to go back to.
    shown: Termios,
}

impl SecretPrompt {
    /// Hides what is typed from now on.
    ///
    /// # Errors
    /// There is no terminal.
    pub(crate) fn new() -> Result<Self, CliError> {
        Self::open().map_err(CliError::Input)
    }

    fn open() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let shown = tcgetattr(&terminal)?;
        let mut hidden = shown.clone();
        // Without ISIG Ctrl-C is a byte.
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &hidden)?;
        Ok(Self { terminal, shown })
    }

    /// Prints the prompt, and returns what is typed behind it, up to the end of the line.
    ///
    /// # Errors
    /// Ctrl-C, or the terminal has gone.
    pub(crate) fn ask(&self, prompt: &str) -> Result<String, CliError> {
        let mut terminal = &self.terminal;
        terminal.write_all(prompt.as_bytes()).map_err(CliError::Input)?;
        let typed = TypedBytes(self.terminal.try_clone().map_err(CliError::Input)?);
        let config = ConfigBuilder::new().input_reader(typed).output_discard().build();
        let answer = read_password_with_config(config);
        // The end of the line was not shown either. A terminal that has gone needs none.
        let _ = terminal.write_all(b"\n");
        answer.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionAborted => CliError::Interrupted(""),
            _ => CliError::Input(error),
        })
    }
}

impl Drop for SecretPrompt {
    fn drop(&mut self) {
        // A terminal that has gone shows nothing anyway.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.shown);
    }
}

/// Typed bytes, up to Ctrl-C.
struct TypedBytes(File);

impl Read for TypedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(buffer)?;
        match buffer.iter().take(len).any(|byte| *byte == CTRL_C) {
            // Not `Interrupted`, after which readers try again.
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(len),
        }
    }
}
