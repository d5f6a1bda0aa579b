//! Forms of stored and received bytes that a terminal prints and does not act on.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use bytes::{BufMut, BytesMut};
use rustvault_protocol::BulkEncoder;

/// Returns whether a terminal prints these bytes as they are: UTF-8 without control characters, be they of ASCII or
/// the 32 behind it (C1), among which a terminal knows another form of `ESC [`.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control))
}

/// Encodes bytes in double quotes and the escapes of the text protocol, `\xHH` also for what is not printable beyond
/// ASCII. A session reads it as the same bytes.
pub(crate) fn quoted(bytes: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(bytes.len() + 2);
    out.put_u8(b'"');
    for chunk in bytes.utf8_chunks() {
        for run in chunk.valid().split_inclusive(is_c1) {
            let plain = run.trim_end_matches(is_c1);
            BulkEncoder::Quoted.piece(plain.as_bytes(), &mut out);
            put_hex(run.as_bytes().get(plain.len()..).unwrap_or_default(), &mut out);
        }
        put_hex(chunk.invalid(), &mut out);
    }
    out.put_u8(b'"');
    out
}

fn is_c1(character: char) -> bool {
    character.is_control() && !character.is_ascii()
}

fn put_hex(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        // A buffer takes everything.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// Returns lines of text with their control characters escaped.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |control, out| out.extend(control.escape_unicode()))
}

/// Returns JSON with the control characters that its strings may hold (DEL and C1) escaped: the same JSON.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    escaped(json, |control, out| {
        // A string takes everything.
        let _ = write!(out, "\\u{:04x}", u32::from(control));
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let acts = |character: char| character.is_control() && character != '\n';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) { escape(character, &mut out) } else { out.push(character) }
    }
    Cow::Owned(out)
}

/// A terminal that is given lines of JSON.
pub(crate) struct JsonTerminal<W> {
    out: W,
    /// The line that has not ended yet: a character may come in two pieces.
    line: Vec<u8>,
}

impl<W: Write> JsonTerminal<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }
}

impl<W: Write> Write for JsonTerminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.out.write_all(visible_json(&String::from_utf8_lossy(&self.line)).as_bytes())?;
                self.line.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_leave_no_byte_that_controls_a_terminal() {
        let all: Vec<u8> = (0..=255).chain("é\u{9b}\u{85}🦀\"".bytes()).collect();
        let quoted = quoted(&all);
        assert!(is_printable(&quoted), "{quoted:?}");
        assert!(quoted.ends_with("é\\xc2\\x9b\\xc2\\x85🦀\\\"\"".as_bytes()), "{quoted:?}");
    }

    #[test]
    fn text_keeps_its_lines_and_letters() {
        assert_eq!(visible("two\nlines, é"), "two\nlines, é");
        assert_eq!(visible("\x1b[2J\u{9b}\x7f"), "\\u{1b}[2J\\u{9b}\\u{7f}");
    }

    #[test]
    fn json_at_a_terminal_is_the_same_json() {
        let json = serde_json::json!({"k\u{9b}": "\x7f\x1b é"});
        let mut terminal = JsonTerminal::new(Vec::new());
        for byte in format!("{json}\n").as_bytes() {
            assert_eq!(terminal.write(&[*byte]).ok(), Some(1));
        }
        let text = String::from_utf8(terminal.out).expect("UTF-8");
        assert!(is_printable(text.trim_end().as_bytes()), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(json));
    }
}
