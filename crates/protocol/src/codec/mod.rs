//! Both protocols as codecs of tokio-util, for servers and for clients.

mod client;
mod resp_replies;
mod server;
mod text_replies;

use std::{borrow::Cow, fmt::Display, io, ops::Range};

use bytes::{Buf, Bytes, BytesMut};

pub use client::ClientCodec;
pub use server::ServerCodec;

/// The bytes of a field, or their place.
enum FieldBytes {
    /// Here in the buffer.
    Slice(Range<usize>),
    /// Not in the buffer, because escapes had to be resolved.
    Unescaped(Vec<u8>),
}

impl FieldBytes {
    fn of(field: Cow<'_, [u8]>, buffer: &[u8]) -> Self {
        match field {
            Cow::Borrowed([]) => Self::Slice(0..0),
            Cow::Borrowed(slice) => {
                let start = slice.as_ptr().addr() - buffer.as_ptr().addr();
                Self::Slice(start..start + slice.len())
            }
            Cow::Owned(unescaped) => Self::Unescaped(unescaped),
        }
    }

    fn of_frame(self, frame: &Bytes) -> Bytes {
        match self {
            Self::Slice(place) => frame.slice(place),
            Self::Unescaped(unescaped) => unescaped.into(),
        }
    }

    /// Takes the field, and what stands before it, out of the buffer. Only what is kept is split off, and once: each handle
    /// on the buffer costs two atomic operations.
    fn take_from(self, buffer: &mut BytesMut) -> Bytes {
        match self {
            Self::Slice(place) => {
                buffer.advance(place.start);
                buffer.split_to(place.len()).freeze()
            }
            Self::Unescaped(unescaped) => unescaped.into(),
        }
    }
}

fn no_answer(problem: impl Display) -> io::Error {
    invalid_data(format!("the server sent no valid answer: {problem}"))
}

fn invalid_data(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}
