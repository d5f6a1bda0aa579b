//! What the fuzz targets share.

use rustvault_protocol::Limits;

/// So small that a fuzzer finds both sides of every limit.
pub const LIMITS: Limits = Limits { max_key_bytes: 16, max_value_bytes: 40 };

/// Cuts `input` into pieces; its first two bytes say how long they are, in turn.
pub fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let [first, second, rest @ ..] = input else { return Vec::new() };
    let (mut rest, mut pieces) = (rest, Vec::new());
    for len in [first, second].into_iter().cycle().map(|len| usize::from(*len).max(1)) {
        let (piece, after) = rest.split_at(rest.len().min(len));
        if piece.is_empty() {
            break;
        }
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// What a parser made of the front of its buffer.
pub enum Progress {
    /// This came out, if anything did, and so many bytes went in.
    Step(Option<String>, usize),
    /// More input is needed.
    Incomplete,
    /// The connection ends with this.
    End(String),
}

/// Feeds the pieces to a parser as a connection does, and gives what came out, printed.
///
/// # Panics
/// Where a step makes no progress, or more is held than `max_held_bytes`.
pub fn feed(
    pieces: &[&[u8]],
    max_held_bytes: usize,
    mut next: impl FnMut(&[u8]) -> Progress,
) -> (Vec<String>, Vec<u8>) {
    let (mut buffer, mut outcome) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match next(&buffer) {
                Progress::Step(item, consumed_bytes) => {
                    assert!(
                        (1..=buffer.len()).contains(&consumed_bytes),
                        "a step without progress never ends"
                    );
                    outcome.extend(item);
                    buffer.drain(..consumed_bytes);
                }
                Progress::Incomplete => break,
                Progress::End(last) => {
                    outcome.push(last);
                    return (outcome, Vec::new());
                }
            }
        }
        assert!(buffer.len() <= max_held_bytes, "{} bytes are held", buffer.len());
    }
    (outcome, buffer)
}
