//! The seam between a connection and the protocol that its client speaks.

mod resp;
mod text;
mod transaction;

use bytes::{BufMut, BytesMut};
use rustvault_protocol::{
    Limits, ManyRequest, ProtocolError, Request, RespValue, Response, SessionCommand, Shape,
    encode_value_chunk,
};

use crate::closing::CloseReason;
use crate::execute::Field;
use crate::shared::Shared;
use resp::Resp;
use text::Text;

/// The protocol of one connection; its first byte decides.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// Nothing was received yet.
    Undecided(Limits),
    /// Our own.
    Text(Text),
    /// Redis's; boxed, because it has more state than an idle connection should hold.
    Resp(Box<Resp>),
}

/// What stands at the front of the input.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A whole request, good or bad.
    Incoming { incoming: Incoming<'a>, consumed_bytes: usize },
    /// Bytes that get no answer.
    Skip { consumed_bytes: usize },
    /// No whole request yet.
    Incomplete,
}

/// One request, as its dialect understood it; it gets one answer.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// A command on one key, or on none.
    One(Request<'a>, Shape<'a>),
    /// A command on many keys.
    Many(ManyRequest<'a>, Shape<'a>),
    /// A command on the connection.
    Session(SessionCommand<'a>),
    /// One whose answer is known from the command alone.
    Answered(RespValue<'a>),
    /// A line that is no command.
    Bad(ProtocolError),
    /// A line of another protocol: the connection ends with the answer to it.
    Foreign(ProtocolError),
    /// Bytes after which nothing can be understood, or nothing should be: the connection ends with this answer.
    Fatal(RespValue<'a>, CloseReason),
}

impl Dialect {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self::Undecided(limits)
    }

    /// The protocol of a client whose first byte is `first`.
    pub(crate) fn of(first: u8, limits: Limits, connection_id: u64) -> Self {
        if first == b'*' {
            Self::Resp(Box::new(Resp::new(limits, connection_id)))
        } else {
            Self::Text(Text::new(limits))
        }
    }

    /// Reads the request at the front of `input`.
    pub(crate) fn next<'a, S>(&mut self, input: &'a [u8], shared: &Shared<S>) -> Next<'a> {
        match self {
            Self::Undecided(limits) => {
                let Some(first) = input.first() else { return Next::Incomplete };
                *self = Self::of(*first, *limits, shared.counters.connection_ids.next());
                self.next(input, shared)
            }
            Self::Text(text) => text.next(input),
            Self::Resp(resp) => resp.next(input),
        }
    }

    /// Appends a response.
    pub(crate) fn encode(&self, response: &Response<Field>, shape: &Shape<'_>, out: &mut BytesMut) {
        match self {
            Self::Resp(resp) => resp.encode(response, shape, out),
            Self::Undecided(_) | Self::Text(_) => Text::encode(response, out),
        }
    }

    /// Appends an answer that only RESP has.
    pub(crate) fn encode_own(&self, value: &RespValue<'_>, out: &mut BytesMut) {
        if let Self::Resp(resp) = self {
            resp.encode_own(value, out);
        }
    }

    /// Carries out a command on the connection and appends its answer; says whether that is an error.
    pub(crate) fn answer_session<S>(
        &mut self,
        command: &SessionCommand<'_>,
        shared: &Shared<S>,
        out: &mut BytesMut,
    ) -> bool {
        match self {
            Self::Resp(resp) => resp.answer_session(command, shared, out),
            Self::Undecided(_) | Self::Text(_) => false,
        }
    }

    /// Begins a list whose items, values or the absence of one, are encoded one by one.
    pub(crate) fn begin_list(&self, items: usize, out: &mut BytesMut) {
        match self {
            Self::Resp(_) => Resp::begin_list(items, out),
            Self::Undecided(_) | Self::Text(_) => Text::begin_list(items, out),
        }
    }

    /// Begins a value that is encoded piece by piece.
    pub(crate) fn begin_value(&self, value: &[u8], out: &mut BytesMut) -> ValueEncoder {
        match self {
            Self::Resp(_) => Resp::begin_value(value, out),
            Self::Undecided(_) | Self::Text(_) => Text::begin_value(value, out),
        }
    }
}

/// How a large value stands on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueEncoder {
    /// As it is, with a line end after it.
    AsItIs,
    /// A quoted string, which is encoded piece by piece.
    Quoted,
}

impl ValueEncoder {
    /// What stands after a value that is written as it is.
    pub(crate) const LINE_END: &[u8] = b"\r\n";

    pub(crate) fn piece(self, piece: &[u8], out: &mut BytesMut) {
        encode_value_chunk(piece, matches!(self, Self::Quoted), out);
    }

    pub(crate) fn end(self, out: &mut BytesMut) {
        if let Self::Quoted = self {
            out.put_u8(b'"');
        }
        out.put_slice(Self::LINE_END);
    }
}
