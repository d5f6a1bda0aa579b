//! RESP: any bytes in any pieces give the same commands and do no harm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustvault_fuzz::{LIMITS, Progress, feed, pieces};
use rustvault_protocol::{
    GlobMatch, RespCommand, RespParser, RespStep, RespVersion, Response, Shape, encode_resp, glob_matches,
};

fuzz_target!(|input: &[u8]| {
    let pieces = pieces(input);
    let whole = pieces.concat();
    assert_eq!(commands(&pieces), commands(&[&whole]));
});

fn commands(pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let mut parser = RespParser::new(LIMITS);
    feed(pieces, LIMITS.max_line_bytes(), |buffer| match parser.next(buffer) {
        RespStep::Command { command, consumed_bytes } => {
            answer(&command);
            Progress::Step(Some(format!("{command:?}")), consumed_bytes)
        }
        RespStep::Ignored { consumed_bytes } => Progress::Step(None, consumed_bytes),
        RespStep::Incomplete => Progress::Incomplete,
        RespStep::ProtocolError { message } => Progress::End(message.escape_ascii().to_string()),
    })
}

/// Encodes an answer and matches a key as a server would.
fn answer(command: &RespCommand<'_>) {
    let (RespCommand::One { shape, .. } | RespCommand::Many { shape, .. }) = command else { return };
    let list = Response::List(vec![Some("0"), Some("user:1"), None]);
    let mut out = Default::default();
    encode_resp(&list, shape, RespVersion::V3, &mut out);
    if let Shape::Matching { glob } | Shape::Page { glob: Some(glob) } = shape {
        let mut matching = GlobMatch::new(glob, b"user:1");
        let in_portions = std::iter::repeat_with(|| matching.advance(&mut 3)).flatten().next();
        assert_eq!(in_portions, Some(glob_matches(glob, b"user:1")));
    }
}
