//! The loop that serves one client: reads, answers, and moves to another thread or ends.

mod monitor;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustvault_protocol::{ErrorCode, ErrorReply, Reply};
use rustvault_storage::batch::BatchStore;
use tokio::select;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::batch::RequestBatch;
use crate::buffer_budget::{BufferClaim, OverBudget};
use crate::buffers::Buffers;
use crate::closing::{CloseReason, Closing};
use crate::deadlines::{Deadlines, MIN_PERIOD_BYTES};
use crate::engine::Engine;
use crate::input::INPUT_BYTES;
use crate::login::{LoginDeadline, late_login};
use crate::respond::Responder;
use crate::session::Session;
use crate::threads::accepted::AcceptedConnection;
use crate::threads::turns::AnswersFirst;
use crate::threads::worker_handle::WorkerHandle;
use crate::tls;
use crate::transport::Transport;
use crate::{linger, outbox};
use monitor::MonitorEnd;

/// Longest part of a line that an idle connection keeps in memory of its own, so that it can give its buffers back.
const MAX_RESTING_BYTES: usize = 4 * 1024;

/// Longest time in which the error that ends a connection is written.
const LAST_ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Serves one client until its connection ends or moves to another thread; reports the reason.
///
/// Once `stopping` is cancelled, the connection answers what it has received, and ends.
pub(crate) async fn serve<S: BatchStore>(
    accepted: Box<AcceptedConnection>,
    engine: Arc<Engine<S>>,
    worker: &WorkerHandle,
    stopping: CancellationToken,
) {
    let (client, counters) = (accepted.session.client.share(), Arc::clone(&engine.counters));
    match serve_here(accepted, engine, worker, stopping).await {
        Ok(Some(closing)) => counters.closings.report(&client, &closing),
        Ok(None) => debug!(peer = %client.peer, client = client.id, "connection moved to another thread"),
        Err(error) => counters.closings.report(&client, &Closing::of(&error)),
    }
}

/// Serves one client on this thread; returns the reason for which the connection ended, or `None` if it moved.
async fn serve_here<S: BatchStore>(
    mut accepted: Box<AcceptedConnection>,
    engine: Arc<Engine<S>>,
    worker: &WorkerHandle,
    stopping: CancellationToken,
) -> io::Result<Option<Closing>> {
    loop {
        let AcceptedConnection { mut transport, mut session, open, .. } = accepted.unbox();
        transport.socket_mut().attach()?;
        session.client.figures.set_descriptor(transport.socket().descriptor().unwrap_or(-1));
        if let Transport::Tls(layer) = &mut transport
            && let Err(closing) = Box::pin(tls::shake_hands(layer, &mut session, &engine, &stopping)).await
        {
            let _ = Box::pin(linger::close(transport)).await;
            return Ok(Some(closing));
        }
        let mut connection = Connection::new(transport, session, Arc::clone(&engine), worker.clone());
        match connection.run(&stopping).await? {
            Leave::ByClient => {
                connection.transport.answer_end();
                return Ok(Some(CloseReason::ByClient.into()));
            }
            Leave::ByServer(closing) => {
                // Dropping the connection gives its buffers back before the lingering close, which takes up to a second.
                // An error of that close does not change the reason.
                let _ = Box::pin(linger::close(connection.into_transport())).await;
                return Ok(Some(closing));
            }
            Leave::ForOtherThread => {
                let Connection { mut transport, session, .. } = connection;
                transport.socket_mut().detach()?;
                match worker.migrate(AcceptedConnection { transport, session, open, start_permit: None }) {
                    Ok(()) => return Ok(None),
                    Err(back) => accepted = Box::new(back),
                }
            }
        }
    }
}

/// Reason for which a connection leaves its thread.
#[derive(Debug)]
enum Leave {
    ByClient,
    ByServer(Closing),
    /// The connection moves to another thread.
    ForOtherThread,
}

struct Connection<S> {
    transport: Transport,
    session: Box<Session>,
    engine: Arc<Engine<S>>,
    worker: WorkerHandle,
    /// Held while the connection has something to do.
    buffers: Option<Box<Buffers>>,
    /// The beginning of a line, while the connection holds no buffers.
    resting: Vec<u8>,
    answers_first: AnswersFirst,
    /// The memory of its buffers.
    claim: BufferClaim,
    /// Set if a whole request was among the bytes that were read last.
    had_requests: bool,
    /// Bytes of the socket that the metrics have: read, and written.
    counted_bytes: (u64, u64),
}

