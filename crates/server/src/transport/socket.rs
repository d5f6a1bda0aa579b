//! A client's socket, TCP or Unix. It counts its bytes, and moves to another thread in place, below the layers that use it.

use std::io::{self, IoSlice};
use std::mem;
use std::net;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::ioctl_fionread;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

/// A connected stream socket of either family.
#[derive(Debug)]
pub(crate) struct Socket {
    registration: RuntimeRegistration,
    read_bytes: u64,
    written_bytes: u64,
    /// Set if the next write is tried although the runtime has not reported room.
    writes_at_once: bool,
}

/// The runtime that reports when the socket can be read or written.
#[derive(Debug)]
enum RuntimeRegistration {
    /// The runtime of the thread that serves the connection.
    Here(Either<TcpStream, UnixStream>),
    /// No runtime: the connection has not begun, or moves to another thread.
    Moving(Either<net::TcpStream, unix::net::UnixStream>),
    /// No runtime, and the socket is closed: registering or deregistering failed.
    Refused,
}

impl From<net::TcpStream> for Socket {
    fn from(stream: net::TcpStream) -> Self {
        Self::new(Either::Left(stream))
    }
}

impl From<unix::net::UnixStream> for Socket {
    fn from(stream: unix::net::UnixStream) -> Self {
        Self::new(Either::Right(stream))
    }
}

impl Socket {
    /// Takes over a non-blocking socket, which no runtime has registered.
    const fn new(stream: Either<net::TcpStream, unix::net::UnixStream>) -> Self {
        let registration = RuntimeRegistration::Moving(stream);
        Self { registration, read_bytes: 0, written_bytes: 0, writes_at_once: false }
    }

    /// Registers the socket with the runtime of this thread.
    ///
    /// # Errors
    /// The system refuses it; the socket is closed then.
    pub(crate) fn attach(&mut self) -> io::Result<()> {
        self.registration = match mem::replace(&mut self.registration, RuntimeRegistration::Refused) {
            RuntimeRegistration::Moving(Either::Left(tcp)) => {
                RuntimeRegistration::Here(Either::Left(TcpStream::from_std(tcp)?))
            }
            RuntimeRegistration::Moving(Either::Right(unix)) => {
                RuntimeRegistration::Here(Either::Right(UnixStream::from_std(unix)?))
            }
            other => other,
        };
        Ok(())
    }

    /// Ends the registration, so that the socket can move to another thread.
    ///
    /// # Errors
    /// The system refuses it; the socket is closed then.
    pub(crate) fn detach(&mut self) -> io::Result<()> {
        self.registration = match mem::replace(&mut self.registration, RuntimeRegistration::Refused) {
            RuntimeRegistration::Here(Either::Left(tcp)) => {
                RuntimeRegistration::Moving(Either::Left(tcp.into_std()?))
            }
            RuntimeRegistration::Here(Either::Right(unix)) => {
                RuntimeRegistration::Moving(Either::Right(unix.into_std()?))
            }
            other => other,
        };
        Ok(())
    }

    /// Returns the number of bytes that were read from the socket.
    pub(crate) const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Returns the number of bytes that the socket has received, read or not.
    pub(crate) fn received_bytes(&self) -> io::Result<u64> {
        Ok(self.read_bytes + ioctl_fionread(self.fd()?)?)
    }

    /// Returns the number of bytes that the kernel has accepted for sending.
    pub(crate) const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Makes the next write call the kernel although the runtime has not reported room.
    pub(crate) const fn write_at_once(&mut self) {
        self.writes_at_once = true;
    }

    /// Waits for the first byte and returns it without consuming it; `None` if the client has closed its end.
    pub(crate) async fn peek(&self) -> io::Result<Option<u8>> {
        let RuntimeRegistration::Here(stream) = &self.registration else { return Err(unregistered()) };
        loop {
            match stream {
                Either::Left(tcp) => tcp.readable().await?,
                Either::Right(unix) => unix.readable().await?,
            }
            let mut first = [0];
            let peek = || Ok(recv(self.fd()?, &mut first, RecvFlags::PEEK)?.1);
            let peeked = match stream {
                Either::Left(tcp) => tcp.try_io(Interest::READABLE, peek),
                Either::Right(unix) => unix.try_io(Interest::READABLE, peek),
            };
            match peeked {
                Ok(bytes) => return Ok((bytes > 0).then_some(first[0])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much as the kernel accepts without blocking; the socket need not be registered.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.fd()?, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    /// Returns the number of its descriptor.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        self.fd().ok().map(|fd| fd.as_raw_fd())
    }

    fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        match &self.registration {
            RuntimeRegistration::Here(Either::Left(tcp)) => Ok(tcp.as_fd()),
            RuntimeRegistration::Here(Either::Right(unix)) => Ok(unix.as_fd()),
            RuntimeRegistration::Moving(Either::Left(tcp)) => Ok(tcp.as_fd()),
            RuntimeRegistration::Moving(Either::Right(unix)) => Ok(unix.as_fd()),
            RuntimeRegistration::Refused => Err(unregistered()),
        }
    }

    #[inline]
    fn stream(&mut self) -> io::Result<Pin<&mut Either<TcpStream, UnixStream>>> {
        match &mut self.registration {
            RuntimeRegistration::Here(stream) => Ok(Pin::new(stream)),
            RuntimeRegistration::Moving(_) | RuntimeRegistration::Refused => Err(unregistered()),
        }
    }

    /// Tries the write that [`write_at_once`](Self::write_at_once) asked for; `None` if the kernel has no room.
    #[cold]
    fn write_now(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        self.writes_at_once = false;
        let written = self.try_write(bytes);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return None;
        }
        Some(self.count_written(written))
    }

    #[inline]
    fn count_written(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        if let Ok(written_bytes) = written {
            self.written_bytes += written_bytes as u64;
        }
        written
    }
}

fn unregistered() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let filled_bytes = room.filled().len();
        ready!(this.stream()?.poll_read(context, room))?;
        this.read_bytes += (room.filled().len() - filled_bytes) as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.writes_at_once
            && let Some(written) = this.write_now(bytes)
        {
            return Poll::Ready(written);
        }
        let written = ready!(this.stream()?.poll_write(context, bytes));
        Poll::Ready(this.count_written(written))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.writes_at_once
            && let Some(first) = slices.iter().find(|slice| !slice.is_empty())
            && let Some(written) = this.write_now(first)
        {
            return Poll::Ready(written);
        }
        let written = ready!(this.stream()?.poll_write_vectored(context, slices));
        Poll::Ready(this.count_written(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered here: the kernel has all bytes that were written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_shutdown(context)
    }
}
