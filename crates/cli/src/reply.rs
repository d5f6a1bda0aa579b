//! Forms of a reply: redis-cli's for a terminal, redis-cli's for a pipe, and JSON.

use std::collections::BTreeSet;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustvault_protocol::Reply;
use serde_json::{Map, Value, json};

use crate::escape::{quoted, visible};

/// Writes a reply as redis-cli does at a terminal, without a line end: kinds are named, items are numbered.
///
/// Unlike redis-cli's, byte strings keep the letters of UTF-8, and what is printed can be typed in a session.
pub(crate) fn write_for_people(reply: &Reply, out: &mut impl Write) -> io::Result<()> {
    write_indented(reply, 0, out)
}

fn write_indented(reply: &Reply, indent: usize, out: &mut impl Write) -> io::Result<()> {
    match reply {
        Reply::Simple(word) => out.write_all(visible(word).as_bytes()),
        Reply::Error(error) => {
            write!(out, "(error) {}", visible(&String::from_utf8_lossy(error.line())))
        }
        Reply::Integer(number) => write!(out, "(integer) {number}"),
        Reply::Double(number) => write!(out, "(double) {number}"),
        Reply::Bulk(bytes) => out.write_all(&quoted(bytes)),
        Reply::Verbatim(text) => {
            let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
            out.write_all(visible(&text).as_bytes())
        }
        Reply::Null => out.write_all(b"(nil)"),
        Reply::Array(items) => write_items(items, ')', "(empty array)", indent, out),
        Reply::Set(items) => write_items(items, '~', "(empty set)", indent, out),
        Reply::Map(entries) => {
            write_numbered(entries, '#', "(empty hash)", indent, out, |(name, value), indent, out| {
                write_indented(name, indent, out)?;
                out.write_all(b" => ")?;
                if is_long(value) {
                    write!(out, "\n{:indent$}", "")?;
                }
                write_indented(value, indent, out)
            })
        }
    }
}

/// Returns whether a reply takes several lines.
fn is_long(reply: &Reply) -> bool {
    match reply {
        Reply::Array(items) | Reply::Set(items) => items.len() > 1 || items.iter().any(is_long),
        Reply::Map(entries) => {
            entries.len() > 1 || entries.iter().any(|(name, value)| is_long(name) || is_long(value))
        }
        _ => false,
    }
}

fn write_items(
    items: &[Reply],
    mark: char,
    if_empty: &str,
    indent: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    write_numbered(items, mark, if_empty, indent, out, write_indented)
}

/// Writes each item behind its number, those but the first on lines of their own: the first stands behind the number
/// of what it is in.
fn write_numbered<T, W: Write>(
    items: &[T],
    mark: char,
    if_empty: &str,
    indent: usize,
    out: &mut W,
    write_item: impl Fn(&T, usize, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    if items.is_empty() {
        return out.write_all(if_empty.as_bytes());
    }
    let width = items.len().to_string().len();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            write!(out, "\n{:indent$}", "")?;
        }
        write!(out, "{:>width$}{mark} ", index + 1)?;
        write_item(item, indent + width + 2, out)?;
    }
    Ok(())
}

/// Writes a reply as redis-cli does in a pipe, without a line end: bytes as they are, a line for each item.
pub(crate) fn write_raw(reply: &Reply, out: &mut impl Write) -> io::Result<()> {
    match reply {
        Reply::Simple(word) => out.write_all(word.as_bytes()),
        Reply::Error(error) => out.write_all(error.line()).and_then(|()| out.write_all(b"\n")),
        Reply::Integer(number) => write!(out, "{number}"),
        Reply::Double(number) => write!(out, "{number}"),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => out.write_all(bytes),
        Reply::Null => Ok(()),
        Reply::Array(items) | Reply::Set(items) => write_lines(items, out, write_raw),
        Reply::Map(entries) => write_lines(entries, out, |(name, value), out| {
            write_raw(name, out)?;
            out.write_all(b" ")?;
            write_raw(value, out)
        }),
    }
}

fn write_lines<T, W: Write>(
    items: &[T],
    out: &mut W,
    write_item: impl Fn(&T, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_all(b"\n")?;
        }
        write_item(item, out)?;
    }
    Ok(())
}

/// Returns a reply as one JSON object with a status.
pub(crate) fn json_object(reply: &Reply) -> Value {
    if *reply == Reply::Null {
        return json!({"status": "not_found"});
    }
    let mut object = Map::from_iter([("status".to_owned(), json!("ok"))]);
    match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => insert_bytes(&mut object, "value", bytes),
        reply => drop(object.insert("value".to_owned(), json_value(reply))),
    }
    Value::Object(object)
}

fn json_value(reply: &Reply) -> Value {
    match reply {
        Reply::Simple(word) => json!(word),
        Reply::Error(error) => json!({"error": String::from_utf8_lossy(error.line())}),
        Reply::Integer(number) => json!(number),
        // JSON has no number for the infinite ones.
        Reply::Double(number) if number.is_finite() => json!(number),
        Reply::Double(number) => json!(number.to_string()),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({"base64": STANDARD.encode(bytes)}),
        },
        Reply::Null => Value::Null,
        Reply::Array(items) | Reply::Set(items) => items.iter().map(json_value).collect(),
        Reply::Map(entries) => json_map(entries),
    }
}

/// Returns an object, or a list of pairs if the names are not different texts.
fn json_map(entries: &[(Reply, Reply)]) -> Value {
    let names: Option<BTreeSet<_>> = entries.iter().map(|(name, _)| name_in_json(name)).collect();
    if names.is_some_and(|names| names.len() == entries.len()) {
        let members =
            entries.iter().filter_map(|(name, value)| Some((name_in_json(name)?, json_value(value))));
        return Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect());
    }
    entries.iter().map(|(name, value)| json!([json_value(name), json_value(value)])).collect()
}

