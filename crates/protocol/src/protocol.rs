//! The protocols that are spoken, and their versions.

use crate::Protocols;

/// The protocol of a connection: its first byte chooses between text and RESP2, `HELLO 3` turns that into RESP3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Lines that a person can type.
    Text,
    /// Redis's protocol, as of Redis 1.2.
    Resp2,
    /// Redis's protocol with a null, maps, sets, doubles and verbatim strings of its own.
    Resp3,
}

impl Protocol {
    /// Returns the set that a row of the table of commands has it in.
    #[inline]
    pub const fn as_set(self) -> Protocols {
        match self {
            Self::Text => Protocols::TEXT,
            Self::Resp2 | Self::Resp3 => Protocols::RESP,
        }
    }
}
