//! The commands that one wake-up of a connection answers together.

use rustvault_protocol::{Command, ManyRequest, ProtocolError, RespValue, Response, SessionCommand, Shape};
use rustvault_storage::Op;

use crate::closing::{CloseReason, Closing};
use crate::dialect::{Dialect, Incoming, Next};
use crate::execute::{self, Field, Plan};
use crate::shared::Shared;

/// Most commands in one batch; it bounds what waits for one sync and how long others wait their turn.
pub(crate) const MAX_BATCH_COMMANDS: usize = 1024;

/// Keys that a scan lists before other connections have a turn.
pub(crate) const SCAN_KEYS_PER_TURN: usize = 500;

/// Most keys of an `MGET` that is a snapshot; more are looked up in several turns.
const MAX_SNAPSHOT_KEYS: usize = 10_000;

/// The complete requests at the front of an input buffer, from which they borrow.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    incoming: Vec<Incoming<'a>>,
    /// How much of the input they took.
    pub(crate) consumed_bytes: usize,
    pub(crate) ending: Ending,
}

/// Why a batch ended where it did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The input holds no further complete request.
    InputUsedUp,
    /// The batch takes no more; the input may hold more.
    Full,
    /// The connection ends after it, because the client said `QUIT` or nothing more can be understood; what follows
    /// is not carried out.
    Last(Closing),
}

impl<'a> Batch<'a> {
    pub(crate) fn parse<S>(dialect: &mut Dialect, input: &'a [u8], shared: &Shared<S>) -> Self {
        let mut batch = Self { incoming: Vec::new(), consumed_bytes: 0, ending: Ending::InputUsedUp };
        loop {
            match dialect.next(input.get(batch.consumed_bytes..).unwrap_or_default(), shared) {
                Next::Incomplete => return batch,
                Next::Skip { consumed_bytes } => batch.consumed_bytes += consumed_bytes,
                Next::Incoming { incoming, consumed_bytes } => {
                    batch.consumed_bytes += consumed_bytes;
                    let is_last = is_last(&incoming);
                    batch.incoming.push(incoming);
                    if is_last || batch.incoming.len() == MAX_BATCH_COMMANDS {
                        batch.ending = batch.incoming.last().map_or(Ending::Full, ending_with);
                        return batch;
                    }
                }
            }
        }
    }

    /// The batch as operations of the store, and a slot for the answer to each request.
    ///
    /// Of the values of one answer it holds `max_output_bytes` at most.
    pub(crate) fn plan(&self, max_output_bytes: usize) -> (Vec<Op<'_>>, Vec<Slot<'_>>) {
        let mut ops = Vec::with_capacity(self.incoming.len());
        let mut ask = |plan, slot| match plan {
            Plan::Ask(op) => {
                ops.push(op);
                slot
            }
            Plan::Answer(response) => Slot::Answered(response),
        };
        let slots = self.incoming.iter().map(|incoming| match incoming {
            Incoming::One(Command::Compact, shape) => Slot::Compact(*shape),
            Incoming::One(Command::Scan { cursor, prefix, limit }, shape) if takes_turns(incoming) => {
                let (cursor, limit) = (*cursor, *limit as usize);
                Slot::PageInTurns(Box::new(PageInTurns {
                    cursor,
                    prefix: prefix.as_ref(),
                    limit,
                    shape: *shape,
                }))
            }
            Incoming::One(request, shape) => ask(execute::plan(request), Slot::Asked(*shape)),
            Incoming::Many(ManyRequest::Get { keys }, _) if takes_turns(incoming) => {
                Slot::ValuesInTurns(keys)
            }
            Incoming::Many(ManyRequest::Get { keys }, _) => {
                let op = Op::GetManyWithin { keys, max_bytes: max_output_bytes };
                ask(Plan::Ask(op), Slot::Values(keys))
            }
            Incoming::Many(ManyRequest::Keys { prefix }, Shape::Matching { glob }) => {
                Slot::Keys { prefix, glob }
            }
            Incoming::Many(request, shape) => ask(execute::plan_many(request), Slot::Asked(*shape)),
            Incoming::Session(command) => Slot::Session(command),
            Incoming::Answered(answer) | Incoming::Fatal(answer, _) => Slot::Own(answer),
            Incoming::Bad(problem) | Incoming::Foreign(problem) => {
                Slot::Answered(execute::error(problem.code(), problem))
            }
        });
        let slots = slots.collect();
        (ops, slots)
    }
}

