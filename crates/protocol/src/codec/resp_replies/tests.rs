//! Replies of RESP as they stand on the wire, well-formed and not.

use super::*;
use crate::ErrorCode;
use crate::limits::{MAX_REPLY_DEPTH, MAX_REPLY_ELEMENTS};

const LIMITS: Limits = Limits { max_key_bytes: 8, max_value_bytes: 8 };

fn replies() -> RespReplies {
    RespReplies::new(&LIMITS)
}

fn reply(wire: &str) -> Reply {
    let mut buffer = BytesMut::from(wire);
    let reply = replies().next(&mut buffer).unwrap().unwrap_or_else(|| panic!("{wire:?} is not whole"));
    assert!(buffer.is_empty(), "{wire:?}");
    reply
}

fn bad(wire: &str) -> BadReply {
    replies().next(&mut BytesMut::from(wire)).expect_err(wire)
}

fn bulk(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from(text))
}

#[test]
fn every_type_is_understood() {
    for (wire, expected) in [
        ("+OK\r\n", Reply::OK),
        ("+\r\n", Reply::simple("")),
        ("+QUEUED\r\n", Reply::simple("QUEUED")),
        ("-OOM no room\r\n", Reply::error(ErrorCode::OutOfMemory, "no room")),
        ("!11\r\nOOM no room\r\n", Reply::error(ErrorCode::OutOfMemory, "no room")),
        (":-9223372036854775808\r\n", Reply::Integer(i64::MIN)),
        ("#t\r\n", Reply::Integer(1)),
        ("#f\r\n", Reply::Integer(0)),
        ("$0\r\n\r\n", bulk("")),
        ("$4\r\na\r\nb\r\n", bulk("a\r\nb")),
        ("=7\r\ntxt:a\r\n\r\n", Reply::Verbatim(Bytes::from("a\r\n"))),
        ("=4\r\nmkd:\r\n", Reply::Verbatim(Bytes::new())),
        ("(-1234567890123456789012\r\n", bulk("-1234567890123456789012")),
        (",1\r\n", Reply::Double(1.0)),
        (",-1.5e+300\r\n", Reply::Double(-1.5e300)),
        (",inf\r\n", Reply::Double(f64::INFINITY)),
        (",-inf\r\n", Reply::Double(f64::NEG_INFINITY)),
        ("_\r\n", Reply::Null),
        ("$-1\r\n", Reply::Null),
        ("*-1\r\n", Reply::Null),
        ("*0\r\n", Reply::Array(vec![])),
        ("*2\r\n:1\r\n*1\r\n_\r\n", Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![Reply::Null])])),
        ("~1\r\n+a\r\n", Reply::Set(vec![Reply::simple("a")])),
        ("%0\r\n", Reply::Map(vec![])),
        (
            "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n_\r\n_\r\n",
            Reply::Map(vec![
                (Reply::simple("a"), Reply::Integer(1)),
                (Reply::simple("b"), Reply::Map(vec![(Reply::Null, Reply::Null)])),
            ]),
        ),
    ] {
        assert_eq!(reply(wire), expected, "{wire:?}");
    }
    for nan in [",nan\r\n", ",-nan\r\n"] {
        assert!(matches!(reply(nan), Reply::Double(number) if number.is_nan()));
    }
}

#[test]
fn attributes_and_push_messages_are_skipped() {
    let array = Reply::Array(vec![Reply::Integer(1), Reply::Integer(2)]);
    assert_eq!(reply("|1\r\n+ttl\r\n:9\r\n*2\r\n:1\r\n:2\r\n"), array);
    assert_eq!(reply("*2\r\n|1\r\n+ttl\r\n*1\r\n:9\r\n:1\r\n|0\r\n:2\r\n"), array);
    assert_eq!(reply(">2\r\n+message\r\n$2\r\nhi\r\n>0\r\n*2\r\n:1\r\n:2\r\n"), array);
    assert_eq!(bad("*1\r\n>1\r\n:1\r\n"), BadReply::PushInside);
}

#[test]
fn a_byte_string_is_a_slice_of_the_read_buffer() {
    let mut buffer = BytesMut::from("*2\r\n$5\r\nvalue\r\n=7\r\ntxt:abc\r\n");
    let read_buffer = buffer.as_ptr_range();
    let Some(Reply::Array(items)) = replies().next(&mut buffer).unwrap() else { panic!() };
    for item in items {
        let (Reply::Bulk(text) | Reply::Verbatim(text)) = item else { panic!() };
        assert!(read_buffer.contains(&text.as_ptr()));
    }
}

#[test]
fn what_is_no_reply_is_told_as_soon_as_it_is_known() {
    for first in ["VALUE a", "HTTP/1.1 400", "\r", "\n", "\0", "@"] {
        assert_eq!(bad(first), BadReply::Mark(first.as_bytes()[0]));
    }
    for number in ["", "+1", "01", "-0", "1a", " 1", "1 ", "9223372036854775808"] {
        for mark in [":", "$", "*", "%", "~", "|", ">", "!", "="] {
            assert_eq!(bad(&format!("{mark}{number}\r\n")), BadReply::Number, "{mark}{number}");
        }
    }
    for line in [
        "%-1",
        "~-1",
        "=-1",
        "!-1",
        "$-2",
        "*-2",
        "$?",
        "*?",
        "#",
        "#x",
        "#true",
        "_x",
        ",",
        ",+1",
        ",1x",
        ",infinity",
        "(",
        "(-",
        "(1.5",
    ] {
        assert_eq!(bad(&format!("{line}\r\n")), BadReply::Number, "{line}");
    }
    for line in ["+a\n", "+a\rb\r\n", "+a\r\r\n", ":1\n", "$1\n"] {
        assert_eq!(bad(line), BadReply::LineEnd, "{line:?}");
    }
    assert_eq!(bad("$1\r\nab\r"), BadReply::TextEnd);
    assert_eq!(bad("=4\r\ntxt;\r\n"), BadReply::VerbatimFormat);
    assert_eq!(bad("=3\r\ntxt\r\n"), BadReply::VerbatimFormat);
}

