//! RESP: replies in both versions, and the requests that a client sends.

use bytes::{BufMut, BytesMut};

use super::CRLF;
use crate::{Command, Reply};

/// Room for what stands around a bulk string: its mark, its length and two line ends.
const BULK_OVERHEAD_BYTES: usize = 1 + 20 + 2 * CRLF.len();

/// The format that a verbatim string begins with.
const PLAIN_TEXT: &[u8] = b"txt:";

/// Appends a request as RESP has it; a subcommand's name is a word of its own.
///
/// Nothing is checked: the server refuses what is too long or has too many arguments.
///
/// ```
/// use bytes::BytesMut;
/// use rustvault_protocol::{Command, encode_resp_request};
///
/// let mut out = BytesMut::new();
/// encode_resp_request(Command::Get, &["user:1"], &mut out);
/// assert_eq!(out, "*2\r\n$3\r\nGET\r\n$6\r\nuser:1\r\n");
/// ```
pub fn encode_resp_request<A: AsRef<[u8]>>(command: Command, arguments: &[A], out: &mut BytesMut) {
    let spec = command.spec();
    let container = spec.container();
    put_header(b'*', usize::from(container.is_some()) + 1 + arguments.len(), out);
    container.into_iter().chain([spec.own_name()]).for_each(|name| put_bulk(name.as_bytes(), out));
    arguments.iter().for_each(|argument| put_bulk(argument.as_ref(), out));
}

/// Appends a request as RESP has it that is given in words, the first of them the command's name: one that this version
/// does not know can be sent, too.
///
/// ```
/// use bytes::BytesMut;
/// use rustvault_protocol::encode_resp_words;
///
/// let mut out = BytesMut::new();
/// encode_resp_words(&["ZCARD", "board"], &mut out);
/// assert_eq!(out, "*2\r\n$5\r\nZCARD\r\n$5\r\nboard\r\n");
/// ```
pub fn encode_resp_words<W: AsRef<[u8]>>(words: &[W], out: &mut BytesMut) {
    put_header(b'*', words.len(), out);
    words.iter().for_each(|word| put_bulk(word.as_ref(), out));
}

pub(super) fn put<B: AsRef<[u8]>>(reply: &Reply<B>, is_resp3: bool, out: &mut BytesMut) {
    match reply {
        Reply::Simple(word) if word == "OK" => out.put_slice(b"+OK\r\n"),
        Reply::Simple(word) => put_text_line(b'+', word.as_bytes(), out),
        Reply::Integer(number) => put_header(b':', *number, out),
        Reply::Bulk(bytes) => put_bulk(bytes.as_ref(), out),
        Reply::Null => out.put_slice(if is_resp3 { b"_\r\n" } else { b"$-1\r\n" }),
        other => put_rare(other, is_resp3, out),
    }
}

fn put_rare<B: AsRef<[u8]>>(reply: &Reply<B>, is_resp3: bool, out: &mut BytesMut) {
    match reply {
        Reply::Error(error) => put_text_line(b'-', error.line(), out),
        Reply::Double(number) if is_resp3 => put_line(b',', number.to_string().as_bytes(), out),
        Reply::Double(number) => put_bulk(number.to_string().as_bytes(), out),
        Reply::Verbatim(bytes) if is_resp3 => {
            put_header(b'=', PLAIN_TEXT.len() + bytes.as_ref().len(), out);
            out.put_slice(PLAIN_TEXT);
            out.put_slice(bytes.as_ref());
            out.put_slice(CRLF);
        }
        Reply::Verbatim(bytes) => put_bulk(bytes.as_ref(), out),
        Reply::Set(items) if is_resp3 => put_items(b'~', items, is_resp3, out),
        Reply::Array(items) | Reply::Set(items) => put_items(b'*', items, is_resp3, out),
        Reply::Map(entries) => {
            let (mark, len) = if is_resp3 { (b'%', entries.len()) } else { (b'*', entries.len() * 2) };
            put_header(mark, len, out);
            for (name, value) in entries {
                put(name, is_resp3, out);
                put(value, is_resp3, out);
            }
        }
        Reply::Simple(_) | Reply::Integer(_) | Reply::Bulk(_) | Reply::Null => put(reply, is_resp3, out),
    }
}

fn put_items<B: AsRef<[u8]>>(mark: u8, items: &[Reply<B>], is_resp3: bool, out: &mut BytesMut) {
    put_header(mark, items.len(), out);
    items.iter().for_each(|item| put(item, is_resp3, out));
}

/// Appends a line of text; a line end in it would break the framing.
fn put_text_line(mark: u8, line: &[u8], out: &mut BytesMut) {
    out.put_u8(mark);
    out.extend(line.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.put_slice(CRLF);
}

pub(super) fn put_header(mark: u8, number: impl itoa::Integer, out: &mut BytesMut) {
    put_line(mark, itoa::Buffer::new().format(number).as_bytes(), out);
}

fn put_bulk(bytes: &[u8], out: &mut BytesMut) {
    out.reserve(bytes.len() + BULK_OVERHEAD_BYTES);
    put_header(b'$', bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(CRLF);
}

fn put_line(mark: u8, line: &[u8], out: &mut BytesMut) {
    out.put_u8(mark);
    out.put_slice(line);
    out.put_slice(CRLF);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorCode, ErrorReply};

    fn encoded(reply: Reply<&str>, is_resp3: bool) -> String {
        let mut out = BytesMut::new();
        put(&reply, is_resp3, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn replies_that_both_versions_write_alike() {
        for is_resp3 in [false, true] {
            assert_eq!(encoded(Reply::OK, is_resp3), "+OK\r\n");
            assert_eq!(encoded(Reply::simple("PONG"), is_resp3), "+PONG\r\n");
            assert_eq!(encoded(Reply::Integer(-7), is_resp3), ":-7\r\n");
            assert_eq!(encoded(Reply::Bulk(""), is_resp3), "$0\r\n\r\n");
            assert_eq!(encoded(Reply::Bulk("a\r\nb"), is_resp3), "$4\r\na\r\nb\r\n");
            let array = Reply::Array(vec![Reply::Bulk("a\r\n"), Reply::Array(vec![])]);
            assert_eq!(encoded(array, is_resp3), "*2\r\n$3\r\na\r\n\r\n*0\r\n");
        }
    }

    #[test]
    fn each_version_has_forms_of_its_own() {
        for (reply, in_resp2, in_resp3) in [
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (Reply::Verbatim("ab"), "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n"),
            (Reply::Set(vec![Reply::Integer(1)]), "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
            (Reply::Map(vec![(Reply::Integer(1), Reply::Null)]), "*2\r\n:1\r\n$-1\r\n", "%1\r\n:1\r\n_\r\n"),
        ] {
            assert_eq!(encoded(reply.clone(), false), in_resp2);
            assert_eq!(encoded(reply, true), in_resp3);
        }
    }

    #[test]
    fn errors_and_words_stay_one_line() {
        let error = ErrorReply::with_bytes(ErrorCode::Other, b"ERR a\r\n+OK\r\n\xc3\xa9".to_vec());
        assert_eq!(encoded(error.into(), false), "-ERR a  +OK  \u{e9}\r\n");
        assert_eq!(encoded(Reply::error(ErrorCode::OutOfMemory, "a\r\n"), true), "-OOM a  \r\n");
        assert_eq!(encoded(Reply::Simple("a\r\nb".to_owned().into()), true), "+a  b\r\n");
    }
}
