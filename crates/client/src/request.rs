//! Requests on their way to a connection and back.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustvault_protocol::{Command, Flags, Reply as WireReply};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::reply::{Reply, read};

/// Answers to a request, one per command, in order; the outer error is that of the request as a whole.
pub(crate) type Answer = Result<Vec<Result<Reply, Error>>, Error>;

/// A request of one or more commands that are sent in one piece, and the caller that waits for their answers.
#[derive(Debug)]
pub(crate) struct Request {
    /// The commands as they go on the wire; let go of once sent unless it may be sent again.
    frame: Bytes,
    commands: Cow<'static, [Command]>,
    replies: Vec<Result<Reply, Error>>,
    /// Gone once the caller has its answer or its timeout; the answers still due are then discarded.
    caller: Option<oneshot::Sender<Answer>>,
    pub(crate) queued_at: Instant,
    pub(crate) deadline: Instant,
    is_write: bool,
    was_sent: bool,
}

impl Request {
    pub(crate) fn new(
        frame: Bytes,
        commands: Cow<'static, [Command]>,
        queued_at: Instant,
        deadline: Instant,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (caller, answer) = oneshot::channel();
        let is_write = commands.iter().any(|command| is_write(*command));
        let replies = Vec::new();
        let request = Self {
            frame,
            commands,
            replies,
            caller: Some(caller),
            queued_at,
            deadline,
            is_write,
            was_sent: false,
        };
        (request, answer)
    }

    pub(crate) fn is_write(&self) -> bool {
        self.is_write
    }

    /// Returns whether the caller still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| !caller.is_closed())
    }

    /// The bytes to send. A read keeps them for a second try, a write is never sent twice.
    pub(crate) fn take_frame(&mut self) -> Bytes {
        let is_last_try = self.is_write || self.was_sent;
        self.was_sent = true;
        if is_last_try { std::mem::take(&mut self.frame) } else { self.frame.clone() }
    }

    /// Takes the answer to the next command; true once it was the last one.
    pub(crate) fn take_answer(&mut self, reply: WireReply) -> io::Result<bool> {
        if let Some(command) = self.commands.get(self.replies.len()) {
            self.replies.push(read(*command, reply)?);
        }
        Ok(self.replies.len() >= self.commands.len())
    }

    /// Hands the answers to the caller.
    pub(crate) fn finish(mut self) {
        let replies = std::mem::take(&mut self.replies);
        self.tell(Ok(replies));
    }

    /// Gives the caller an error instead of an answer; later answers are discarded.
    pub(crate) fn fail(&mut self, error: Error) {
        self.tell(Err(error));
    }

    /// The connection broke after this was sent: `Some` if it may be sent on another one.
    pub(crate) fn lose(mut self, source: &Arc<io::Error>) -> Option<Self> {
        if !self.frame.is_empty() {
            self.replies.clear();
            return self.is_wanted().then_some(self);
        }
        let is_write = self.is_write;
        self.fail(ErrorKind::Lost { is_write, source: Arc::clone(source) }.into());
        None
    }

    fn tell(&mut self, answer: Answer) {
        if let Some(caller) = self.caller.take() {
            // A caller that went away is not an error: its answer is nobody's.
            caller.send(answer).ok();
        }
    }
}

/// Returns whether a command changes data, so that it must not be sent twice.
pub(crate) fn is_write(command: Command) -> bool {
    command.spec().flags.contains(Flags::WRITE)
}
