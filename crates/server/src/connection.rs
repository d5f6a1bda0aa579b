//! Serves one client: reads what its socket has, answers, moves between threads, ends.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustvault_storage::engine::BatchStore;
use tokio::net::TcpStream;
use tokio::select;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::buffers::Buffers;
use crate::closing::{CloseReason, Closing};
use crate::engine::Engine;
use crate::idle::IdleTimer;
use crate::input::INPUT_BYTES;
use crate::linger;
use crate::respond::Responder;
use crate::session::Session;
use crate::threads::accepted::AcceptedConnection;
use crate::threads::worker_handle::WorkerHandle;

/// An idle connection that has sent at most this much of a line keeps it apart and lends no buffers.
const MAX_RESTING_BYTES: usize = 4 * 1024;

/// Serves one client until it leaves, says `QUIT`, idles too long, moves to another thread, or `stopping` asks to finish
/// what was received. Returns why the connection ended, `None` if it moved; an error ended it, too.
pub(crate) async fn serve<S: BatchStore>(
    mut accepted: AcceptedConnection,
    engine: Arc<Engine<S>>,
    worker: &WorkerHandle,
    stopping: CancellationToken,
) -> io::Result<Option<Closing>> {
    loop {
        let AcceptedConnection { stream, peer, open, session, .. } = accepted;
        let stream = TcpStream::from_std(stream)?;
        let session = match session {
            Some(session) => session,
            None => {
                let client = engine.clients.add(peer, stream.local_addr()?);
                Box::new(Session::new(client, engine.limits))
            }
        };
        let mut connection = Connection::new(stream, session, Arc::clone(&engine), worker.clone());
        match connection.run(&stopping).await? {
            Leave::ByClient => return Ok(Some(CloseReason::ByClient.into())),
            Leave::ByServer(closing) => {
                // The buffers go first, because lingering takes up to a second. The reason stays the same if the
                // client does not take the end well.
                let _ = Box::pin(linger::close(connection.into_stream())).await;
                return Ok(Some(closing));
            }
            Leave::ForOtherThread => {
                let Connection { stream, session, .. } = connection;
                let (stream, session) = (stream.into_std()?, Some(session));
                let moving = AcceptedConnection { stream, peer, open, start_permit: None, session };
                match worker.migrate(moving) {
                    Ok(()) => return Ok(None),
                    Err(back) => accepted = back,
                }
            }
        }
    }
}

/// How a connection leaves its thread.
#[derive(Debug)]
enum Leave {
    ByClient,
    ByServer(Closing),
    /// It goes on elsewhere.
    ForOtherThread,
}

struct Connection<S> {
    stream: TcpStream,
    session: Box<Session>,
    engine: Arc<Engine<S>>,
    worker: WorkerHandle,
    /// Held while there is something to do.
    buffers: Option<Box<Buffers>>,
    /// The beginning of a line, while there are no buffers.
    resting: Vec<u8>,
}

impl<S: BatchStore> Connection<S> {
    fn new(stream: TcpStream, session: Box<Session>, engine: Arc<Engine<S>>, worker: WorkerHandle) -> Self {
        Self { stream, session, engine, worker, buffers: None, resting: Vec::new() }
    }

    /// Gives up all but the socket.
    fn into_stream(self) -> TcpStream {
        self.stream
    }

    async fn run(&mut self, stopping: &CancellationToken) -> io::Result<Leave> {
        let mut stop = pin!(stopping.cancelled());
        let mut idle = IdleTimer::new(self.engine.idle_timeout);
        let client = self.session.client.share();
        while !stopping.is_cancelled() {
            let read_bytes = select! {
                biased;
                read = poll_fn(|context| self.poll_read(context)) => read?,
                () = &mut stop => break,
                () = client.killed() => return Ok(Leave::ByServer(CloseReason::Killed.into())),
                () = idle.expired() => return Ok(Leave::ByServer(CloseReason::Idle.into())),
            };
            if let Some(leave) = self.answer_input(read_bytes, stopping).await? {
                return Ok(leave);
            }
            idle.restart();
            if self.worker.count_batch() && self.hand_back() {
                return Ok(Leave::ForOtherThread);
            }
            // A client that sends without a pause is not to keep the others of this thread waiting.
            if self.has_more() {
                yield_now().await;
            }
        }
        self.finish_received(stopping).await
    }

    /// Answers what the socket holds at this moment, and no more, however fast the client goes on.
    async fn finish_received(&mut self, stopping: &CancellationToken) -> io::Result<Leave> {
        let mut received_bytes = rustix::io::ioctl_fionread(&self.stream)?;
        while received_bytes > 0 {
            let read_bytes = poll_fn(|context| self.poll_read(context)).await?;
            if let Some(leave) = self.answer_input(read_bytes, stopping).await? {
                return Ok(leave);
            }
            received_bytes = received_bytes.saturating_sub(read_bytes as u64);
        }
        Ok(Leave::ByServer(CloseReason::Stopping.into()))
    }

    /// Reads what the socket has; while it has nothing, the buffers are somebody else's.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let max_input_bytes = self.engine.limits.max_line_bytes().saturating_add(INPUT_BYTES);
        let buffers = self.buffers.get_or_insert_with(|| {
            let mut buffers = Buffers::take();
            buffers.input.restore(&std::mem::take(&mut self.resting));
            buffers
        });
        let read = buffers.input.poll_read(&mut self.stream, context, max_input_bytes);
        if read.is_pending() {
            self.rest();
        }
        read
    }

    /// Returns whether the last read filled its room, so that more is probably there.
    fn has_more(&self) -> bool {
        self.buffers.as_ref().is_some_and(|buffers| buffers.input.was_filled())
    }

    fn rest(&mut self) {
        if let Some(buffers) = self.buffers.take_if(|buffers| buffers.input.len() <= MAX_RESTING_BYTES) {
            self.resting = buffers.input.bytes().to_vec();
            buffers.give_back();
        }
    }

    /// Gives the buffers back for a move, unless they still hold something.
    fn hand_back(&mut self) -> bool {
        let buffers = self.buffers.take_if(|buffers| buffers.input.len() == 0);
        buffers.map(Buffers::give_back).is_some()
    }

    /// Answers all complete commands of the input; says who ends the connection if it ends here.
    async fn answer_input(
        &mut self,
        read_bytes: usize,
        stopping: &CancellationToken,
    ) -> io::Result<Option<Leave>> {
        let Some(buffers) = self.buffers.as_deref_mut().filter(|_| read_bytes > 0) else {
            return Ok(Some(Leave::ByClient));
        };
        let Buffers { input, replies, output } = &mut *buffers;
        let (stream, engine, worker) = (&mut self.stream, &*self.engine, &self.worker);
        let session = &mut *self.session;
        let mut responder =
            Responder { stream, session, output, engine, worker, stopping, closing: None, is_muted: false };
        loop {
            let batch = Batch::parse::<S>(responder.session, input.bytes());
            responder.answer(&batch, replies).await?;
            let Batch { consumed_bytes, is_full, .. } = batch;
            input.consume(consumed_bytes);
            if responder.session.client.is_killed() {
                return Ok(Some(Leave::ByServer(CloseReason::Killed.into())));
            }
            if let Some(closing) = responder.closing {
                return Ok(Some(Leave::ByServer(closing)));
            }
            if !is_full {
                break;
            }
            yield_now().await;
        }
        buffers.trim()?;
        Ok(None)
    }
}
