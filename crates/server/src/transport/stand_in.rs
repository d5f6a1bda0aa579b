//! Stands in for a cipher in tests: bytes are changed in both directions, and travel in frames that are larger than a read.
//!
//! A frame is its length and its number, four bytes each with the highest first, and then as many changed bytes. Nothing of
//! it is known before its last byte has come, as with a record of TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Socket;

/// Longest content of a frame: more than a connection reads or writes at a time.
pub(crate) const MAX_FRAME_BYTES: usize = 300 * 1024;

const HEADER_BYTES: usize = 8;

/// A read of the socket takes at most this much: a frame takes many.
const READ_BYTES: usize = 16 * 1024;

/// Puts bytes into frames, in one direction.
#[derive(Debug, Default)]
pub(crate) struct Sealer {
    frames: u32,
}

impl Sealer {
    /// Appends a frame with these bytes.
    pub(crate) fn seal(&mut self, bytes: &[u8], frames: &mut BytesMut) {
        frames.put_u32(bytes.len() as u32);
        frames.put_u32(self.frames);
        let begin = frames.len();
        frames.put_slice(bytes);
        change(self.frames, &mut frames[begin..]);
        self.frames += 1;
    }
}

/// Takes bytes out of frames, in one direction.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    frames: u32,
}

impl Opener {
    /// Returns the content of the frame at the front, once all of it is there.
    pub(crate) fn open(&mut self, received: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let Some((mut header, _)) = received.split_at_checked(HEADER_BYTES) else { return Ok(None) };
        let (length, number) = (header.get_u32() as usize, header.get_u32());
        if length > MAX_FRAME_BYTES || number != self.frames {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame was lost, or a byte of one"));
        }
        if received.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        received.advance(HEADER_BYTES);
        let mut bytes = received.split_to(length);
        change(number, &mut bytes);
        self.frames += 1;
        Ok(Some(bytes))
    }
}

/// Changes bytes to others and back, each place of each frame in a way of its own.
fn change(frame: u32, bytes: &mut [u8]) {
    for (place, byte) in (frame..).zip(bytes) {
        *byte ^= (place.wrapping_mul(0x9E37_79B1) >> 24) as u8 | 1;
    }
}

/// A layer over a socket that opens frames and seals answers.
#[derive(Debug)]
pub(crate) struct StandIn {
    socket: Socket,
    opener: Opener,
    sealer: Sealer,
    /// Bytes of incomplete frames.
    received: BytesMut,
    /// Opened, and not asked for yet.
    opened: BytesMut,
    /// Sealed, and not taken by the socket yet.
    sealed: BytesMut,
}

impl StandIn {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            opener: Opener::default(),
            sealer: Sealer::default(),
            received: BytesMut::new(),
            opened: BytesMut::new(),
            sealed: BytesMut::new(),
        }
    }

    pub(crate) const fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) const fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Returns whether a read gives bytes without reading from the socket.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.opened.is_empty()
    }

    fn poll_send_sealed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            let written_bytes = ready!(Pin::new(&mut self.socket).poll_write(context, &self.sealed))?;
            self.sealed.advance(written_bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for StandIn {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.opened.is_empty() {
            if let Some(opened) = this.opener.open(&mut this.received)? {
                this.opened = opened;
                continue;
            }
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.socket).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                let is_whole = this.received.is_empty();
                return Poll::Ready(if is_whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            }
            this.received.put_slice(read.filled());
        }
        let taken_bytes = this.opened.len().min(room.remaining());
        room.put_slice(&this.opened.split_to(taken_bytes));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StandIn {
    /// Takes bytes once all that was taken before has left.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send_sealed(context))?;
        let taken = &bytes[..bytes.len().min(MAX_FRAME_BYTES)];
        this.sealer.seal(taken, &mut this.sealed);
        // What does not leave now leaves with the next write, or when it is flushed.
        let _ = this.poll_send_sealed(context)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send_sealed(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send_sealed(context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_give_back_what_was_sealed_and_notice_a_lost_one() {
        let (mut sealer, mut frames) = (Sealer::default(), BytesMut::new());
        for bytes in [&b"SET k v\r\n"[..], b"", &[7; MAX_FRAME_BYTES]] {
            sealer.seal(bytes, &mut frames);
        }
        assert!(!frames.windows(3).any(|bytes| bytes == b"SET"));
        let (mut opener, mut received, mut opened) = (Opener::default(), BytesMut::new(), BytesMut::new());
        for byte in &frames {
            received.put_u8(*byte);
            opened.extend(opener.open(&mut received).unwrap().into_iter().flatten());
        }
        assert_eq!((opened.len(), &opened[..9]), (9 + MAX_FRAME_BYTES, &b"SET k v\r\n"[..]));
        let mut without_the_first = frames.split_off(HEADER_BYTES + 9);
        assert!(Opener::default().open(&mut without_the_first).is_err());
    }
}
