//! TLS over a socket: decrypts what comes and encrypts what leaves. Nothing is kept for a connection that has nothing to do but
//! its keys.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::Socket;
use super::records::{RECORD_BYTES, next_record};
use crate::tls::{EstablishedTls, LoadedTls};

/// Most bytes of one read of the socket: a few of the largest records.
const READ_BYTES: usize = 64 * 1024;

/// Most bytes of incomplete records and messages: one of either, with room to spare. TLS limits them to 16 and 64 KiB.
const MAX_PARTIAL_BYTES: usize = 96 * 1024;

/// Most records that one write encrypts before it passes them on.
const WRITE_RECORDS: usize = 4;

/// More than a record has beside its content: header, nonce, tag, type.
const RECORD_OVERHEAD_BYTES: usize = 256;

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch { received: Vec::new(), plain: Vec::new(), sealed: Vec::new() }) };
}

/// Memory that the connections of a thread use in turn, each within one call.
struct Scratch {
    /// Bytes of the socket, encrypted.
    received: Vec<u8>,
    /// Small slices that make up one record.
    plain: Vec<u8>,
    /// Records on their way to the socket.
    sealed: Vec<u8>,
}

/// A layer over a socket that speaks TLS.
pub(crate) struct TlsLayer {
    socket: Socket,
    session: UnbufferedServerConnection,
    /// Received, and not decrypted: the beginning of a record or of a message.
    partial: Vec<u8>,
    /// Decrypted, and not asked for.
    opened: Vec<u8>,
    /// Number of those that have been taken.
    opened_taken: usize,
    /// Encrypted, and not taken by the socket.
    sealed: Vec<u8>,
    /// Number of those that have been taken.
    sealed_taken: usize,
    /// Set once the client has announced its end, or the socket has ended.
    has_ended: bool,
    /// Set once the session has failed, so that nothing can be encrypted any more.
    has_failed: bool,
    /// The error that ends the connection once what came before it has been asked for.
    failure: Option<io::Error>,
    /// Held until the handshake has ended.
    handshake_permit: Option<OwnedSemaphorePermit>,
    /// Counts the connection once its handshake has ended.
    established: Option<EstablishedTls>,
    loaded: Arc<LoadedTls>,
}

impl fmt::Debug for TlsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsLayer").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// Result of looking at what the session does next.
enum Progress {
    /// The session waits for the client: for the rest of a record, or for the next.
    Waits,
    /// The client has ended its direction.
    Ended,
}

impl TlsLayer {
    /// Puts TLS over a socket, with a handshake before anything else.
    pub(crate) fn new(
        socket: Socket,
        loaded: Arc<LoadedTls>,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let session =
            UnbufferedServerConnection::new(Arc::clone(&loaded.handshakes)).map_err(io::Error::other)?;
        Ok(Self {
            socket,
            session,
            partial: Vec::new(),
            opened: Vec::new(),
            opened_taken: 0,
            sealed: Vec::new(),
            sealed_taken: 0,
            has_ended: false,
            has_failed: false,
            failure: None,
            handshake_permit: Some(permit),
            established: None,
            loaded,
        })
    }

