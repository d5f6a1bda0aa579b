//! The commands that one wake-up of a connection answers together.

use rustvault_protocol::{Command, ProtocolError, Request, Response, Step};
use rustvault_storage::Op;

use crate::dialect::Text;
use crate::execute::{self, Field, Plan};

/// Most commands in one batch; it bounds what waits for one sync and how long others wait their turn.
pub(crate) const MAX_BATCH_COMMANDS: usize = 1024;

/// The complete requests at the front of an input buffer, from which they borrow.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    requests: Vec<Result<Request<'a>, ProtocolError>>,
    /// How much of the input they took.
    pub(crate) consumed_bytes: usize,
    pub(crate) ending: Ending,
}

/// Why a batch ended where it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The input holds no further complete request.
    InputUsedUp,
    /// The batch is full; the input may hold more.
    Full,
    /// The client said `QUIT`; what follows is not carried out.
    Quit,
}

impl<'a> Batch<'a> {
    pub(crate) fn parse(dialect: &mut Text, input: &'a [u8]) -> Self {
        let mut batch = Self { requests: Vec::new(), consumed_bytes: 0, ending: Ending::InputUsedUp };
        loop {
            match dialect.next(input.get(batch.consumed_bytes..).unwrap_or_default()) {
                Step::Incomplete => return batch,
                Step::Skip { consumed_bytes } => batch.consumed_bytes += consumed_bytes,
                Step::Request { request, consumed_bytes } => {
                    batch.consumed_bytes += consumed_bytes;
                    let is_quit = matches!(request, Ok(Command::Quit));
                    batch.requests.push(request);
                    if is_quit || batch.requests.len() == MAX_BATCH_COMMANDS {
                        batch.ending = if is_quit { Ending::Quit } else { Ending::Full };
                        return batch;
                    }
                }
            }
        }
    }

    /// The batch as operations of the store, and a slot for the answer to each request.
    pub(crate) fn plan(&self) -> (Vec<Op<'_>>, Vec<Slot>) {
        let mut ops = Vec::with_capacity(self.requests.len());
        let slots = self.requests.iter().map(|request| match request {
            Ok(Command::Quit) => Slot::Answered(Response::Ok),
            Ok(command) => match execute::plan(command) {
                Plan::Ask(op) => {
                    ops.push(op);
                    Slot::Asked
                }
                Plan::Answer(response) => Slot::Answered(response),
            },
            Err(problem) => Slot::Answered(execute::error(problem.code(), problem)),
        });
        let slots = slots.collect();
        (ops, slots)
    }
}

/// The place of one answer among the answers of a batch.
#[derive(Debug)]
pub(crate) enum Slot {
    /// The next reply of the store belongs here.
    Asked,
    /// The answer is known without the store.
    Answered(Response<Field>),
}
