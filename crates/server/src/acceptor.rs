//! Accepts connections from all listeners, assigns them to threads and refuses those for which there is no room.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use rustvault_protocol::{ErrorCode, Protocol, Reply};
use rustvault_storage::batch::BatchStore;
use tokio::io::AsyncWriteExt;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::PollSemaphore;
use tracing::{debug, warn};

use crate::Error;
use crate::addr::Addr;
use crate::descriptors;
use crate::engine::{Counters, Engine, OpenConnection};
use crate::linger;
use crate::listener::{Incoming, Listener, Listeners};
use crate::rate_limit::RateLimit;
use crate::session::Session;
use crate::threads::accepted::AcceptedConnection;
use crate::threads::worker::Workers;
use crate::transport::{Socket, Transport};

/// Most refused connections that are closed with a lingering close at a time.
///
/// Others get the error as well, but if they have sent something, closing their socket resets the connection, and the error
/// may not arrive.
const MAX_REFUSALS: usize = 256;

/// Longest wait for the first byte of a refused client, which shows its protocol.
const FIRST_BYTE_WAIT: Duration = Duration::from_millis(200);

/// Most accepted connections, over all threads, that their thread has not begun to serve.
///
/// Further ones wait in the kernel's queue. So a storm of connections takes neither more time than the threads have, nor all
/// of `max_connections`.
const MAX_UNSTARTED: usize = 64;

const MIN_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Accepts connections from all listeners, assigns them to the workers and refuses those for which there is no room.
pub(crate) struct Acceptor<'a, S> {
    listeners: Vec<Listener>,
    /// Index of the listener that is polled first.
    first: usize,
    workers: &'a Workers,
    engine: &'a Engine<S>,
    start_permits: Arc<Semaphore>,
    handshake_permits: PollSemaphore,
    /// The permit of the next client that speaks TLS.
    handshake_permit: Option<OwnedSemaphorePermit>,
    refusals: JoinSet<()>,
}

impl<'a, S: BatchStore> Acceptor<'a, S> {
    pub(crate) fn new(listeners: Listeners, workers: &'a Workers, engine: &'a Engine<S>) -> Self {
        Self {
            listeners: listeners.into_vec(),
            first: 0,
            workers,
            engine,
            start_permits: Arc::new(Semaphore::new(MAX_UNSTARTED)),
            handshake_permits: PollSemaphore::new(Arc::clone(&engine.tls.handshake_permits)),
            handshake_permit: None,
            refusals: JoinSet::new(),
        }
    }

    /// Accepts until `stop` ends, closes the listeners, and returns the output of `stop`.
    pub(crate) async fn run<T>(mut self, stop: impl Future<Output = T>) -> Result<T, Error> {
        select! {
            biased;
            stopped = stop => Ok(stopped),
            error = self.accept_all() => Err(error),
        }
    }

    async fn accept_all(&mut self) -> Error {
        let mut backoff = None;
        loop {
            let Ok(start_permit) = Arc::clone(&self.start_permits).acquire_owned().await else {
                // Unreachable: this semaphore is never closed.
                return Error::ThreadDied;
            };
            match poll_fn(|context| self.poll_accept(context)).await {
                Ok(incoming) => {
                    backoff = None;
                    if let Err(error) = self.admit(incoming, start_permit) {
                        return error;
                    }
                }
                Err(error) if is_exhaustion(&error) => {
                    back_off(&mut backoff, &error, &self.engine.counters.accept_warnings).await;
                }
                // The client closed the connection before it was accepted.
                Err(error) => debug!(%error, "a connection was lost before it was accepted"),
            }
        }
    }

