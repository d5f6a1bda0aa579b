//! The answers of a server that speaks RESP.

use std::io;

use bytes::{Buf, BytesMut};
use rustvault_protocol::{ErrorCode, Reply};
use tokio_util::codec::Decoder;

use crate::commands::LIMITS;

/// Longest line of an answer.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Finds RESP2 answers to `GET` and `SET` in what was read.
///
/// It keeps nothing between calls: of a bulk string that has not arrived whole, only its first line is read again.
#[derive(Debug)]
pub(super) struct RespAnswers;

impl Decoder for RespAnswers {
    type Item = Reply;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<Reply>> {
        let Some(line_bytes) = line_bytes(src)? else { return Ok(None) };
        let line = src.get(..line_bytes).unwrap_or_default();
        let reply = match line {
            b"+OK" => Reply::OK,
            b"$-1" => Reply::Null,
            [b'-', error @ ..] => Reply::error(ErrorCode::Other, String::from_utf8_lossy(error)),
            [b'$', length @ ..] => {
                let value_bytes = value_bytes(length).ok_or_else(|| no_answer(line))?;
                return Ok(take_bulk(src, line_bytes + LINE_END.len(), value_bytes));
            }
            other => return Err(no_answer(other)),
        };
        src.advance(line_bytes + LINE_END.len());
        Ok(Some(reply))
    }
}

const LINE_END: &[u8] = b"\r\n";

/// The length of the first line without its end, once it is there.
fn line_bytes(src: &BytesMut) -> io::Result<Option<usize>> {
    match src.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n') {
        Some(end) if src.get(..end).is_some_and(|line| line.ends_with(b"\r")) => Ok(Some(end - 1)),
        Some(end) => Err(no_answer(src.get(..end).unwrap_or_default())),
        None if src.len() >= MAX_LINE_BYTES => Err(no_answer(src.get(..80).unwrap_or_default())),
        None => Ok(None),
    }
}

fn value_bytes(length: &[u8]) -> Option<usize> {
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    (length <= LIMITS.max_value_bytes).then_some(length)
}

/// The bulk string after its first line, once its end is there.
fn take_bulk(src: &mut BytesMut, header_bytes: usize, value_bytes: usize) -> Option<Reply> {
    if src.len() < header_bytes + value_bytes + LINE_END.len() {
        return None;
    }
    src.advance(header_bytes);
    let value = src.split_to(value_bytes).freeze();
    src.advance(LINE_END.len());
    Some(Reply::Bulk(value))
}

fn no_answer(line: &[u8]) -> io::Error {
    let text = format!("the server sent no answer of RESP to GET or SET: {}", line.escape_ascii());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const ANSWERS: &[u8] = b"+OK\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n-ERR no such\r\n+OK\r\n";

    fn expected() -> [Reply; 6] {
        let value = |bytes: &'static [u8]| Reply::Bulk(Bytes::from_static(bytes));
        let error = Reply::error(ErrorCode::Other, "ERR no such");
        [Reply::OK, Reply::Null, value(b""), value(b"a\r\nb"), error, Reply::OK]
    }

    #[test]
    fn answers_are_found_in_one_piece() {
        let mut src = BytesMut::from(ANSWERS);
        let found = std::iter::from_fn(|| RespAnswers.decode(&mut src).unwrap()).collect::<Vec<_>>();
        assert_eq!(found, expected());
        assert!(src.is_empty());
    }

    #[test]
    fn answers_are_found_byte_by_byte() {
        let (mut src, mut found) = (BytesMut::new(), Vec::new());
        for byte in ANSWERS {
            src.extend_from_slice(&[*byte]);
            found.extend(RespAnswers.decode(&mut src).unwrap());
        }
        assert_eq!(found, expected());
    }

    #[test]
    fn what_no_server_answers_is_an_error() {
        let long = [b'+'; MAX_LINE_BYTES];
        let cases = [&b":1\r\n"[..], b"VALUE x\r\n", b"OK\n", b"\r\n", b"$+x\r\n", b"$1073741825\r\n", &long];
        for bytes in cases {
            let error = RespAnswers.decode(&mut BytesMut::from(bytes)).expect_err("no answer");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
