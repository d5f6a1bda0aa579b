//! The two ends of a connection, as messages and `CLIENT LIST` show them.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Address of one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Addr {
    Tcp(SocketAddr),
    /// The path of the server's socket: clients have none of their own, so it stands for both ends.
    Unix(Arc<Path>),
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        Self::Tcp(addr)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            // As Redis writes it: what reads an address expects a port.
            Self::Unix(path) => write!(f, "{}:0", path.as_os_str().as_bytes().escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_is_shown_as_its_path_with_port_0() {
        assert_eq!(Addr::Unix(Path::new("/run/rv.sock").into()).to_string(), "/run/rv.sock:0");
        assert_eq!(Addr::from(SocketAddr::from(([127, 0, 0, 1], 9))).to_string(), "127.0.0.1:9");
    }

    #[test]
    fn a_path_cannot_begin_a_line_of_its_own() {
        assert_eq!(Addr::Unix(Path::new("/a\nb").into()).to_string(), r"/a\nb:0");
    }
}
