//! Replies of RESP: what is encoded comes back, however it is cut up, and no input does harm.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::{
    ClientCodec, ErrorReply, Limits, Protocol, Reply,
    limits::{DEFAULT_MAX_VALUE_BYTES, MAX_ARGUMENTS},
};
use std::io;
use tokio_util::codec::Decoder;

use crate::support::{LIMITS, any_bytes, any_cuts, any_reply, decode_all, encoded_reply, pieces};

proptest! {
    #[test]
    fn replies_survive_the_wire_in_any_pieces(replies in vec(any_reply(), 1..5), cuts in any_cuts()) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let wire: Vec<_> = replies.iter().flat_map(|reply| encoded_reply(reply, protocol)).collect();
            let (received, error) = decode_all(codec(), pieces(&wire, &cuts));
            prop_assert_eq!(received, replies.iter().map(|reply| received_as(reply, protocol)).collect::<Vec<_>>());
            prop_assert!(error.is_none());
        }
    }

    #[test]
    fn what_was_understood_can_be_said_again(elements in vec(any_element(), 0..24), cuts in any_cuts()) {
        let wire = elements.concat();
        let (at_once, error) = decode_all(codec(), [&wire[..]]);
        let (in_pieces, error_in_pieces) = decode_all(codec(), pieces(&wire, &cuts));
        // Not the replies themselves: of doubles, one is not equal to itself.
        let said = |replies: &[Reply]| replies.iter().flat_map(|reply| encoded_reply(reply, Protocol::Resp3)).collect::<Vec<_>>();
        prop_assert_eq!(said(&in_pieces), said(&at_once));
        prop_assert_eq!(error_in_pieces.map(|error| error.to_string()), error.map(|error| error.to_string()));
        let (again, error) = decode_all(codec(), [&said(&at_once)[..]]);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert_eq!(said(&again), said(&at_once));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(start in any_element(), input in vec(any::<u8>(), 0..300), cuts in any_cuts()) {
        for input in [&[&start[..], &input].concat(), &input] {
            let (at_once, error) = decode_all(codec(), [&input[..]]);
            let (in_pieces, error_in_pieces) = decode_all(codec(), pieces(input, &cuts));
            prop_assert_eq!(format!("{in_pieces:?}"), format!("{at_once:?}"));
            prop_assert_eq!(error_in_pieces.map(|error| error.kind()), error.map(|error| error.kind()));
        }
    }
}

#[test]
fn a_reply_is_whole_at_its_last_byte_and_not_before() {
    const REPLY: &[u8] = b"*9\r\n+word\r\n-ERR a b\r\n:-7\r\n$4\r\na\r\nb\r\n%1\r\n,1.5\r\n#t\r\n\
        |1\r\n+key\r\n:1\r\n~2\r\n_\r\n(123456789012345678901\r\n!5\r\nERR x\r\n=7\r\ntxt:abc\r\n*0\r\n";
    for len in 0..REPLY.len() {
        let (mut codec, mut buffer) = (codec(), BytesMut::from(&REPLY[..len]));
        assert_eq!(codec.decode(&mut buffer).unwrap(), None, "{len}");
        match codec.decode_eof(&mut buffer) {
            Ok(None) => assert_eq!(len, 0),
            other => assert_eq!(other.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{len}"),
        }
        buffer.extend_from_slice(&REPLY[len..]);
        assert!(codec.decode(&mut buffer).unwrap().is_some(), "{len}");
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), None, "{len}");
    }
}

/// Elements that have arrived leave the buffer, so that none is looked at again when more comes.
#[test]
fn no_element_of_a_long_array_is_read_twice() {
    const ELEMENT: &str = "$1\r\nk\r\n";
    let elements = MAX_ARGUMENTS;
    let wire = [format!("*{elements}\r\n"), ELEMENT.repeat(elements)].concat();
    let (mut codec, mut buffer) = (codec(), BytesMut::new());
    let mut replies = Vec::new();
    for piece in wire.as_bytes().chunks(16 * 1024) {
        buffer.extend_from_slice(piece);
        replies.extend(codec.decode(&mut buffer).unwrap());
        assert!(buffer.len() < ELEMENT.len(), "{} bytes are held", buffer.len());
    }
    let [Reply::Array(items)] = &replies[..] else { panic!("{} replies", replies.len()) };
    assert_eq!(items.len(), elements);
}

