//! A client that is a plain socket: bytes are sent, and what comes is compared.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use socket2::Socket;

use crate::patience::PATIENCE;

/// Bytes that are read ahead at most: tests of slow readers rely on it.
const READ_AHEAD_BYTES: usize = 8 * 1024;

/// Time within which an answer would have come that must not.
const SILENCE: Duration = Duration::from_millis(100);

/// A connection on which bytes are sent and compared; it gives up after [`PATIENCE`].
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    /// Bytes that were read and not asked for yet.
    pub(crate) received: BytesMut,
}

impl Wire {
    /// Connects.
    ///
    /// # Panics
    /// Nobody listens there.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).unwrap_or_else(|error| panic!("cannot connect to {addr}: {error}"))
    }

    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn try_connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Self::over(stream.into())
    }

    /// Connects to a Unix socket.
    ///
    /// # Panics
    /// Nobody listens there.
    #[track_caller]
    pub fn connect_unix(path: &Path) -> Self {
        let connected = UnixStream::connect(path).and_then(|stream| Self::over(stream.into()));
        connected.unwrap_or_else(|error| panic!("cannot connect to {}: {error}", path.display()))
    }

    fn over(socket: Socket) -> io::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, received: BytesMut::new() })
    }

    /// Returns the socket, for calls that are missing here; bytes that were read ahead are no longer in it.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Gives up the rest: only the socket is left, without what was read ahead.
    pub fn into_socket(self) -> Socket {
        self.socket
    }

    /// Returns the address of this end.
    ///
    /// # Panics
    /// It is a Unix socket, whose clients have none.
    pub fn local_addr(&self) -> SocketAddr {
        let addr = self.socket.local_addr().expect("it is connected");
        addr.as_socket().expect("it is a connection of TCP")
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection has gone.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// The connection has gone.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// Reads more ahead; returns how many bytes came, none once the server has closed.
    pub(crate) fn read_ahead(&mut self) -> io::Result<usize> {
        let mut chunk = [0; READ_AHEAD_BYTES];
        let read_bytes = loop {
            match self.socket.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.received.extend_from_slice(&chunk[..read_bytes]);
        Ok(read_bytes)
    }

    /// Reads ahead until there are so many bytes.
    pub(crate) fn read_at_least(&mut self, wanted_bytes: usize) -> io::Result<()> {
        while self.received.len() < wanted_bytes {
            if self.read_ahead()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Reads the next line without its CRLF; `None` when the connection has ended, even within a line.
    ///
    /// # Panics
    /// It does not end in CRLF.
    #[track_caller]
    pub fn try_line(&mut self) -> Option<Vec<u8>> {
        let mut seen_bytes = 0;
        let end = loop {
            if let Some(end) = self.received[seen_bytes..].iter().position(|&byte| byte == b'\n') {
                break seen_bytes + end;
            }
            seen_bytes = self.received.len();
            if self.read_ahead().ok()? == 0 {
                return None;
            }
        };
        let mut line = self.received.split_to(end + 1).to_vec();
        assert!(line.ends_with(b"\r\n"), "a line ends in CRLF");
        line.truncate(end - 1);
        Some(line)
    }

    /// Reads the next line without its CRLF.
    ///
    /// # Panics
    /// None comes.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let line = self.try_line().unwrap_or_else(|| panic!("the connection ended"));
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Reads exactly these bytes.
    ///
    /// # Panics
    /// Others come.
    #[track_caller]
    pub fn expect(&mut self, answers: impl AsRef<[u8]>) {
        let expected = answers.as_ref();
        let result = self.read_at_least(expected.len());
        let came = self.received.split_to(expected.len().min(self.received.len()));
        if came != expected {
            // From the line on in which they begin to differ: of many lines the first ones tell nothing.
            let same = came.iter().zip(expected).take_while(|(came, expected)| came == expected).count();
            let from = came[..same].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            panic!(
                "at {from}: {} came, not {} ({result:?})",
                excerpt(&came[from..]),
                excerpt(&expected[from..])
            );
        }
    }

    /// Reads exactly as many bytes as there is room for.
    ///
    /// # Errors
    /// The connection has ended or gone before.
    pub fn try_read(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.read_at_least(bytes.len())?;
        bytes.copy_from_slice(&self.received.split_to(bytes.len()));
        Ok(())
    }

    /// Sends bytes and reads exactly the answers.
    ///
    /// # Panics
    /// Others come.
    #[track_caller]
    pub fn ask(&mut self, commands: impl AsRef<[u8]>, answers: impl AsRef<[u8]>) {
        self.send(commands);
        self.expect(answers);
    }

    /// Sends bytes and reads one line, which is an error of this code; returns its message.
    ///
    /// # Panics
    /// Another line comes.
    #[track_caller]
    pub fn ask_error(&mut self, command: impl AsRef<[u8]>, code: &str) -> String {
        let command = command.as_ref();
        self.send(command);
        let line = self.line();
        let message = line.strip_prefix("ERROR ").and_then(|rest| rest.strip_prefix(code));
        let message = message.and_then(|rest| rest.strip_prefix(' ')).filter(|message| !message.is_empty());
        message.unwrap_or_else(|| panic!("{} is answered {line:?}, not {code}", excerpt(command))).to_owned()
    }

    /// Reads a `LIST` and returns its values as they stand on the wire.
    ///
    /// # Panics
    /// Something else comes.
    #[track_caller]
    pub fn list(&mut self) -> Vec<String> {
        let first = self.line();
        let count = first.strip_prefix("LIST ").and_then(|count| count.parse().ok());
        let count: usize = count.unwrap_or_else(|| panic!("{first:?} is no LIST"));
        let values = (0..count).map(|_| self.line());
        values
            .map(|line| line.strip_prefix("VALUE ").unwrap_or_else(|| panic!("{line:?}")).to_owned())
            .collect()
    }

    /// Asks for one figure of `INFO`.
    ///
    /// # Panics
    /// There is none of this name.
    #[track_caller]
    pub fn info(&mut self, name: &str) -> String {
        self.send("INFO\r\n");
        let lines = self.list();
        let value = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name} in {lines:#?}")).to_owned()
    }

    /// Asks for one number of `INFO`.
    ///
    /// # Panics
    /// There is none of this name.
    #[track_caller]
    pub fn info_number(&mut self, name: &str) -> u64 {
        let value = self.info(name);
        value.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
    }

    /// Shuts down the sending side.
    pub fn finish_sending(&self) {
        // A connection that has gone is found out when reading.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Reads all that comes until the server closes.
    ///
    /// # Panics
    /// It does not close, or resets the connection.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        while self.read_ahead().unwrap_or_else(|error| panic!("no clean end: {error}")) > 0 {}
        self.received.split().escape_ascii().to_string().replace("\\r\\n", "\r\n")
    }

    /// Reads all that comes until the server closes, cleanly or not.
    ///
    /// # Panics
    /// It does not close.
    #[track_caller]
    pub fn rest_or_reset(&mut self) -> Vec<u8> {
        loop {
            match self.read_ahead() {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("it does not close"),
                Ok(0) | Err(_) => return self.received.split().to_vec(),
            }
        }
    }

    /// Returns whether nothing has come that was not read yet.
    ///
    /// # Panics
    /// The connection has gone.
    #[track_caller]
    pub fn has_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).expect("a socket can");
        let peeked = self.socket.peek(&mut [MaybeUninit::uninit()]);
        self.socket.set_nonblocking(false).expect("a socket can");
        match peeked {
            Ok(0) => panic!("the server has closed"),
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.received.is_empty(),
            Err(error) => panic!("the connection has gone: {error}"),
        }
    }

    /// Waits a while for an answer; returns whether none has come.
    ///
    /// # Panics
    /// The connection has gone.
    #[track_caller]
    pub fn gets_nothing(&self) -> bool {
        self.socket.set_read_timeout(Some(SILENCE)).expect("a socket can");
        // It fails when the time is over; what has come then tells the rest.
        let _ = self.socket.peek(&mut [MaybeUninit::uninit()]);
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a socket can");
        self.has_nothing()
    }
}

/// Shortens what was sent or came to what a message needs.
fn excerpt(bytes: &[u8]) -> String {
    const MAX_BYTES: usize = 200;
    let ellipsis = if bytes.len() > MAX_BYTES { "…" } else { "" };
    format!("\"{}\"{ellipsis}", bytes[..bytes.len().min(MAX_BYTES)].escape_ascii())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::TcpListener;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Makes a connection, and the server's end of it.
    pub(crate) fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire::connect(listener.local_addr().unwrap());
        (wire, listener.accept().unwrap().0)
    }

    #[test]
    fn another_answer_is_told_from_the_line_in_which_it_differs() {
        let (mut wire, mut server) = pair();
        server.write_all(b"OK\r\nVALUE 1\r\nPONG\r\n").unwrap();
        let failure = catch_unwind(AssertUnwindSafe(|| wire.expect("OK\r\nVALUE 2\r\n"))).unwrap_err();
        let message = failure.downcast::<String>().unwrap();
        assert!(message.starts_with(r#"at 4: "VALUE 1\r\n" came, not "VALUE 2\r\n""#), "{message}");
        assert_eq!(wire.line(), "PONG");
    }

    #[test]
    fn what_was_read_ahead_counts_as_come() {
        let (mut wire, mut server) = pair();
        assert!(wire.gets_nothing() && wire.has_nothing());
        server.write_all(b"a\r\nb\r\n").unwrap();
        assert!(!wire.gets_nothing());
        assert_eq!(wire.line(), "a");
        assert!(!wire.gets_nothing() && !wire.has_nothing());
        drop(server);
        assert_eq!(wire.rest(), "b\r\n");
        assert_eq!(wire.try_line(), None);
    }
}
