//! Listening sockets, TCP and Unix: binding them, and accepting clients.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use crate::addr::Addr;
use crate::error::Error;
use crate::metrics::ListenerKind;
use crate::tcp_options;
use crate::tls::LoadedTls;
use crate::transport::{Socket, TlsLayer, Transport};
use crate::unix_socket::{self, SocketFile};

/// Connections that may wait to be accepted; the kernel limits this further (net.core.somaxconn).
///
/// With the usual 128, a thousand clients that connect at the same time lose packets, and some wait seconds for a retry.
const BACKLOG_CONNECTIONS: u32 = 4096;

/// The listening sockets that [`serve`](crate::serve) accepts clients from: one, or [several](Self::and).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use rustvault_server::Listeners;
/// use tokio::net::{TcpListener, UnixListener};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vault.sock");
/// let listeners = Listeners::from(TcpListener::bind("127.0.0.1:0").await?).and(UnixListener::bind(path)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listeners(Vec<Listener>);

impl Listeners {
    /// Adds other listeners.
    #[must_use]
    pub fn and(mut self, others: impl Into<Self>) -> Self {
        self.0.extend(others.into().0);
        self
    }

    pub(crate) fn into_vec(self) -> Vec<Listener> {
        self.0
    }
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        vec![Listener::new(Accepting::Tcp(listener))].into()
    }
}

impl From<UnixListener> for Listeners {
    /// Takes over a listener; removing its socket's file is left to the caller.
    fn from(listener: UnixListener) -> Self {
        let addr = listener.local_addr().ok();
        let path = addr.as_ref().and_then(|addr| addr.as_pathname()).unwrap_or(Path::new("unix"));
        let path = path.into();
        vec![Listener::new(Accepting::Unix { _file: None, listener, path })].into()
    }
}

impl From<Vec<Listener>> for Listeners {
    fn from(listeners: Vec<Listener>) -> Self {
        Self(listeners)
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    accepting: Accepting,
    has_tls: bool,
    #[cfg(test)]
    has_stand_in: bool,
}

#[derive(Debug)]
enum Accepting {
    Tcp(TcpListener),
    Unix {
        /// Dropped before the listener: see [`SocketFile`].
        _file: Option<SocketFile>,
        listener: UnixListener,
        path: Arc<Path>,
    },
}

/// A connection that was accepted and is not prepared yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    stream: AcceptedStream,
    pub(crate) peer: Addr,
    /// Permit of its handshake, if the client speaks TLS.
    pub(crate) handshake_permit: Option<OwnedSemaphorePermit>,
    #[cfg(test)]
    has_stand_in: bool,
}

/// The stream of an accepted client, of either family.
#[derive(Debug)]
enum AcceptedStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    const fn new(accepting: Accepting) -> Self {
        Self {
            accepting,
            has_tls: false,
            #[cfg(test)]
            has_stand_in: false,
        }
    }

    /// Listens on the first address that `addr`, a host and a port, resolves to and that is available; returns it as well.
    pub(crate) async fn bind(addr: &str) -> Result<(Self, SocketAddr), Error> {
        let bind_error = |source| Error::Bind { addr: addr.to_owned(), source };
        let listener = listen(addr).await.map_err(bind_error)?;
        let local_addr = listener.local_addr().map_err(bind_error)?;
        Ok((Self::new(Accepting::Tcp(listener)), local_addr))
    }

    /// Makes its clients speak TLS.
    pub(crate) const fn with_tls(mut self) -> Self {
        self.has_tls = true;
        self
    }

    /// Returns whether its clients speak TLS.
    pub(crate) const fn has_tls(&self) -> bool {
        self.has_tls
    }

    /// Listens on a Unix socket at this path, which must be free or the stale socket of a server that has ended.
    pub(crate) async fn bind_unix(path: &Path) -> Result<Self, Error> {
        let path: Arc<Path> = path.into();
        let its_path = Arc::clone(&path);
        let listening = spawn_blocking(move || unix_socket::listen(&its_path, BACKLOG_CONNECTIONS));
        let (socket, file) = listening
            .await
            .map_err(|_| Error::ThreadDied)?
            .map_err(|source| Error::UnixSocket { path: path.to_path_buf(), source })?;
        let listener = UnixListener::from_std(socket.into())
            .map_err(|source| Error::System { action: "wait for connections", source })?;
        Ok(Self::new(Accepting::Unix { _file: Some(file), listener, path }))
    }

    /// Accepts the next connection.
    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        let (stream, peer) = match &self.accepting {
            Accepting::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(context))?;
                (AcceptedStream::Tcp(stream), peer.into())
            }
            Accepting::Unix { listener, path, .. } => {
                let (stream, _) = ready!(listener.poll_accept(context))?;
                (AcceptedStream::Unix(stream), Addr::Unix(Arc::clone(path)))
            }
        };
        Poll::Ready(Ok(Incoming {
            stream,
            peer,
            handshake_permit: None,
            #[cfg(test)]
            has_stand_in: self.has_stand_in,
        }))
    }
}

