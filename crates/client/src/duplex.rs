//! A socket of a connection: requests are written and their answers read at the same time.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustvault_protocol::{ClientCodec, ErrorCode, Reply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::codec::Decoder;
use tokio_util::either::Either;

use crate::Options;
use crate::dial::{Dialed, Stream};
use crate::error::ErrorKind;
use crate::from_reply::{describe, unexpected};
use crate::pending::PendingRequest;
use crate::queue::Queue;

/// Most requests that are sent and not answered yet, per connection; a pipeline counts as one.
const MAX_IN_FLIGHT_REQUESTS: usize = 1024;

/// A batch of requests is written once it has this many bytes; one larger request goes alone.
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// Room that is made for each read from the socket.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Buffers that grew beyond this are given back once they are empty.
const MAX_KEPT_BUFFER_BYTES: usize = 64 * 1024;

/// Longest time for reading the last answers of a connection that takes no more requests: they have arrived, or they never
/// will.
const LAST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a connection cannot be used any more.
#[derive(Debug)]
enum BreakReason {
    /// It failed.
    Lost(io::Error),
    /// Input on it is not the answer that is due.
    Malformed(io::Error),
}

/// The life of one socket.
#[derive(Debug)]
pub(crate) struct Duplex {
    stream: Stream,
    link: Link,
}

impl Duplex {
    pub(crate) fn new(options: &Options, dialed: Dialed) -> Self {
        let now = Instant::now();
        let link = Link {
            codec: dialed.codec,
            buffer_bytes: dialed.received.capacity(),
            earlier_buffer_bytes: 0,
            received: dialed.received,
            unsent: BytesMut::new(),
            was_cut: false,
            in_flight: VecDeque::new(),
            quiet_since: now,
            read_at: now,
            request_timeout: options.request_timeout,
            silence_timeout: options.request_timeout.max(options.connect_timeout),
            has_login: options.password.is_some(),
            is_logged_out: false,
            is_tls: matches!(dialed.stream, Either::Right(_)),
            is_unflushed: false,
        };
        Self { stream: dialed.stream, link }
    }

    /// Serves the queue until the connection breaks, and says why it did.
    ///
    /// Reads that were not answered are back in the queue then; writes have failed.
    pub(crate) async fn run(mut self, queue: &mut Queue) -> Arc<io::Error> {
        let exchanged = match &mut self.stream {
            Either::Left(Either::Left(tcp)) => self.link.exchange(tcp.split(), queue).await,
            Either::Left(Either::Right(unix)) => self.link.exchange(unix.split(), queue).await,
            Either::Right(tls) => self.link.exchange(tokio::io::split(tls), queue).await,
        };
        let broken = match exchanged {
            Ok(never) => match never {},
            Err(broken) => broken,
        };
        self.link.settle(broken, queue)
    }
}

/// Codec, buffers and requests in flight between the queue and the socket.
#[derive(Debug)]
struct Link {
    codec: ClientCodec,
    received: BytesMut,
    /// Length of that buffer with what was taken out of it, in bytes.
    buffer_bytes: usize,
    /// Length of the longest buffer before it that holds a part of the answer that is arriving.
    earlier_buffer_bytes: usize,
    /// Rest of the batch that is being written.
    unsent: BytesMut,
    /// The last write had no room for all of that.
    was_cut: bool,
    /// Sent, or about to be, and not answered: oldest first, as the answers come.
    in_flight: VecDeque<PendingRequest>,
    /// Since when answers are due and nothing moved, in neither direction.
    quiet_since: Instant,
    /// When something was read last.
    read_at: Instant,
    request_timeout: Duration,
    silence_timeout: Duration,
    /// Each connection begins with a login.
    has_login: bool,
    /// The server has said that the login does not hold any more. What is queued waits for a connection with a new one.
    is_logged_out: bool,
    /// TLS keeps back what the socket has no room for.
    is_tls: bool,
    /// Something may have been written that is not in the socket yet.
    is_unflushed: bool,
}

