//! Kinds of listeners, by which commands are counted.

/// Kind of the listener that a client has connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListenerKind {
    /// TCP without TLS.
    Tcp,
    Tls,
    /// A Unix socket.
    Unix,
}

impl ListenerKind {
    /// All kinds, in the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Tls, Self::Unix];

    /// Returns its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
        }
    }
}
