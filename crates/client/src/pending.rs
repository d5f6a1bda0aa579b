//! Requests on their way to a connection and back.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rustvault_protocol::{Command, Reply};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::from_reply::{QUEUED, describe, detach, unexpected};

/// The answer that a command may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expectation {
    /// `None` for one that the table does not have.
    pub(crate) command: Option<Command>,
    /// Returns whether it has the type that the caller asked for.
    pub(crate) matches: fn(&Reply) -> bool,
}

impl Expectation {
    /// Refuses an answer that is not this command's: the connection is out of step, so the answers behind it would go to
    /// the wrong callers, too.
    fn check(&self, reply: &Reply) -> io::Result<()> {
        let is_word_of_another = match reply {
            Reply::Error(_) => return Ok(()),
            Reply::Simple(word) if word == QUEUED => false,
            Reply::Simple(word) => (word == "PONG") != matches!(self.command, Some(Command::Ping)),
            _ => false,
        };
        if (self.matches)(reply) && !(is_word_of_another && self.command.is_some()) {
            return Ok(());
        }
        let name = self.command.map_or("a command", Command::name);
        Err(unexpected(format!("{name} answered with {}", describe(reply))))
    }
}

/// The answers that a request may have.
#[derive(Debug)]
pub(crate) enum Expected {
    One(Expectation),
    Many(Vec<Expectation>),
}

impl Expected {
    /// Refuses an answer that is not that of the first command.
    pub(crate) fn check_first(&self, reply: &Reply) -> io::Result<()> {
        match self {
            Self::One(expectation) => expectation.check(reply),
            Self::Many(expectations) => expectations.iter().take(1).try_for_each(|first| first.check(reply)),
        }
    }
}

/// Answers to a request, in the order of its commands. An error of the server is one.
#[derive(Debug)]
pub(crate) enum Answers {
    One(Reply),
    Many(Vec<Reply>),
}

/// The outcome of a request as a whole.
pub(crate) type Answered = Result<Answers, Error>;

/// A request that is checked and encoded.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) frame: BytesMut,
    pub(crate) expected: Expected,
    pub(crate) is_write: bool,
    /// It takes minutes.
    pub(crate) is_long: bool,
}

/// A request of one or more commands that are sent in one piece, and the caller that waits for their answers.
#[derive(Debug)]
pub(crate) struct PendingRequest {
    /// The commands as they go on the wire; let go of once sent unless it may be sent again.
    frame: BytesMut,
    expected: Expected,
    /// Answers of [`Expected::Many`] that have come.
    replies: Vec<Reply>,
    /// Gone once the caller has its answer or its timeout; the answers still due are then discarded.
    caller: Option<oneshot::Sender<Answered>>,
    pub(crate) queued_at: Instant,
    pub(crate) deadline: Instant,
    is_write: bool,
    was_sent: bool,
}

impl PendingRequest {
    pub(crate) fn new(
        prepared: Prepared,
        queued_at: Instant,
        deadline: Instant,
    ) -> (Self, oneshot::Receiver<Answered>) {
        let (caller, answer) = oneshot::channel();
        let Prepared { frame, expected, is_write, is_long: _ } = prepared;
        let request = Self {
            frame,
            expected,
            replies: Vec::new(),
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

    /// Returns whether a command is not in the table, so that nobody knows whether it is answered.
    pub(crate) fn has_unknown_command(&self) -> bool {
        match &self.expected {
            Expected::One(expectation) => expectation.command.is_none(),
            Expected::Many(expectations) => expectations.iter().any(|each| each.command.is_none()),
        }
    }

    /// Returns whether the caller still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| !caller.is_closed())
    }

    /// Appends the bytes to send. A read keeps them for a second try, a write is never sent twice.
    pub(crate) fn append_frame(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(&self.frame);
        if self.is_write || self.was_sent {
            self.frame = BytesMut::new();
        }
        self.was_sent = true;
    }

    /// Takes the answer to the next command, out of a read buffer of so many bytes; returns all of them once it was the last one.
    pub(crate) fn take_answer(
        &mut self,
        mut reply: Reply,
        buffer_bytes: usize,
    ) -> io::Result<Option<Answers>> {
        match &self.expected {
            Expected::One(expectation) => {
                expectation.check(&reply)?;
                detach(&mut reply, buffer_bytes);
                Ok(Some(Answers::One(reply)))
            }
            Expected::Many(expectations) => {
                if let Some(expectation) = expectations.get(self.replies.len()) {
                    expectation.check(&reply)?;
                    detach(&mut reply, buffer_bytes);
                    self.replies.push(reply);
                }
                let is_last = self.replies.len() >= expectations.len();
                Ok(is_last.then(|| Answers::Many(std::mem::take(&mut self.replies))))
            }
        }
    }

    /// Hands the answers to the caller.
    pub(crate) fn finish(mut self, answers: Answers) {
        self.send_to_caller(Ok(answers));
    }

    /// Gives the caller an error instead of an answer; later answers are discarded.
    pub(crate) fn fail(&mut self, error: Error) {
        self.send_to_caller(Err(error));
    }

    /// Returns the request if it may be sent on another connection, after that which it was sent on broke.
    pub(crate) fn lose(mut self, source: &Arc<io::Error>) -> Option<Self> {
        if !self.frame.is_empty() {
            self.replies.clear();
            return self.is_wanted().then_some(self);
        }
        let is_write = self.is_write;
        self.fail(ErrorKind::Lost { is_write, source: Arc::clone(source) }.into());
        None
    }

    fn send_to_caller(&mut self, answer: Answered) {
        if let Some(caller) = self.caller.take() {
            // A caller that went away is not an error: its answer is nobody's.
            caller.send(answer).ok();
        }
    }
}
