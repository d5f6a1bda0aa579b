//! What is encoded comes back.

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::{
    ClientCodec, ErrorCode, ErrorReply, Limits, OwnedRequest, Protocol, Reply, RequestParser, ServerCodec,
};
use tokio_util::codec::{Decoder, Encoder};

use crate::support::{
    End, LIMITS, any_bytes, any_line, any_reply, any_request, any_text_reply, encoded_reply, encoded_request,
    in_text, session,
};

proptest! {
    #[test]
    fn requests_survive_the_wire((mut client, requests) in any_client()) {
        let mut server = ServerCodec::new(Limits::default());
        let mut wire = BytesMut::new();
        for request in &requests {
            client.encode(request, &mut wire).unwrap();
        }
        for request in requests {
            prop_assert_eq!(server.decode(&mut wire).unwrap(), Some(Ok(request)));
        }
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn replies_survive_the_wire(replies in vec(any_text_reply(), 1..5)) {
        let (mut client, mut server) = (ClientCodec::text(Limits::default()), ServerCodec::new(Limits::default()));
        let mut wire = BytesMut::new();
        for reply in &replies {
            server.encode(reply.clone(), &mut wire).unwrap();
        }
        for reply in replies {
            prop_assert_eq!(client.decode(&mut wire).unwrap(), Some(reply));
        }
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn whatever_was_understood_has_one_canonical_form(line in any_line()) {
        for request in session(in_text(LIMITS), [&line[..]]).0.into_iter().flatten() {
            let canonical = encoded_request(&request);
            // Quotes and escapes make it longer.
            let (again, end) = session(in_text(Limits::default()), [&canonical[..]]);
            prop_assert_eq!(&again, &[Ok(request)]);
            prop_assert_eq!(encoded_request(again[0].as_ref().unwrap()), canonical);
            prop_assert_eq!(end, End::Open(vec![]));
        }
    }

    /// A server's pipeline stays in step with its client, whatever is answered.
    #[test]
    fn a_reply_of_text_is_made_of_whole_lines(reply in any_reply()) {
        let wire = encoded_reply(&reply, Protocol::Text);
        let lines = wire.split_inclusive(|byte| *byte == b'\n');
        prop_assert_eq!(lines.clone().count(), lines_of(&reply));
        for line in lines {
            let content = line.strip_suffix(b"\r\n").unwrap();
            prop_assert!(!content.iter().any(u8::is_ascii_control), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn an_error_stays_one_line_whatever_its_message(code in select(&ErrorCode::ALL[..]), message: String) {
        let wire = encoded_reply(&Reply::error(code, message), Protocol::Text);
        prop_assert_eq!(wire.iter().filter(|byte| byte.is_ascii_control()).count(), 2);
        let decoded = ClientCodec::text(Limits::default()).decode(&mut BytesMut::from(&wire[..])).unwrap();
        prop_assert_eq!(encoded_reply(&decoded.unwrap(), Protocol::Text), wire);
    }

    #[test]
    fn an_error_stays_one_line_whatever_bytes_it_shows(bytes in any_bytes()) {
        let error = ErrorReply::with_bytes(ErrorCode::Other, [b"ERR ", &bytes[..]].concat());
        for protocol in [Protocol::Text, Protocol::Resp2, Protocol::Resp3] {
            let wire = encoded_reply(&error.clone().into(), protocol);
            prop_assert!(wire.ends_with(b"\r\n"));
            prop_assert_eq!(wire.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count(), 2);
        }
    }

    #[test]
    fn a_bad_request_is_answered_in_one_line(line in any_line()) {
        let parsers = [RequestParser::new(LIMITS), RequestParser::guarded(LIMITS)];
        for (requests, end) in parsers.map(|parser| session(parser, [&line[..]])) {
            let mut errors: Vec<_> = requests.into_iter().filter_map(Result::err).map(|error| *error).collect();
            if let End::Fatal(fatal) = end {
                errors.push(fatal.error);
            }
            for error in errors {
                let wire = encoded_reply(&error.into(), Protocol::Text);
                prop_assert!(wire.starts_with(b"ERROR ") && wire.ends_with(b"\r\n"));
                prop_assert_eq!(wire.iter().filter(|byte| byte.is_ascii_control()).count(), 2);
            }
        }
    }
}

/// A client of either protocol, and what it asks for.
fn any_client() -> impl Strategy<Value = (ClientCodec, Vec<OwnedRequest>)> {
    let client = |codec: fn(Limits) -> ClientCodec, protocol| {
        let requests = vec(any_request(protocol), 1..5);
        requests.prop_map(move |requests| (codec(Limits::default()), requests))
    };
    prop_oneof![client(ClientCodec::text, Protocol::Text), client(ClientCodec::resp, Protocol::Resp2)]
}

/// How many lines a reply takes in text.
fn lines_of(reply: &Reply) -> usize {
    match reply {
        Reply::Array(items) | Reply::Set(items) => 1 + items.iter().map(lines_of).sum::<usize>(),
        Reply::Map(entries) => {
            1 + entries.iter().map(|(name, value)| lines_of(name) + lines_of(value)).sum::<usize>()
        }
        _ => 1,
    }
}
