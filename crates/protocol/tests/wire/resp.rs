//! Requests of RESP: how the input is cut up makes no difference, and no input does harm.

use std::borrow::Cow;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::limits::MAX_ARGUMENTS;
use rustvault_protocol::{
    Command, ErrorCode, ErrorReply, Limits, OwnedRequest, Protocol, RequestParser, Step,
};

use crate::support::{End, LIMITS, any_bytes, any_cuts, any_request, array, pieces, session};

proptest! {
    #[test]
    fn requests_are_the_same_however_they_arrive(items in vec(any_item(), 0..8), rest in any_bytes(), cuts in any_cuts()) {
        let input = [&b"*0\r\n"[..], &items.concat(), &rest].concat();
        let in_pieces = session(RequestParser::new(LIMITS), pieces(&input, &cuts));
        if let End::Open(held) = &in_pieces.1 {
            prop_assert!(held.len() <= LIMITS.max_line_bytes(), "more is held than a request may have");
        }
        prop_assert_eq!(in_pieces, session(RequestParser::new(LIMITS), [&input[..]]));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(input in vec(any::<u8>(), 0..2000), cuts in any_cuts()) {
        for start in ["*", "*2\r\n$1\r\na\r\n$"] {
            let input = [start.as_bytes(), &input[..]].concat();
            session(RequestParser::new(Limits::default()), pieces(&input, &cuts));
            session(RequestParser::guarded(LIMITS), pieces(&input, &cuts));
        }
    }

    #[test]
    fn arguments_may_be_any_bytes(requests in vec(any_request(Protocol::Resp2), 1..5), lower: bool) {
        let wire: Vec<_> = requests.iter().flat_map(|request| on_wire(request, lower)).collect();
        let (parsed, end) = session(RequestParser::guarded(Limits::default()), [&wire[..]]);
        prop_assert_eq!(parsed, requests.into_iter().map(Ok).collect::<Vec<_>>());
        prop_assert_eq!(end, End::Open(vec![]));
    }

    #[test]
    fn a_name_that_is_no_command_is_an_error_and_nothing_more(name in any_unknown_name(), arguments in vec(any_bytes(), 0..4)) {
        let words: Vec<_> = [&name[..]].into_iter().chain(arguments.iter().map(Vec::as_slice)).collect();
        let input = [array(&words), array(&[b"PING"])].concat();
        let (requests, end) = session(RequestParser::new(Limits::default()), [&input[..]]);
        let [Err(error), Ok(ping)] = &requests[..] else { panic!("{requests:?}") };
        prop_assert_eq!(error.code, ErrorCode::UnknownCommand);
        prop_assert!(error.line().starts_with(b"ERR unknown command '"));
        prop_assert_eq!(ErrorReply::from_resp_line(error.line().to_vec()).code, error.code);
        prop_assert_eq!(ping.command, Command::Ping);
        prop_assert_eq!(end, End::Open(vec![]));
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
        ("*0\r\nPING\r\n", "expected '*', got 'P'"),
        (&"*1\r\n".repeat(256 * 1024), "expected '$', got '*'"),
    ] {
        let (requests, end) = session(RequestParser::guarded(Limits::default()), [bad.as_bytes()]);
        let End::Fatal(fatal) = end else { panic!("{end:?}") };
        assert_eq!(fatal.error.line(), format!("ERR Protocol error: {problem}").as_bytes());
        assert_eq!((requests, fatal.is_foreign), (vec![], false));
    }
}

#[test]
fn what_comes_before_bad_input_is_asked_for() {
    let input = [array(&[b"GET", b"k"]), b"*x\r\n".to_vec()].concat();
    let (requests, end) = session(RequestParser::new(LIMITS), [&input[..]]);
    assert_eq!(requests, [Ok(OwnedRequest::new(Command::Get, ["k"]))]);
    assert!(matches!(end, End::Fatal(_)));
}

/// As Redis does, which lets no page of the web send it commands either.
#[test]
fn a_request_of_http_ends_the_session() {
    for word in ["POST", "post", "Host:", "HOST:"] {
        let (requests, end) = session(RequestParser::new(LIMITS), [&array(&[word.as_bytes(), b"/"])[..]]);
        let End::Fatal(fatal) = end else { panic!("{end:?}") };
        assert!(fatal.is_foreign && requests.is_empty());
    }
}

/// Quadratic work would be more than 10^10 arguments looked at: this test would not end.
#[test]
fn a_long_array_byte_by_byte_takes_linear_work() {
    let keys = MAX_ARGUMENTS / 8;
    let input = [format!("*{}\r\n$3\r\nDEL\r\n", keys + 1), "$1\r\nk\r\n".repeat(keys)].concat();
    let (mut parser, mut arguments) = (RequestParser::new(Limits::default()), Vec::new());
    for len in 0..input.len() {
        assert_eq!(parser.next(&input.as_bytes()[..len], &mut arguments), Step::Incomplete);
    }
    let consumed_bytes = input.len();
    let step = parser.next(input.as_bytes(), &mut arguments);
    assert_eq!(step, Step::Request { command: Ok(Command::Del), consumed_bytes });
    assert_eq!(arguments, vec![Cow::Borrowed(b"k"); keys]);
}

/// Quadratic work would be more than 10^11 bytes looked at: this test would not end.
#[test]
fn a_long_value_byte_by_byte_takes_linear_work() {
    let value = vec![b'v'; 1024 * 1024];
    let input = array(&[b"SET", b"k", &value]);
    let (mut parser, mut arguments) = (RequestParser::new(Limits::default()), Vec::new());
    for len in 0..input.len() {
        assert_eq!(parser.next(&input[..len], &mut arguments), Step::Incomplete);
    }
    assert!(matches!(parser.next(&input, &mut arguments), Step::Request { command: Ok(Command::Set), .. }));
    assert_eq!(arguments[1], value);
}

/// A request as it comes in from anybody: well-formed, nearly so, or rubbish.
fn any_item() -> impl Strategy<Value = Vec<u8>> {
    let names = vec![
        "GET", "set", "MGET", "MSET", "del", "SCAN", "KEYS", "HELLO", "AUTH", "CLIENT", "FOO", "POST", "",
    ];
    let words = vec!["a", "0", "3", "COUNT", "match", "a*", "SETNAME", "AUTH", "ID"];
    let argument =
        prop_oneof![select(words).prop_map(|word| word.as_bytes().to_vec()), vec(any::<u8>(), 0..12)];
    let request = (select(names), vec(argument, 0..5)).prop_map(|(name, arguments)| {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        array(&[&[name.as_bytes()], &arguments[..]].concat())
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
        12 => request,
        4 => select(&["\r\n", "\n", "*0\r\n", "*-1\r\n"][..]).prop_map(|ignored| ignored.as_bytes().to_vec()),
        1 => select(broken).prop_map(|broken| broken.as_bytes().to_vec()),
        1 => any_bytes(),
    ]
}

fn any_unknown_name() -> impl Strategy<Value = Vec<u8>> {
    let names = select(vec!["FOO", "LPUSH", "DELETES", "CLIENT|ID", ""]);
    let any_name = prop_oneof![names.prop_map(|name| name.as_bytes().to_vec()), any_bytes()];
    any_name.prop_filter("a command, or HTTP", |name| {
        Command::find(name, Protocol::Resp2).is_none()
            && !name.eq_ignore_ascii_case(b"POST")
            && !name.eq_ignore_ascii_case(b"Host:")
    })
}

/// A request as clients send it: a subcommand's name is an argument of its own.
fn on_wire(request: &OwnedRequest, lower: bool) -> Vec<u8> {
    let name = request.command.name();
    let name = if lower { name.to_lowercase() } else { name.to_owned() };
    let words: Vec<_> =
        name.split('|').map(str::as_bytes).chain(request.arguments.iter().map(Bytes::as_ref)).collect();
    array(&words)
}
