//! State of a client in the server: its protocol, what it reported about itself, and what it is in the middle of.

use rustvault_protocol::{Limits, Protocol, RequestParser};

use crate::clients::ClientRegistration;

/// State of a client in the server. It moves with its connection from thread to thread.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: ClientRegistration,
    pub(crate) parser: RequestParser,
    /// The version of RESP that is spoken, if it is RESP that is spoken.
    pub(crate) is_resp3: bool,
    /// Set while a transaction is refused, whose commands are refused, too.
    pub(crate) is_in_refused_transaction: bool,
    /// The answers that the client wants, by `CLIENT REPLY`.
    pub(crate) reply_mode: ReplyMode,
}

/// The answers that a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    On,
    Off,
    /// Not the next one.
    SkipNext,
}

impl Session {
    /// A client that has sent nothing yet.
    pub(crate) const fn new(client: ClientRegistration, limits: Limits) -> Self {
        Self {
            client,
            parser: RequestParser::guarded(limits),
            is_resp3: false,
            is_in_refused_transaction: false,
            reply_mode: ReplyMode::On,
        }
    }

    /// Returns whether the next answer is written, and counts it as done.
    #[inline]
    pub(crate) fn wants_next_reply(&mut self) -> bool {
        match self.reply_mode {
            ReplyMode::On => true,
            ReplyMode::Off => false,
            ReplyMode::SkipNext => {
                self.reply_mode = ReplyMode::On;
                false
            }
        }
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

#[cfg(test)]
impl Session {
    /// A client without a connection.
    pub(crate) fn for_tests() -> Self {
        let clients = std::sync::Arc::new(crate::clients::Clients::default());
        let addr = crate::addr::Addr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        Self::new(clients.add(addr.clone(), addr), Limits::default())
    }
}
