//! RESP: a request is an array of bulk strings, a reply is made of elements.

mod error;
mod frame;
mod header;
mod reply;

use std::borrow::Cow;

use super::{Fatal, Step};
use crate::command::name;
use crate::{Command, Protocol};
use frame::CommandFrame;
pub(super) use frame::FrameReader;
pub(crate) use reply::{AggregateForm, BadReply, Element, TextForm, element, is_mark};

/// Reads the request at the front of `input`, and appends its arguments.
#[inline]
pub(super) fn next<'a>(
    frames: &mut FrameReader,
    input: &'a [u8],
    arguments: &mut Vec<Cow<'a, [u8]>>,
) -> Step {
    match frames.next(input) {
        Ok(CommandFrame::Whole { arguments: mut received, consumed_bytes }) => {
            let first = arguments.len();
            let name = received.next().unwrap_or_default();
            arguments.extend(received.map(Cow::Borrowed));
            match Command::find(name, Protocol::Resp2) {
                Some(command) => {
                    let command = name::with_subcommand(command, Protocol::Resp2, arguments, first);
                    Step::Request { command, consumed_bytes }
                }
                None => unknown(name, arguments.get(first..).unwrap_or_default(), consumed_bytes),
            }
        }
        Ok(CommandFrame::Ignored { consumed_bytes }) => Step::Skip { consumed_bytes },
        Ok(CommandFrame::Incomplete) => Step::Incomplete,
        Err(error) => Step::Fatal(Box::new(Fatal::protocol_error(error.reply()))),
    }
}

#[cold]
fn unknown(name: &[u8], arguments: &[Cow<'_, [u8]>], consumed_bytes: usize) -> Step {
    if name::is_word_of_http(name) {
        return Step::Fatal(Box::new(Fatal::http()));
    }
    Step::Request { command: Err(Box::new(name::unknown_in_resp(name, arguments))), consumed_bytes }
}