/// Quadratic work would be more than 10^13 bytes looked at: this test would not end.
#[test]
fn a_long_byte_string_byte_by_byte_takes_linear_work() {
    let reply = Reply::Bulk(Bytes::from(vec![b'\n'; DEFAULT_MAX_VALUE_BYTES]));
    let wire = encoded_reply(&reply, Protocol::Resp3);
    let (replies, error) = decode_all(codec(), pieces(&wire, &[1]));
    assert!(error.is_none());
    assert_eq!(replies, [reply]);
}

fn codec() -> ClientCodec {
    ClientCodec::resp(Limits { max_key_bytes: LIMITS.max_key_bytes, ..Limits::default() })
}

/// Returns what a client gets of a reply: RESP2 has fewer types, and an error's code is told by its line.
fn received_as(reply: &Reply, protocol: Protocol) -> Reply {
    let all = |items: &[Reply]| items.iter().map(|item| received_as(item, protocol)).collect::<Vec<_>>();
    let is_resp2 = protocol == Protocol::Resp2;
    match reply {
        Reply::Error(error) => ErrorReply::from_resp_line(error.line().to_vec()).into(),
        Reply::Double(number) if is_resp2 => Reply::Bulk(number.to_string().into()),
        Reply::Verbatim(bytes) if is_resp2 => Reply::Bulk(bytes.clone()),
        Reply::Array(items) => Reply::Array(all(items)),
        Reply::Set(items) if is_resp2 => Reply::Array(all(items)),
        Reply::Set(items) => Reply::Set(all(items)),
        Reply::Map(entries) if is_resp2 => Reply::Array(
            entries.iter().flat_map(|(name, value)| all(&[name.clone(), value.clone()])).collect(),
        ),
        Reply::Map(entries) => {
            let received = |part| received_as(part, protocol);
            Reply::Map(entries.iter().map(|(name, value)| (received(name), received(value))).collect())
        }
        same => same.clone(),
    }
}

/// An element as it comes in from anybody: well-formed, nearly so, or rubbish.
fn any_element() -> impl Strategy<Value = Vec<u8>> {
    let aggregates = vec![
        "*0\r\n", "*1\r\n", "*2\r\n", "~0\r\n", "~2\r\n", "%0\r\n", "%1\r\n", "|0\r\n", "|1\r\n", ">0\r\n",
        ">2\r\n",
    ];
    let leaves = vec![
        "+OK\r\n",
        "+a word\r\n",
        "-ERR no\r\n",
        "-NEW kind\r\n",
        ":0\r\n",
        ":-12\r\n",
        "$0\r\n\r\n",
        "$3\r\na\r\n\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "_\r\n",
        "#t\r\n",
        "#f\r\n",
        ",1.5\r\n",
        ",-2e-3\r\n",
        ",inf\r\n",
        ",nan\r\n",
        "(-1234567890123456789012\r\n",
        "!7\r\nERR\r\na\r\n",
        "=5\r\ntxt:a\r\n",
        "=4\r\nmkd:\r\n",
    ];
    let broken = vec![
        "+a\rb\r\n",
        "+a\n",
        ":01\r\n",
        ":+1\r\n",
        ":\r\n",
        "$-2\r\n",
        "$?\r\n",
        "*?\r\n",
        "$1\r\nab\r\n",
        "=3\r\nabc\r\n",
        "#x\r\n",
        "_x\r\n",
        ",x\r\n",
        ",\r\n",
        "(1a\r\n",
        "%-1\r\n",
        "ERROR TOO_LARGE a\r\n",
        "GET\r\n",
        "\r\n",
    ];
    let text = |text: &str| text.as_bytes().to_vec();
    prop_oneof![
        8 => select(leaves).prop_map(text),
        6 => select(aggregates).prop_map(text),
        1 => select(broken).prop_map(text),
        1 => any_bytes(),
    ]
}
