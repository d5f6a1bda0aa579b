//! Pipelines: several commands in one piece.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use rustvault_protocol::{Limits, Reply, Request};

use crate::call::{Sending, typed};
use crate::error::ErrorKind;
use crate::outgoing::Outgoing;
use crate::pending::{Answers, Expectation, Expected, Prepared};
use crate::{Client, Commands, Error, FromReply};

/// Most commands in one pipeline.
pub const MAX_PIPELINE_COMMANDS: usize = 100_000;

/// Most bytes in one pipeline, as encoded for the wire; a single command may be larger.
pub const MAX_PIPELINE_BYTES: usize = 64 * 1024 * 1024;

/// Room that a pipeline begins with: as much as a short one takes.
const FIRST_BYTES: usize = 256;
const FIRST_COMMANDS: usize = 8;

/// Number of the next pipeline, which its handles have, so that no other pipeline takes them.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Commands that are sent in one piece and answered in order; made by [`Client::pipeline`].
///
/// Each method of [`Commands`] adds a command and returns a [`ReplyHandle`], which the [`Replies`] give the typed reply
/// for. It saves round trips, and it is not a transaction: the commands of others may come in between, and one
/// that fails does not stop the next. Commands that follow a write of the same pipeline see it.
///
/// ```no_run
/// # async fn example(client: rustvault_client::Client) -> Result<(), rustvault_client::Error> {
/// use rustvault_client::Commands;
///
/// let mut pipeline = client.pipeline();
/// let (name, hits) = (pipeline.get("name"), pipeline.incr_by("hits", 1));
/// let mut replies = pipeline.send().await?;
/// let (name, hits) = (replies.take(name)?, replies.take(hits)?);
/// # let _: (Option<rustvault_client::Bytes>, i64) = (name, hits);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a pipeline does nothing until it is sent"]
pub struct Pipeline<C = Client> {
    client: C,
    limits: Limits,
    number: u64,
    frame: BytesMut,
    expectations: Vec<Expectation>,
    /// For each command whether it is a write.
    writes: Vec<bool>,
    /// The first command that cannot be sent.
    invalid: Option<Error>,
}

impl<C> Pipeline<C> {
    pub(crate) fn new(client: C, limits: Limits) -> Self {
        Self {
            client,
            limits,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            frame: BytesMut::with_capacity(FIRST_BYTES),
            expectations: Vec::with_capacity(FIRST_COMMANDS),
            writes: Vec::with_capacity(FIRST_COMMANDS),
            invalid: None,
        }
    }

    /// Returns the number of commands that were added.
    pub fn len(&self) -> usize {
        self.expectations.len()
    }

    /// Returns whether nothing was added; sending an empty pipeline gives no replies and sends nothing.
    pub fn is_empty(&self) -> bool {
        self.expectations.is_empty()
    }

    fn push<T: FromReply>(&mut self, outgoing: Result<Outgoing<'_>, Error>) -> ReplyHandle<T> {
        let handle = ReplyHandle { pipeline: self.number, position: self.len(), reply: PhantomData };
        if self.invalid.is_none() {
            self.invalid = outgoing.and_then(|outgoing| self.try_push(outgoing, T::matches)).err();
        }
        handle
    }

    fn try_push(&mut self, outgoing: Outgoing<'_>, matches: fn(&Reply) -> bool) -> Result<(), Error> {
        outgoing.check(&self.limits)?;
        if outgoing.is_long() {
            return Err(crate::outgoing::not_sent(
                "COMPACT takes minutes, and a pipeline's answers have a timeout: call Client::compact instead",
            ));
        }
        outgoing.encode(&mut self.frame);
        self.expectations.push(outgoing.expectation(matches));
        self.writes.push(outgoing.is_write());
        let (commands, bytes) = (self.len(), self.frame.len());
        if commands > MAX_PIPELINE_COMMANDS || (commands > 1 && bytes > MAX_PIPELINE_BYTES) {
            return Err(ErrorKind::PipelineTooLarge {
                commands,
                bytes,
                max_commands: MAX_PIPELINE_COMMANDS,
                max_bytes: MAX_PIPELINE_BYTES,
            }
            .into());
        }
        Ok(())
    }

