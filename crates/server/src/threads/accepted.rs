//! A connection on its way to the worker that serves it. Knows no worker.

use std::net::{SocketAddr, TcpStream as StdTcpStream};

use tokio::sync::OwnedSemaphorePermit;

use crate::engine::OpenConnection;
use crate::session::Session;

/// A connection that no worker serves yet, or none any more.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    pub(crate) stream: StdTcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) open: OpenConnection,
    /// Returned when its worker begins with it; `None` for one that has migrated.
    pub(crate) start_permit: Option<OwnedSemaphorePermit>,
    /// Its session so far, on another worker; `None` for a new one.
    pub(crate) session: Option<Box<Session>>,
}
