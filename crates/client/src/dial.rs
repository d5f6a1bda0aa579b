//! Connects to a server, and checks by its answer to `HELLO` that it is one.

use std::io;
use std::sync::Arc;
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
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Decoder;
use tokio_util::either::Either;

use crate::Options;
use crate::address::{Endpoint, Target};
use crate::error::{Error, ErrorKind};
use crate::from_reply::{describe, unexpected};
use crate::login::DEFAULT_USER;
use crate::outgoing::Outgoing;
use crate::tls::{TlsDialer, failed_handshake, is_tls_record, problem_of};

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

/// A socket of either family, or TLS over one.
pub(crate) type Stream = Either<Either<TcpStream, UnixStream>, Box<TlsStream<TcpStream>>>;

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
        let sent = async {
            self.stream.write_all(frame).await?;
            // TLS keeps back what the socket has no room for.
            self.stream.flush().await
        };
        let sent = sent.await;
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
    let greeting = greeting(&target.options).await?;
    let stream = match &target.tls {
        None => {
            connect(&target.endpoint).await.map(Either::Left).map_err(|error| target.connect_error(error))?
        }
        Some(tls) => Either::Right(Box::new(connect_tls(target, tls).await?)),
    };
    let codec = ClientCodec::resp(target.options.limits);
    let mut dialed = Dialed { stream, codec, received: BytesMut::new() };
    let asked = dialed.ask(&greeting).await;
    let reply = asked.map_err(|error| no_greeting(target, error, &dialed.received))?;
    check_greeting(reply, &target.options).map(|()| dialed)
}

/// Connects, and does the handshake.
async fn connect_tls(target: &Target, tls: &Arc<TlsDialer>) -> Result<TlsStream<TcpStream>, Error> {
    let config = tls.config().await?;
    let tcp = match connect(&target.endpoint).await.map_err(|error| target.connect_error(error))? {
        Either::Left(tcp) => tcp,
        Either::Right(_) => {
            let problem = "TLS is for TCP".to_owned();
            return Err(ErrorKind::Address { addr: target.addr.clone(), problem }.into());
        }
    };
    tls.connect(config, tcp).await.map_err(|error| failed_handshake(target.addr.clone(), error))
}

/// Returns why there was no answer to the greeting.
fn no_greeting(target: &Target, error: io::Error, received: &[u8]) -> Error {
    let addr = target.addr.clone();
    // With TLS 1.3 a server tells only now what it thinks of the client's certificate.
    if let Some(problem) = problem_of(&error) {
        return ErrorKind::Tls { addr, problem, source: error }.into();
    }
    if error.kind() != io::ErrorKind::InvalidData {
        return target.connect_error(error);
    }
    let error = if target.tls.is_none() && is_tls_record(received) {
        unexpected("the port speaks TLS: write rustvaults://, or set TLS".to_owned())
    } else {
        error
    };
    ErrorKind::Protocol { source: error.into() }.into()
}

/// Returns `HELLO 3`, with the login and the name of the connection.
async fn greeting(options: &Options) -> Result<BytesMut, Error> {
    let secret = match &options.password {
        Some(secret) => Some(secret.get().await.map_err(|source| ErrorKind::NoSecret { source })?),
        None => None,
    };
    let mut arguments: Vec<&[u8]> = vec![b"3"];
    if let Some(secret) = &secret {
        arguments.extend([&b"AUTH"[..], user(options).as_bytes(), secret]);
    }
    if let Some(name) = &options.client_name {
        arguments.extend([&b"SETNAME"[..], name.as_bytes()]);
    }
    Ok(Outgoing::from(Request { command: Command::Hello, arguments: &arguments }).frame())
}

fn user(options: &Options) -> &str {
    options.user.as_deref().unwrap_or(DEFAULT_USER)
}

/// Takes any server that speaks RESP3, under whatever name.
fn check_greeting(reply: Reply<Bytes>, options: &Options) -> Result<(), Error> {
    let problem = match reply {
        Reply::Map(_) => return Ok(()),
        Reply::Error(error) if is_of_another_server(&error) => format!("it does not know HELLO 3: {error}"),
        Reply::Error(error) if options.password.is_some() && is_about_login(&error) => {
            return Err(ErrorKind::Login { user: user(options).to_owned(), error }.into());
        }
        Reply::Error(error) => return Err(ErrorKind::Server { error, is_write: false }.into()),
        other => format!("HELLO answered with {}", describe(&other)),
    };
    Err(ErrorKind::Protocol { source: unexpected(problem).into() }.into())
}

/// Returns whether a server that speaks of something else would have taken the login.
fn is_about_login(error: &ErrorReply) -> bool {
    !matches!(error.code, ErrorCode::TooManyConnections | ErrorCode::ShuttingDown)
}

fn is_of_another_server(error: &ErrorReply) -> bool {
    error.code == ErrorCode::UnknownCommand || error.line().starts_with(NO_SUCH_VERSION)
}

async fn connect(endpoint: &Endpoint) -> io::Result<Either<TcpStream, UnixStream>> {
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