    /// Sends it all over `client` and waits for all answers.
    pub(crate) async fn send_over(self, client: &Client) -> Result<Replies, Error> {
        let Self { number, frame, expectations, writes, invalid, .. } = self;
        if let Some(error) = invalid {
            return Err(error);
        }
        if expectations.is_empty() {
            return Ok(Replies { pipeline: number, replies: Vec::new(), writes });
        }
        let is_write = writes.contains(&true);
        let prepared = Prepared { frame, expected: Expected::Many(expectations), is_write, is_long: false };
        let replies = match Sending::new(Arc::clone(client.shared()), Ok(prepared)).await? {
            Answers::One(reply) => vec![Some(reply)],
            Answers::Many(replies) => replies.into_iter().map(Some).collect(),
        };
        Ok(Replies { pipeline: number, replies, writes })
    }

    pub(crate) fn client(&self) -> &C {
        &self.client
    }
}

impl Pipeline {
    /// Sends it all and waits for all answers.
    ///
    /// # Errors
    ///
    /// A server's error is the answer to one command: it comes with [`Replies::take`]. The error here is that of the
    /// pipeline as a whole: a key, a value or the pipeline is over its limit ([`MAX_PIPELINE_COMMANDS`],
    /// [`MAX_PIPELINE_BYTES`]) and nothing was sent; or the answers did not all come, in time or at all. If
    /// the pipeline has a write, then which of its commands took effect is unknown, unless the error [is
    /// retryable](Error::is_retryable).
    pub async fn send(self) -> Result<Replies, Error> {
        let client = self.client.clone();
        self.send_over(&client).await
    }
}

impl<C> Commands for &mut Pipeline<C> {
    type Output<T: FromReply> = ReplyHandle<T>;

    fn call<T: FromReply>(self, request: Request<'_>) -> ReplyHandle<T> {
        self.push(Ok(request.into()))
    }

    fn command<W: AsRef<[u8]>>(self, words: impl IntoIterator<Item = W>) -> ReplyHandle<Reply> {
        let words: Vec<W> = words.into_iter().collect();
        let words: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
        self.push(Outgoing::of_words(&words))
    }
}

/// The claim to the reply to one command of a pipeline; [`Replies::take`] redeems it.
pub struct ReplyHandle<T> {
    pipeline: u64,
    position: usize,
    reply: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for ReplyHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplyHandle").field(&self.position).finish()
    }
}

/// The replies to a pipeline, one for each of its commands.
#[derive(Debug)]
#[must_use = "a command of the pipeline may have failed: take its reply, or check them all"]
pub struct Replies {
    pipeline: u64,
    /// `None` for those that were taken.
    replies: Vec<Option<Reply>>,
    writes: Vec<bool>,
}

impl Replies {
    /// Returns the reply to one command.
    ///
    /// # Errors
    ///
    /// The server's, to this command; or the handle is one of another pipeline.
    pub fn take<T: FromReply>(&mut self, handle: ReplyHandle<T>) -> Result<T, Error> {
        let ReplyHandle { pipeline, position, .. } = handle;
        let is_write = self.writes.get(position).is_some_and(|is_write| *is_write);
        let reply = self.replies.get_mut(position).filter(|_| pipeline == self.pipeline);
        let reply = reply.and_then(Option::take).ok_or(ErrorKind::ForeignHandle)?;
        typed(reply, is_write)
    }

    /// Checks the replies that were not taken.
    ///
    /// # Errors
    ///
    /// The first of the server's errors among them.
    pub fn check(self) -> Result<(), Error> {
        for (reply, is_write) in self.replies.into_iter().zip(self.writes) {
            if let Some(Reply::Error(error)) = reply {
                return Err(ErrorKind::Server { error, is_write }.into());
            }
        }
        Ok(())
    }

    /// Returns the number of commands that the pipeline had.
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    /// Returns whether the pipeline had no commands.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }
}
