//! From a batch to its answers on the socket: nothing leaves before what it depends on is durable.

mod lists;
mod put;

use std::io;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use bytes::BytesMut;
use put::{FLUSH_BYTES, is_small};
use rustvault_protocol::{ErrorCode, Response, Shape};
use rustvault_storage::{Error, Lsn, Op, Outcome, Reply, Store, Submission};
use tokio::net::TcpStream;
use tokio::select;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::balance::Seat;
use crate::batch::{Batch, Slot};
use crate::dialect::Dialect;
use crate::execute::{self, Field};
use crate::gather;
use crate::shared::Shared;

/// The store carries out no further operation of a batch once its replies hold more than this.
const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// Longest wait of `INFO` for a sync; after it, figures that may show data that is not durable are left out.
const INFO_PATIENCE: Duration = Duration::from_secs(1);

/// Carries batches out and writes their answers, for one connection.
pub(crate) struct Responder<'c, S> {
    pub(crate) stream: &'c mut TcpStream,
    pub(crate) dialect: &'c mut Dialect,
    pub(crate) output: &'c mut BytesMut,
    pub(crate) shared: &'c Shared<S>,
    pub(crate) seat: &'c Seat,
    pub(crate) stopping: &'c CancellationToken,
}

/// What may be revealed of the replies at hand.
struct Gate {
    /// The highest LSN that a reply depends on.
    highest: Lsn,
    /// Replies that depend on no more than this may be shown.
    visible: Lsn,
    /// Why the others never may.
    failure: Option<Error>,
}

impl Gate {
    /// Whether it is known if the reply may be shown.
    fn knows_of(&self, reply: &Reply) -> bool {
        reply.depends_on <= self.visible || self.failure.is_some()
    }

    /// The response to a reply that it [knows of](Self::knows_of).
    fn reveal<S>(&self, reply: Reply, shared: &Shared<S>) -> Response<Field> {
        execute::response(self.admit(reply), shared)
    }

    /// The outcome of a reply that it [knows of](Self::knows_of).
    #[inline]
    fn admit(&self, reply: Reply) -> Result<Outcome, Error> {
        match &self.failure {
            Some(failure) if reply.depends_on > self.visible => Err(failure.clone()),
            _ => reply.outcome,
        }
    }
}

impl<'c, S: Store> Responder<'c, S> {
    /// Carries a batch out and writes its answers, in order; `replies` is working space.
    pub(crate) async fn answer(&mut self, batch: &Batch<'_>, replies: &mut Vec<Reply>) -> io::Result<()> {
        let (ops, slots) = batch.plan(self.shared.max_output_bytes);
        self.shared.counters.total_commands.add(slots.len() as u64);
        let mut ops = ops.as_slice();
        let mut slots = slots.into_iter().peekable();
        while slots.peek().is_some() {
            replies.clear();
            let submission;
            (ops, submission) = self.submit(ops, replies).await?;
            self.write_answers(&mut slots, replies, submission).await?;
            if !ops.is_empty() {
                // What came first was long work or large answers: let the thread's other connections have a turn.
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Has the store carry out as many operations as it wants to; returns those that remain.
    async fn submit<'o>(
        &self,
        ops: &'o [Op<'o>],
        replies: &mut Vec<Reply>,
    ) -> io::Result<(&'o [Op<'o>], Submission<'c>)> {
        if ops.is_empty() {
            return Ok((ops, Submission::done()));
        }
        let submission = self.shared.store.submit(ops, MAX_REPLY_BYTES, replies).await;
        match ops.get(replies.len()..) {
            Some(rest) if rest.len() < ops.len() => Ok((rest, submission)),
            _ => Err(io::Error::other("the store did not give one reply to each operation")),
        }
    }