    /// Accepts from the listeners in turn: a busy one must not starve the others.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        let count = self.listeners.len();
        let (before, after) = self.listeners.split_at(self.first);
        for (offset, listener) in after.iter().chain(before).enumerate() {
            // Clients who would wait for a handshake wait in the kernel's queue, and other listeners go on.
            if listener.has_tls() && self.handshake_permit.is_none() {
                match self.handshake_permits.poll_acquire(context) {
                    Poll::Ready(permit) => self.handshake_permit = permit,
                    Poll::Pending => continue,
                }
            }
            if let Poll::Ready(mut accepted) = listener.poll_accept(context) {
                self.first = (self.first + offset + 1) % count;
                if let Ok(incoming) = &mut accepted
                    && listener.has_tls()
                {
                    incoming.handshake_permit = self.handshake_permit.take();
                }
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    fn admit(&mut self, incoming: Incoming, start_permit: OwnedSemaphorePermit) -> Result<(), Error> {
        let config = self.engine.config();
        if descriptors::is_reserved(incoming.as_fd(), config.reserved_descriptors) {
            self.refuse(incoming, Shortage::Descriptors(config.reserved_descriptors));
            return Ok(());
        }
        let max_connections = config.max_connections;
        let Some(open) =
            OpenConnection::open(&self.engine.counters, incoming.listener_kind(), max_connections)
        else {
            self.refuse(incoming, Shortage::Connections(max_connections));
            return Ok(());
        };
        let peer = incoming.peer.clone();
        match self.begin(incoming) {
            Ok((transport, session)) => {
                debug!(%peer, client = session.client.id, "connection opened");
                let start_permit = Some(start_permit);
                self.workers.assign(AcceptedConnection { transport, session, open, start_permit })?;
            }
            Err(error) => debug!(%peer, %error, "connection lost"),
        }
        Ok(())
    }

    fn begin(&self, incoming: Incoming) -> io::Result<(Transport, Box<Session>)> {
        incoming.prepare(self.engine.config().tcp_keepalive)?;
        let client =
            self.engine.clients.add(incoming.peer.clone(), incoming.local()?, incoming.listener_kind());
        Ok((
            incoming.into_transport(self.engine.tls.load().clone())?,
            Box::new(Session::new(client, self.engine.limits, &self.engine.access)),
        ))
    }

    fn refuse(&mut self, incoming: Incoming, shortage: Shortage) {
        shortage.report(&incoming.peer, &self.engine.counters);
        while self.refusals.try_join_next().is_some() {}
        let Ok(socket) = incoming.into_socket() else { return };
        let refusal = ConnectionRefusal { shortage };
        // A lingering close keeps the descriptor for a while, which is what is short.
        let may_linger = matches!(shortage, Shortage::Connections(_)) && self.refusals.len() < MAX_REFUSALS;
        if may_linger {
            self.refusals.spawn(async move { drop(refusal.send(socket).await) });
        } else {
            drop(socket.try_write(&refusal.answer(b' ')));
        }
    }
}

/// Resource that does not suffice for another connection.
#[derive(Debug, Clone, Copy)]
enum Shortage {
    /// So many connections are open, the most that may be.
    Connections(usize),
    /// Only so many descriptors are left, which connections leave free.
    Descriptors(usize),
}

impl Shortage {
    /// Counts and reports a refused connection, at a limited rate.
    fn report(self, peer: &Addr, counters: &Counters) {
        match self {
            Self::Connections(_) => counters.rejected_for_limit.add(1),
            Self::Descriptors(_) => counters.rejected_for_descriptors.add(1),
        }
        let admitted = counters.refusal_warnings.admit();
        match (self, admitted) {
            (Self::Connections(max_connections), Some(left_out)) => {
                warn!(%peer, max_connections, left_out, "connection refused: --max-connections is reached");
            }
            (Self::Descriptors(reserved), Some(left_out)) => {
                warn!(%peer, reserved, left_out, "connection refused: the descriptors that are left are reserved for the log and for files (--reserved-descriptors); raise the limit of open files (ulimit -n) or lower --max-connections");
            }
            (_, None) => debug!(%peer, shortage = ?self, "connection refused"),
        }
    }
}

/// The error for a client that gets no connection.
struct ConnectionRefusal {
    shortage: Shortage,
}

impl ConnectionRefusal {
    /// Sends the error in the client's own protocol, and closes the connection.
    async fn send(&self, mut socket: Socket) -> io::Result<()> {
        socket.attach()?;
        let first = timeout(FIRST_BYTE_WAIT, socket.peek()).await;
        // A client that sends nothing is a person at a terminal, who reads the text protocol.
        let first = first.ok().and_then(Result::ok).flatten().unwrap_or(b' ');
        socket.write_all(&self.answer(first)).await?;
        linger::close(Transport::Plain(socket)).await
    }

    fn answer(&self, first: u8) -> BytesMut {
        let (protocol, message) = if first == b'*' {
            // Redis's sentence: client libraries recognise it.
            (Protocol::Resp2, "max number of clients reached".to_owned())
        } else {
            let message = match self.shortage {
                Shortage::Connections(most) => {
                    format!("the limit of {most} connections is reached; try again later")
                }
                Shortage::Descriptors(_) => {
                    "the server has no more file descriptors for connections; try again later".to_owned()
                }
            };
            (Protocol::Text, message)
        };
        let mut answer = BytesMut::new();
        protocol.encode(&Reply::<&[u8]>::error(ErrorCode::TooManyConnections, message), &mut answer);
        answer
    }
}

/// Waits before the next try, and reports why, at a limited rate: clients that come and go could cause it again and again.
///
/// The connection that could not be accepted stays in the kernel's queue, so the next try would fail at once, too.
pub(crate) async fn back_off(backoff: &mut Option<Duration>, error: &io::Error, warnings: &RateLimit) {
    if backoff.is_none()
        && let Some(left_out) = warnings.admit()
    {
        warn!(%error, left_out, "cannot accept connections at present; raise the limit of open files or lower --max-connections");
    }
    let delay = backoff.map_or(MIN_BACKOFF, |last| (last * 2).min(MAX_BACKOFF));
    *backoff = Some(delay);
    sleep(delay).await;
}

/// Returns whether an error means that no connection can be accepted at present.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_told_from_a_lost_client() {
        assert!(is_exhaustion(&io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())));
        assert!(!is_exhaustion(&io::Error::from(io::ErrorKind::ConnectionAborted)));
    }

    #[tokio::test(start_paused = true)]
    async fn backing_off_doubles_up_to_a_second() {
        let error = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        let (mut backoff, warnings) = (None, RateLimit::default());
        let mut delays_ms = Vec::new();
        for _ in 0..9 {
            back_off(&mut backoff, &error, &warnings).await;
            delays_ms.push(backoff.unwrap().as_millis());
        }
        assert_eq!(delays_ms, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }
}