fn name_in_json(name: &Reply) -> Option<&str> {
    match name {
        Reply::Simple(word) => Some(word),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Adds `name`, or `name_base64` for bytes that JSON's strings cannot hold.
pub(crate) fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rustvault_protocol::{ErrorCode, ErrorReply};

    use super::*;

    fn bulk(bytes: &'static [u8]) -> Reply {
        Reply::Bulk(Bytes::from_static(bytes))
    }

    fn for_people(reply: &Reply) -> String {
        let mut out = Vec::new();
        write_for_people(reply, &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    fn raw(reply: &Reply) -> Vec<u8> {
        let mut out = Vec::new();
        write_raw(reply, &mut out).expect("a Vec takes everything");
        out
    }

    #[test]
    fn single_values_say_of_which_kind_they_are() {
        for (reply, people, in_a_pipe) in [
            (Reply::OK, "OK", "OK"),
            (Reply::Integer(-5), "(integer) -5", "-5"),
            (Reply::Double(2.75), "(double) 2.75", "2.75"),
            (Reply::Double(f64::INFINITY), "(double) inf", "inf"),
            (bulk(b"a \"b\"\\\r\n\t\x07"), r#""a \"b\"\\\r\n\t\x07""#, "a \"b\"\\\r\n\t\x07"),
            (bulk("é".as_bytes()), "\"é\"", "é"),
            (bulk(b""), "\"\"", ""),
            (Reply::Verbatim("a\r\nb\x1b\n".into()), "a\nb\\u{1b}\n", "a\r\nb\x1b\n"),
            (Reply::Null, "(nil)", ""),
            (Reply::Array(vec![]), "(empty array)", ""),
            (Reply::Set(vec![]), "(empty set)", ""),
            (Reply::Map(vec![]), "(empty hash)", ""),
            (ErrorReply::fixed(ErrorCode::Syntax, "ERR no").into(), "(error) ERR no", "ERR no\n"),
        ] {
            assert_eq!(for_people(&reply), people);
            assert_eq!(raw(&reply), in_a_pipe.as_bytes(), "{reply:?}");
        }
        assert_eq!(raw(&bulk(b"\xff\x00")), b"\xff\x00");
    }

    /// The expected texts are what redis-cli 7 prints for the same bytes of RESP3.
    #[test]
    fn lists_are_numbered_and_indented_as_by_redis_cli() {
        let inner = Reply::Array(vec![bulk(b"x"), Reply::Integer(2)]);
        let mut items = vec![inner.clone(), Reply::Null];
        items.extend((3..=10).map(Reply::Integer));
        let reply = Reply::Array(items);
        assert_eq!(
            for_people(&reply),
            " 1) 1) \"x\"\n    2) (integer) 2\n 2) (nil)\n 3) (integer) 3\n 4) (integer) 4\n 5) (integer) 5\n \
             6) (integer) 6\n 7) (integer) 7\n 8) (integer) 8\n 9) (integer) 9\n10) (integer) 10"
        );
        assert_eq!(raw(&reply), b"x\n2\n\n3\n4\n5\n6\n7\n8\n9\n10");
        let set = Reply::Set(vec![Reply::Integer(1), Reply::Integer(2)]);
        let map = Reply::Map(vec![
            (bulk(b"k"), Reply::Array(vec![])),
            (bulk(b"l"), Reply::Array(vec![inner])),
            (bulk(b"m"), Reply::Map(vec![(Reply::OK, set)])),
            (bulk(b"n"), Reply::Map(vec![(Reply::OK, Reply::Set(vec![Reply::Null]))])),
        ]);
        assert_eq!(
            for_people(&map),
            "1# \"k\" => (empty array)\n2# \"l\" => \n   1) 1) \"x\"\n      2) (integer) 2\n3# \"m\" => \n   1# OK => \n      \
             1~ (integer) 1\n      2~ (integer) 2\n4# \"n\" => 1# OK => 1~ (nil)"
        );
        assert_eq!(raw(&map), b"k \nl x\n2\nm OK 1\n2\nn OK ");
    }

    #[test]
    fn json_nests_values_and_keeps_every_byte() {
        let map = |entries| json_value(&Reply::Map(entries));
        for (reply, expected) in [
            (Reply::OK, json!({"status": "ok", "value": "OK"})),
            (Reply::Null, json!({"status": "not_found"})),
            (Reply::Integer(7), json!({"status": "ok", "value": 7})),
            (Reply::Double(f64::NEG_INFINITY), json!({"status": "ok", "value": "-inf"})),
            (bulk(b"\xff"), json!({"status": "ok", "value_base64": "/w=="})),
            (
                Reply::Array(vec![bulk(b"a"), bulk(b"\xff"), Reply::Null, Reply::Array(vec![])]),
                json!({"status": "ok", "value": ["a", {"base64": "/w=="}, null, []]}),
            ),
        ] {
            assert_eq!(json_object(&reply), expected);
        }
        let entry = |name, number| (bulk(name), Reply::Integer(number));
        assert_eq!(map(vec![entry(b"a", 1), entry(b"b", 2)]), json!({"a": 1, "b": 2}));
        assert_eq!(map(vec![entry(b"a", 1), entry(b"a", 2)]), json!([["a", 1], ["a", 2]]));
        assert_eq!(map(vec![entry(b"\xff", 1)]), json!([[{"base64": "/w=="}, 1]]));
    }
}
