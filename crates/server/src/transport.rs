//! Transports, which carry a client's bytes: a plain socket, or TLS over one. The connection's loop does
//! not depend on the kind.

mod records;
mod socket;
mod tls;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::outbox::Outlet;
pub(crate) use socket::Socket;
#[cfg(test)]
pub(crate) use stand_in::StandIn;
pub(crate) use tls::TlsLayer;

/// The carrier of a client's bytes.
///
/// It is an enum, not a type parameter, so that one connection loop is compiled; and no trait object, so that a plain socket
/// is read without a call through a table. A layer over a [`Socket`] keeps it inside while its connection changes threads:
/// whatever the layer holds, half a record or an answer that has not left, moves along.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Socket),
    /// Boxed, because most connections have none.
    Tls(Box<TlsLayer>),
    /// Stands in for a cipher.
    #[cfg(test)]
    StandIn(Box<StandIn>),
}

impl Transport {
    /// The socket below all layers.
    pub(crate) const fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(layer) => layer.socket(),
            #[cfg(test)]
            Self::StandIn(layer) => layer.socket(),
        }
    }

    /// The socket below all layers.
    pub(crate) const fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(layer) => layer.socket_mut(),
            #[cfg(test)]
            Self::StandIn(layer) => layer.socket_mut(),
        }
    }

    /// Returns whether a read gives bytes without reading from the socket: a layer has more than was asked for.
    pub(crate) fn has_bytes(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(layer) => layer.has_bytes(),
            #[cfg(test)]
            Self::StandIn(layer) => layer.has_bytes(),
        }
    }

    /// Returns whether a layer has received a part of something that is read when it is whole.
    pub(crate) fn has_partial(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(layer) => layer.has_partial(),
            #[cfg(test)]
            Self::StandIn(_) => false,
        }
    }

    /// Ends the connection with a client that has ended its own direction.
    pub(crate) fn answer_end(&mut self) {
        if let Self::Tls(layer) = self {
            layer.answer_end();
        }
    }
}

/// Calls a method of the layer that is there.
macro_rules! forward {
    ($transport:ident.$method:ident($($argument:expr),*)) => {
        match $transport.get_mut() {
            Self::Plain(socket) => Pin::new(socket).$method($($argument),*),
            Self::Tls(layer) => Pin::new(&mut **layer).$method($($argument),*),
            #[cfg(test)]
            Self::StandIn(layer) => Pin::new(layer).$method($($argument),*),
        }
    };
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self.poll_read(context, room))
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self.poll_write(context, bytes))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Tls(layer) => layer.is_write_vectored(),
            #[cfg(test)]
            Self::StandIn(layer) => layer.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.poll_shutdown(context))
    }
}

impl Outlet for Transport {
    fn written_bytes(&self) -> u64 {
        self.socket().written_bytes()
    }

    fn write_at_once(&mut self) {
        self.socket_mut().write_at_once();
    }
}

#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
