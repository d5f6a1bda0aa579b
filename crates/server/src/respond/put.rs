//! Encodes and writes answers; large ones piece by piece.

use std::io;

use bytes::Buf;
use rustvault_protocol::{BulkEncoder, ErrorReply, Reply};
use rustvault_storage::batch::BatchStore;

use super::Responder;
use crate::commands::{Answer, Payload, Refusal};
use crate::metrics::CommandError;
use crate::outbox;

/// Size of encoded answers at which they are written. It bounds the memory for a client that reads slowly.
pub(super) const FLUSH_BYTES: usize = 48 * 1024;

/// Least size of a large value. It is written from the store's memory without a copy, or, if it has to be quoted, encoded in
/// pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

impl<S: BatchStore> Responder<'_, S> {
    /// Encodes a small answer, whole.
    #[inline]
    pub(super) fn put_small(&mut self, reply: &Reply<Payload<'_>>) {
        if let Reply::Error(error) = reply {
            self.metrics().error(self.command, CommandError::Failed, error.code);
        }
        self.session.protocol().encode(reply, self.output);
    }

    /// Encodes the error of a command that was not executed.
    pub(super) fn put_rejection(&mut self, error: Box<ErrorReply>) {
        self.metrics().error(self.command, CommandError::Rejected, error.code);
        self.session.protocol().encode(&Reply::<&[u8]>::Error(error), self.output);
    }

    /// Writes an answer.
    pub(super) async fn put(&mut self, reply: Reply<Payload<'_>>) -> io::Result<()> {
        if self.is_muted {
            return Ok(());
        }
        match large_value(&reply) {
            None => self.put_small(&reply),
            Some(value) => self.put_large(value).await?,
        }
        Ok(())
    }

    /// Writes an answer, or the error in its place.
    pub(super) async fn put_answer(&mut self, answer: Answer<'_>) -> io::Result<()> {
        self.put(answer.unwrap_or_else(Into::into)).await
    }

    /// Writes a [large value](large_value).
    pub(super) async fn put_large(&mut self, value: &[u8]) -> io::Result<()> {
        let encoder = self.session.protocol().begin_bulk(value, self.output);
        if encoder == BulkEncoder::Quoted {
            return self.put_in_pieces(encoder, value).await;
        }
        let client = &*self.session.client;
        client.figures.set_output(self.output.len());
        client.figures.set_queue(1, value.len());
        let mut parts = self.output.chain(value).chain(BulkEncoder::LINE_END);
        outbox::write_all(self.transport, &mut parts, client).await?;
        client.figures.set_output(0);
        client.figures.set_queue(0, 0);
        Ok(())
    }

    async fn put_in_pieces(&mut self, encoder: BulkEncoder, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE_BYTES) {
            encoder.piece(piece, self.output);
            self.flush_if_large().await?;
        }
        encoder.end(self.output);
        Ok(())
    }

    pub(super) async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.output.len() >= FLUSH_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Claims the memory of an answer that is gathered before its first byte is sent.
    pub(super) fn claim_output(&mut self, bytes: usize) -> Result<(), Refusal> {
        let engine = self.engine;
        let claimed = self.claim.set_output(bytes, || engine.config().max_buffer_bytes);
        claimed.map_err(|over| over.answer("ask for less at a time, or try again later"))
    }

    /// Gives back what [`claim_output`](Self::claim_output) has claimed.
    pub(super) fn release_output(&mut self) {
        // Less than before, so it is granted.
        let _ = self.claim.set_output(0, || usize::MAX);
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let client = &*self.session.client;
        client.figures.set_output(self.output.len());
        outbox::write_all(self.transport, self.output, client).await?;
        client.figures.set_output(0);
        self.output.clear();
        Ok(())
    }
}

/// Returns the value of an answer that is too large to be encoded whole.
#[inline]
pub(super) fn large_value<'r>(reply: &'r Reply<Payload<'_>>) -> Option<&'r [u8]> {
    match reply {
        Reply::Bulk(bytes) if bytes.as_ref().len() >= PIECE_BYTES => Some(bytes.as_ref()),
        _ => None,
    }
}
