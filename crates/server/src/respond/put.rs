//! Encodes answers and writes them, large ones piece by piece.

use std::io;

use bytes::Buf;
use rustvault_protocol::{BulkEncoder, Reply};
use rustvault_storage::engine::BatchStore;

use super::Responder;
use crate::commands::{Answer, Payload};
use crate::outbox;

/// Encoded answers are written once they reach this size, so that a slow reader costs no more.
pub(super) const FLUSH_BYTES: usize = 48 * 1024;

/// Values from this size on are written from where they are stored, or, if they have to be quoted, are
/// encoded in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

impl<S: BatchStore> Responder<'_, S> {
    /// Encodes an answer at one go.
    #[inline]
    pub(super) fn put_small(&mut self, reply: &Reply<Payload<'_>>) {
        self.engine.counters.total_errors.add(u64::from(reply.is_error()));
        self.session.protocol().encode(reply, self.output);
    }

    /// Writes an answer.
    pub(super) async fn put(&mut self, reply: Reply<Payload<'_>>) -> io::Result<()> {
        if self.is_muted {
            return Ok(());
        }
        if is_small(&reply) {
            self.put_small(&reply);
            return Ok(());
        }
        self.put_large(&reply).await
    }

    /// Writes an answer, or why there is none.
    pub(super) async fn put_answer(&mut self, answer: Answer<'_>) -> io::Result<()> {
        self.put(answer.unwrap_or_else(Into::into)).await
    }

    /// Writes an answer that is not [small](is_small).
    pub(super) async fn put_large(&mut self, reply: &Reply<Payload<'_>>) -> io::Result<()> {
        let Reply::Bulk(bytes) = reply else {
            self.put_small(reply);
            return self.flush_if_large().await;
        };
        let bytes = bytes.as_ref();
        let encoder = self.session.protocol().begin_bulk(bytes, self.output);
        if encoder == BulkEncoder::Quoted {
            return self.put_in_pieces(encoder, bytes).await;
        }
        let mut parts = self.output.chain(bytes).chain(BulkEncoder::LINE_END);
        outbox::write_all(self.transport, &mut parts, &self.session.client).await
    }

    async fn put_in_pieces(&mut self, encoder: BulkEncoder, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE_BYTES) {
            encoder.piece(piece, self.output);
            self.flush_if_large().await?;
        }
        encoder.end(self.output);
        Ok(())
    }

    /// Writes items of an array that was begun: there may be many, and large ones, so what is encoded leaves in between.
    pub(super) async fn put_items<'p>(
        &mut self,
        items: impl IntoIterator<Item = Reply<Payload<'p>>>,
    ) -> io::Result<()> {
        for item in items {
            self.put(item).await?;
            self.flush_if_large().await?;
        }
        Ok(())
    }

    pub(super) async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.output.len() >= FLUSH_BYTES { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        outbox::write_all(self.transport, self.output, &self.session.client).await?;
        self.output.clear();
        Ok(())
    }
}

/// Returns whether the answer is encoded at one go: it is no large value.
#[inline]
pub(super) fn is_small(reply: &Reply<Payload<'_>>) -> bool {
    if let Reply::Bulk(bytes) = reply { bytes.as_ref().len() < PIECE_BYTES } else { true }
}