impl<S: BatchStore> Connection<S> {
    fn new(
        transport: Transport,
        session: Box<Session>,
        engine: Arc<Engine<S>>,
        worker: WorkerHandle,
    ) -> Self {
        let counted_bytes = (transport.socket().read_bytes(), transport.socket().written_bytes());
        Self {
            transport,
            session,
            counted_bytes,
            claim: BufferClaim::new(&engine.buffers),
            engine,
            worker,
            buffers: None,
            resting: Vec::new(),
            answers_first: AnswersFirst::default(),
            had_requests: false,
        }
    }

    /// Drops all but the transport.
    fn into_transport(self) -> Transport {
        self.transport
    }

    async fn run(&mut self, stopping: &CancellationToken) -> io::Result<Leave> {
        let mut stop = pin!(stopping.cancelled());
        let (engine, client) = (Arc::clone(&self.engine), self.session.client.share());
        let (mut deadlines, mut login) = (Deadlines::new(&engine.config()), LoginDeadline::default());
        let (mut generation, has_partial) = (0, AtomicBool::new(false));
        if self.has_unfinished_request() {
            deadlines.received(0, false, true);
        }
        while !stopping.is_cancelled() {
            login.follow(self.session.must_log_in());
            if login.is_over() {
                return Ok(Box::pin(self.give_up(CloseReason::NotLoggedIn, late_login())).await);
            }
            let mut early_read = None;
            if let Some(monitor) = self.session.monitor.take() {
                // Boxed: otherwise every connection would have room for it.
                match Box::pin(self.monitor(monitor, stopping)).await? {
                    MonitorEnd::Received(read) => early_read = Some(read),
                    MonitorEnd::Left(leave) => return Ok(leave),
                    MonitorEnd::Denied | MonitorEnd::Stopping => {
                        deadlines.restart();
                        continue;
                    }
                }
            }
            let read_bytes = select! {
                biased;
                read = poll_fn(|context| {
                    let read = early_read.take().map_or_else(|| self.poll_read(context), Poll::Ready);
                    has_partial.store(self.transport.has_partial(), Ordering::Relaxed);
                    read
                }) => match read {
                    Ok(read_bytes) => read_bytes,
                    Err(error) => return Box::pin(self.end_of_read(error)).await,
                },
                () = &mut stop => break,
                () = client.killed() => return Ok(Leave::ByServer(CloseReason::Killed.into())),
                () = login.expired() => return Ok(Box::pin(self.give_up(CloseReason::NotLoggedIn, late_login())).await),
                reason = poll_fn(|context| {
                    if let Some(config) = engine.config_since(&mut generation) {
                        deadlines.adopt(&config);
                    }
                    deadlines.arriving(has_partial.load(Ordering::Relaxed));
                    deadlines.poll_expired(context)
                }) => {
                    if self.has_unread_bytes()? {
                        deadlines.restart();
                        continue;
                    }
                    return Ok(Box::pin(self.expire(reason)).await);
                }
            };
            if let Some(leave) = self.answer_read(read_bytes, stopping, &mut login, &mut deadlines).await? {
                return Ok(leave);
            }
        }
        self.finish_received(stopping).await
    }

    /// Answers what was read; returns a reason if the connection ends or leaves here.
    async fn answer_read(
        &mut self,
        read_bytes: usize,
        stopping: &CancellationToken,
        login: &mut LoginDeadline,
        deadlines: &mut Deadlines,
    ) -> io::Result<Option<Leave>> {
        let left = match self.session.must_log_in() {
            // Boxed: otherwise every connection would have room for it.
            true => Box::pin(self.answer_before_login(read_bytes, stopping, login)).await?,
            false => self.answer_input(read_bytes, stopping).await?,
        };
        self.count_traffic();
        if left.is_some() {
            return Ok(left);
        }
        deadlines.received(read_bytes, self.had_requests, self.has_unfinished_request());
        // A move would begin the deadline anew.
        if self.worker.count_batch() && !self.session.must_log_in() && self.hand_back() {
            return Ok(Some(Leave::ForOtherThread));
        }
        // A client that sends without a pause must not starve the other connections of this thread.
        if self.buffers.as_ref().is_some_and(|buffers| buffers.input.was_filled()) {
            yield_now().await;
        }
        Ok(None)
    }

