//! The wire protocols and their versions.

/// Protocol of a connection: its first byte selects text or RESP2, and `HELLO 3` changes RESP2 to RESP3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Lines that a person can type.
    Text,
    /// Redis's protocol, as of Redis 1.2.
    Resp2,
    /// Redis's protocol with additional types: null, map, set, double and verbatim string.
    Resp3,
}
