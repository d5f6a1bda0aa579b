//! Takes replies of the text protocol out of a read buffer, line by line.

use std::io;

use bytes::{Buf, BytesMut};

use super::{FieldBytes, invalid_data, no_answer};
use crate::limits::MAX_LIST_ITEMS;
use crate::parse::{LineFrame, LineReader, ReplyLine, parse_line};
use crate::{ErrorReply, Limits, Reply};

/// Takes replies out of the front of a read buffer. A `LIST` with its values is one reply.
#[derive(Debug)]
pub(super) struct TextReplies {
    limits: Limits,
    lines: LineReader,
    list: Option<PartialList>,
}

/// Says of an item of a list that it may not stand there.
const NO_ITEM: &str = "a list holds something other than VALUE and NOT_FOUND";

/// The part of a `LIST` that has arrived. It grows with what arrives, whatever length was announced.
#[derive(Debug)]
struct PartialList {
    len: usize,
    items: Vec<Reply>,
}

impl TextReplies {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, lines: LineReader::of_answers(&limits), list: None }
    }

    /// Returns whether a part of a reply has been taken.
    pub(super) fn is_inside(&self) -> bool {
        self.list.is_some()
    }

    /// Takes the reply at the front of `src`, or as many lines of it as are there.
    pub(super) fn next(&mut self, src: &mut BytesMut) -> io::Result<Option<Reply>> {
        loop {
            match self.lines.next(src) {
                LineFrame::Whole { consumed_bytes } => {
                    if let Some(reply) = self.take_line(src, consumed_bytes)? {
                        return Ok(Some(reply));
                    }
                }
                LineFrame::TooLong { .. } | LineFrame::Skip { .. } => {
                    let max_bytes = self.limits.max_line_bytes();
                    return Err(invalid_data(format!(
                        "a line of the answer is longer than {max_bytes} bytes"
                    )));
                }
                LineFrame::Incomplete => return Ok(None),
            }
        }
    }

    /// Takes the line at the front of `src` out of it; returns the reply that ends with it, if one does.
    fn take_line(&mut self, src: &mut BytesMut, line_bytes: usize) -> io::Result<Option<Reply>> {
        let rest_bytes = src.len() - line_bytes;
        let (line, _) = src.split_at(line_bytes);
        let reply = match parse_line(line).map_err(no_answer)? {
            ReplyLine::Value(value) => {
                // The items of a list may be keys.
                let max_bytes = self.limits.max_value_bytes.max(self.limits.max_key_bytes);
                if value.len() > max_bytes {
                    return Err(no_answer(ErrorReply::over_limit("value", value.len(), max_bytes)));
                }
                Some(Reply::Bulk(FieldBytes::of(value, line).take_from(src)))
            }
            ReplyLine::List(len) if len > MAX_LIST_ITEMS => {
                let problem = format!("a list of {len} items is over the limit of {MAX_LIST_ITEMS}");
                return Err(invalid_data(problem));
            }
            ReplyLine::List(_) if self.list.is_some() => return Err(invalid_data(NO_ITEM)),
            ReplyLine::List(len) => {
                self.list = Some(PartialList { len, items: Vec::new() });
                None
            }
            ReplyLine::Other(reply) => Some(reply),
        };
        src.advance(src.len() - rest_bytes);
        match (&mut self.list, reply) {
            (None, reply) => return Ok(reply),
            (Some(_), None) => {}
            (Some(list), Some(item @ (Reply::Bulk(_) | Reply::Null))) => list.items.push(item),
            (Some(_), Some(_)) => return Err(invalid_data(NO_ITEM)),
        }
        Ok(self.list.take_if(|list| list.items.len() == list.len).map(|list| Reply::Array(list.items)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const LIMITS: Limits = Limits { max_key_bytes: 64, max_value_bytes: 64 };

    fn answer(bytes: &[u8]) -> io::Result<Option<Reply>> {
        TextReplies::new(LIMITS).next(&mut BytesMut::from(bytes))
    }

    #[test]
    fn a_list_is_one_answer_once_its_last_item_is_there() {
        let mut codec = TextReplies::new(LIMITS);
        let mut buffer = BytesMut::from("LIST 3\r\nVALUE a b\r\nNOT_FOUND\r\n");
        assert_eq!(codec.next(&mut buffer).unwrap(), None);
        assert!(buffer.is_empty(), "progress inside the list is remembered, not read again");
        buffer.extend_from_slice(b"VALUE \"\"\r\nLIST 0\r\nOK\r\n");
        let list = vec![Reply::Bulk(Bytes::from("a b")), Reply::Null, Reply::Bulk(Bytes::new())];
        assert_eq!(codec.next(&mut buffer).unwrap(), Some(Reply::Array(list)));
        assert_eq!(codec.next(&mut buffer).unwrap(), Some(Reply::Array(vec![])));
        assert_eq!(codec.next(&mut buffer).unwrap(), Some(Reply::OK));
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut codec = TextReplies::new(LIMITS);
        let longest = format!("LIST {MAX_LIST_ITEMS}\r\n");
        assert_eq!(codec.next(&mut BytesMut::from(longest.as_str())).unwrap(), None);
        assert_eq!(codec.list.unwrap().items.capacity(), 0);
    }

    #[test]
    fn what_is_no_answer_is_invalid_data() {
        let too_many = format!("LIST {}\r\n", MAX_LIST_ITEMS + 1);
        let long_line = format!("VALUE {}", "x".repeat(LIMITS.max_line_bytes()));
        let large_value = format!("VALUE {}\r\n", "x".repeat(LIMITS.max_value_bytes + 1));
        let nested = "LIST 1\r\nLIST 1\r\n";
        let not_a_value = "LIST 1\r\nOK\r\n";
        for bad in ["HTTP/1.1 400\r\n", "\r\n", nested, not_a_value, &too_many, &long_line, &large_value] {
            let error = answer(bad.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bad:?}");
        }
    }

    #[test]
    fn the_items_of_a_list_may_be_as_long_as_a_key() {
        let limits = Limits { max_key_bytes: 8, max_value_bytes: 1 };
        let mut buffer = BytesMut::from("LIST 1\r\nVALUE 12345678\r\n");
        let list = TextReplies::new(limits).next(&mut buffer).unwrap();
        assert_eq!(list, Some(Reply::Array(vec![Reply::Bulk(Bytes::from("12345678"))])));
    }
}