    /// Answers what the socket has received by now, and nothing that arrives later: a client that sends without a pause could
    /// otherwise delay the stop.
    ///
    /// Bytes are counted at the socket, because a layer such as a cipher changes their number.
    async fn finish_received(&mut self, stopping: &CancellationToken) -> io::Result<Leave> {
        let received_bytes = self.transport.socket().received_bytes()?;
        let has_read_all = |transport: &Transport| transport.socket().read_bytes() >= received_bytes;
        while self.transport.has_bytes() || !has_read_all(&self.transport) {
            let read = poll_fn(|context| match self.poll_read(context) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                // The rest of a layer's record that has arrived in part would arrive later.
                Poll::Pending if has_read_all(&self.transport) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            let read_bytes = match read.await {
                None => break,
                Some(Ok(read_bytes)) => read_bytes,
                Some(Err(error)) => return Box::pin(self.end_of_read(error)).await,
            };
            let left = self.answer_input(read_bytes, stopping).await?;
            self.count_traffic();
            if let Some(leave) = left {
                return Ok(leave);
            }
        }
        Ok(Leave::ByServer(CloseReason::Stopping.into()))
    }

    /// Reads what the socket has; while it has nothing, the buffers are back in the pool.
    ///
    /// Before the read, once for each wake-up, it yields to connections whose answers have become durable. The runtime polls
    /// connections in the order in which they became ready. Without the yield a durable write would wait behind other requests
    /// twice: for its own execution, as a read does, and for its answer, behind all requests that came during its sync.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.answers_first.poll(self.engine.store.reply_watermark(), context).is_pending() {
            self.rest();
            return Poll::Pending;
        }
        let engine = &*self.engine;
        let max_input_bytes = engine.limits.max_line_bytes().saturating_add(INPUT_BYTES);
        let buffers = self.buffers.get_or_insert_with(|| {
            let mut buffers = Buffers::take();
            buffers.input.restore(&std::mem::take(&mut self.resting));
            buffers
        });
        buffers.input.make_room(max_input_bytes)?;
        let max_bytes = || engine.config().max_buffer_bytes;
        self.claim.set_input(buffers.input.resident_bytes(), max_bytes).map_err(io::Error::other)?;
        let read = buffers.input.poll_read(&mut self.transport, context);
        if read.is_pending() {
            self.rest();
        }
        self.note_buffers();
        read
    }

    /// Records the sizes of the buffers, for `CLIENT LIST`.
    fn note_buffers(&self) {
        let figures = &self.session.client.figures;
        match &self.buffers {
            Some(buffers) => {
                figures.set_input(buffers.input.len(), buffers.input.free_bytes());
                figures.set_output_capacity(buffers.output.capacity());
            }
            None => {
                figures.set_input(self.resting.len(), 0);
                figures.set_output_capacity(0);
            }
        }
    }

    /// Returns whether a request has begun to arrive that is not whole yet.
    fn has_unfinished_request(&self) -> bool {
        let has_input = self.buffers.as_ref().is_some_and(|buffers| buffers.input.len() > 0);
        has_input || !self.resting.is_empty() || self.session.parser.is_dropping()
    }

    /// Returns whether the client has sent something that was not read yet.
    fn has_unread_bytes(&self) -> io::Result<bool> {
        let socket = self.transport.socket();
        Ok(self.transport.has_bytes() || socket.received_bytes()? > socket.read_bytes())
    }

    /// Records the bytes of the socket since the last call, those of TLS included.
    fn count_traffic(&mut self) {
        let socket = self.transport.socket();
        let bytes = (socket.read_bytes(), socket.written_bytes());
        let (read, written) = std::mem::replace(&mut self.counted_bytes, bytes);
        let metrics = self.engine.metrics.worker(self.worker.index());
        metrics.count_traffic(bytes.0.saturating_sub(read), bytes.1.saturating_sub(written));
        self.session.client.figures.set_traffic(bytes.0, bytes.1);
    }

    /// Ends the connection for the error of a read; a client that gets no more memory is told so.
    async fn end_of_read(&mut self, error: io::Error) -> io::Result<Leave> {
        match error.get_ref().and_then(|source| source.downcast_ref::<OverBudget>()) {
            Some(over) => {
                let answer = over.answer("nothing of this request was executed; try again later");
                Ok(self.give_up(CloseReason::BufferLimit, answer).await)
            }
            None => Err(error),
        }
    }

    /// Ends the connection because a deadline has passed.
    async fn expire(&mut self, reason: CloseReason) -> Leave {
        if reason != CloseReason::RequestTimeout {
            return Leave::ByServer(reason.into());
        }
        let limit = self.engine.config().request_timeout.unwrap_or_default();
        self.give_up(reason, not_in_time(limit)).await
    }

    /// Ends the connection with an error in answer to a request that has arrived in part.
    async fn give_up(&mut self, reason: CloseReason, answer: Box<ErrorReply>) -> Leave {
        // The memory is needed elsewhere.
        self.buffers = None;
        if self.session.wants_next_reply() {
            let mut line = BytesMut::new();
            self.session.protocol().encode(&Reply::<&[u8]>::from(*answer), &mut line);
            let write = outbox::write_all(&mut self.transport, &mut line, &self.session.client);
            // Boxed, so that only connections that end like this have memory for it. Who does not read misses the answer.
            let _ = Box::pin(timeout(LAST_ANSWER_LIMIT, write)).await;
        }
        Leave::ByServer(reason.into())
    }

    fn rest(&mut self) {
        if let Some(buffers) = self.buffers.take_if(|buffers| buffers.input.len() <= MAX_RESTING_BYTES) {
            self.resting = buffers.input.bytes().to_vec();
            buffers.give_back();
        }
    }

    /// Gives the buffers back before a move; returns false if they still hold input, which forbids the move.
    fn hand_back(&mut self) -> bool {
        let buffers = self.buffers.take_if(|buffers| buffers.input.len() == 0);
        buffers.map(Buffers::give_back).is_some()
    }

    /// Does the same as [`answer_input`](Self::answer_input), within the deadline: the client may not read.
    async fn answer_before_login(
        &mut self,
        read_bytes: usize,
        stopping: &CancellationToken,
        login: &mut LoginDeadline,
    ) -> io::Result<Option<Leave>> {
        let client = self.session.client.share();
        select! {
            biased;
            left = self.answer_input(read_bytes, stopping) => left,
            () = login.expired_before_login(&client) => {
                Ok(Some(Leave::ByServer(CloseReason::NotLoggedIn.into())))
            }
        }
    }

    /// Answers all complete commands of the input; returns a reason if the connection ends or leaves here.
    async fn answer_input(
        &mut self,
        read_bytes: usize,
        stopping: &CancellationToken,
    ) -> io::Result<Option<Leave>> {
        let Some(buffers) = self.buffers.as_deref_mut().filter(|_| read_bytes > 0) else {
            return Ok(Some(Leave::ByClient));
        };
        let Buffers { input, replies, output } = &mut *buffers;
        let (transport, engine, worker) = (&mut self.transport, &*self.engine, &self.worker);
        let session = &mut *self.session;
        let mut responder = Responder {
            transport,
            session,
            output,
            engine,
            worker,
            stopping,
            claim: &mut self.claim,
            closing: None,
            is_muted: false,
            command: None,
            accounted: 0,
            read_at: Instant::now(),
        };
        self.had_requests = false;
        loop {
            responder.session.refresh_login(&engine.access);
            let batch = RequestBatch::parse::<S>(responder.session, input.bytes());
            self.had_requests |= batch.has_requests();
            if batch.has_requests() {
                // What came together with `MONITOR` ends the monitoring, as what comes later does.
                responder.session.monitor = None;
            }
            responder.answer(&batch, replies).await?;
            let RequestBatch { consumed_bytes, is_full, .. } = batch;
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
        // Less than before, so it is granted.
        let _ = self.claim.set_input(buffers.input.resident_bytes(), || usize::MAX);
        Ok(None)
    }
}

fn not_in_time(limit: Duration) -> Box<ErrorReply> {
    let message = format_args!(
        "neither the end of this request nor {} KiB of it came in {} seconds (--request-timeout); nothing of it was executed, the \
        connection is closed",
        MIN_PERIOD_BYTES / 1024,
        limit.as_secs()
    );
    Box::new(ErrorReply::new(ErrorCode::Timeout, message))
}