    pub(crate) const fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) const fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Returns whether a read gives bytes without reading from the socket.
    pub(crate) const fn has_bytes(&self) -> bool {
        self.opened_taken < self.opened.len()
    }

    /// Returns whether a record or a message has arrived in part.
    pub(crate) const fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Announces the end to a client that has ended its direction, as far as that leaves at once.
    pub(crate) fn answer_end(&mut self) {
        self.seal_end();
        let rest = self.sealed.get(self.sealed_taken..).unwrap_or_default();
        // It is the last thing that happens to the connection: a client that has gone misses nothing.
        let _ = self.socket.try_write(rest);
    }

    /// Returns the files that the connection began with.
    pub(crate) fn loaded(&self) -> &LoadedTls {
        &self.loaded
    }

    /// Returns the client's own certificate, if it has shown one.
    pub(crate) fn client_certificate(&self) -> Option<&CertificateDer<'_>> {
        self.session.peer_certificates()?.first()
    }

    /// Returns whether the handshake is still to be done.
    pub(crate) const fn needs_handshake(&self) -> bool {
        self.established.is_none()
    }

    /// Lets another handshake begin.
    pub(crate) fn release_permit(&mut self) {
        self.handshake_permit = None;
    }

    /// Ends the handshake: from here on the connection counts.
    pub(crate) fn establish(&mut self, established: EstablishedTls) {
        self.established = Some(established);
    }

    /// Goes on with the handshake; ready once it has ended and its last bytes have left.
    ///
    /// # Errors
    /// The client makes a mistake, or is gone. An alert says so, if it can be sent at once.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send_sealed(context))?;
            if !self.session.is_handshaking() && self.sealed.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let received = ready!(self.poll_receive(context, READ_BYTES, &mut ReadBuf::new(&mut [])));
            if let Err(error) = received {
                // The alert tells the client more than the end of the connection.
                let _ = self.poll_send_sealed(context);
                return Poll::Ready(Err(error));
            }
            // Behind the last message of its handshake a client may have sent requests, and its end.
            if self.has_ended && self.session.is_handshaking() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads from the socket once, and decrypts all records that are whole: into `room` first, and the rest into `opened`.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        max_bytes: usize,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let received = &mut scratch.received;
            let partial_bytes = self.partial.len();
            let end = partial_bytes + max_bytes.min(READ_BYTES);
            if received.len() < end {
                received.resize(MAX_PARTIAL_BYTES + READ_BYTES, 0);
            }
            let mut read = ReadBuf::new(received.get_mut(partial_bytes..end).unwrap_or_default());
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
            let read_bytes = read.filled().len();
            if read_bytes == 0 {
                // Most clients close without an announcement. What is executed is whole commands, so that loses nothing.
                self.has_ended = true;
                return Poll::Ready(Ok(()));
            }
            let Some(received) = received.get_mut(..partial_bytes + read_bytes) else {
                return Poll::Ready(Ok(()));
            };
            received.get_mut(..partial_bytes).unwrap_or_default().copy_from_slice(&self.partial);
            Poll::Ready(self.open(received, room))
        })
    }

    /// Decrypts what is whole of `received`, and keeps the rest.
    fn open(&mut self, received: &mut [u8], room: &mut ReadBuf<'_>) -> io::Result<()> {
        let (progress, consumed_bytes) = self.advance(received, room)?;
        if let Progress::Ended = progress {
            self.has_ended = true;
        }
        let rest = received.get(consumed_bytes..).unwrap_or_default();
        if rest.len() > MAX_PARTIAL_BYTES {
            return Err(invalid("a handshake message is longer than 64 KiB"));
        }
        if rest.is_empty() {
            self.partial = Vec::new();
        } else {
            self.partial.clear();
            self.partial.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Lets the session process `received` until it waits for more; returns the number of bytes that it is done with.
    fn advance(&mut self, received: &mut [u8], room: &mut ReadBuf<'_>) -> io::Result<(Progress, usize)> {
        let (mut consumed_bytes, mut progress) = (0, Progress::Waits);
        loop {
            let rest = rest_after(received, consumed_bytes);
            let UnbufferedStatus { mut discard, state, .. } = self.session.process_tls_records(rest);
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    self.seal_messages(rest_after(received, consumed_bytes + discard));
                    self.has_failed = true;
                    return Err(invalid(error));
                }
            };
            match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        let (now, later) =
                            record.payload.split_at(record.payload.len().min(room.remaining()));
                        room.put_slice(now);
                        self.opened.extend_from_slice(later);
                    }
                }
                ConnectionState::EncodeTlsData(mut message) => encode(&mut message, &mut self.sealed)?,
                ConnectionState::TransmitTlsData(message) => message.done(),
                ConnectionState::PeerClosed => progress = Progress::Ended,
                ConnectionState::Closed => return Ok((Progress::Ended, received.len())),
                ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => {
                    return Ok((progress, consumed_bytes + discard));
                }
                _ => return Err(invalid("the client sends data before its handshake")),
            }
            consumed_bytes += discard;
        }
    }

    /// Encrypts what the session has to say by itself: the alert that follows an error, or the announcement of the end.
    ///
    /// The session remembers places in what was received, so it gets the same bytes again.
    fn seal_messages(&mut self, received: &mut [u8]) {
        let mut consumed_bytes = 0;
        loop {
            let status = self.session.process_tls_records(rest_after(received, consumed_bytes));
            let UnbufferedStatus { discard, state: Ok(ConnectionState::EncodeTlsData(mut message)), .. } =
                status
            else {
                return;
            };
            consumed_bytes += discard;
            if encode(&mut message, &mut self.sealed).is_err() {
                return;
            }
        }
    }

    /// Encrypts `plain` behind what `sealed` has: at most [`RECORD_BYTES`].
    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) -> io::Result<()> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        loop {
            // Whole records were opened when they came, so this is the beginning of one.
            let mut partial = std::mem::take(&mut self.partial);
            let UnbufferedStatus { discard, state, .. } = self.session.process_tls_records(&mut partial);
            let is_sealed = match state.map_err(invalid)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let begin = sealed.len();
                    sealed.resize(begin + plain.len() + RECORD_OVERHEAD_BYTES, 0);
                    let room = sealed.get_mut(begin..).unwrap_or_default();
                    let written = match traffic.encrypt(plain, room) {
                        Err(EncryptError::InsufficientSize(size)) => {
                            sealed.resize(begin + size.required_size, 0);
                            traffic.encrypt(plain, sealed.get_mut(begin..).unwrap_or_default())
                        }
                        written => written,
                    };
                    sealed.truncate(begin + written.map_err(invalid)?);
                    true
                }
                ConnectionState::EncodeTlsData(mut message) => {
                    encode(&mut message, sealed)?;
                    false
                }
                ConnectionState::TransmitTlsData(message) => {
                    message.done();
                    false
                }
                ConnectionState::PeerClosed => false,
                _ => return Err(io::ErrorKind::BrokenPipe.into()),
            };
            partial.drain(..discard);
            self.partial = partial;
            if is_sealed {
                return Ok(());
            }
        }
    }

    /// Encrypts as much of `slices` as one write takes and passes it on; returns the number of bytes taken.
    fn poll_write_slices(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Records leave in order, and a client that does not read makes no more of them.
        ready!(self.poll_send_sealed(context))?;
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { plain, sealed, .. } = scratch;
            sealed.clear();
            let mut taken_bytes = 0;
            for _ in 0..WRITE_RECORDS {
                let record = next_record(slices, taken_bytes, plain);
                if record.is_empty() {
                    break;
                }
                self.seal(record, sealed)?;
                taken_bytes += record.len();
            }
            let mut sent_bytes = 0;
            while sent_bytes < sealed.len() {
                let rest = sealed.get(sent_bytes..).unwrap_or_default();
                match Pin::new(&mut self.socket).poll_write(context, rest) {
                    Poll::Ready(written) => sent_bytes += written?,
                    // What does not leave now leaves with the next write, or when it is flushed.
                    Poll::Pending => {
                        self.sealed.extend_from_slice(rest);
                        break;
                    }
                }
            }
            Poll::Ready(Ok(taken_bytes))
        })
    }

    fn poll_send_sealed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.sealed.get(self.sealed_taken..).filter(|rest| !rest.is_empty()) {
            self.sealed_taken += ready!(Pin::new(&mut self.socket).poll_write(context, rest))?;
        }
        if !self.sealed.is_empty() {
            (self.sealed, self.sealed_taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts the announcement of the end.
    fn seal_end(&mut self) {
        if self.has_failed {
            return;
        }
        let mut partial = std::mem::take(&mut self.partial);
        let UnbufferedStatus { discard, state, .. } = self.session.process_tls_records(&mut partial);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = state {
            let mut alert = [0; RECORD_OVERHEAD_BYTES];
            if let Ok(written) = traffic.queue_close_notify(&mut alert) {
                self.sealed.extend_from_slice(alert.get(..written).unwrap_or_default());
            }
            self.seal_messages(rest_after(&mut partial, discard));
        }
        // Nothing is read or written any more.
        self.has_failed = true;
    }
}

fn rest_after(received: &mut [u8], consumed_bytes: usize) -> &mut [u8] {
    received.get_mut(consumed_bytes..).unwrap_or_default()
}

fn encode<D>(message: &mut rustls::unbuffered::EncodeTlsData<'_, D>, sealed: &mut Vec<u8>) -> io::Result<()> {
    let begin = sealed.len();
    if let Err(rustls::unbuffered::EncodeError::InsufficientSize(size)) = message.encode(&mut []) {
        sealed.resize(begin + size.required_size, 0);
        message.encode(sealed.get_mut(begin..).unwrap_or_default()).map_err(invalid)?;
    }
    Ok(())
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl AsyncRead for TlsLayer {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let filled_bytes = room.filled().len();
        loop {
            if this.has_bytes() {
                let rest = this.opened.get(this.opened_taken..).unwrap_or_default();
                let taken = rest.get(..rest.len().min(room.remaining())).unwrap_or_default();
                room.put_slice(taken);
                this.opened_taken += taken.len();
                if !this.has_bytes() {
                    (this.opened, this.opened_taken) = (Vec::new(), 0);
                }
            }
            if room.filled().len() > filled_bytes || room.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = this.failure.take() {
                this.has_ended = true;
                return Poll::Ready(Err(failure));
            }
            if this.has_ended {
                return Poll::Ready(Ok(()));
            }
            let max_bytes = room.remaining().max(RECORD_BYTES + RECORD_OVERHEAD_BYTES);
            let received = ready!(this.poll_receive(context, max_bytes, room));
            // An answer of TLS itself, or an alert. What does not leave now leaves before the next answer.
            let sent = this.poll_send_sealed(context);
            if let Poll::Ready(Err(error)) = sent {
                this.failure = Some(error);
            }
            if let Err(error) = received {
                this.failure = Some(error);
            }
        }
    }
}

impl AsyncWrite for TlsLayer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_slices(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_slices(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send_sealed(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.seal_end();
        ready!(this.poll_send_sealed(context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}
