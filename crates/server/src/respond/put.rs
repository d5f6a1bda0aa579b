//! Encodes answers and writes them, large ones piece by piece.

use std::io;

use bytes::Buf;
use rustvault_protocol::{RespValue, Response, Shape};
use rustvault_storage::Store;

use super::Responder;
use crate::dialect::ValueEncoder;
use crate::execute::Field;
use crate::outbox;

/// Encoded answers are written once they reach this size, so that a slow reader costs no more.
pub(super) const FLUSH_BYTES: usize = 48 * 1024;

/// Values from this size on are written from where they are stored, or, if they have to be quoted, are
/// encoded in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

impl<S: Store> Responder<'_, S> {
    /// Encodes an answer at one go.
    pub(super) fn put_small(&mut self, response: &Response<Field>, shape: &Shape<'_>) {
        let is_error = matches!(response, Response::Error { .. });
        self.shared.counters.total_errors.add(u64::from(is_error));
        self.dialect.encode(response, shape, self.output);
    }

    pub(super) async fn put(&mut self, response: Response<Field>, shape: Shape<'_>) -> io::Result<()> {
        if is_small(&response, &shape) {
            self.put_small(&response, &shape);
            return Ok(());
        }
        self.put_in_parts(response, shape).await
    }

    /// Writes an answer that is not [small](is_small).
    pub(super) async fn put_in_parts(
        &mut self,
        response: Response<Field>,
        shape: Shape<'_>,
    ) -> io::Result<()> {
        match (response, shape) {
            // Boxed: every connection would have room for it.
            (Response::List(items), Shape::Page { glob: Some(glob) }) => {
                Box::pin(self.put_matching_page(items, glob)).await;
                Ok(())
            }
            (Response::List(items), _) => self.put_list(items).await,
            (response, _) => self.put_value(&response).await,
        }
    }

    pub(super) fn put_own(&mut self, answer: &RespValue<'_>) {
        self.shared.counters.total_errors.add(u64::from(matches!(answer, RespValue::Error(_))));
        self.dialect.encode_own(answer, self.output);
    }

    /// Lists may be long, and their values large: what is encoded leaves in between.
    pub(super) async fn put_list(&mut self, items: Vec<Option<Field>>) -> io::Result<()> {
        self.dialect.begin_list(items.len(), self.output);
        self.put_items(items).await
    }

    /// Writes items of a list that was begun.
    pub(super) async fn put_items(
        &mut self,
        items: impl IntoIterator<Item = Option<Field>>,
    ) -> io::Result<()> {
        for item in items {
            let response = item.map_or(Response::NotFound, Response::Value);
            self.put_value(&response).await?;
            self.flush_if_large().await?;
        }
        Ok(())
    }

    pub(super) async fn put_value(&mut self, response: &Response<Field>) -> io::Result<()> {
        match response {
            Response::Value(value) if value.as_ref().len() >= PIECE_BYTES => {
                self.put_large(value.as_ref()).await
            }
            response => {
                self.dialect.encode(response, &Shape::Plain, self.output);
                Ok(())
            }
        }
    }

    pub(super) async fn put_large(&mut self, value: &[u8]) -> io::Result<()> {
        let encoder = self.dialect.begin_value(value, self.output);
        if let ValueEncoder::Quoted = encoder {
            return self.put_in_pieces(encoder, value).await;
        }
        let mut parts = self.output.chain(value).chain(ValueEncoder::LINE_END);
        outbox::write_all(self.stream, &mut parts).await
    }

    pub(super) async fn put_in_pieces(&mut self, encoder: ValueEncoder, value: &[u8]) -> io::Result<()> {
        for piece in value.chunks(PIECE_BYTES) {
            encoder.piece(piece, self.output);
            self.flush_if_large().await?;
        }
        encoder.end(self.output);
        Ok(())
    }

    pub(super) async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.output.len() >= FLUSH_BYTES { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        outbox::write_all(self.stream, self.output).await?;
        self.output.clear();
        Ok(())
    }
}

/// Returns whether the answer is encoded at one go: nothing in it is large, and no key has to be matched.
pub(super) fn is_small(response: &Response<Field>, shape: &Shape<'_>) -> bool {
    match (response, shape) {
        (Response::Value(value), Shape::Plain) => value.as_ref().len() < PIECE_BYTES,
        (Response::List(_), Shape::Plain | Shape::Page { glob: Some(_) }) => false,
        _ => true,
    }
}
