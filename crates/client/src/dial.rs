//! Connects to a server, and sees that it is one.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rustvault_protocol::{ClientCodec, Command, Reply as WireReply, encode_request};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(not(unix))]
use tokio::net::TcpStream as UnixStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::codec::Decoder;
use tokio_util::either::Either;

use crate::Options;
use crate::error::{Error, ErrorKind};
use crate::reply::read;

/// Silence after which the kernel probes whether the server's machine is still there.
const KEEPALIVE_SILENCE: Duration = Duration::from_secs(60);

#[cfg(target_os = "linux")]
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

#[cfg(target_os = "linux")]
const KEEPALIVE_PROBES: u32 = 3;

/// Longest time that sent bytes may stay unacknowledged, or the server's window shut; on Linux it takes the place of the
/// number of probes, so it is what the silence and they take together.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(120);

/// Begins an address that is the path of a Unix socket.
const UNIX_PREFIX: &str = "unix:";

/// A socket of either family.
pub(crate) type Stream = Either<TcpStream, UnixStream>;

/// Address to connect to, and the options of the connection.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) addr: String,
    pub(crate) options: Options,
}

/// A connection on which the server has answered once.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    pub(crate) codec: ClientCodec,
    pub(crate) received: BytesMut,
}

impl Wire {
    /// Sends a command without arguments and reads its answer, however long that takes.
    pub(crate) async fn ask(&mut self, command: Command) -> io::Result<WireReply> {
        let mut frame = BytesMut::new();
        encode_request::<&[u8]>(command, &[], &mut frame);
        let sent = self.stream.write_all(&frame).await;
        loop {
            // Looked for even if it could not be sent: a server that closed at once may have said why.
            if let Some(reply) = self.codec.decode(&mut self.received)? {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                sent?;
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server closed the connection without an answer",
                ));
            }
        }
    }
}

/// Connects once, within the connect timeout.
///
/// A `PING` goes first: so a server that turns the connection away, or is none of ours, is found out
/// before a request is sent whose outcome would then be unknown.
pub(crate) async fn dial(target: &Target) -> Result<Wire, Error> {
    let limit = target.options.connect_timeout;
    match timeout(limit, open(target)).await {
        Ok(result) => result,
        Err(_) => Err(target.connect_error(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within the connect timeout of {limit:?}"),
        ))),
    }
}

impl Target {
    pub(crate) fn connect_error(&self, source: io::Error) -> Error {
        ErrorKind::Connect { addr: self.addr.clone(), source }.into()
    }
}

async fn open(target: &Target) -> Result<Wire, Error> {
    let stream = connect(&target.addr).await.map_err(|error| target.connect_error(error))?;
    let mut wire =
        Wire { stream, codec: ClientCodec::text(target.options.limits), received: BytesMut::new() };
    let reply = wire.ask(Command::Ping).await.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => ErrorKind::Protocol { source: error.into() }.into(),
        _ => target.connect_error(error),
    })?;
    let reply = read(Command::Ping, reply).map_err(|error| ErrorKind::Protocol { source: error.into() })?;
    reply.map(|_| wire)
}

async fn connect(addr: &str) -> io::Result<Stream> {
    if let Some(path) = unix_path(addr) {
        return connect_unix(path).await.map(Either::Right);
    }
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    notice_a_vanished_server(&stream)?;
    Ok(Either::Left(stream))
}

/// Returns the path of a Unix socket, if the address is one: `unix:` and anything but a port number.
fn unix_path(addr: &str) -> Option<&str> {
    addr.strip_prefix(UNIX_PREFIX).filter(|path| path.parse::<u16>().is_err())
}

#[cfg(unix)]
async fn connect_unix(path: &str) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

#[cfg(not(unix))]
async fn connect_unix(_: &str) -> io::Result<UnixStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}

/// Makes the kernel end the connection if the server's machine does not answer, also while nothing is asked: the next
/// request then finds a new connection, and need not run into its timeout.
fn notice_a_vanished_server(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_SILENCE);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_behind_unix_is_a_path_unless_it_is_a_port() {
        assert_eq!(unix_path("unix:/run/rv.sock"), Some("/run/rv.sock"));
        assert_eq!(unix_path("unix:rv.sock"), Some("rv.sock"));
        for addr in ["unix:8080", "localhost:8080", "[::1]:8080"] {
            assert_eq!(unix_path(addr), None, "{addr}");
        }
    }
}
