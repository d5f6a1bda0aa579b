use bytes::{BufMut, BytesMut};

use super::{RespVersion, Shape};
use crate::{ErrorCode, Response};

const CRLF: &[u8] = b"\r\n";

/// Room for what stands around a bulk string: its mark, its length and two line ends.
const BULK_OVERHEAD_BYTES: usize = 1 + 20 + 2 * CRLF.len();

/// Appends `response` as Redis answers the command that `shape` comes from.
///
/// Line breaks in an error's message are written as spaces. Keys that do not match the shape's glob are not left out here.
pub fn encode_resp<B: AsRef<[u8]>>(
    response: &Response<B>,
    shape: &Shape<'_>,
    version: RespVersion,
    out: &mut BytesMut,
) {
    match (shape, response) {
        (Shape::Integer, Response::Ok) => out.put_slice(b":1\r\n"),
        (Shape::Integer | Shape::Length, Response::NotFound) => out.put_slice(b":0\r\n"),
        (Shape::Integer, Response::Value(decimal)) if is_decimal(decimal.as_ref()) => {
            put_line(b':', decimal.as_ref(), out);
        }
        (Shape::Length, Response::Value(value)) => put_header(b':', value.as_ref().len(), out),
        (Shape::Type, Response::Ok) => put_status("string", out),
        (Shape::Type, Response::NotFound) => put_status("none", out),
        (Shape::Started, Response::Ok) => put_status("Background append only file rewriting started", out),
        (Shape::Page { .. }, Response::List(items)) => put_page(items, version, out),
        (Shape::Info, Response::List(lines)) => put_info(lines, version, out),
        _ => put_plain(response, version, out),
    }
}

/// Appends what stands before a bulk string of `len_bytes`, which the caller then writes, and CRLF after it.
///
/// For values too large to encode at one go.
pub fn begin_resp_bulk(len_bytes: usize, out: &mut BytesMut) {
    put_header(b'$', len_bytes, out);
}

pub(super) fn put_status(status: &str, out: &mut BytesMut) {
    put_line(b'+', status.as_bytes(), out);
}

