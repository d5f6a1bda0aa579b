//! The text protocol: any bytes in any pieces give the same requests, or replies, and do no harm, and what was understood
//! has one canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustvault_fuzz::{LIMITS, Session, answer, assert_decoded, assert_one_line, assert_parses_to, pieces, session};
use rustvault_protocol::{ClientCodec, OwnedRequest, Protocol, RequestParser, encode_request};

fuzz_target!(|input: &[u8]| {
    let pieces = pieces(input);
    let whole = pieces.concat();
    let at_once = session(in_text(), &[&whole]);
    assert_eq!(session(in_text(), &pieces), at_once);
    assert_answered(&at_once, &whole);
    at_once.requests.iter().flatten().for_each(assert_canonical);
    at_once.requests.iter().for_each(answer);
    assert_guarded(&pieces, &whole);
    assert_decoded(ClientCodec::text, Protocol::Text, &pieces);
});

/// A parser whose first line was a command, so that no byte can choose RESP.
fn in_text() -> RequestParser {
    let mut parser = RequestParser::new(LIMITS);
    parser.next(b"PING\n", &mut Vec::new());
    parser
}

/// A line is answered once, one that is over its limit before its end is there.
fn assert_answered(session: &Session, input: &[u8]) {
    let lines = input.iter().filter(|byte| **byte == b'\n').count();
    let last = input.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_too_long = session.requests.len() > lines;
    assert_eq!(session.requests.len(), lines + usize::from(is_too_long));
    assert_eq!(session.held, if is_too_long { b"" } else { last });
    assert!(!is_too_long || last.len() > LIMITS.max_plain_line_bytes());
    assert_eq!(session.fatal, None);
}

fn assert_canonical(request: &OwnedRequest) {
    let mut wire = Default::default();
    encode_request(request.command, &request.arguments, &mut wire);
    assert_parses_to(request, &wire);
}

/// A stranger is found out however its lines arrive; only of one that is too long, the end may not be waited for.
fn assert_guarded(pieces: &[&[u8]], whole: &[u8]) {
    let guarded = || RequestParser::guarded(LIMITS);
    let (at_once, in_pieces) = (session(guarded(), &[whole]), session(guarded(), pieces));
    let fatals = [&at_once, &in_pieces].map(|session| session.fatal.as_ref());
    fatals.into_iter().flatten().for_each(|fatal| assert_one_line(&fatal.error, Protocol::Text));
    if whole.split(|byte| *byte == b'\n').all(|line| line.len() <= LIMITS.max_plain_line_bytes()) {
        let [at_once_foreign, in_pieces_foreign] = fatals.map(|fatal| fatal.map(|fatal| fatal.is_foreign));
        assert_eq!((in_pieces.requests, in_pieces_foreign), (at_once.requests, at_once_foreign));
    }
}