impl Link {
    /// Writes and reads at the same time: a server that waits for its answers to be taken reads no more
    /// requests.
    async fn exchange(
        &mut self,
        (mut reader, mut writer): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        queue: &mut Queue,
    ) -> Result<std::convert::Infallible, BreakReason> {
        // What came behind the greeting, before any request.
        self.take_received()?;
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut is_timer_set = false;
        loop {
            // As long as there is always something to read, neither the queue nor the timer gets a turn below.
            let is_overdue = is_timer_set && self.read_at >= timer.deadline();
            if is_overdue || !is_timer_set {
                queue.pull_ready();
            }
            if is_overdue {
                is_timer_set = false;
                self.time_out(queue)?;
            }
            self.next_batch(queue);
            self.make_room();
            // Requests time out in about the order they came, so a timer that is set is never too late.
            if !is_timer_set && let Some(at) = self.wake_at(queue) {
                timer.as_mut().reset(at);
                is_timer_set = true;
            }
            tokio::select! {
                biased;
                read = reader.read_buf(&mut self.received) => self.take_answers(read)?,
                written = write_or_flush(&mut writer, &mut self.unsent), if !self.unsent.is_empty() || self.is_unflushed => {
                    match written {
                        Ok(written_bytes) => self.note_written(written_bytes),
                        Err(error) => {
                            return Err(self.last_answers(&mut reader).await.err().unwrap_or(BreakReason::Lost(error)));
                        }
                    }
                }
                () = queue.pull(), if queue.has_room() => {}
                () = &mut timer, if is_timer_set => {
                    is_timer_set = false;
                    self.time_out(queue)?;
                }
            }
        }
    }

