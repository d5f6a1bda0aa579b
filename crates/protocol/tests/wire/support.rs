//! What the properties range over.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::{
    Command, ErrorCode, Limits, ProtocolError, RequestParser, Response, Step, encode_command,
    encode_response, limits::MAX_SCAN_LIMIT,
};

pub(crate) type Request = Result<Command<Bytes>, ProtocolError>;

/// So small that generated fields and lines fall on both sides.
pub(crate) const LIMITS: Limits = Limits { max_key_bytes: 6, max_value_bytes: 10 };

/// Any bytes, those more often that mean something to the protocol.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let telling = select(&b"\"\\ \r\n\t\0\x1f\x7f\x80x0aF"[..]);
    prop_oneof![
        vec(any::<u8>(), 0..24),
        vec(telling, 0..24),
        vec(any::<u8>(), 0..300),
        "[a-z]{0,200}".prop_map(String::into_bytes),
    ]
}

pub(crate) fn any_command() -> impl Strategy<Value = Command<Vec<u8>>> {
    prop_oneof![
        (any_bytes(), any_bytes()).prop_map(|(key, value)| Command::Set { key, value }),
        any_bytes().prop_map(|key| Command::Get { key }),
        any_bytes().prop_map(|key| Command::Delete { key }),
        any_bytes().prop_map(|key| Command::Exists { key }),
        Just(Command::Count),
        (any::<u64>(), any_bytes(), 1..=MAX_SCAN_LIMIT).prop_map(|(cursor, prefix, limit)| Command::Scan {
            cursor,
            prefix,
            limit
        }),
        Just(Command::Ping),
        Just(Command::Info),
        Just(Command::Compact),
        Just(Command::Quit),
    ]
}

pub(crate) fn any_response() -> impl Strategy<Value = Response<Vec<u8>>> {
    prop_oneof![
        Just(Response::Ok),
        Just(Response::Pong),
        Just(Response::NotFound),
        any_bytes().prop_map(Response::Value),
        vec(proptest::option::of(any_bytes()), 0..8).prop_map(Response::List),
        (select(&ErrorCode::ALL[..]), "[^\\x00-\\x1f\\x7f]{0,40}")
            .prop_map(|(code, message)| Response::Error { code, message }),
    ]
}

/// A line as it comes in from anybody: well-formed, nearly so, rubbish, or far too long.
pub(crate) fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let verb = select(
        &["SET", "get", "DELETE", "Exists", "COUNT", "SCAN", "PING", "INFO", "COMPACT", "QUIT", "PUT", ""][..],
    );
    let argument = prop_oneof![
        "[a-c]{0,7}".prop_map(String::into_bytes),
        r#""([a-c ]|\\[rnt"\\x]|\\x[0-9a-fA-F]{2}){0,6}"?"#.prop_map(String::into_bytes),
        select(&["PREFIX", "limit", "0", "5", "10001"][..]).prop_map(|word| word.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    let nearly = (verb, vec(argument, 0..5)).prop_map(|(verb, arguments)| {
        arguments.into_iter().fold(verb.as_bytes().to_vec(), |line, argument| [line, argument].join(&b' '))
    });
    let content = prop_oneof![
        8 => nearly,
        2 => any_command().prop_map(|command| encoded_command(&command)),
        2 => any_bytes(),
        1 => (0..4 * LIMITS.max_line_bytes()).prop_map(|len| vec![b'x'; len]),
        1 => (0..4usize).prop_map(|over| vec![b'\r'; LIMITS.max_line_bytes() + over]),
    ];
    (content, select(&["\n", "\r\n"][..])).prop_map(|(content, end)| [&content, end.as_bytes()].concat())
}

/// How to cut an input: the sizes of its pieces, over and over.
pub(crate) fn any_cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), vec(1..4usize, 1..5), vec(1..200usize, 1..5)]
}

pub(crate) fn pieces<'a>(mut input: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    cuts.iter().cycle().map_while(move |cut| {
        let (piece, rest) = input.split_at_checked(*cut).unwrap_or((input, &[]));
        input = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// What a server that reads these pieces is asked for, and what of the input it still holds.
pub(crate) fn requests<'a>(
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Request>, Vec<u8>) {
    let mut parser = RequestParser::new(limits);
    let (mut buffer, mut requests) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let consumed_bytes = match parser.next(&buffer) {
                Step::Request { request, consumed_bytes } => {
                    requests.push(request.map(|request| request.map(|field| field.into_owned().into())));
                    consumed_bytes
                }
                Step::Skip { consumed_bytes } => consumed_bytes,
                Step::Incomplete => break,
            };
            assert!(consumed_bytes > 0, "a step without progress never ends");
            buffer.drain(..consumed_bytes);
        }
    }
    (requests, buffer)
}

pub(crate) fn encoded_command<B: AsRef<[u8]>>(command: &Command<B>) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_command(command, &mut out);
    out.to_vec()
}

pub(crate) fn encoded_response<B: AsRef<[u8]>>(response: &Response<B>) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_response(response, &mut out);
    out.to_vec()
}
