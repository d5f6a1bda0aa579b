//! The loop of a connection that monitors: writes lines on what others do until its client sends something.

use std::future::poll_fn;
use std::io;

use bytes::BytesMut;
use rustvault_protocol::{Category, ErrorCode, ErrorReply, Reply};
use rustvault_storage::batch::BatchStore;
use tokio::select;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use super::{Connection, Leave};
use crate::closing::CloseReason;
use crate::monitors::Monitor;
use crate::outbox;
use crate::session::{Login, Session};

/// End of the monitoring.
pub(super) enum MonitorEnd {
    /// The client has sent something.
    Received(io::Result<usize>),
    /// The client may no longer monitor, and was told so.
    Denied,
    /// The server stops.
    Stopping,
    Left(Leave),
}

impl<S: BatchStore> Connection<S> {
    /// Writes lines until the client sends something, is killed, may no longer monitor, or the server stops. Whoever monitors is
    /// never idle.
    ///
    /// # Errors
    /// The client takes no line for as long as an answer may wait, or its connection failed.
    pub(super) async fn monitor(
        &mut self,
        monitor: Monitor,
        stopping: &CancellationToken,
    ) -> io::Result<MonitorEnd> {
        let client = self.session.client.share();
        let mut lines = BytesMut::new();
        loop {
            select! {
                biased;
                read = poll_fn(|context| self.poll_read(context)) => return Ok(MonitorEnd::Received(read)),
                () = stopping.cancelled() => return Ok(MonitorEnd::Stopping),
                () = client.killed() => return Ok(MonitorEnd::Left(Leave::ByServer(CloseReason::Killed.into()))),
                () = monitor.queue().wait() => {}
            }
            lines.clear();
            monitor.queue().take(&mut lines);
            self.session.refresh_login(&self.engine.access);
            let denial = denial(&self.session);
            if let Some(error) = &denial {
                lines.clear();
                self.session.protocol().encode(&Reply::<&[u8]>::from(error.clone()), &mut lines);
            }
            client.figures.set_output(lines.len());
            select! {
                biased;
                written = outbox::write_all(&mut self.transport, &mut lines, &client) => written?,
                // A part of a line may have been written: no answer can follow.
                () = stopping.cancelled() => {
                    return Ok(MonitorEnd::Left(Leave::ByServer(CloseReason::Stopping.into())));
                }
            }
            client.figures.set_output(0);
            self.count_traffic();
            if denial.is_some() {
                return Ok(MonitorEnd::Denied);
            }
            // Others that this thread serves have their turn, however fast the lines come.
            yield_now().await;
        }
    }
}

/// Returns the error of a client that may no longer monitor.
fn denial(session: &Session) -> Option<ErrorReply> {
    match session.login() {
        Login::Open => None,
        Login::As(user) if user.rights.allow_all_keys(Category::Admin) => None,
        Login::As(user) => {
            let message =
                format_args!("the user '{}' may no longer monitor: it lacks the right 'admin'", user.name);
            Some(ErrorReply::new(ErrorCode::Denied, message))
        }
        Login::LoggedOut => {
            let message = "this client may no longer monitor: its user was removed; log in again";
            Some(ErrorReply::new(ErrorCode::AuthRequired, message))
        }
    }
}
