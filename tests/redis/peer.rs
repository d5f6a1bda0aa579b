//! Redis itself, and a client of RESP that is a plain socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustvault_tests::{Daemon, PATIENCE, need, until};
use tempfile::TempDir;

/// The version whose replies are the model.
const REDIS_VERSION: &str = "v=7.";

/// A redis-server that keeps nothing; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Child,
    folder: TempDir,
}

impl Redis {
    /// Starts it, if the machine has the version to compare with.
    pub(crate) fn start() -> Option<Self> {
        if !need("redis-server") {
            return None;
        }
        let version = Command::new("redis-server").arg("--version").output().expect("it can be run");
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        if !version.contains(REDIS_VERSION) {
            cannot_run(&format!("redis-server 7, this is {version}"));
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A socket file is nobody else's, which a port number that was free a moment ago may be.
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--databases", "1"])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("it can be run");
        let redis = Self { process, folder };
        until("redis-server serves", || UnixStream::connect(redis.socket()).is_ok());
        Some(redis)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn connect(&self) -> Peer {
        let stream = UnixStream::connect(self.socket()).expect("it serves");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket can");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket can");
        Peer::new("redis", stream.try_clone().expect("a socket can"), stream)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // What is left to do if this fails is the system's.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says that a test cannot run for lack of something.
///
/// # Panics
/// `RUSTVAULT_REQUIRE_ALL=1` is set.
#[track_caller]
pub(crate) fn cannot_run(lack: &str) {
    println!("skipped: needs {lack}");
    assert!(std::env::var("RUSTVAULT_REQUIRE_ALL").as_deref() != Ok("1"), "required here: {lack}");
}

/// A connection on which commands are sent and replies are read as they stand on the wire.
pub(crate) struct Peer {
    name: &'static str,
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
}

impl Peer {
    fn new(
        name: &'static str,
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
    ) -> Self {
        Self { name, reader: BufReader::new(Box::new(reader)), writer: Box::new(writer) }
    }

    pub(crate) fn connect(daemon: &Daemon) -> Self {
        let stream = TcpStream::connect(daemon.addr()).expect("it serves");
        stream.set_nodelay(true).expect("a socket can");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket can");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket can");
        Self::new("rustvault", stream.try_clone().expect("a socket can"), stream)
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// The next reply, whole.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut reply = Vec::new();
        self.read_reply(&mut reply).unwrap_or_else(|error| {
            panic!("{}: {error} after \"{}\"", self.name, reply.escape_ascii());
        });
        reply
    }

    /// Sends a command and reads the reply.
    #[track_caller]
    pub(crate) fn ask(&mut self, arguments: &[&[u8]]) -> Vec<u8> {
        self.send(&command(arguments));
        self.reply()
    }

    /// All that comes until the server closes, cleanly or not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("{} does not close", self.name),
            _ => rest,
        }
    }

    fn read_reply(&mut self, reply: &mut Vec<u8>) -> io::Result<()> {
        let start = reply.len();
        self.reader.read_until(b'\n', reply)?;
        let line = reply[start..].strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let number = || -> Option<i64> { std::str::from_utf8(&line[1..]).ok()?.parse().ok() };
        match line.first() {
            Some(b'$' | b'=') => {
                let Some(length) = number().and_then(|length| u64::try_from(length).ok()) else {
                    return Ok(());
                };
                let read = (&mut self.reader).take(length + 2).read_to_end(reply)?;
                if read as u64 == length + 2 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
            Some(b'*' | b'~') => (0..number().unwrap_or(0)).try_for_each(|_| self.read_reply(reply)),
            Some(b'%') => (0..2 * number().unwrap_or(0)).try_for_each(|_| self.read_reply(reply)),
            _ => Ok(()),
        }
    }
}

/// A command as it stands on the wire.
pub(crate) fn command(arguments: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments.iter().map(AsRef::as_ref) {
        bytes.extend(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend([argument, b"\r\n"].concat());
    }
    bytes
}

/// The bulk strings of a reply, those within arrays too, in their order.
pub(crate) fn bulks(mut reply: &[u8]) -> Vec<&[u8]> {
    let mut bulks = Vec::new();
    while let Some(end) = reply.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = reply.split_at(end + 1);
        reply = rest;
        if let Some(length) = line.strip_prefix(b"$") {
            let length = std::str::from_utf8(length).unwrap().trim().parse().expect("no null");
            bulks.push(&reply[..length]);
            reply = &reply[length + 2..];
        }
    }
    bulks
}
