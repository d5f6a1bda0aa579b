//! A client that is a plain socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::PATIENCE;

/// A connection on which bytes are sent and compared; it gives up after [`PATIENCE`].
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<TcpStream>,
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
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The socket, for what is not offered here; what was read ahead is not in it any more.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection has gone.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket().write_all(bytes.as_ref())
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// The connection has gone.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// The next line without its CRLF; `None` when the connection has ended, even within a line.
    #[track_caller]
    pub fn try_line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).ok()?;
        line.pop_if(|last| *last == b'\n')?;
        assert_eq!(line.pop(), Some(b'\r'), "a line ends in CRLF");
        Some(line)
    }

    /// The next line without its CRLF.
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
        let mut read = vec![0; expected.len()];
        let result = self.stream.read_exact(&mut read);
        if result.is_err() || read != expected {
            // From the line on in which they begin to differ: of many lines the first ones tell nothing.
            let same = read.iter().zip(expected).take_while(|(read, expected)| read == expected).count();
            let from = read[..same].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            panic!(
                "at {from}: {} came, not {} ({result:?})",
                excerpt(&read[from..]),
                excerpt(&expected[from..])
            );
        }
    }

    /// Reads exactly as many bytes as there is room for.
    ///
    /// # Errors
    /// The connection has ended or gone before.
    pub fn try_read(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.stream.read_exact(bytes)
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

    /// One figure of `INFO`.
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

    /// One number of `INFO`.
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
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// All that comes until the server closes.
    ///
    /// # Panics
    /// It does not close, or resets the connection.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap_or_else(|error| panic!("no clean end: {error}"));
        rest.escape_ascii().to_string().replace("\\r\\n", "\r\n")
    }

    /// Whether nothing has come that was not read yet.
    ///
    /// # Panics
    /// The connection has gone.
    #[track_caller]
    pub fn has_nothing(&self) -> bool {
        let socket = self.socket();
        socket.set_nonblocking(true).expect("a socket can");
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false).expect("a socket can");
        match peeked {
            Ok(0) => panic!("the server has closed"),
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.buffer().is_empty(),
            Err(error) => panic!("the connection has gone: {error}"),
        }
    }
}

/// Enough of what was sent or came for a message.
fn excerpt(bytes: &[u8]) -> String {
    const MAX_BYTES: usize = 200;
    let ellipsis = if bytes.len() > MAX_BYTES { "…" } else { "" };
    format!("\"{}\"{ellipsis}", bytes[..bytes.len().min(MAX_BYTES)].escape_ascii())
}
