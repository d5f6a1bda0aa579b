//! One client, as the server knows it: its protocol, what it told about itself, and what it is in the middle of.

use std::borrow::Cow;

use rustvault_protocol::{Limits, Protocol, RequestParser, Step};

/// One client, as the server knows it. It moves with its connection from thread to thread.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    parser: RequestParser,
    /// The version of RESP that is spoken, if it is RESP that is spoken.
    pub(crate) is_resp3: bool,
    /// What the client calls itself.
    pub(crate) name: Vec<u8>,
    /// Whether a transaction was begun and refused, whose commands are refused, too.
    pub(crate) is_in_refused_transaction: bool,
}

impl Session {
    /// A client that has sent nothing yet.
    pub(crate) const fn new(id: u64, limits: Limits) -> Self {
        let parser = RequestParser::guarded(limits);
        Self { id, parser, is_resp3: false, name: Vec::new(), is_in_refused_transaction: false }
    }

    /// Reads the request at the front of `input`, and appends its arguments.
    #[inline]
    pub(crate) fn next<'a>(&mut self, input: &'a [u8], arguments: &mut Vec<Cow<'a, [u8]>>) -> Step {
        self.parser.next(input, arguments)
    }

    /// Returns the protocol of the answers.
    #[inline]
    pub(crate) const fn protocol(&self) -> Protocol {
        match self.parser.is_resp() {
            Some(true) if self.is_resp3 => Protocol::Resp3,
            Some(true) => Protocol::Resp2,
            Some(false) | None => Protocol::Text,
        }
    }
}
