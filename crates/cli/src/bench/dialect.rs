use std::io;

use bytes::{Bytes, BytesMut};
use rustvault_protocol::{ClientCodec, Command, Response, encode_command};
use tokio_util::codec::Decoder;

use crate::commands::LIMITS;

/// A wire protocol that the load generator speaks.
pub(super) trait Dialect: Clone + 'static {
    /// Finds the answers of one connection in what was read.
    type Answers: Decoder<Item = Response<Bytes>, Error = io::Error>;

    /// Appends a request to `out`.
    fn encode(&self, command: &Command<&[u8]>, out: &mut BytesMut);

    /// A decoder at the start of a connection.
    fn answers(&self) -> Self::Answers;
}

/// The text protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text;

impl Dialect for Text {
    type Answers = ClientCodec;

    fn encode(&self, command: &Command<&[u8]>, out: &mut BytesMut) {
        encode_command(command, out);
    }

    fn answers(&self) -> ClientCodec {
        ClientCodec::new(LIMITS)
    }
}