impl Incoming {
    /// Returns the kind of its listener.
    pub(crate) const fn listener_kind(&self) -> ListenerKind {
        match (&self.stream, &self.handshake_permit) {
            (_, Some(_)) => ListenerKind::Tls,
            (AcceptedStream::Tcp(_), None) => ListenerKind::Tcp,
            (AcceptedStream::Unix(_), None) => ListenerKind::Unix,
        }
    }

    /// Returns the address of the server's end.
    pub(crate) fn local(&self) -> io::Result<Addr> {
        match &self.stream {
            AcceptedStream::Tcp(stream) => stream.local_addr().map(Addr::from),
            AcceptedStream::Unix(_) => Ok(self.peer.clone()),
        }
    }

    /// Sets the socket's options; `keepalive` is the silence after which a peer is probed.
    pub(crate) fn prepare(&self, keepalive: Option<Duration>) -> io::Result<()> {
        match &self.stream {
            AcceptedStream::Tcp(stream) => tcp_options::set(stream, keepalive),
            AcceptedStream::Unix(_) => Ok(()),
        }
    }

    /// Returns the socket's descriptor.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            AcceptedStream::Tcp(stream) => stream.as_fd(),
            AcceptedStream::Unix(stream) => stream.as_fd(),
        }
    }

    /// Returns the socket, which no thread has registered yet.
    pub(crate) fn into_socket(self) -> io::Result<Socket> {
        match self.stream {
            AcceptedStream::Tcp(stream) => stream.into_std().map(Socket::from),
            AcceptedStream::Unix(stream) => stream.into_std().map(Socket::from),
        }
    }

    /// Returns the transport over the socket.
    ///
    /// # Errors
    /// The client should speak TLS, and `tls` is missing.
    pub(crate) fn into_transport(mut self, tls: Option<Arc<LoadedTls>>) -> io::Result<Transport> {
        if let Some(permit) = self.handshake_permit.take() {
            let tls = tls.ok_or(io::ErrorKind::NotConnected)?;
            return Ok(Transport::Tls(Box::new(TlsLayer::new(self.into_socket()?, tls, permit)?)));
        }
        #[cfg(test)]
        if self.has_stand_in {
            let layer = crate::transport::StandIn::new(self.into_socket()?);
            return Ok(Transport::StandIn(Box::new(layer)));
        }
        self.into_socket().map(Transport::Plain)
    }
}

#[cfg(test)]
impl Listeners {
    /// Makes all clients speak TLS.
    pub(crate) fn with_tls(mut self) -> Self {
        self.0.iter_mut().for_each(|listener| listener.has_tls = true);
        self
    }

    /// Puts the stand-in for a cipher between all clients and their sockets.
    pub(crate) fn with_stand_in(mut self) -> Self {
        self.0.iter_mut().for_each(|listener| listener.has_stand_in = true);
        self
    }
}

/// Listens on the first address that `addr` resolves to and that is available, for a runtime that is not chosen yet; returns it as well.
///
/// # Errors
/// There is none.
pub(crate) async fn bind_tcp(addr: &str) -> Result<(std::net::TcpListener, SocketAddr), Error> {
    let bind_error = |source| Error::Bind { addr: addr.to_owned(), source };
    let listener = listen(addr).await.and_then(TcpListener::into_std).map_err(bind_error)?;
    let local_addr = listener.local_addr().map_err(bind_error)?;
    Ok((listener, local_addr))
}

async fn listen(addr: &str) -> io::Result<TcpListener> {
    let mut last_error = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for addr in lookup_host(addr).await? {
        match listen_on(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server takes its port back although old connections are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG_CONNECTIONS)
}