#[test]
fn a_server_that_turns_a_connection_away_may_say_so_in_text() {
    let expected = Reply::error(ErrorCode::TooManyConnections, "come back later");
    assert_eq!(reply("ERROR TOO_MANY_CONNECTIONS come back later\r\n"), expected);
    for wire in ["EHLO\r\n", "ERROR\r\n", "+OK\r\nERROR BUSY a\r\n", "*1\r\nERROR BUSY a\r\n"] {
        let (mut replies, mut buffer) = (replies(), BytesMut::from(wire));
        let error = std::iter::repeat_with(|| replies.next(&mut buffer)).take(3).find_map(Result::err);
        assert_eq!(error, Some(BadReply::Mark(b'E')), "{wire:?}");
    }
}

#[test]
fn announced_lengths_are_checked_and_cost_no_memory() {
    let mut replies = replies();
    let announced = format!("*{}\r\n", MAX_REPLY_ELEMENTS - 1);
    assert_eq!(replies.next(&mut BytesMut::from(announced.as_str())), Ok(None));
    assert!(replies.nesting.room_elements() <= 64);
    assert_eq!(replies.next(&mut BytesMut::from("*1\r\n")), Ok(None));
    let too_many = BadReply::TooManyElements { max_elements: MAX_REPLY_ELEMENTS };
    assert_eq!(replies.next(&mut BytesMut::from("*1\r\n")), Err(too_many));
    for wire in ["*2097153\r\n", "%1048577\r\n", "|9223372036854775807\r\n", ">9223372036854775807\r\n"] {
        assert_eq!(bad(wire), too_many);
    }
}

#[test]
fn the_elements_of_one_reply_are_none_of_the_next() {
    let (mut replies, mut buffer) = (replies(), BytesMut::new());
    let elements = MAX_REPLY_ELEMENTS / 2;
    for _ in 0..2 {
        buffer.extend_from_slice(format!("|0\r\n*1\r\n*{elements}\r\n").as_bytes());
        buffer.extend_from_slice("_\r\n".repeat(elements).as_bytes());
        assert!(replies.next(&mut buffer).unwrap().is_some());
    }
}

#[test]
fn a_byte_string_may_be_longer_than_small_limits_on_values() {
    let max_bytes = DEFAULT_MAX_VALUE_BYTES;
    let (mut replies, mut buffer) = (replies(), BytesMut::from(format!("${max_bytes}\r\nabc").as_str()));
    assert_eq!(replies.next(&mut buffer), Ok(None));
    let len_bytes = max_bytes + 1;
    for mark in ["$", "!", "="] {
        assert_eq!(bad(&format!("{mark}{len_bytes}\r\n")), BadReply::TextTooLong { len_bytes, max_bytes });
    }
    let large = Limits { max_key_bytes: 1, max_value_bytes: len_bytes };
    assert_eq!(
        RespReplies::new(&large).next(&mut BytesMut::from(format!("${len_bytes}\r\n").as_str())),
        Ok(None)
    );
}

#[test]
fn replies_are_nested_up_to_a_limit() {
    for open in ["*1\r\n", "~1\r\n", "%1\r\n", "|1\r\n"] {
        assert_eq!(
            bad(&open.repeat(1_000_000)),
            BadReply::TooDeep { max_depth: MAX_REPLY_DEPTH },
            "{open:?}"
        );
    }
    let deepest = ["*1\r\n".repeat(MAX_REPLY_DEPTH), ":1\r\n".into()].concat();
    assert!(matches!(reply(&deepest), Reply::Array(_)));
}

#[test]
fn a_line_is_scanned_once_and_limited() {
    let (mut replies, mut buffer) = (replies(), BytesMut::from("+"));
    while buffer.len() < MAX_REPLY_LINE_BYTES {
        buffer.extend_from_slice(b"x");
        assert_eq!(replies.next(&mut buffer), Ok(None));
        assert_eq!(replies.scanned_bytes, buffer.len());
    }
    buffer.extend_from_slice(b"x");
    let too_long = BadReply::LineTooLong { max_bytes: MAX_REPLY_LINE_BYTES };
    assert_eq!(replies.next(&mut buffer), Err(too_long));
    assert_eq!(bad(&["+", &"x".repeat(MAX_REPLY_LINE_BYTES), "\r\n"].concat()), too_long);
    assert_eq!(reply("+a\r\n"), Reply::simple("a"));
}

#[test]
fn the_line_of_a_byte_string_is_read_once() {
    let (mut replies, mut buffer) = (replies(), BytesMut::from("$5\r\nva"));
    assert_eq!(replies.next(&mut buffer), Ok(None));
    assert_eq!((&buffer[..], replies.text), (&b"va"[..], Some((TextForm::Bulk, 5))));
    buffer.extend_from_slice(b"lue\r\n");
    assert_eq!(replies.next(&mut buffer), Ok(Some(bulk("value"))));
}
