//! Session: the server's state of one client, such as its protocol and its reply mode.

use rustvault_protocol::{Limits, Protocol, RequestParser};

use crate::clients::ClientRegistration;

/// State of one client. It moves between threads with its connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: ClientRegistration,
    pub(crate) parser: RequestParser,
    /// Set after `HELLO 3`; without meaning in the text protocol.
    pub(crate) is_resp3: bool,
    /// Set between a refused `MULTI` and the end of its transaction: the commands in between are refused, too.
    pub(crate) is_in_refused_transaction: bool,
    /// The reply mode, as set by `CLIENT REPLY`.
    pub(crate) reply_mode: ReplyMode,
}

/// Reply mode of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    On,
    Off,
    /// The next answer is left out; then the mode is `On` again.
    SkipNext,
}

impl Session {
    /// Returns the session of a client that has sent nothing yet.
    pub(crate) const fn new(client: ClientRegistration, limits: Limits) -> Self {
        Self {
            client,
            parser: RequestParser::guarded(limits),
            is_resp3: false,
            is_in_refused_transaction: false,
            reply_mode: ReplyMode::On,
        }
    }

    /// Returns whether the next answer is written, and advances the reply mode past it.
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
