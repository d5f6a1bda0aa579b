//! Takes replies of RESP out of a read buffer, element by element, so that none is looked at twice.
#![deny(clippy::indexing_slicing)]

mod nesting;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::limits::{DEFAULT_MAX_VALUE_BYTES, MAX_REPLY_LINE_BYTES};
use crate::parse::{BadReply, Element, ReplyLine, TextForm, element, is_mark, parse_line};
use crate::{ErrorReply, Limits, Reply};
use nesting::Nesting;

const CRLF: &[u8] = b"\r\n";

/// The format that a verbatim string begins with is this long, with its colon.
const VERBATIM_FORMAT_BYTES: usize = 4;

/// Takes replies out of the front of a read buffer.
///
/// What was understood of a reply leaves the buffer at once, and the rest is asked for. So a long reply is read once,
/// however small the pieces are in which it arrives.
#[derive(Debug)]
pub(super) struct RespReplies {
    max_text_bytes: usize,
    nesting: Nesting,
    /// A byte string whose line has left the buffer, and its length.
    text: Option<(TextForm, usize)>,
    /// Length of the buffer's front that is known to hold no line end, in bytes.
    scanned_bytes: usize,
    has_begun: bool,
}

impl RespReplies {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            // INFO and its like are no values: a small limit on those is none on them.
            max_text_bytes: limits.max_key_bytes.max(limits.max_value_bytes).max(DEFAULT_MAX_VALUE_BYTES),
            nesting: Nesting::default(),
            text: None,
            scanned_bytes: 0,
            has_begun: false,
        }
    }

    /// Returns whether a part of a reply has been taken.
    pub(super) fn is_inside(&self) -> bool {
        self.text.is_some() || !self.nesting.is_empty()
    }

    /// Takes the reply at the front of `src`, or as much of it as is there.
    pub(super) fn next(&mut self, src: &mut BytesMut) -> Result<Option<Reply>, BadReply> {
        loop {
            let whole = match self.text {
                Some((form, len_bytes)) => {
                    let Some(text) = take_text(form, len_bytes, src)? else { return Ok(None) };
                    self.text = None;
                    self.nesting.add(text)
                }
                None => match self.take_element(src)? {
                    None => return Ok(None),
                    Some(Element::Whole(reply)) => self.nesting.add(reply),
                    Some(Element::Aggregate { form, elements }) => self.nesting.begin(form, elements)?,
                    Some(Element::Text { form, len_bytes }) => {
                        self.announce_text(form, len_bytes)?;
                        None
                    }
                },
            };
            if whole.is_some() {
                return Ok(whole);
            }
        }
    }

    fn announce_text(&mut self, form: TextForm, len_bytes: usize) -> Result<(), BadReply> {
        let max_bytes = self.max_text_bytes;
        if len_bytes > max_bytes {
            return Err(BadReply::TextTooLong { len_bytes, max_bytes });
        }
        self.text = Some((form, len_bytes));
        Ok(())
    }

    fn take_element(&mut self, src: &mut BytesMut) -> Result<Option<Element>, BadReply> {
        let Some(first) = src.first().copied() else { return Ok(None) };
        let may_be_text = !self.has_begun && first == b'E';
        if !is_mark(first) && !may_be_text {
            return Err(BadReply::Mark(first));
        }
        let Some(line_bytes) = self.line_bytes(src)? else { return Ok(None) };
        let (line, _) = src.split_at(line_bytes);
        let element = if may_be_text { error_of_text(line)? } else { element(line)? };
        src.advance(line_bytes);
        self.has_begun = true;
        Ok(Some(element))
    }

    /// Returns the length of the first line, with its end, if that is there.
    fn line_bytes(&mut self, src: &[u8]) -> Result<Option<usize>, BadReply> {
        let unseen = src.get(self.scanned_bytes..).unwrap_or_default();
        let line_bytes = memchr(b'\n', unseen).map(|at| self.scanned_bytes + at + 1);
        if line_bytes.unwrap_or(src.len()) > MAX_REPLY_LINE_BYTES {
            return Err(BadReply::LineTooLong { max_bytes: MAX_REPLY_LINE_BYTES });
        }
        self.scanned_bytes = if line_bytes.is_some() { 0 } else { src.len() };
        Ok(line_bytes)
    }
}

/// Returns the error of a server that turns the connection away in text: it has not waited for a byte that shows the protocol.
#[cold]
fn error_of_text(line: &[u8]) -> Result<Element, BadReply> {
    match parse_line(line) {
        Ok(ReplyLine::Other(error @ Reply::Error(_))) => Ok(Element::Whole(error)),
        _ => Err(BadReply::Mark(b'E')),
    }
}

/// Takes the bytes that a line has announced, and their line end, if they are there.
fn take_text(form: TextForm, len_bytes: usize, src: &mut BytesMut) -> Result<Option<Reply>, BadReply> {
    let end = len_bytes..len_bytes.saturating_add(CRLF.len());
    let Some(line_end) = src.get(end) else { return Ok(None) };
    if line_end != CRLF {
        return Err(BadReply::TextEnd);
    }
    // Nothing need keep the buffer for the sake of no bytes.
    let mut text = if len_bytes == 0 { Bytes::new() } else { src.split_to(len_bytes).freeze() };
    src.advance(CRLF.len());
    Ok(Some(match form {
        TextForm::Bulk => Reply::Bulk(text),
        TextForm::Error => ErrorReply::from_resp_line(text.into()).into(),
        TextForm::Verbatim if text.get(VERBATIM_FORMAT_BYTES - 1) == Some(&b':') => {
            text.advance(VERBATIM_FORMAT_BYTES);
            Reply::Verbatim(text)
        }
        TextForm::Verbatim => return Err(BadReply::VerbatimFormat),
    }))
}
