//! How the input is cut up makes no difference, and no input does harm.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::{
    ClientCodec, Command, ErrorCode, Limits, Protocol, Reply, RequestParser, ServerCodec, Step,
    limits::DEFAULT_MAX_VALUE_BYTES,
};

use crate::support::{
    End, LIMITS, any_bytes, any_cuts, any_line, any_text_reply, decode_all, encoded_reply, in_text, pieces,
    session,
};

proptest! {
    #[test]
    fn requests_are_the_same_however_they_arrive(lines in vec(any_line(), 0..8), rest in any_bytes(), cuts in any_cuts()) {
        let input = [lines.concat(), rest].concat();
        let (requests, end) = session(RequestParser::new(LIMITS), [&input[..]]);
        let in_pieces = session(RequestParser::new(LIMITS), pieces(&input, &cuts));
        let (items, error) = decode_all(ServerCodec::new(LIMITS), pieces(&input, &cuts));
        prop_assert_eq!(&items, &requests);
        prop_assert_eq!(error.map(|error| error.to_string()), told(&end));
        prop_assert_eq!(in_pieces, (requests, end));
    }

    #[test]
    fn a_stranger_is_told_from_a_client_however_the_lines_arrive(lines in vec(any_guarded_line(), 1..6), cuts in any_cuts()) {
        let input = lines.concat();
        let limits = Limits { max_key_bytes: 1000, max_value_bytes: 1000 };
        let (requests, end) = session(RequestParser::guarded(limits), [&input[..]]);
        let (requests_in_pieces, end_in_pieces) = session(RequestParser::guarded(limits), pieces(&input, &cuts));
        prop_assert_eq!(is_foreign(&end_in_pieces), is_foreign(&end));
        prop_assert_eq!(requests_in_pieces, requests);
    }

    #[test]
    fn replies_are_the_same_however_they_arrive(replies in vec(any_text_reply(), 0..6), rest in any_bytes(), cuts in any_cuts()) {
        let valid: Vec<_> = replies.iter().flat_map(|reply| encoded_reply(reply, Protocol::Text)).collect();
        let (decoded, error) = decode_all(ClientCodec::text(Limits::default()), pieces(&valid, &cuts));
        prop_assert_eq!(decoded, replies);
        prop_assert!(error.is_none());

        let input = [valid, rest].concat();
        let (at_once, error) = decode_all(ClientCodec::text(LIMITS), [&input[..]]);
        let (in_pieces, error_in_pieces) = decode_all(ClientCodec::text(LIMITS), pieces(&input, &cuts));
        prop_assert_eq!(in_pieces, at_once);
        prop_assert_eq!(error_in_pieces.map(|error| error.kind()), error.map(|error| error.kind()));
    }

    #[test]
    fn every_line_gets_exactly_one_answer(lines in vec(any_line(), 0..8), cuts in any_cuts()) {
        let input = lines.concat();
        let (requests, end) = session(in_text(LIMITS), pieces(&input, &cuts));
        prop_assert_eq!(requests.len(), input.iter().filter(|byte| **byte == b'\n').count());
        prop_assert_eq!(end, End::Open(vec![]));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(input in vec(any::<u8>(), 0..2000), cuts in any_cuts()) {
        let (requests, end) = session(in_text(Limits::default()), pieces(&input, &cuts));
        prop_assert_eq!(requests.len(), input.iter().filter(|byte| **byte == b'\n').count());
        let End::Open(held) = end else { panic!("{end:?}") };
        prop_assert!(!held.contains(&b'\n'));
        session(RequestParser::guarded(LIMITS), pieces(&input, &cuts));
        // The client may refuse them, but not panic.
        decode_all(ClientCodec::text(LIMITS), pieces(&input, &cuts));
    }
}

#[test]
fn a_half_line_is_never_held_beyond_the_limit() {
    let max_bytes = LIMITS.max_plain_line_bytes();
    let flood = vec![b'x'; 100 * max_bytes];
    for cut in [1, 7, max_bytes, flood.len()] {
        let (requests, end) = session(in_text(LIMITS), pieces(&flood, &[cut]));
        let [Err(error)] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!(error.code, ErrorCode::TooLarge);
        assert!(error.to_string().contains(&max_bytes.to_string()), "{error}");
        assert_eq!(end, End::Open(vec![]));
    }
}

/// Quadratic work would be more than 10^14 bytes looked at: this test would not end.
#[test]
fn the_longest_value_byte_by_byte_takes_linear_work() {
    let line = [&b"SET k "[..], &vec![b'v'; DEFAULT_MAX_VALUE_BYTES], b"\r\n"].concat();
    let (mut parser, mut arguments) = (RequestParser::guarded(Limits::default()), Vec::new());
    for len in 0..line.len() {
        assert_eq!(parser.next(&line[..len], &mut arguments), Step::Incomplete);
    }
    let consumed_bytes = line.len();
    assert_eq!(
        parser.next(&line, &mut arguments),
        Step::Request { command: Ok(Command::Set), consumed_bytes }
    );
    assert_eq!(arguments[1].len(), DEFAULT_MAX_VALUE_BYTES);
}

#[test]
fn a_long_list_byte_by_byte_takes_linear_work() {
    let list = Reply::Array(vec![Reply::Bulk(Bytes::from_static(b"0123456789")); 10_001]);
    let wire = encoded_reply(&list, Protocol::Text);
    let (replies, error) = decode_all(ClientCodec::text(Limits::default()), pieces(&wire, &[1]));
    assert_eq!(replies, [list]);
    assert!(error.is_none());
}

/// A line of ours, or one that a program sends which takes the server for another.
fn any_guarded_line() -> impl Strategy<Value = Vec<u8>> {
    let foreign = vec![
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\n",
        "Host: a\r\n",
        "SET / HTTP/1.1\r\n",
        "GET a b HTTP/1.0\n",
        "\r\n",
        "EHLO example.org\r\n",
        "LONGER-THAN-ANY-NAME\n",
        "\u{16}\u{3}\u{1}\n",
        "PING\r \n",
        "*1\r\n$4\r\nPOST\r\n",
    ];
    prop_oneof![any_line(), select(foreign).prop_map(|line| line.as_bytes().to_vec())]
}

/// The error that a codec ends with.
fn told(end: &End) -> Option<String> {
    match end {
        End::Open(_) => None,
        End::Fatal(fatal) => Some(fatal.error.to_string()),
    }
}

fn is_foreign(end: &End) -> Option<bool> {
    match end {
        End::Open(_) => None,
        End::Fatal(fatal) => Some(fatal.is_foreign),
    }
}
