//! RESP: how the input is cut up makes no difference, no input does harm, and what is encoded comes back.

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::limits::MAX_RESP_ARGUMENTS;
use rustvault_protocol::{
    Command, Limits, ManyRequest, RespCommand, RespParser, RespStep, RespVersion, Response, Shape,
    encode_resp,
};

use crate::support::{LIMITS, any_bytes, any_cuts, any_response, pieces};

proptest! {
    #[test]
    fn commands_are_the_same_however_they_arrive(items in vec(any_item(), 0..8), rest in any_bytes(), cuts in any_cuts()) {
        let input = [items.concat(), rest].concat();
        prop_assert_eq!(session(LIMITS, pieces(&input, &cuts)), session(LIMITS, [&input[..]]));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(input in vec(any::<u8>(), 0..2000), cuts in any_cuts()) {
        session(Limits::default(), pieces(&input, &cuts));
        session(LIMITS, pieces(&[b"*2\r\n$1\r\na\r\n$", &input[..]].concat(), &cuts));
    }

    #[test]
    fn keys_and_values_may_be_any_bytes(key in any_bytes(), value in any_bytes(), keys in vec(any_bytes(), 2..5)) {
        let set = Command::Set { key: key.as_slice().into(), value: value.as_slice().into() };
        assert_parsed(&[b"SET", &key, &value], &RespCommand::One { request: set, shape: Shape::Plain });
        let get = Command::Get { key: key.as_slice().into() };
        assert_parsed(&[b"GET", &key], &RespCommand::One { request: get, shape: Shape::Plain });

        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let wire = [&[&b"DEL"[..]], &keys[..]].concat();
        let delete = ManyRequest::Delete { keys };
        assert_parsed(&wire, &RespCommand::Many { request: delete, shape: Shape::Integer });
        let pairs = vec![[key.as_slice(), value.as_slice()], [&value, &key]];
        let set = ManyRequest::Set { pairs };
        assert_parsed(&[b"MSET", &key, &value, &value, &key], &RespCommand::Many { request: set, shape: Shape::Plain });
    }

    #[test]
    fn every_command_gets_one_answer_that_keeps_the_framing(
        responses in vec((any_response(), any_shape()), 1..5),
        version in select(&[RespVersion::V2, RespVersion::V3][..]),
    ) {
        let mut wire = BytesMut::new();
        for (response, shape) in &responses {
            encode_resp(response, shape, version, &mut wire);
        }
        let mut rest = &wire[..];
        for (response, shape) in &responses {
            let (reply, after) = reply(rest).unwrap();
            rest = after;
            match (response, shape) {
                (Response::Value(value), Shape::Plain) => prop_assert_eq!(reply, Reply::Bulk(Some(value))),
                (Response::List(items), Shape::Plain) => {
                    let items = items.iter().map(|item| Reply::Bulk(item.as_deref())).collect();
                    prop_assert_eq!(reply, Reply::Array(items));
                }
                (Response::Error { .. }, _) => prop_assert!(matches!(reply, Reply::Line(b'-', _))),
                _ => {}
            }
        }
        prop_assert!(rest.is_empty());
    }
}

#[test]
fn bad_input_ends_the_session_at_once() {
    for (bad, problem) in [
        ("*2147483647\r\n", "invalid multibulk length"),
        ("*1\r\n$-2\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$99999999999\r\n", "invalid bulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
        ("*1\n$4\nPING\n", "invalid multibulk length"),
        ("*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
        (&"*1\r\n".repeat(256 * 1024), "expected '$', got '*'"),
    ] {
        let end = format!("ERR Protocol error: {problem}");
        assert_eq!(session(Limits::default(), [bad.as_bytes()]), (vec![], End::Fault(end.into())));
    }
}

/// Quadratic work would be more than 10^10 arguments looked at: this test would not end.
#[test]
fn a_long_array_byte_by_byte_takes_linear_work() {
    let arguments = MAX_RESP_ARGUMENTS / 8;
    let input = [format!("*{}\r\n$3\r\nDEL\r\n", arguments + 1), "$1\r\nk\r\n".repeat(arguments)].concat();
    let mut parser = RespParser::new(Limits::default());
    for len in 0..input.len() {
        assert_eq!(parser.next(&input.as_bytes()[..len]), RespStep::Incomplete);
    }
    let step = parser.next(input.as_bytes());
    let RespStep::Command { command: RespCommand::Many { request, .. }, consumed_bytes } = step else {
        panic!("so many arguments are within the limit");
    };
    assert_eq!(consumed_bytes, input.len());
    assert_eq!(request, ManyRequest::Delete { keys: vec![b"k"; arguments] });
}

/// Quadratic work would be more than 10^11 bytes looked at: this test would not end.
#[test]
fn a_long_value_byte_by_byte_takes_linear_work() {
    let value = vec![b'v'; 1024 * 1024];
    let input = wire(&[b"SET", b"k", &value]);
    let mut parser = RespParser::new(Limits::default());
    for len in 0..input.len() {
        assert_eq!(parser.next(&input[..len]), RespStep::Incomplete);
    }
    assert!(matches!(parser.next(&input), RespStep::Command { .. }));
}

/// A command as it comes in from anybody: well-formed, nearly so, or rubbish.
fn any_item() -> impl Strategy<Value = Vec<u8>> {
    let names =
        vec!["GET", "set", "MGET", "MSET", "del", "SCAN", "KEYS", "HELLO", "AUTH", "CLIENT", "FOO", ""];
    let words = vec!["a", "0", "3", "COUNT", "match", "a*", "SETNAME", "AUTH", "ID"];
    let argument =
        prop_oneof![select(words).prop_map(|word| word.as_bytes().to_vec()), vec(any::<u8>(), 0..12)];
    let command = (select(names), vec(argument, 0..5)).prop_map(|(name, arguments)| {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        wire(&[&[name.as_bytes()], &arguments[..]].concat())
    });
    let broken = vec![
        "*1\r\n$-1\r\n",
        "*1\r\n$4\r\nPINGS\r\n",
        "*1\r\n*1\r\n",
        "*1\n",
        "PING\r\n",
        "*01\r\n",
        "$1\r\n",
    ];
    prop_oneof![
        12 => command,
        4 => select(&["\r\n", "\n", "*0\r\n", "*-1\r\n"][..]).prop_map(|ignored| ignored.as_bytes().to_vec()),
        1 => select(broken).prop_map(|broken| broken.as_bytes().to_vec()),
        1 => any_bytes(),
    ]
}

fn any_shape() -> impl Strategy<Value = Shape<'static>> {
    select(vec![
        Shape::Plain,
        Shape::Integer,
        Shape::Length,
        Shape::Type,
        Shape::Started,
        Shape::Page { glob: None },
        Shape::Page { glob: Some(b"*a*") },
        Shape::Matching { glob: b"[^b]*" },
        Shape::Info,
    ])
}

/// How a session is left when its input has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With so many bytes of a command that is not whole.
    Open(Vec<u8>),
    Fault(Vec<u8>),
}

/// What a server that reads these pieces is asked for, printed, and how it ends.
fn session<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, End) {
    let mut parser = RespParser::new(limits);
    let (mut buffer, mut commands) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let consumed_bytes = match parser.next(&buffer) {
                RespStep::Command { command, consumed_bytes } => {
                    commands.push(format!("{command:?}"));
                    consumed_bytes
                }
                RespStep::Ignored { consumed_bytes } => consumed_bytes,
                RespStep::Incomplete => break,
                RespStep::ProtocolError { message } => return (commands, End::Fault(message.into_owned())),
            };
            assert!(consumed_bytes > 0, "a step without progress never ends");
            buffer.drain(..consumed_bytes);
        }
        assert!(buffer.len() <= limits.max_line_bytes(), "more is held than a command may have");
    }
    (commands, End::Open(buffer))
}

