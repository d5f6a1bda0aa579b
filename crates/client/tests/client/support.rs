//! A server that answers what the test tells it to.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use rustvault_client::{Client, Error, Options};
pub(crate) use rustvault_protocol::OwnedRequest;
pub(crate) use rustvault_protocol::Reply;
use rustvault_protocol::{Command, ErrorCode, ErrorReply, Limits, Protocol, ServerCodec};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{interval, timeout};
use tokio_util::codec::Decoder;

/// Longer than anything takes; what does not come by then will not come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Short enough to wait for, long enough for a busy machine to answer in.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

pub(crate) fn patient() -> Options {
    Options::new().connect_timeout(2 * LONG).request_timeout(2 * LONG)
}

pub(crate) struct FakeServer {
    listener: TcpListener,
    pub(crate) addr: String,
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(addr: &str) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        Self { listener, addr }
    }

    /// A server that takes in little beyond what it has read.
    pub(crate) async fn start_narrow() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        Self { listener, addr }
    }

    /// A client, and the server's end of its read connection.
    pub(crate) async fn client(&self, options: Options) -> (Client, Peer) {
        let (client, peer) = tokio::join!(Client::connect_with(&self.addr, options), self.accept());
        (client.unwrap(), peer)
    }

    /// The next connection, with its greeting answered.
    pub(crate) async fn accept(&self) -> Peer {
        let mut peer = self.accept_raw().await;
        peer.answer(hello(), greeting()).await;
        peer
    }

    /// The next connection as it comes.
    pub(crate) async fn accept_raw(&self) -> Peer {
        Peer::new(self.accept_tcp().await)
    }

    /// The next connection, as nobody has read from it yet.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        timeout(LONG, self.listener.accept()).await.expect("no client connects").unwrap().0
    }

    /// Returns whether a client connects that has not been accepted.
    pub(crate) fn has_new_connection(&self) -> bool {
        self.listener.accept().now_or_never().is_some()
    }
}

/// A connection's bytes.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The server's end of one connection; dropping it closes the connection.
pub(crate) struct Peer {
    stream: Box<dyn Wire>,
    codec: ServerCodec,
    received: BytesMut,
}

impl Peer {
    pub(crate) fn new(stream: impl Wire + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            codec: ServerCodec::new(Limits::default()),
            received: BytesMut::new(),
        }
    }

    /// The next request, or `None` once the client has closed the connection.
    pub(crate) async fn recv(&mut self) -> Option<OwnedRequest> {
        loop {
            if let Some(request) = self.codec.decode(&mut self.received).unwrap() {
                return Some(request.unwrap());
            }
            let read = timeout(LONG, self.stream.read_buf(&mut self.received)).await;
            if read.expect("the client neither sends nor closes").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next request, read at this many bytes a second; `None` once the client has closed the connection.
    pub(crate) async fn recv_slowly(&mut self, bytes_per_second: usize) -> Option<OwnedRequest> {
        const TICKS_PER_SECOND: usize = 50;
        // After a tick that was missed the next ones come at once: the rate does not depend on the machine.
        let mut ticks = interval(Duration::from_secs(1) / TICKS_PER_SECOND as u32);
        let mut chunk = vec![0; bytes_per_second / TICKS_PER_SECOND];
        loop {
            ticks.tick().await;
            match self.stream.read(&mut chunk).await {
                Ok(read @ 1..) => self.received.extend_from_slice(&chunk[..read]),
                _ => return None,
            }
            if let Some(request) = self.codec.decode(&mut self.received).unwrap() {
                return Some(request.unwrap());
            }
        }
    }

    pub(crate) async fn send(&mut self, reply: Reply) {
        let mut bytes = BytesMut::new();
        Protocol::Resp3.encode(&reply, &mut bytes);
        self.send_raw(&bytes).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub(crate) async fn expect(&mut self, request: OwnedRequest) {
        assert_eq!(self.recv().await, Some(request));
    }

    /// The next bytes, of a request that the codec does not know.
    pub(crate) async fn recv_raw(&mut self, len: usize) -> Bytes {
        while self.received.len() < len {
            let read = timeout(LONG, self.stream.read_buf(&mut self.received)).await;
            assert!(read.expect("the client sends").unwrap() > 0, "{:?}", self.received);
        }
        self.received.split_to(len).freeze()
    }

    /// Takes `request` and replies to it.
    pub(crate) async fn answer(&mut self, request: OwnedRequest, reply: Reply) {
        self.expect(request).await;
        self.send(reply).await;
    }
}

pub(crate) fn request<A: Into<Bytes>>(
    command: Command,
    arguments: impl IntoIterator<Item = A>,
) -> OwnedRequest {
    OwnedRequest::new(command, arguments)
}

/// A request without arguments.
pub(crate) fn bare(command: Command) -> OwnedRequest {
    request(command, [""; 0])
}

/// The request that a connection begins with.
pub(crate) fn hello() -> OwnedRequest {
    request(Command::Hello, ["3"])
}

/// The reply to it.
pub(crate) fn greeting() -> Reply {
    Reply::Map(vec![(value("server"), value("rustvault")), (value("proto"), Reply::Integer(3))])
}

pub(crate) fn ping() -> OwnedRequest {
    bare(Command::Ping)
}

pub(crate) fn get(key: &'static str) -> OwnedRequest {
    request(Command::Get, [key])
}

pub(crate) fn set(key: &'static str, value: &'static str) -> OwnedRequest {
    request(Command::Set, [key, value])
}

pub(crate) fn pong() -> Reply {
    Reply::simple("PONG")
}

pub(crate) fn value(value: impl Into<Bytes>) -> Reply {
    Reply::Bulk(value.into())
}

/// An error that keeps its code in RESP, and its message. Some codes have a kind of their own there; others have a
/// sentence of Redis's.
pub(crate) fn refusal(code: ErrorCode) -> (Reply, &'static str) {
    let message = match code {
        ErrorCode::UnknownCommand => "unknown command 'x'",
        ErrorCode::TooManyConnections => "max number of clients reached",
        ErrorCode::Busy => "Background append only file rewriting already in progress",
        ErrorCode::WrongType => "value is not an integer or out of range",
        ErrorCode::OutOfRange => "increment or decrement would overflow",
        ErrorCode::NoSuchKey => "no such key",
        ErrorCode::Other => return (ErrorReply::fixed(code, "ODD because").into(), "ODD because"),
        _ => "because",
    };
    (Reply::error(code, message), message)
}

pub(crate) fn list(values: &[&'static str]) -> Reply {
    Reply::Array(values.iter().copied().map(value).collect())
}

/// What a `get` came to, as text.
pub(crate) fn text(result: Result<Option<Bytes>, Error>) -> Option<String> {
    result.unwrap().map(|value| String::from_utf8(value.to_vec()).unwrap())
}
