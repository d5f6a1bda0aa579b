//! Executes a batch and writes its answers to the socket. No answer is written before the records that it depends on are durable.

mod count;
mod keys;
mod put;
mod slow;
mod values;

use std::io;
use std::iter::{Enumerate, Peekable};
use std::mem;
use std::time::Instant;
use std::vec;

use bytes::BytesMut;
use put::{FLUSH_BYTES, large_value};
use rustvault_protocol::{Command, Reply, Request};
use rustvault_storage::batch::{BatchStore, Op, Outcome, Submission};
use rustvault_storage::{self as storage, Error, Lsn};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use crate::batch::{RequestBatch, Slot};
use crate::buffer_budget::BufferClaim;
use crate::closing::Closing;
use crate::commands::{Many, Payload, Refusal, ReplyTo, store_error, unexpected};
use crate::engine::Engine;
use crate::metrics::WorkerMetrics;
use crate::session::Session;
use crate::threads::commit_group;
use crate::threads::turns::AwaitedCommit;
use crate::threads::worker_handle::WorkerHandle;
use crate::transport::Transport;

pub(crate) use keys::PageOf;

/// Bytes of replies after which the store executes no further operation of a submission.
const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// Executes batches and writes their answers, for one connection.
pub(crate) struct Responder<'c, S> {
    pub(crate) transport: &'c mut Transport,
    pub(crate) session: &'c mut Session,
    pub(crate) output: &'c mut BytesMut,
    pub(crate) engine: &'c Engine<S>,
    pub(crate) worker: &'c WorkerHandle,
    pub(crate) stopping: &'c CancellationToken,
    /// The memory of the connection's buffers.
    pub(crate) claim: &'c mut BufferClaim,
    /// Reason for which the connection ends after the present answers, if it does.
    pub(crate) closing: Option<Closing>,
    /// Set if the present answer is left out (`CLIENT REPLY`).
    pub(crate) is_muted: bool,
    /// The command that is being answered; `None` if there is none of that name.
    pub(crate) command: Option<Command>,
    /// Requests of the batch that the metrics have.
    pub(crate) accounted: usize,
    /// The moment at which the input of the batch was read.
    pub(crate) read_at: Instant,
}

/// Decides which of the present replies may be revealed.
struct Gate {
    /// The highest LSN that a reply depends on.
    highest: Lsn,
    /// Replies that depend on an LSN up to this one may be revealed.
    visible: Lsn,
    /// The failure for which the others never may.
    failure: Option<Error>,
}

impl Gate {
    /// Makes the gate of these replies.
    fn new(replies: &[storage::batch::Completion], visible: Lsn) -> Self {
        let highest = replies.iter().map(|reply| reply.depends_on).max().unwrap_or_default();
        Self { highest, visible, failure: None }
    }

    /// Returns whether it is already known if the reply may be revealed.
    fn is_decided(&self, reply: &storage::batch::Completion) -> bool {
        reply.depends_on <= self.visible || self.failure.is_some()
    }

    /// Returns the outcome of a reply that [is decided](Self::is_decided).
    #[inline]
    fn admit(&self, reply: storage::batch::Completion) -> Result<Outcome, Error> {
        match &self.failure {
            Some(failure) if reply.depends_on > self.visible => Err(failure.clone()),
            _ => reply.outcome,
        }
    }
}

impl<'c, S: BatchStore> Responder<'c, S> {
    /// Executes a batch and writes its answers, in order. `replies` is scratch memory.
    pub(crate) async fn answer(
        &mut self,
        batch: &RequestBatch<'_>,
        replies: &mut Vec<storage::batch::Completion>,
    ) -> io::Result<()> {
        let arguments = batch.arguments();
        let (ops, slots) = batch.plan(&arguments, self.session, self.engine);
        self.closing = batch.closing();
        let mut ops = ops.as_slice();
        let total = slots.len();
        self.accounted = 0;
        let mut slots = slots.into_iter().enumerate().peekable();
        while slots.peek().is_some() {
            replies.clear();
            let submission;
            (ops, submission) = self.submit(ops, replies).await?;
            let written = self.write_answers(batch, &mut slots, replies, submission).await;
            self.account(batch, total - slots.len());
            written?;
            if !ops.is_empty() {
                // The first part was long work or had large answers: the other connections of the thread have a turn.
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Submits `ops` to the store, which executes the first ones, at least one; returns those that remain.
    async fn submit<'o>(
        &self,
        ops: &'o [Op<'o>],
        replies: &mut Vec<storage::batch::Completion>,
    ) -> io::Result<(&'o [Op<'o>], Submission<'c>)> {
        if ops.is_empty() {
            return Ok((ops, Submission::done()));
        }
        let submission = self.engine.store.submit(ops, MAX_REPLY_BYTES, replies).await;
        match ops.get(replies.len()..) {
            Some(rest) if rest.len() < ops.len() => Ok((rest, submission)),
            _ => Err(io::Error::other("the store did not give one reply to each operation")),
        }
    }

    /// Records the requests of a batch, up to this one, that have just been answered together: they share a duration.
    fn account(&mut self, batch: &RequestBatch<'_>, answered: usize) {
        let (metrics, duration) = (self.metrics(), self.read_at.elapsed());
        let listener = self.session.client.listener;
        let answered = mem::replace(&mut self.accounted, answered)..answered;
        if self.engine.slow_log.is_noticed(duration) {
            self.report_slow(batch, answered.clone(), duration);
        }
        let mut requests = answered.map(|index| batch.command(index)).peekable();
        while let Some(command) = requests.next() {
            let mut count = 1;
            while requests.next_if_eq(&command).is_some() {
                count += 1;
            }
            metrics.answered(command, listener, duration, count);
        }
    }