fn wire(arguments: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        wire.extend([format!("${}\r\n", argument.len()).as_bytes(), argument, b"\r\n"].concat());
    }
    wire
}

fn assert_parsed(arguments: &[&[u8]], expected: &RespCommand<'_>) {
    let input = wire(arguments);
    match RespParser::new(Limits::default()).next(&input) {
        RespStep::Command { command, consumed_bytes } => {
            assert_eq!((&command, consumed_bytes), (expected, input.len()));
        }
        other => panic!("{other:?}"),
    }
}

/// An answer as a client reads it.
#[derive(Debug, PartialEq, Eq)]
enum Reply<'a> {
    /// A status, an error or a number.
    Line(u8, &'a [u8]),
    Bulk(Option<&'a [u8]>),
    Array(Vec<Reply<'a>>),
}

/// The answer at the front of `input`, and what follows it.
fn reply(input: &[u8]) -> Option<(Reply<'_>, &[u8])> {
    let end = input.windows(2).position(|two| two == b"\r\n")?;
    let (line, rest) = (&input[1..end], &input[end + 2..]);
    let number = || std::str::from_utf8(line).ok()?.parse::<usize>().ok();
    Some(match input[0] {
        mark @ (b'+' | b'-' | b':') => (Reply::Line(mark, line), rest),
        b'_' => (Reply::Bulk(None), rest),
        b'$' if line == b"-1" => (Reply::Bulk(None), rest),
        b'$' | b'=' => {
            let (bulk, rest) = rest.split_at_checked(number()?)?;
            (Reply::Bulk(Some(bulk)), rest.strip_prefix(b"\r\n")?)
        }
        b'*' => {
            let (mut items, mut rest) = (Vec::new(), rest);
            for _ in 0..number()? {
                let (item, after) = reply(rest)?;
                items.push(item);
                rest = after;
            }
            (Reply::Array(items), rest)
        }
        _ => return None,
    })
}
