//! The program at a pseudo-terminal, for what it does only where a person sits.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Ends a test that hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Wide enough that no line of a test is wrapped.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 250, ws_xpixel: 0, ws_ypixel: 0 };

/// A program that has a pseudo-terminal as its controlling terminal, so that Ctrl-C reaches it as a signal.
pub(crate) struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// Output that was read and not expected yet.
    unseen: Vec<u8>,
    child: Child,
}

impl Terminal {
    /// Starts `program` with these arguments, and with `RUSTVAULT_ADDR` as its server.
    pub(crate) fn start(addr: &str, args: &[&str]) -> Self {
        // Closed in programs that other tests start meanwhile, which would keep the terminal open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("the pseudo-terminal opens");
        tcsetwinsize(&master, SIZE).expect("the pseudo-terminal has a size");
        let slave = || ioctl_tiocgptpeer(&master, flags).expect("the other end of the pseudo-terminal");
        // A program of util-linux: it makes standard input the controlling terminal.
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_rustvault-cli")]).args(args);
        command.env("RUSTVAULT_ADDR", addr).env("RUSTVAULT_HISTORY", "").env("TERM", "xterm");
        command.stdin(slave()).stdout(slave()).stderr(slave());
        let child = command.spawn().expect("setsid of util-linux is there");
        // The command keeps its ends of the terminal open: without them the screen ends with the program.
        drop(command);
        let keyboard = File::from(master);
        let screen = read_all(keyboard.try_clone().expect("a descriptor"));
        Self { keyboard, screen, unseen: Vec::new(), child }
    }

    /// Types or pastes, in one write.
    pub(crate) fn send(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal takes it");
    }

    /// Changes the width of the terminal, which the program is told by a signal.
    pub(crate) fn resize(&mut self, columns: u16) {
        tcsetwinsize(&self.keyboard, Winsize { ws_col: columns, ..SIZE }).expect("the terminal takes a size");
    }

    /// Waits until `text` is printed, and returns what was printed up to its end since the last call.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let give_up_at = Instant::now() + DEADLINE;
        loop {
            let found = self.unseen.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(start) = found {
                let seen = self.unseen.drain(..start + text.len()).collect::<Vec<_>>();
                return String::from_utf8_lossy(&seen).into_owned();
            }
            match self.screen.recv_timeout(give_up_at.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.unseen.extend(bytes),
                Err(_) => {
                    panic!("{text:?} does not come; there is {:?}", String::from_utf8_lossy(&self.unseen))
                }
            }
        }
    }

    /// Waits until the program ends, and returns what else was printed.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<u8>) {
        let give_up_at = Instant::now() + DEADLINE;
        loop {
            match self.screen.recv_timeout(give_up_at.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.unseen.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the program does not end; there is {:?}", String::from_utf8_lossy(&self.unseen))
                }
            }
        }
        let status = self.child.wait().expect("the program ends");
        (status, std::mem::take(&mut self.unseen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail for a program that has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until nobody has the other end open.
fn read_all(mut master: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        loop {
            match master.read(&mut chunk) {
                Ok(read @ 1..) if sender.send(chunk[..read].to_vec()).is_ok() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    });
    receiver
}