    /// Takes the answers that are there although no request can be sent any more: a server that refuses one says why, and
    /// closes before it has read the rest. Fails with what an answer fails with.
    async fn last_answers(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> Result<(), BreakReason> {
        let reading = async {
            while let Ok(1..) = reader.read_buf(&mut self.received).await {
                self.take_received()?;
                self.make_room();
            }
            Ok(())
        };
        timeout(LAST_ANSWERS_TIMEOUT, reading).await.unwrap_or(Ok(()))
    }

    /// Notes that a slow upload goes on: the last write had no room for all of it, and the peer has made some.
    ///
    /// Bytes that the system's buffer takes at once do not show that the peer reads.
    fn note_written(&mut self, written_bytes: usize) {
        if std::mem::replace(&mut self.was_cut, !self.unsent.is_empty()) {
            self.quiet_since = Instant::now();
        }
        // Nothing is written where nothing was left to write: then it was flushed.
        self.is_unflushed = self.is_tls && written_bytes > 0;
    }

    /// Gathers what is queued for one write.
    fn next_batch(&mut self, queue: &mut Queue) {
        if !self.unsent.is_empty() || self.is_logged_out {
            return;
        }
        give_back_if_large(&mut self.unsent);
        while self.unsent.len() < MAX_BATCH_BYTES && self.in_flight.len() < MAX_IN_FLIGHT_REQUESTS {
            let Some(mut request) = queue.next() else { return };
            request.append_frame(&mut self.unsent);
            if self.in_flight.is_empty() {
                self.quiet_since = Instant::now();
            }
            self.in_flight.push_back(request);
        }
    }

    fn make_room(&mut self) {
        if self.received.is_empty() {
            give_back_if_large(&mut self.received);
        }
        if self.received.capacity() - self.received.len() < READ_BUFFER_BYTES {
            self.received.reserve(READ_BUFFER_BYTES);
            self.earlier_buffer_bytes = self.earlier_buffer_bytes.max(self.buffer_bytes);
            self.buffer_bytes = self.received.capacity();
        }
    }

    fn take_answers(&mut self, read: io::Result<usize>) -> Result<(), BreakReason> {
        if read.map_err(BreakReason::Lost)? == 0 {
            let closed = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it");
            return Err(BreakReason::Lost(closed));
        }
        self.read_at = Instant::now();
        self.quiet_since = self.read_at;
        self.take_received()
    }

    fn take_received(&mut self) -> Result<(), BreakReason> {
        while let Some(reply) = self.codec.decode(&mut self.received).map_err(BreakReason::Malformed)? {
            let Some(request) = self.in_flight.front_mut() else { return Err(unasked(reply)) };
            self.is_logged_out |= self.has_login && is_logged_out(&reply);
            let buffer_bytes = self.buffer_bytes.max(self.earlier_buffer_bytes);
            if let Some(answers) = request.take_answer(reply, buffer_bytes).map_err(BreakReason::Malformed)?
                && let Some(request) = self.in_flight.pop_front()
            {
                request.finish(answers);
            }
            // What is there of the next answer is in this buffer.
            self.earlier_buffer_bytes = 0;
        }
        if self.is_logged_out && self.in_flight.is_empty() {
            return Err(BreakReason::Lost(io::Error::other("the server wants a new login")));
        }
        Ok(())
    }

    /// Returns the moment at which to look for requests that have timed out: at the latest that of a request that comes now.
    fn wake_at(&self, queue: &Queue) -> Option<Instant> {
        let sent = self.in_flight.iter().find(|request| request.is_wanted()).map(|request| request.deadline);
        let queued = queue.oldest().map(|request| request.deadline);
        let silent = (!self.in_flight.is_empty()).then(|| self.silent_at());
        let first = [sent, queued, silent].into_iter().flatten().min()?;
        Some(first.min(Instant::now() + self.request_timeout))
    }

    fn silent_at(&self) -> Instant {
        self.quiet_since + self.silence_timeout
    }

    /// Fails what is overdue. Its answers, if they come, are discarded; if nothing comes at all, or perhaps never will, the
    /// connection is given up.
    fn time_out(&mut self, queue: &mut Queue) -> Result<(), BreakReason> {
        let now = Instant::now();
        let after = self.request_timeout;
        let mut has_unknown = false;
        for request in self.in_flight.iter_mut().take_while(|request| request.deadline <= now) {
            let is_write = request.is_write();
            has_unknown |= request.has_unknown_command();
            request.fail(ErrorKind::TimedOut { after, is_write }.into());
        }
        queue.fail_overdue(|request| request.deadline, || ErrorKind::NotSent { after }.into());
        if has_unknown {
            // Some commands have no answer. The next one would be taken for that of a request it does not belong to.
            let unanswered = "a command that this client does not know had no answer in time";
            return Err(BreakReason::Lost(io::Error::new(io::ErrorKind::TimedOut, unanswered)));
        }
        if self.in_flight.is_empty() || now < self.silent_at() {
            return Ok(());
        }
        let silent =
            format!("nothing came from the server, nor could be sent, for {:?}", self.silence_timeout);
        Err(BreakReason::Lost(io::Error::new(io::ErrorKind::TimedOut, silent)))
    }

    /// Decides what becomes of the requests that were not answered.
    fn settle(mut self, broken: BreakReason, queue: &mut Queue) -> Arc<io::Error> {
        let reason = match broken {
            BreakReason::Lost(reason) => Arc::new(reason),
            BreakReason::Malformed(reason) => {
                let reason = Arc::new(reason);
                if let Some(mut culprit) = self.in_flight.pop_front() {
                    culprit.fail(ErrorKind::Protocol { source: Arc::clone(&reason) }.into());
                }
                reason
            }
        };
        queue.put_back(self.in_flight.into_iter().filter_map(|request| request.lose(&reason)).collect());
        reason
    }
}

fn give_back_if_large(empty: &mut BytesMut) {
    if empty.capacity() > MAX_KEPT_BUFFER_BYTES {
        *empty = BytesMut::new();
    }
}

/// Writes what the socket has room for, or once all of that is written, flushes it. Cancel safe.
async fn write_or_flush(writer: &mut (impl AsyncWrite + Unpin), unsent: &mut BytesMut) -> io::Result<usize> {
    if unsent.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    writer.write_buf(unsent).await
}

fn is_logged_out(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(error) if error.code == ErrorCode::AuthRequired)
}

/// The server speaks unasked only to say why it is about to close.
fn unasked(reply: Reply) -> BreakReason {
    match reply {
        Reply::Error(error) => BreakReason::Lost(io::Error::other(format!("{error} ({})", error.code))),
        other => BreakReason::Malformed(unexpected(format!("{} without a request", describe(&other)))),
    }
}
