use bytes::{BufMut, BytesMut};

use crate::limits::DEFAULT_SCAN_LIMIT;
use crate::{Command, Response};

const CRLF: &[u8] = b"\r\n";

/// Room for what stands around a key or value in a line that needs no escapes.
const LINE_OVERHEAD_BYTES: usize = 64;

/// How much is looked at before stopping early; without a stop inside, the check is vectorised.
const CHECKED_AT_ONCE_BYTES: usize = 64;

/// Whether a key (`true`) or value (`false`) has to be quoted on the wire.
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

/// Appends the one canonical form of `command`, with its CRLF.
///
/// A `Scan` whose limit is not 1 to [`MAX_SCAN_LIMIT`](crate::limits::MAX_SCAN_LIMIT) is written as it is;
/// the server refuses it.
pub fn encode_command<B: AsRef<[u8]>>(command: &Command<B>, out: &mut BytesMut) {
    match command {
        Command::Set { key, value } => {
            put_field(b"SET ", key.as_ref(), true, out);
            put_field(b" ", value.as_ref(), false, out);
        }
        Command::Get { key } => put_field(b"GET ", key.as_ref(), true, out),
        Command::Delete { key } => put_field(b"DELETE ", key.as_ref(), true, out),
        Command::Exists { key } => put_field(b"EXISTS ", key.as_ref(), true, out),
        Command::Count => out.put_slice(b"COUNT"),
        Command::Scan { cursor, prefix, limit } => put_scan(*cursor, prefix.as_ref(), *limit, out),
        Command::Ping => out.put_slice(b"PING"),
        Command::Info => out.put_slice(b"INFO"),
        Command::Compact => out.put_slice(b"COMPACT"),
        Command::Quit => out.put_slice(b"QUIT"),
    }
    out.put_slice(CRLF);
}

