//! Batches: the requests that a connection answers together after one read.

use std::borrow::Cow;
use std::ops::Range;

use rustvault_protocol::{Command, ErrorCode, ErrorReply, Fatal, Reply, Request, Step};
use rustvault_storage::batch::{BatchStore, Op};

use crate::closing::{CloseReason, Closing};
use crate::commands::{self, Ask, CarryOut, Handler, MAX_STEP_KEYS, Many, Payload, ReplyTo};
use crate::engine::Engine;
use crate::login::MAX_FRAME_BYTES_BEFORE_LOGIN;
use crate::session::Session;

/// Most requests in one batch. It bounds the answers that wait for one sync, and the time that other connections wait.
pub(crate) const MAX_BATCH_REQUESTS: usize = 1024;

/// The complete requests at the front of an input buffer, from which they borrow.
#[derive(Debug, Default)]
pub(crate) struct RequestBatch<'a> {
    requests: Vec<ParsedRequest>,
    /// Arguments of all requests.
    arguments: Vec<Cow<'a, [u8]>>,
    /// Bytes of the input that the requests take.
    pub(crate) consumed_bytes: usize,
    /// Set if the batch takes no more requests, although the input may hold more.
    pub(crate) is_full: bool,
    /// The error that ends the connection behind these requests, if there is one.
    fatal: Option<Box<Fatal>>,
}

/// A request of a batch.
#[derive(Debug)]
struct ParsedRequest {
    command: Result<Command, Box<ErrorReply>>,
    /// Index behind its last argument in `Batch::arguments`; its first one follows the last one of the request before.
    arguments_end: usize,
}

impl<'a> RequestBatch<'a> {
    pub(crate) fn parse<S: BatchStore>(session: &mut Session, input: &'a [u8]) -> Self {
        let mut batch = Self::default();
        while !batch.is_full {
            let unread = input.get(batch.consumed_bytes..).unwrap_or_default();
            match session.parser.next(unread, &mut batch.arguments) {
                Step::Incomplete if session.must_log_in() && unread.len() > MAX_FRAME_BYTES_BEFORE_LOGIN => {
                    batch.end_before_login(input);
                    break;
                }
                Step::Incomplete => break,
                Step::Skip { consumed_bytes } => batch.consumed_bytes += consumed_bytes,
                Step::Request { consumed_bytes, .. }
                    if session.must_log_in() && consumed_bytes > MAX_FRAME_BYTES_BEFORE_LOGIN =>
                {
                    batch.end_before_login(input);
                    break;
                }
                Step::Request { command, consumed_bytes } => {
                    batch.consumed_bytes += consumed_bytes;
                    batch.push::<S>(command, session);
                }
                Step::Fatal(fatal) => {
                    batch.consumed_bytes = input.len();
                    batch.fatal = Some(fatal);
                    break;
                }
            }
        }
        batch
    }

    /// Ends the connection of a client that sends a long request before it has logged in.
    #[cold]
    fn end_before_login(&mut self, input: &[u8]) {
        let message = format_args!(
            "a request of more than {MAX_FRAME_BYTES_BEFORE_LOGIN} bytes before the login; log in first"
        );
        let error = ErrorReply::new(ErrorCode::TooLarge, message);
        let detail = message.to_string();
        self.consumed_bytes = input.len();
        self.fatal = Some(Box::new(Fatal { error, is_foreign: false, detail }));
    }

    #[inline]
    fn push<S: BatchStore>(&mut self, command: Result<Command, Box<ErrorReply>>, session: &Session) {
        let begin = self.requests.last().map_or(0, |last| last.arguments_end);
        let arguments_end = self.arguments.len();
        let is_last = command
            .as_ref()
            .is_ok_and(|command| commands::is_last::<S>(*command, arguments_end - begin, session));
        self.requests.push(ParsedRequest { command, arguments_end });
        self.is_full = is_last || self.requests.len() == MAX_BATCH_REQUESTS;
    }

    /// Returns whether a whole request is in it.
    pub(crate) const fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Returns the command of a request; `None` if there is no such command.
    pub(crate) fn command(&self, index: usize) -> Option<Command> {
        self.requests.get(index).and_then(|request| request.command.as_ref().ok()).copied()
    }

    /// Returns the last one of these requests that names a command, and that command.
    pub(crate) fn last_command(&self, requests: Range<usize>) -> Option<(usize, Command)> {
        requests.rev().find_map(|index| self.command(index).map(|command| (index, command)))
    }

    /// Returns the arguments of one request.
    pub(crate) fn arguments_of(&self, index: usize) -> &[Cow<'a, [u8]>] {
        let end = |index: usize| self.requests.get(index).map_or(0, |request| request.arguments_end);
        let begin = index.checked_sub(1).map_or(0, end);
        self.arguments.get(begin..end(index)).unwrap_or_default()
    }