    /// Writes the answers up to the next one that has no reply yet.
    async fn write_answers(
        &mut self,
        slots: &mut Peekable<vec::IntoIter<Slot<'_>>>,
        replies: &mut Vec<Reply>,
        submission: Submission<'_>,
    ) -> io::Result<()> {
        let mut gate = Gate {
            highest: replies.iter().map(|reply| reply.depends_on).max().unwrap_or_default(),
            visible: self.shared.store.reply_watermark(),
            failure: None,
        };
        self.commit(submission, replies.first().is_some_and(|first| first.depends_on > gate.visible)).await;
        let mut replies = replies.drain(..);
        while let Some(slot) = slots.next_if(|slot| !slot.needs_reply() || !replies.as_slice().is_empty()) {
            match slot {
                Slot::Asked(shape) => {
                    let Some(reply) = replies.next() else { break };
                    let response = if gate.knows_of(&reply) || self.open_for(&reply, &mut gate).await? {
                        gate.reveal(reply, self.shared)
                    } else {
                        execute::status(reply.outcome, self.shared)
                    };
                    // Nearly all answers are small: for them this loop has nothing to wait for.
                    if is_small(&response, &shape) {
                        self.put_small(&response, &shape);
                    } else {
                        self.put_in_parts(response, shape).await?;
                    }
                }
                Slot::Values(keys) => {
                    let Some(reply) = replies.next() else { break };
                    if !gate.knows_of(&reply) {
                        self.open(&mut gate).await?;
                    }
                    match gate.admit(reply) {
                        Ok(Outcome::Seen(sights)) => Box::pin(self.put_values(keys, sights)).await?,
                        outcome => self.put(execute::response(outcome, self.shared), Shape::Plain).await?,
                    }
                }
                Slot::Answered(response) => self.put(response, Shape::Plain).await?,
                Slot::Own(answer) => self.put_own(answer),
                Slot::Session(command) => {
                    let is_error = self.dialect.answer_session(command, self.shared, self.output);
                    self.shared.counters.total_errors.add(u64::from(is_error));
                }
                // Boxed: every connection would have room for it.
                Slot::ValuesInTurns(_) | Slot::PageInTurns(_) | Slot::Keys { .. } | Slot::Compact(_) => {
                    Box::pin(self.put_long(slot)).await?;
                }
            }
            if self.output.len() >= FLUSH_BYTES {
                self.flush().await?;
            }
        }
        self.flush().await
    }

    /// Carries out what takes several turns, and writes its answer.
    async fn put_long(&mut self, slot: Slot<'_>) -> io::Result<()> {
        match slot {
            Slot::ValuesInTurns(keys) => self.put_values_in_turns(keys).await,
            Slot::PageInTurns(page) => self.put_page_in_turns(&page).await,
            Slot::Keys { prefix, glob } => self.put_keys(prefix, glob).await,
            Slot::Compact(Shape::Started) => {
                let response = self.start_compaction();
                self.put(response, Shape::Started).await
            }
            Slot::Compact(shape) => {
                self.flush().await?;
                let response = self.compact().await;
                self.put(response, shape).await
            }
            Slot::Asked(_) | Slot::Values(_) | Slot::Answered(_) | Slot::Own(_) | Slot::Session(_) => {
                Err(io::Error::other("this takes no turn of its own"))
            }
        }
    }

    /// Waits until this and all replies at hand may be shown. Returns `false` for `INFO` after [`INFO_PATIENCE`]: whoever
    /// asks why the disk hangs must not wait for it.
    async fn open_for(&mut self, reply: &Reply, gate: &mut Gate) -> io::Result<bool> {
        if !matches!(reply.outcome, Ok(Outcome::Stats(_))) {
            self.open(gate).await?;
            return Ok(true);
        }
        self.flush().await?;
        let wait = self.shared.store.wait_for_commit(gate.highest);
        if timeout(INFO_PATIENCE, wait).await.is_err() {
            return Ok(false);
        }
        self.open(gate).await?;
        Ok(true)
    }

    /// Waits until all replies at hand may be shown, or never may. What stands before them leaves meanwhile.
    async fn open(&mut self, gate: &mut Gate) -> io::Result<()> {
        self.flush().await?;
        gate.failure = self.shared.store.wait_for_commit(gate.highest).await.err();
        let has_failed = gate.failure.is_some();
        gate.visible = if has_failed { self.shared.store.reply_watermark() } else { gate.highest };
        Ok(())
    }

    /// Has the records of a submit committed; `nothing_precedes` the replies that have to wait for that.
    async fn commit(&self, submission: Submission<'_>, nothing_precedes: bool) {
        if !submission.is_pending() || !nothing_precedes {
            return;
        }
        match self.seat.try_block() {
            Some(_blocked) => submission.commit_here(),
            None => gather::commit(submission, self.seat.enough_to_commit()).await,
        }
    }

    /// The response once a compaction has ended. A stopping server does not wait for that: it has seconds.
    async fn compact(&self) -> Response<Field> {
        let ended = select! {
            biased;
            ended = self.shared.store.compact() => ended,
            () = self.stopping.cancelled() => {
                let text = "the server is stopping; compact again once it is back";
                return execute::error(ErrorCode::ShuttingDown, text);
            }
        };
        ended.map_or_else(|error| execute::store_error(&error), |()| Response::Ok)
    }

    /// Begins a compaction whose end nobody is told; the log and `INFO` tell how it went.
    fn start_compaction(&self) -> Response<Field> {
        let Ok(only_one) = Arc::clone(&self.shared.background_compaction).try_acquire_owned() else {
            let text = "Background append only file rewriting already in progress";
            return execute::error(ErrorCode::Other, text);
        };
        let store = self.shared.store.clone();
        tokio::spawn(async move {
            // The store logs what it was that went wrong.
            let _ = store.compact().await;
            drop(only_one);
        });
        Response::Ok
    }
}