/// The rest of an error's line; no message may break the framing.
pub(super) fn put_error(message: &[u8], out: &mut BytesMut) {
    out.extend(message.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.put_slice(CRLF);
}

pub(super) fn put_header(mark: u8, number: impl itoa::Integer, out: &mut BytesMut) {
    put_line(mark, itoa::Buffer::new().format(number).as_bytes(), out);
}

pub(super) fn put_bulk(bulk: &[u8], out: &mut BytesMut) {
    out.reserve(bulk.len() + BULK_OVERHEAD_BYTES);
    put_header(b'$', bulk.len(), out);
    out.put_slice(bulk);
    out.put_slice(CRLF);
}

pub(super) fn put_null(version: RespVersion, out: &mut BytesMut) {
    out.put_slice(match version {
        RespVersion::V2 => b"$-1\r\n",
        RespVersion::V3 => b"_\r\n",
    });
}

fn is_decimal(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn put_line(mark: u8, line: &[u8], out: &mut BytesMut) {
    out.put_u8(mark);
    out.put_slice(line);
    out.put_slice(CRLF);
}

fn put_plain<B: AsRef<[u8]>>(response: &Response<B>, version: RespVersion, out: &mut BytesMut) {
    match response {
        Response::Ok => out.put_slice(b"+OK\r\n"),
        Response::Pong => out.put_slice(b"+PONG\r\n"),
        Response::NotFound => put_null(version, out),
        Response::Value(value) => put_bulk(value.as_ref(), out),
        Response::List(items) => put_list(items, version, out),
        Response::Error { code, message } => {
            out.put_u8(b'-');
            out.put_slice(prefix(*code).as_bytes());
            out.put_u8(b' ');
            put_error(message.as_bytes(), out);
        }
    }
}

fn put_item<B: AsRef<[u8]>>(item: Option<&B>, version: RespVersion, out: &mut BytesMut) {
    match item {
        Some(value) => put_bulk(value.as_ref(), out),
        None => put_null(version, out),
    }
}

fn put_page<B: AsRef<[u8]>>(items: &[Option<B>], version: RespVersion, out: &mut BytesMut) {
    let (cursor, keys) = items.split_first().map_or((None, items), |(cursor, keys)| (cursor.as_ref(), keys));
    put_header(b'*', 2, out);
    put_item(cursor, version, out);
    put_list(keys, version, out);
}

fn put_list<B: AsRef<[u8]>>(items: &[Option<B>], version: RespVersion, out: &mut BytesMut) {
    put_header(b'*', items.len(), out);
    items.iter().for_each(|item| put_item(item.as_ref(), version, out));
}

fn put_info<B: AsRef<[u8]>>(lines: &[Option<B>], version: RespVersion, out: &mut BytesMut) {
    let mut text = b"# RustVault\r\n".to_vec();
    for line in lines.iter().flatten() {
        let mut name_and_value = line.as_ref().splitn(2, |byte| *byte == b'=');
        text.extend_from_slice(name_and_value.next().unwrap_or_default());
        text.push(b':');
        text.extend_from_slice(name_and_value.next().unwrap_or_default());
        text.extend_from_slice(CRLF);
    }
    if version == RespVersion::V2 {
        return put_bulk(&text, out);
    }
    const VERBATIM_TEXT: &[u8] = b"txt:";
    put_header(b'=', VERBATIM_TEXT.len() + text.len(), out);
    out.put_slice(VERBATIM_TEXT);
    out.put_slice(&text);
    out.put_slice(CRLF);
}

/// The first word of an error, by which Redis clients tell its kind.
const fn prefix(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::OutOfMemory => "OOM",
        // Not READONLY: clients take that for a replica and look for another server.
        ErrorCode::ReadOnly => "MISCONF",
        // Redis has nothing for "the outcome is unknown", and ERR would say that nothing happened.
        ErrorCode::Storage => "STORAGE",
        ErrorCode::AuthRequired => "NOAUTH",
        ErrorCode::Denied => "NOPERM",
        ErrorCode::Moved => "MOVED",
        ErrorCode::Syntax
        | ErrorCode::UnknownCommand
        | ErrorCode::TooLarge
        | ErrorCode::TooManyConnections
        | ErrorCode::Timeout
        | ErrorCode::ShuttingDown
        | ErrorCode::Other => "ERR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resp2(response: Response<&str>, shape: Shape<'_>) -> String {
        encoded(response, shape, RespVersion::V2)
    }

    fn encoded(response: Response<&str>, shape: Shape<'_>, version: RespVersion) -> String {
        let mut out = BytesMut::new();
        encode_resp(&response, &shape, version, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn plain_responses_are_what_redis_answers() {
        assert_eq!(resp2(Response::Ok, Shape::Plain), "+OK\r\n");
        assert_eq!(resp2(Response::Pong, Shape::Plain), "+PONG\r\n");
        assert_eq!(resp2(Response::Value("a\r\nb"), Shape::Plain), "$4\r\na\r\nb\r\n");
        assert_eq!(resp2(Response::NotFound, Shape::Plain), "$-1\r\n");
        let list = || Response::List(vec![Some("a"), None, Some("")]);
        assert_eq!(resp2(list(), Shape::Plain), "*3\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n");
        assert_eq!(encoded(list(), Shape::Plain, RespVersion::V3), "*3\r\n$1\r\na\r\n_\r\n$0\r\n\r\n");
        assert_eq!(encoded(Response::NotFound, Shape::Plain, RespVersion::V3), "_\r\n");
    }

    #[test]
    fn shapes_tell_the_part_that_the_command_asked_for() {
        assert_eq!(resp2(Response::Ok, Shape::Integer), ":1\r\n");
        assert_eq!(resp2(Response::NotFound, Shape::Integer), ":0\r\n");
        assert_eq!(resp2(Response::Value("42"), Shape::Integer), ":42\r\n");
        assert_eq!(resp2(Response::Value("abc"), Shape::Length), ":3\r\n");
        assert_eq!(resp2(Response::NotFound, Shape::Length), ":0\r\n");
        assert_eq!(resp2(Response::Ok, Shape::Type), "+string\r\n");
        let started = "+Background append only file rewriting started\r\n";
        assert_eq!(resp2(Response::Ok, Shape::Started), started);
        assert_eq!(resp2(Response::NotFound, Shape::Type), "+none\r\n");
    }

    #[test]
    fn a_page_is_its_cursor_and_its_keys() {
        let page = |items: &[&'static str]| {
            let items = items.iter().copied().map(Some).collect();
            resp2(Response::List(items), Shape::Page { glob: Some(b"b*") })
        };
        assert_eq!(page(&["7", "b1", "b2"]), "*2\r\n$1\r\n7\r\n*2\r\n$2\r\nb1\r\n$2\r\nb2\r\n");
        assert_eq!(page(&["0"]), "*2\r\n$1\r\n0\r\n*0\r\n");
    }

    #[test]
    fn info_is_one_text() {
        let info = || Response::List(vec![Some("keys=2"), Some("wal_path=/a=b")]);
        let text = "# RustVault\r\nkeys:2\r\nwal_path:/a=b\r\n";
        assert_eq!(resp2(info(), Shape::Info), format!("${}\r\n{text}\r\n", text.len()));
        let verbatim = format!("={}\r\ntxt:{text}\r\n", text.len() + 4);
        assert_eq!(encoded(info(), Shape::Info, RespVersion::V3), verbatim);
    }

    #[test]
    fn errors_are_errors_in_every_shape() {
        let matching = Shape::Matching { glob: b"*" };
        for shape in
            [Shape::Plain, Shape::Integer, Shape::Length, Shape::Type, Shape::Started, matching, Shape::Info]
        {
            let error = Response::Error { code: ErrorCode::OutOfMemory, message: "a\r\n+OK".into() };
            assert_eq!(resp2(error, shape), "-OOM a  +OK\r\n");
        }
    }

    #[test]
    fn a_value_may_be_written_in_pieces() {
        let mut out = BytesMut::new();
        begin_resp_bulk(16 * 1024 * 1024, &mut out);
        assert_eq!(out, "$16777216\r\n");
    }
}
