//! The text protocol: replies, and the requests that a client sends.

use bytes::{BufMut, BytesMut};

use super::CRLF;
use crate::{Command, Reply};

/// Room for what stands around a key or value in a line that needs no escapes.
const LINE_OVERHEAD_BYTES: usize = 64;

/// Bytes that are looked at before stopping early; without a stop inside, the check is vectorised.
const CHECKED_AT_ONCE_BYTES: usize = 64;

/// Returns whether a key (`true`) or value (`false`) has to be quoted on the wire.
///
/// It has to when it is empty, starts with `"`, or contains a byte below 0x20, 0x7F or, for a key, a space.
pub fn needs_quotes(bytes: &[u8], is_key: bool) -> bool {
    let lowest_bare = if is_key { b' ' + 1 } else { b' ' };
    let quotable = |byte: u8| byte < lowest_bare || byte == 0x7f;
    matches!(bytes.first(), None | Some(b'"'))
        || bytes
            .chunks(CHECKED_AT_ONCE_BYTES)
            .any(|chunk| chunk.iter().fold(false, |found, byte| found | quotable(*byte)))
}

/// Appends the one canonical form that a request has in the text protocol, with its CRLF.
///
/// Nothing is checked: the server refuses what is too long or has too many arguments.
pub fn encode_request<A: AsRef<[u8]>>(command: Command, arguments: &[A], out: &mut BytesMut) {
    let spec = command.spec();
    if let Some(container) = spec.container() {
        out.put_slice(container.as_bytes());
        out.put_u8(b' ');
    }
    out.put_slice(spec.own_name().as_bytes());
    for (position, argument) in arguments.iter().enumerate() {
        // The rest of a line may hold spaces, but options can only follow what is quoted.
        let is_rest = spec.rest.is_some_and(|rest| usize::from(rest) == position);
        let is_last = position + 1 == arguments.len();
        let argument = argument.as_ref();
        out.reserve(argument.len() + LINE_OVERHEAD_BYTES);
        out.put_u8(b' ');
        put_field(argument, (is_rest && !is_last) || needs_quotes(argument, !is_rest), out);
    }
    out.put_slice(CRLF);
}

/// Appends a reply without the CRLF at its end.
pub(super) fn put<B: AsRef<[u8]>>(reply: &Reply<B>, out: &mut BytesMut) {
    match reply {
        Reply::Simple(word) if word == "OK" || word == "PONG" => out.put_slice(word.as_bytes()),
        Reply::Simple(word) => put_value(word.as_bytes(), out),
        Reply::Null => out.put_slice(b"NOT_FOUND"),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => put_value(bytes.as_ref(), out),
        Reply::Integer(number) => put_value(itoa::Buffer::new().format(*number).as_bytes(), out),
        Reply::Double(number) => put_value(number.to_string().as_bytes(), out),
        Reply::Array(items) | Reply::Set(items) => put_list(items.len(), items, out),
        Reply::Map(entries) => {
            put_list(entries.len() * 2, entries.iter().flat_map(|(name, value)| [name, value]), out);
        }
        Reply::Error(error) => {
            out.put_slice(b"ERROR ");
            out.put_slice(error.code.as_str().as_bytes());
            out.put_u8(b' ');
            out.extend(error.message().iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }));
        }
    }
}

fn put_list<'r, B: AsRef<[u8]> + 'r>(
    len: usize,
    items: impl IntoIterator<Item = &'r Reply<B>>,
    out: &mut BytesMut,
) {
    put_list_header(len, out);
    for item in items {
        out.put_slice(CRLF);
        put(item, out);
    }
}

pub(super) fn put_list_header(items: usize, out: &mut BytesMut) {
    out.put_slice(b"LIST ");
    out.put_slice(itoa::Buffer::new().format(items).as_bytes());
}

fn put_value(value: &[u8], out: &mut BytesMut) {
    out.reserve(value.len() + LINE_OVERHEAD_BYTES);
    out.put_slice(b"VALUE ");
    put_field(value, needs_quotes(value, false), out);
}

fn put_field(field: &[u8], is_quoted: bool, out: &mut BytesMut) {
    if is_quoted {
        out.put_u8(b'"');
        put_escaped(field, out);
        out.put_u8(b'"');
    } else {
        out.put_slice(field);
    }
}

/// Appends bytes as they stand inside quotes.
pub(super) fn put_escaped(bytes: &[u8], out: &mut BytesMut) {
    for run in bytes.split_inclusive(|byte| needs_escape(*byte)) {
        match run.split_last() {
            Some((byte, plain)) if needs_escape(*byte) => {
                out.put_slice(plain);
                put_escape(*byte, out);
            }
            _ => out.put_slice(run),
        }
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f)
}

