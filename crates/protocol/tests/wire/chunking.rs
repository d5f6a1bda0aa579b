//! How the input is cut up makes no difference, and no input does harm.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};
use rustvault_protocol::{
    ClientCodec, Command, Limits, ProtocolError, RequestParser, Response, ServerCodec, Step,
    limits::DEFAULT_MAX_VALUE_BYTES,
};
use tokio_util::codec::Decoder;

use crate::support::{
    LIMITS, any_bytes, any_cuts, any_line, any_response, encoded_response, pieces, requests,
};

proptest! {
    #[test]
    fn requests_are_the_same_however_they_arrive(lines in vec(any_line(), 0..8), rest in any_bytes(), cuts in any_cuts()) {
        let input = [lines.concat(), rest].concat();
        let (at_once, held) = requests(LIMITS, [&input[..]]);
        let (in_pieces, held_in_pieces) = requests(LIMITS, pieces(&input, &cuts));
        prop_assert_eq!(&in_pieces, &at_once);
        prop_assert_eq!(held_in_pieces, held);
        prop_assert_eq!(decode_all(ServerCodec::new(LIMITS), pieces(&input, &cuts)).unwrap(), at_once);
    }

    #[test]
    fn responses_are_the_same_however_they_arrive(responses in vec(any_response(), 0..6), rest in any_bytes(), cuts in any_cuts()) {
        let valid: Vec<_> = responses.iter().flat_map(encoded_response).collect();
        let answers = decode_all(ClientCodec::new(Limits::default()), pieces(&valid, &cuts)).unwrap();
        prop_assert_eq!(answers.iter().flat_map(encoded_response).collect::<Vec<_>>(), &valid[..]);

        let input = [valid, rest].concat();
        let at_once = decode_all(ClientCodec::new(LIMITS), [&input[..]]);
        let in_pieces = decode_all(ClientCodec::new(LIMITS), pieces(&input, &cuts));
        prop_assert_eq!(in_pieces.map_err(|error| error.kind()), at_once.map_err(|error| error.kind()));
    }

    #[test]
    fn every_line_gets_exactly_one_answer(lines in vec(any_line(), 0..8), cuts in any_cuts()) {
        let input = lines.concat();
        let (answers, held) = requests(LIMITS, pieces(&input, &cuts));
        prop_assert_eq!(answers.len(), input.iter().filter(|byte| **byte == b'\n').count());
        prop_assert!(held.is_empty());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(input in vec(any::<u8>(), 0..2000), cuts in any_cuts()) {
        let (answers, held) = requests(Limits::default(), pieces(&input, &cuts));
        prop_assert_eq!(answers.len(), input.iter().filter(|byte| **byte == b'\n').count());
        prop_assert!(!held.contains(&b'\n'));
        // The client may refuse them, but not panic.
        let _ = decode_all(ClientCodec::new(LIMITS), pieces(&input, &cuts));
    }
}

#[test]
fn a_half_line_is_never_held_beyond_the_limit() {
    let max_bytes = LIMITS.max_plain_line_bytes();
    let flood = vec![b'x'; 100 * max_bytes];
    for cut in [1, 7, max_bytes, flood.len()] {
        let (answers, held) = requests(LIMITS, pieces(&flood, &[cut]));
        assert_eq!(answers, [Err(ProtocolError::LineTooLong { max_bytes })]);
        assert!(held.is_empty());
    }
}

/// Quadratic work would be more than 10^14 bytes looked at: this test would not end.
#[test]
fn the_longest_value_byte_by_byte_takes_linear_work() {
    let line = [&b"SET k "[..], &vec![b'v'; DEFAULT_MAX_VALUE_BYTES], b"\r\n"].concat();
    let mut parser = RequestParser::new(Limits::default());
    for len in 0..line.len() {
        assert_eq!(parser.next(&line[..len]), Step::Incomplete);
    }
    let Step::Request { request: Ok(Command::Set { value, .. }), consumed_bytes } = parser.next(&line) else {
        panic!("the longest value is within the limit");
    };
    assert_eq!((value.len(), consumed_bytes), (DEFAULT_MAX_VALUE_BYTES, line.len()));
}

#[test]
fn a_long_list_byte_by_byte_takes_linear_work() {
    let list = Response::List(vec![Some(Bytes::from_static(b"0123456789")); 10_001]);
    let wire = encoded_response(&list);
    let answers = decode_all(ClientCodec::new(Limits::default()), pieces(&wire, &[1])).unwrap();
    assert_eq!(answers, [list]);
}

fn decode_all<'a, D: Decoder>(
    mut codec: D,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<D::Item>, D::Error> {
    let (mut buffer, mut items) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(item) = codec.decode(&mut buffer)? {
            items.push(item);
        }
    }
    Ok(items)
}
