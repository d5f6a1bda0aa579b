//! The text protocol: any bytes in any pieces give the same requests and do no harm, and what was understood
//! has one canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustvault_fuzz::{LIMITS, Progress, feed, pieces};
use rustvault_protocol::{Request, RequestParser, Step, encode_command};

fuzz_target!(|input: &[u8]| {
    let pieces = pieces(input);
    let whole = pieces.concat();
    let (answers, held) = requests(&pieces);
    assert_eq!(requests(&[&whole]), (answers.clone(), held));
    assert_eq!(answers.len(), answers_due(&whole));
});

/// A line is answered once, one that is over its limit before its end is there.
fn answers_due(input: &[u8]) -> usize {
    let lines = input.iter().filter(|byte| **byte == b'\n').count();
    let last = input.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    lines + usize::from(last.strip_suffix(b"\r").unwrap_or(last).len() > LIMITS.max_line_bytes())
}

fn requests(pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let mut parser = RequestParser::new(LIMITS);
    // A line may be whole but for the LF of its CRLF.
    feed(pieces, LIMITS.max_line_bytes() + 1, |buffer| match parser.next(buffer) {
        Step::Request { request, consumed_bytes } => {
            if let Ok(request) = &request {
                assert_canonical(request);
            }
            Progress::Step(Some(format!("{request:?}")), consumed_bytes)
        }
        Step::Skip { consumed_bytes } => Progress::Step(None, consumed_bytes),
        Step::Incomplete => Progress::Incomplete,
    })
}

fn assert_canonical(request: &Request<'_>) {
    let mut wire = Default::default();
    encode_command(request, &mut wire);
    match RequestParser::new(LIMITS).next(&wire) {
        Step::Request { request: Ok(again), consumed_bytes } => {
            assert_eq!((&again, consumed_bytes), (request, wire.len()));
        }
        other => panic!("{request:?} was encoded as {wire:?}, which is {other:?}"),
    }
}
