//! A connection that speaks the text protocol.

use bytes::{BufMut, BytesMut};
use rustvault_protocol::{Limits, RequestParser, Response, Shape, Step, encode_response, needs_quotes};

use super::{Incoming, Next, ValueEncoder};
use crate::execute::Field;

/// The text protocol, as one connection speaks it.
#[derive(Debug)]
pub(crate) struct Text {
    parser: RequestParser,
}

impl Text {
    pub(super) fn new(limits: Limits) -> Self {
        Self { parser: RequestParser::guarded(limits) }
    }

    pub(super) fn next<'a>(&mut self, input: &'a [u8]) -> Next<'a> {
        match self.parser.next(input) {
            Step::Request { request, consumed_bytes } => {
                let incoming = match request {
                    Ok(request) => Incoming::One(request, Shape::Plain),
                    Err(problem) if problem.is_foreign() => Incoming::Foreign(problem),
                    Err(problem) => Incoming::Bad(problem),
                };
                Next::Incoming { incoming, consumed_bytes }
            }
            Step::Skip { consumed_bytes } => Next::Skip { consumed_bytes },
            Step::Incomplete => Next::Incomplete,
        }
    }

    pub(super) fn encode(response: &Response<Field>, out: &mut BytesMut) {
        encode_response(response, out);
    }

    pub(super) fn begin_list(items: usize, out: &mut BytesMut) {
        out.put_slice(b"LIST ");
        out.put_slice(items.to_string().as_bytes());
        out.put_slice(b"\r\n");
    }

    pub(super) fn begin_value(value: &[u8], out: &mut BytesMut) -> ValueEncoder {
        let is_quoted = needs_quotes(value, false);
        out.put_slice(if is_quoted { b"VALUE \"" } else { b"VALUE " });
        if is_quoted { ValueEncoder::Quoted } else { ValueEncoder::AsItIs }
    }
}
