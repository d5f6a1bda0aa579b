//! An accepted connection on its way to a worker.

use tokio::sync::OwnedSemaphorePermit;

use crate::engine::OpenConnection;
use crate::session::Session;
use crate::transport::Transport;

/// A connection that no worker serves at present.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    pub(crate) transport: Transport,
    pub(crate) session: Box<Session>,
    pub(crate) open: OpenConnection,
    /// Released when a worker begins to serve the connection; `None` after a migration.
    pub(crate) start_permit: Option<OwnedSemaphorePermit>,
}

impl AcceptedConnection {
    /// Moves the connection out of its box, and frees the box.
    ///
    /// Each of the nested futures that serve a connection reserves memory for its arguments as long as the connection lasts. A
    /// box takes little.
    #[expect(clippy::boxed_local, reason = "this frees the box")]
    pub(crate) fn unbox(self: Box<Self>) -> Self {
        *self
    }
}
