//! The text protocol: a request is a line.

mod field;
mod guard;
mod line;
mod reply;
mod request;

use std::borrow::Cow;

use super::{LineFrame, Step};
use crate::{ErrorCode, ErrorReply, Limits};
pub(super) use guard::Guard;
pub(crate) use line::LineReader;
pub(crate) use reply::{ReplyLine, parse_line};

/// Reads the request at the front of `input`, and appends its arguments.
pub(super) fn next<'a>(
    lines: &mut LineReader,
    guard: &mut Guard,
    limits: &Limits,
    input: &'a [u8],
    arguments: &mut Vec<Cow<'a, [u8]>>,
) -> Step {
    let (line, command, consumed_bytes) = match lines.next(input) {
        LineFrame::Whole { consumed_bytes } => {
            let (line, _) = input.split_at(consumed_bytes);
            let first = arguments.len();
            let command = request::parse(line::content(line), arguments);
            if let Ok(command) = command
                && guard.admits(command, arguments.len() - first, line)
            {
                return Step::Request { command: Ok(command), consumed_bytes };
            }
            (line, command, consumed_bytes)
        }
        LineFrame::TooLong { consumed_bytes } => {
            let (line, _) = input.split_at(consumed_bytes);
            (line, Err(Box::new(too_long(limits))), consumed_bytes)
        }
        LineFrame::Skip { consumed_bytes } => return Step::Skip { consumed_bytes },
        LineFrame::Incomplete => return guard.judge_beginning(input).map_or(Step::Incomplete, Step::Fatal),
    };
    match guard.judge(line) {
        Some(fatal) => Step::Fatal(fatal),
        None => Step::Request { command, consumed_bytes },
    }
}

fn too_long(limits: &Limits) -> ErrorReply {
    let max_bytes = limits.max_plain_line_bytes();
    let message = format_args!("line is longer than {max_bytes} bytes, not counting what escapes add");
    ErrorReply::new(ErrorCode::TooLarge, message)
}