    /// Returns the number of requests.
    pub(crate) const fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns the arguments of all requests, for [`plan`](Self::plan).
    pub(crate) fn arguments(&self) -> Vec<&[u8]> {
        self.arguments.iter().map(AsRef::as_ref).collect()
    }

    /// Returns the batch as operations of the store, and a slot for the answer to each request.
    ///
    /// Commands on the session take effect here, each before the next request is checked: a refused `MULTI` decides about the
    /// requests behind it.
    pub(crate) fn plan<'b, S: BatchStore>(
        &'b self,
        arguments: &'b [&'b [u8]],
        session: &mut Session,
        engine: &Engine<S>,
    ) -> (Vec<Op<'b>>, Vec<Slot<'b, S>>) {
        let mut ops = Vec::with_capacity(self.requests.len());
        let mut slots = Vec::with_capacity(self.requests.len() + usize::from(self.fatal.is_some()));
        session.client.begin_batch(session.protocol(), self.requests.len());
        let is_monitored = engine.monitors.has_some();
        let mut begin = 0;
        for parsed in &self.requests {
            let arguments = arguments.get(begin..parsed.arguments_end).unwrap_or_default();
            begin = parsed.arguments_end;
            slots.push(match &parsed.command {
                Ok(command) => {
                    session.client.note_command(*command);
                    let request = Request { command: *command, arguments };
                    match commands::admit(request, session, engine) {
                        Ok(()) => {
                            if is_monitored {
                                engine.monitors.show(request, &session.client);
                            }
                            plan_one(request, session, engine, &mut ops)
                                .unwrap_or_else(|error| Slot::Ready(error.into()))
                        }
                        Err(error) => Slot::Rejected(error),
                    }
                }
                Err(error) => Slot::Rejected(error.clone()),
            });
        }
        slots.extend(self.fatal.iter().map(|fatal| Slot::Rejected(fatal.error.clone().into())));
        (ops, slots)
    }

    /// Returns the reason for which the connection ends after the answers, if it does.
    pub(crate) fn closing(&self) -> Option<Closing> {
        let fatal = self.fatal.as_deref()?;
        let reason = if fatal.is_foreign { CloseReason::ForeignProtocol } else { CloseReason::ProtocolError };
        Some(Closing::new(reason, fatal.detail.clone()))
    }
}

#[inline]
fn plan_one<'b, S: BatchStore>(
    request: Request<'b>,
    session: &mut Session,
    engine: &Engine<S>,
    ops: &mut Vec<Op<'b>>,
) -> Result<Slot<'b, S>, Box<ErrorReply>> {
    Ok(match commands::handler::<S>(request.command) {
        Handler::Store(handle) | Handler::AllKeys(handle) => match handle(request, &engine.limits)? {
            Ask::One(op, reply) => {
                ops.push(op);
                Slot::Asked(reply, request)
            }
            Ask::Many(Many::Values(keys)) if keys.len() <= MAX_STEP_KEYS => {
                ops.push(Op::GetManyWithin { keys, max_bytes: engine.config().max_output_bytes });
                Slot::Values(keys)
            }
            Ask::Many(Many::Count(op, keys)) if keys.len() <= MAX_STEP_KEYS => {
                ops.push(op(keys));
                Slot::Asked(commands::number, request)
            }
            Ask::Many(many) => Slot::InSteps(many),
        },
        Handler::CountAll if session.login().reads_all() => {
            ops.push(Op::Count);
            Slot::Asked(commands::number, request)
        }
        Handler::CountAll => Slot::InSteps(Many::CountAllowed),
        Handler::Session(handle) | Handler::Large(handle) => Slot::Ready(handle(request, session, engine)?),
        Handler::Await(carry_out) => Slot::Await(carry_out, request),
    })
}

/// Pending answer to one request of a batch.
pub(crate) enum Slot<'b, S> {
    /// The answer is known.
    Ready(Reply<Payload<'b>>),
    /// The command is not executed, for this reason.
    Rejected(Box<ErrorReply>),
    /// The next outcome of the store becomes the answer.
    Asked(ReplyTo, Request<'b>),
    /// The next outcome of the store, the values of these keys, is the answer.
    Values(&'b [&'b [u8]]),
    /// The command takes several steps, because it has many keys. It is the last one of its batch.
    InSteps(Many<'b>),
    /// The command is executed after the answers before it are written. It is the last one of its batch.
    Await(CarryOut<S>, Request<'b>),
}

impl<S> Slot<'_, S> {
    /// Returns whether the answer is made of an outcome of the store.
    pub(crate) const fn needs_outcome(&self) -> bool {
        matches!(self, Self::Asked(..) | Self::Values(_))
    }
}