/// Appends the one canonical form of `response`, with its CRLFs.
///
/// Control characters in an error's message, line breaks above all, are written as spaces.
pub fn encode_response<B: AsRef<[u8]>>(response: &Response<B>, out: &mut BytesMut) {
    match response {
        Response::Ok => out.put_slice(b"OK"),
        Response::Pong => out.put_slice(b"PONG"),
        Response::NotFound => out.put_slice(b"NOT_FOUND"),
        Response::Value(value) => put_field(b"VALUE ", value.as_ref(), false, out),
        Response::List(items) => {
            put_number(b"LIST ", items.len() as u64, out);
            for item in items {
                out.put_slice(CRLF);
                match item {
                    Some(value) => put_field(b"VALUE ", value.as_ref(), false, out),
                    None => out.put_slice(b"NOT_FOUND"),
                }
            }
        }
        Response::Error { code, message } => {
            out.put_slice(b"ERROR ");
            out.put_slice(code.as_str().as_bytes());
            out.put_u8(b' ');
            out.extend(message.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
        }
    }
    out.put_slice(CRLF);
}

/// Appends a piece of a value; `quoted` says whether the whole value is ([`needs_quotes`]).
///
/// For values too large to encode at one go: the caller writes `VALUE `, the opening quote if any,
/// the pieces in order, the closing quote, CRLF. Escapes are bytewise, so any cut will do.
pub fn encode_value_chunk(chunk: &[u8], quoted: bool, out: &mut BytesMut) {
    if !quoted {
        return out.put_slice(chunk);
    }
    for run in chunk.split_inclusive(|byte| needs_escape(*byte)) {
        match run.split_last() {
            Some((byte, plain)) if needs_escape(*byte) => {
                out.put_slice(plain);
                put_escape(*byte, out);
            }
            _ => out.put_slice(run),
        }
    }
}

fn put_scan(cursor: u64, prefix: &[u8], limit: u32, out: &mut BytesMut) {
    put_number(b"SCAN ", cursor, out);
    if !prefix.is_empty() {
        put_field(b" PREFIX ", prefix, true, out);
    }
    if limit != DEFAULT_SCAN_LIMIT {
        put_number(b" LIMIT ", limit.into(), out);
    }
}

fn put_number(before: &[u8], number: u64, out: &mut BytesMut) {
    out.put_slice(before);
    out.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_field(before: &[u8], field: &[u8], is_key: bool, out: &mut BytesMut) {
    out.reserve(field.len() + LINE_OVERHEAD_BYTES);
    out.put_slice(before);
    if needs_quotes(field, is_key) {
        out.put_u8(b'"');
        encode_value_chunk(field, true, out);
        out.put_u8(b'"');
    } else {
        out.put_slice(field);
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
    use crate::ErrorCode;

    fn command(command: Command<&[u8]>) -> String {
        let mut out = BytesMut::new();
        encode_command(&command, &mut out);
        out.escape_ascii().to_string().replace("\\\"", "\"").replace("\\\\", "\\")
    }

    fn response(response: Response<&str>) -> String {
        let mut out = BytesMut::new();
        encode_response(&response, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn fields_are_quoted_only_where_they_have_to_be() {
        let get = |key| command(Command::Get { key });
        assert_eq!(get(b"user:1"), r"GET user:1\r\n");
        assert_eq!(get(b"a\"b\\c'"), r#"GET a"b\c\'\r\n"#);
        assert_eq!(get(b"\x80\xff"), r"GET \x80\xff\r\n");
        assert_eq!(get(b""), r#"GET ""\r\n"#);
        assert_eq!(get(b"a b"), r#"GET "a b"\r\n"#);
        assert_eq!(get(b"\"\\"), r#"GET "\"\\"\r\n"#);
        assert_eq!(get(b"\r\n\t\0\x1f\x7f\x80"), r#"GET "\r\n\t\x00\x1f\x7f\x80"\r\n"#);
        let set = |value| command(Command::Set { key: b"k", value });
        assert_eq!(set(b" carpe diem"), r"SET k  carpe diem\r\n");
        assert_eq!(set(b""), r#"SET k ""\r\n"#);
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
    fn scan_names_only_what_is_not_the_default() {
        let scan = |cursor, prefix, limit| command(Command::Scan { cursor, prefix, limit });
        assert_eq!(scan(0, b"", DEFAULT_SCAN_LIMIT), r"SCAN 0\r\n");
        assert_eq!(scan(u64::MAX, b"", 7), r"SCAN 18446744073709551615 LIMIT 7\r\n");
        assert_eq!(scan(1, b"a b", 7), r#"SCAN 1 PREFIX "a b" LIMIT 7\r\n"#);
    }

    #[test]
    fn responses_end_each_line_with_crlf() {
        assert_eq!(response(Response::Ok), "OK\r\n");
        assert_eq!(response(Response::Pong), "PONG\r\n");
        assert_eq!(response(Response::NotFound), "NOT_FOUND\r\n");
        assert_eq!(response(Response::Value("a b")), "VALUE a b\r\n");
        assert_eq!(response(Response::List(vec![])), "LIST 0\r\n");
        let list = Response::List(vec![Some("0"), None, Some("")]);
        assert_eq!(response(list), "LIST 3\r\nVALUE 0\r\nNOT_FOUND\r\nVALUE \"\"\r\n");
    }

    #[test]
    fn a_message_cannot_break_the_framing() {
        let message = "a\r\nOK\n\0\x1b\x7fé".into();
        let error = response(Response::Error { code: ErrorCode::Storage, message });
        assert_eq!(error, "ERROR STORAGE a  OK    é\r\n");
    }

    #[test]
    fn a_value_may_be_encoded_in_pieces_cut_anywhere() {
        let value = b"a\"b\\\r\n\x01";
        let mut whole = BytesMut::new();
        encode_value_chunk(value, true, &mut whole);
        assert_eq!(&whole[..], br#"a\"b\\\r\n\x01"#);
        for at in 0..value.len() {
            let mut pieces = BytesMut::new();
            encode_value_chunk(&value[..at], true, &mut pieces);
            encode_value_chunk(&value[at..], true, &mut pieces);
            assert_eq!(pieces, whole);
        }
        let mut bare = BytesMut::new();
        encode_value_chunk(value, false, &mut bare);
        assert_eq!(&bare[..], value);
    }
}
