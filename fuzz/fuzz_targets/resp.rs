//! RESP: any bytes in any pieces give the same requests, or replies, and do no harm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustvault_fuzz::{LIMITS, answer, assert_decoded, assert_one_line, assert_parses_to, pieces, session};
use rustvault_protocol::{
    ClientCodec, GlobMatch, OwnedRequest, Protocol, RequestParser, encode_request, encode_resp_request,
    glob_matches,
};

fuzz_target!(|input: &[u8]| {
    let pieces = pieces(input);
    let whole = pieces.concat();
    let at_once = session(in_resp(), &[&whole]);
    assert_eq!(session(in_resp(), &pieces), at_once);
    for request in &at_once.requests {
        answer(request);
        if let Ok(request) = request {
            assert_canonical(request);
            request.arguments.iter().for_each(|glob| assert_matched(glob));
        }
    }
    if let Some(fatal) = at_once.fatal {
        assert_one_line(&fatal.error, Protocol::Resp2);
    }
    assert_decoded(ClientCodec::resp, Protocol::Resp3, &pieces);
});

/// A parser whose first bytes were RESP, so that no byte can choose text.
fn in_resp() -> RequestParser {
    let mut parser = RequestParser::new(LIMITS);
    parser.next(b"*0\r\n", &mut Vec::new());
    parser
}

/// What was understood can be said again, in text too where that has the command.
fn assert_canonical(request: &OwnedRequest) {
    let spec = request.command.spec();
    let mut wire = Default::default();
    encode_resp_request(request.command, &request.arguments, &mut wire);
    assert_parses_to(request, &wire);

    if spec.protocols.contains(Protocol::Text) {
        wire.clear();
        encode_request(request.command, &request.arguments, &mut wire);
        // Of more arguments than it takes, the text parser reads one: that tells that there are too many.
        let mut read = request.clone();
        read.arguments.truncate(spec.arity.bounds().1.saturating_add(1));
        assert_parses_to(&read, &wire);
    }
}

/// A client's glob is matched in portions as it is at one go.
fn assert_matched(glob: &[u8]) {
    let mut matching = GlobMatch::new(glob, b"user:1");
    let in_portions = std::iter::repeat_with(|| matching.advance(&mut 3)).flatten().next();
    assert_eq!(in_portions, Some(glob_matches(glob, b"user:1")));
}