fn put_escape(byte: u8, out: &mut BytesMut) {
    const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.put_slice(b"\\\""),
        b'\\' => out.put_slice(b"\\\\"),
        b'\r' => out.put_slice(b"\\r"),
        b'\n' => out.put_slice(b"\\n"),
        b'\t' => out.put_slice(b"\\t"),
        _ => {
            let [high, low] = [byte >> 4, byte & 0xf].map(|digit| HEX_DIGITS[usize::from(digit)]);
            out.put_slice(&[b'\\', b'x', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorCode, ErrorReply};

    fn request(command: Command, arguments: &[&[u8]]) -> String {
        let mut out = BytesMut::new();
        encode_request(command, arguments, &mut out);
        out.escape_ascii().to_string().replace("\\\"", "\"").replace("\\\\", "\\")
    }

    fn encoded(reply: Reply<&str>) -> String {
        let mut out = BytesMut::new();
        put(&reply, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn fields_are_quoted_only_where_they_have_to_be() {
        let get = |key: &[u8]| request(Command::Get, &[key]);
        assert_eq!(get(b"user:1"), r"GET user:1\r\n");
        assert_eq!(get(b"a\"b\\c'"), r#"GET a"b\c\'\r\n"#);
        assert_eq!(get(b"\x80\xff"), r"GET \x80\xff\r\n");
        assert_eq!(get(b""), r#"GET ""\r\n"#);
        assert_eq!(get(b"a b"), r#"GET "a b"\r\n"#);
        assert_eq!(get(b"\"\\"), r#"GET "\"\\"\r\n"#);
        assert_eq!(get(b"\r\n\t\0\x1f\x7f\x80"), r#"GET "\r\n\t\x00\x1f\x7f\x80"\r\n"#);
        let set = |value: &[u8]| request(Command::Set, &[b"k", value]);
        assert_eq!(set(b" carpe diem"), r"SET k  carpe diem\r\n");
        assert_eq!(set(b""), r#"SET k ""\r\n"#);
    }

    #[test]
    fn a_value_before_options_is_quoted_and_a_subcommand_stands_behind_its_command() {
        assert_eq!(request(Command::Set, &[b"k", b"v", b"NX"]), r#"SET k "v" NX\r\n"#);
        assert_eq!(request(Command::ClientId, &[]), r"CLIENT ID\r\n");
        assert_eq!(request(Command::TextScan, &[b"0", b"PREFIX", b"a b"]), r#"SCAN 0 PREFIX "a b"\r\n"#);
    }

    #[test]
    fn control_bytes_need_quotes_and_spaces_do_in_keys() {
        for byte in 0..=u8::MAX {
            let control = byte.is_ascii_control();
            assert_eq!(needs_quotes(&[b'x', byte], false), control, "{byte:#x}");
            assert_eq!(needs_quotes(&[b'x', byte], true), control || byte == b' ', "{byte:#x}");
        }
    }

    #[test]
    fn quoting_is_found_necessary_wherever_the_byte_stands() {
        for at in 0..3 * CHECKED_AT_ONCE_BYTES {
            let mut bytes = [b'x'; 3 * CHECKED_AT_ONCE_BYTES];
            bytes[at] = b' ';
            assert!(needs_quotes(&bytes, true) && !needs_quotes(&bytes, false));
            bytes[at] = b'\n';
            assert!(needs_quotes(&bytes, false));
        }
    }

    #[test]
    fn every_reply_is_made_of_few_kinds_of_lines() {
        assert_eq!(encoded(Reply::OK), "OK");
        assert_eq!(encoded(Reply::simple("PONG")), "PONG");
        assert_eq!(encoded(Reply::simple("string")), "VALUE string");
        assert_eq!(encoded(Reply::Null), "NOT_FOUND");
        assert_eq!(encoded(Reply::Bulk("a b")), "VALUE a b");
        assert_eq!(encoded(Reply::Verbatim("a\nb")), "VALUE \"a\\nb\"");
        assert_eq!(encoded(Reply::Integer(-7)), "VALUE -7");
        assert_eq!(encoded(Reply::Double(1.5)), "VALUE 1.5");
        assert_eq!(encoded(Reply::Array(vec![])), "LIST 0");
        let list = Reply::Array(vec![Reply::Bulk("0"), Reply::Null, Reply::Bulk("")]);
        assert_eq!(encoded(list), "LIST 3\r\nVALUE 0\r\nNOT_FOUND\r\nVALUE \"\"");
        let map = Reply::Map(vec![(Reply::Bulk("a"), Reply::Set(vec![Reply::OK]))]);
        assert_eq!(encoded(map), "LIST 2\r\nVALUE a\r\nLIST 1\r\nOK");
    }

    #[test]
    fn a_message_cannot_break_the_framing() {
        let error = ErrorReply::new(ErrorCode::Storage, "a\r\nOK\n\0\x1b\x7fé");
        assert_eq!(encoded(error.into()), "ERROR STORAGE a  OK    é");
    }
}
