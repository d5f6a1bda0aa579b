//! The terminal while a command runs: what is typed or pasted meanwhile is neither shown nor cut into lines by the
//! kernel. The line editor shows it when its turn comes.

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Keeps the keyboard quiet until it is dropped; Ctrl-C still is a signal.
pub(super) struct QuietKeyboard {
    /// The modes to go back to; `None` if nothing was changed.
    before: Option<Termios>,
}

impl QuietKeyboard {
    /// Does nothing to a terminal that does not tell its modes: they only matter for how it looks.
    pub(super) fn new() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            // With ICANON the kernel cuts lines after 4,095 bytes.
            quiet.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            set(&quiet);
        }
        Self { before }
    }
}

impl Drop for QuietKeyboard {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            set(before);
        }
    }
}

fn set(modes: &Termios) {
    // At once: what waits to be printed is not changed by these modes. If the terminal has gone, the next read
    // of a line says so.
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
}
