//! Connects to a server, and checks by its answer to `HELLO` that it is one.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustvault_protocol::{ClientCodec, Command, ErrorCode, ErrorReply, Reply, Request};
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
use crate::address::{Endpoint, Target};
use crate::error::{Error, ErrorKind};
use crate::from_reply::{describe, unexpected};
use crate::outgoing::Outgoing;

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

/// Error of servers that speak RESP in an older version alone.
const NO_SUCH_VERSION: &[u8] = b"NOPROTO ";

/// A socket of either family.
pub(crate) type Stream = Either<TcpStream, UnixStream>;

/// A connection on which the server has answered once.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) stream: Stream,
    pub(crate) codec: ClientCodec,
    pub(crate) received: BytesMut,
}

impl Dialed {
    /// Sends an encoded command and reads its answer, however long that takes.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> io::Result<Reply> {
        let sent = self.stream.write_all(frame).await;
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
/// A `HELLO` goes first: so a server that turns the connection away, or is none of ours, is found out
/// before a request is sent whose outcome would then be unknown.
pub(crate) async fn dial(target: &Target) -> Result<Dialed, Error> {
    let limit = target.options.connect_timeout;
    match timeout(limit, open(target)).await {
        Ok(result) => result,
        Err(_) => Err(target.connect_error(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within the connect timeout of {limit:?}"),
        ))),
    }
}

async fn open(target: &Target) -> Result<Dialed, Error> {
    let stream = connect(&target.endpoint).await.map_err(|error| target.connect_error(error))?;
    let codec = ClientCodec::resp(target.options.limits);
    let mut dialed = Dialed { stream, codec, received: BytesMut::new() };
    let reply = dialed.ask(&greeting(&target.options)).await.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => ErrorKind::Protocol { source: error.into() }.into(),
        _ => target.connect_error(error),
    })?;
    check_greeting(reply).map(|()| dialed)
}

/// Returns `HELLO 3`, with the name of the connection.
fn greeting(options: &Options) -> BytesMut {
    let mut arguments: Vec<&[u8]> = vec![b"3"];
    if let Some(name) = &options.client_name {
        arguments.extend([&b"SETNAME"[..], name.as_bytes()]);
    }
    Outgoing::from(Request { command: Command::Hello, arguments: &arguments }).frame()
}

/// Takes any server that speaks RESP3, under whatever name.
fn check_greeting(reply: Reply<Bytes>) -> Result<(), Error> {
    let problem = match reply {
        Reply::Map(_) => return Ok(()),
        Reply::Error(error) if is_of_another_server(&error) => format!("it does not know HELLO 3: {error}"),
        Reply::Error(error) => return Err(ErrorKind::Server { error, is_write: false }.into()),
        other => format!("HELLO answered with {}", describe(&other)),
    };
    Err(ErrorKind::Protocol { source: unexpected(problem).into() }.into())
}

fn is_of_another_server(error: &ErrorReply) -> bool {
    error.code == ErrorCode::UnknownCommand || error.line().starts_with(NO_SUCH_VERSION)
}

async fn connect(endpoint: &Endpoint) -> io::Result<Stream> {
    let addr = match endpoint {
        Endpoint::Tcp(addr) => addr,
        Endpoint::Unix(path) => return connect_unix(path).await.map(Either::Right),
    };
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    notice_a_vanished_server(&stream)?;
    Ok(Either::Left(stream))
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
