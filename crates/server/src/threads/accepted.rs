//! A connection on its way to the worker that serves it. Knows no worker.

use tokio::sync::OwnedSemaphorePermit;

use crate::engine::OpenConnection;
use crate::session::Session;
use crate::transport::Transport;

/// A connection that no worker serves yet, or none any more.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    pub(crate) transport: Transport,
    pub(crate) session: Box<Session>,
    pub(crate) open: OpenConnection,
    /// Returned when its worker begins with it; `None` for one that has migrated.
    pub(crate) start_permit: Option<OwnedSemaphorePermit>,
}

impl AcceptedConnection {
    /// Takes it out of the box that it begins in, and frees that. Each of the nested futures that serve it keeps room for
    /// what it was given, as long as the connection lasts: a box is little.
    #[expect(clippy::boxed_local, reason = "the box is what is freed")]
    pub(crate) fn unbox(self: Box<Self>) -> Self {
        *self
    }
}