/// Returns the end of a connection whose client was told of this.
fn foreign(problem: &ProtocolError) -> Closing {
    let detail = match problem {
        ProtocolError::UnknownFirstCommand(verb) => format!("it began with '{verb}'"),
        // The answer is for the client; this is for the operator.
        ProtocolError::Http => "it sent a request of HTTP".to_owned(),
        other => other.to_string(),
    };
    Closing::new(CloseReason::ForeignProtocol, detail)
}

/// Returns whether a batch takes nothing after this. What comes after one that takes several turns is carried out after it.
fn is_last(incoming: &Incoming<'_>) -> bool {
    let ends_connection =
        matches!(incoming, Incoming::One(Command::Quit, _) | Incoming::Foreign(_) | Incoming::Fatal(..));
    ends_connection || takes_turns(incoming)
}

/// Returns how a batch ends of which this is the last.
#[cold]
fn ending_with(incoming: &Incoming<'_>) -> Ending {
    match incoming {
        Incoming::One(Command::Quit, _) => Ending::Last(CloseReason::Quit.into()),
        Incoming::Foreign(problem) => Ending::Last(foreign(problem)),
        Incoming::Fatal(answer, reason) => Ending::Last(fatal(answer, *reason)),
        _ => Ending::Full,
    }
}

/// Returns whether carrying this out takes several turns.
fn takes_turns(incoming: &Incoming<'_>) -> bool {
    match incoming {
        Incoming::One(Command::Compact, _) | Incoming::Many(ManyRequest::Keys { .. }, _) => true,
        Incoming::One(Command::Scan { limit, .. }, _) => *limit as usize > SCAN_KEYS_PER_TURN,
        Incoming::Many(ManyRequest::Get { keys }, _) => keys.len() > MAX_SNAPSHOT_KEYS,
        _ => false,
    }
}

fn fatal(answer: &RespValue<'_>, reason: CloseReason) -> Closing {
    let message = if let RespValue::Error(message) = answer { message.as_ref() } else { b"" };
    Closing::new(reason, String::from_utf8_lossy(message))
}

impl Slot<'_> {
    /// Returns whether a reply of the store belongs here.
    pub(crate) const fn needs_reply(&self) -> bool {
        matches!(self, Self::Asked(_) | Self::Values(_))
    }
}

/// The place of one answer among the answers of a batch.
#[derive(Debug)]
pub(crate) enum Slot<'b> {
    /// The next reply of the store belongs here.
    Asked(Shape<'b>),
    /// The next reply of the store, the values of these keys, belongs here.
    Values(&'b [&'b [u8]]),
    /// The values of these keys, which are looked up in several turns.
    ValuesInTurns(&'b [&'b [u8]]),
    /// A page of a scan, whose keys are collected in several turns.
    PageInTurns(Box<PageInTurns<'b>>),
    /// The keys that match, which are gathered page by page.
    Keys { prefix: &'b [u8], glob: &'b [u8] },
    /// The answer is known without the store.
    Answered(Response<Field>),
    /// The answer is known, and only the client's protocol has its like.
    Own(&'b RespValue<'b>),
    /// A compaction, which is no operation of a batch: it may take minutes.
    Compact(Shape<'b>),
    /// The connection itself has the answer.
    Session(&'b SessionCommand<'b>),
}

/// A page of a scan, whose keys are collected in several turns.
#[derive(Debug)]
pub(crate) struct PageInTurns<'b> {
    pub(crate) cursor: u64,
    pub(crate) prefix: &'b [u8],
    /// Most keys in it.
    pub(crate) limit: usize,
    pub(crate) shape: Shape<'b>,
}
