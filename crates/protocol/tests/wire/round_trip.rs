//! What is encoded comes back.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};
use rustvault_protocol::{ClientCodec, Limits, Response, ServerCodec};
use tokio_util::codec::{Decoder, Encoder};

use crate::support::{
    LIMITS, any_command, any_line, any_response, encoded_command, encoded_response, requests,
};

proptest! {
    #[test]
    fn commands_survive_the_wire(commands in vec(any_command(), 1..5)) {
        let (mut client, mut server) = (ClientCodec::new(Limits::default()), ServerCodec::new(Limits::default()));
        let mut wire = BytesMut::new();
        for command in &commands {
            client.encode(command.clone(), &mut wire).unwrap();
        }
        for command in commands {
            prop_assert_eq!(server.decode(&mut wire).unwrap(), Some(Ok(command.map(Bytes::from))));
        }
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn responses_survive_the_wire(responses in vec(any_response(), 1..5)) {
        let (mut client, mut server) = (ClientCodec::new(Limits::default()), ServerCodec::new(Limits::default()));
        let mut wire = BytesMut::new();
        for response in &responses {
            server.encode(response.clone(), &mut wire).unwrap();
        }
        for response in responses {
            prop_assert_eq!(client.decode(&mut wire).unwrap(), Some(owned(response)));
        }
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn borrowed_and_shared_parsing_agree(lines in vec(any_line(), 0..8)) {
        let input = lines.concat();
        let (borrowed, _) = requests(LIMITS, [&input[..]]);
        let (mut codec, mut buffer) = (ServerCodec::new(LIMITS), BytesMut::from(&input[..]));
        let shared: Vec<_> = std::iter::from_fn(|| codec.decode(&mut buffer).unwrap()).collect();
        prop_assert_eq!(shared, borrowed);
    }

    #[test]
    fn whatever_was_understood_has_one_canonical_form(line in any_line()) {
        for command in requests(LIMITS, [&line[..]]).0.into_iter().flatten() {
            let canonical = encoded_command(&command);
            let (again, rest) = requests(LIMITS, [&canonical[..]]);
            prop_assert_eq!(&again, &[Ok(command)]);
            prop_assert_eq!(encoded_command(again[0].as_ref().unwrap()), canonical);
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn an_error_stays_one_line_whatever_its_message(code in proptest::sample::select(&rustvault_protocol::ErrorCode::ALL[..]), message: String) {
        let wire = encoded_response(&Response::<Bytes>::Error { code, message });
        prop_assert_eq!(wire.iter().filter(|byte| byte.is_ascii_control()).count(), 2);
        let decoded = ClientCodec::new(Limits::default()).decode(&mut BytesMut::from(&wire[..])).unwrap();
        prop_assert_eq!(encoded_response(&decoded.unwrap()), wire);
    }
}

fn owned(response: Response<Vec<u8>>) -> Response<Bytes> {
    match response {
        Response::Ok => Response::Ok,
        Response::Pong => Response::Pong,
        Response::NotFound => Response::NotFound,
        Response::Value(value) => Response::Value(value.into()),
        Response::List(items) => {
            Response::List(items.into_iter().map(|item| item.map(Bytes::from)).collect())
        }
        Response::Error { code, message } => Response::Error { code, message },
        other => panic!("a kind of response that this test does not know: {other:?}"),
    }
}