    /// Makes the reply of an outcome; records whether the value that a command asked for was there.
    #[inline]
    fn reply<'b>(
        &self,
        outcome: Result<Outcome, Error>,
        reply_to: ReplyTo,
        request: Request<'b>,
    ) -> Reply<Payload<'b>> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return store_error(error).into(),
        };
        if let Outcome::Value(value) = &outcome {
            self.metrics().looked_up(u64::from(value.is_some()), u64::from(value.is_none()));
        }
        reply_to(outcome, request)
    }

    /// Returns the metrics of the worker.
    fn metrics(&self) -> &'c WorkerMetrics {
        self.engine.metrics.worker(self.worker.index())
    }

    /// Writes the answers up to the first one whose reply is still missing.
    async fn write_answers(
        &mut self,
        batch: &RequestBatch<'_>,
        slots: &mut Peekable<Enumerate<vec::IntoIter<Slot<'_, S>>>>,
        replies: &mut Vec<storage::batch::Completion>,
        submission: Submission<'_>,
    ) -> io::Result<()> {
        let mut gate = Gate::new(replies, self.engine.store.reply_watermark());
        self.commit(submission, replies.first().is_some_and(|first| first.depends_on > gate.visible)).await;
        let mut replies = replies.drain(..);
        while let Some((index, slot)) =
            slots.next_if(|(_, slot)| !slot.needs_outcome() || !replies.as_slice().is_empty())
        {
            if self.begin(batch.command(index), &slot) {
                if slot.needs_outcome() {
                    drop(replies.next());
                }
                continue;
            }
            match slot {
                Slot::Asked(reply_to, request) => {
                    let Some(reply) = replies.next() else { break };
                    if !gate.is_decided(&reply) {
                        self.open(&mut gate).await?;
                    }
                    let reply = self.reply(gate.admit(reply), reply_to, request);
                    // Nearly all answers are small. Those need no await point in this loop.
                    match large_value(&reply) {
                        None => self.put_small(&reply),
                        Some(value) => self.put_large(value).await?,
                    }
                }
                Slot::Values(keys) => {
                    let Some(reply) = replies.next() else { break };
                    if !gate.is_decided(&reply) {
                        self.open(&mut gate).await?;
                    }
                    // Boxed: otherwise the future of every connection would reserve memory for it.
                    Box::pin(self.put_values(keys, gate.admit(reply))).await?;
                }
                Slot::Ready(reply) => self.put(reply).await?,
                Slot::Rejected(error) => self.put_rejection(error),
                Slot::InSteps(many) => Box::pin(self.put_in_steps(many)).await?,
                Slot::Await(carry_out, request) => {
                    // The command may take long; the answers before it are sent first.
                    self.flush().await?;
                    self.account(batch, index);
                    let answer = carry_out(self, request).await;
                    self.put_answer(answer).await?;
                }
            }
            if self.output.len() >= FLUSH_BYTES {
                self.flush().await?;
            }
        }
        self.flush().await
    }

    /// Begins the answer of a command; returns whether the command ends with that, as its answer is left out.
    fn begin(&mut self, command: Option<Command>, slot: &Slot<'_, S>) -> bool {
        self.command = command;
        self.is_muted = !self.session.wants_next_reply();
        self.is_muted && !matches!(slot, Slot::InSteps(Many::Count(..)) | Slot::Await(..))
    }

    /// Executes a command that takes several steps, and writes its answer.
    async fn put_in_steps(&mut self, many: Many<'_>) -> io::Result<()> {
        self.flush().await?;
        match many {
            Many::Values(keys) => self.put_values_in_steps(keys).await,
            Many::Matching(glob) => self.put_matching(glob).await,
            Many::CountAllowed => {
                let count = self.count_allowed().await;
                self.put_answer(count).await
            }
            Many::Count(op, keys) => {
                let count = self.count_in_steps(op, keys).await;
                self.put_answer(count).await
            }
        }
    }

    /// Executes a single operation; returns its outcome and the LSN that this depends on.
    pub(crate) async fn ask(&self, op: Op<'_>) -> Result<(Outcome, Lsn), Refusal> {
        let mut replies = Vec::with_capacity(1);
        drop(self.engine.store.submit(&[op], usize::MAX, &mut replies).await);
        let reply = replies.pop().ok_or_else(unexpected)?;
        Ok((reply.outcome.map_err(store_error)?, reply.depends_on))
    }

    /// Waits until replies that depend on `lsn` may be revealed.
    pub(crate) async fn wait_for_commit(&self, lsn: Lsn) -> Result<(), Refusal> {
        self.engine.store.wait_for_commit(lsn).await.map_err(store_error)
    }

    /// Writes the answers before the present replies, then waits until it is known whether these may be revealed.
    async fn open(&mut self, gate: &mut Gate) -> io::Result<()> {
        self.flush().await?;
        let awaited = AwaitedCommit::new(gate.highest);
        gate.failure = self.engine.store.wait_for_commit(gate.highest).await.err();
        drop(awaited);
        let has_failed = gate.failure.is_some();
        gate.visible = if has_failed { self.engine.store.reply_watermark() } else { gate.highest };
        Ok(())
    }

    /// Commits the records of a submission, if it has any, before its answers are written.
    ///
    /// Without `nothing_precedes` it does not wait: there are answers that can be written first. Dropping the submission
    /// commits, too.
    async fn commit(&self, submission: Submission<'_>, nothing_precedes: bool) {
        if !submission.is_pending() {
            return;
        }
        self.worker.count_commit();
        if !nothing_precedes {
            return;
        }
        match self.worker.try_block() {
            Some(_blocked) => submission.commit_here(),
            None => commit_group::commit(submission, self.worker.commit_group_size()).await,
        }
    }
}
