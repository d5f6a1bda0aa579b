//! The protocols that are spoken, and their versions.

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
