//! Prints results and errors: for people, for programs, and so that no byte of them controls a terminal.

use std::io::{self, IsTerminal, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustvault_protocol::needs_quotes;
use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::escape::{is_printable, quoted, visible, visible_json};

/// Prints results for people or, as one JSON object a line, for scripts.
///
/// Its methods fail with [`CliError::Output`].
#[derive(Debug)]
pub(crate) struct Printer<W> {
    out: W,
    json: bool,
    /// Set if the output is a terminal, which would act on control characters.
    is_terminal: bool,
}

impl<W: Write> Printer<W> {
    /// A printer whose `out` ends in standard output.
    pub(crate) fn to_stdout(out: W, json: bool) -> Self {
        Self { out, json, is_terminal: io::stdout().is_terminal() }
    }

    /// `text` is what people read: `OK` or `PONG`.
    pub(crate) fn done(&mut self, text: &str) -> Result<(), CliError> {
        self.print(text, || json!({"status": "ok"}))
    }

    pub(crate) fn not_found(&mut self) -> Result<(), CliError> {
        self.print("(nil)", || json!({"status": "not_found"}))
    }

    pub(crate) fn count(&mut self, count: u64) -> Result<(), CliError> {
        self.print(&count.to_string(), || json!({"status": "ok", "count": count}))
    }

    /// Prints a value: as it is, but quoted at a terminal where the text protocol would, and for whatever else would
    /// control the terminal.
    pub(crate) fn value(&mut self, value: &[u8]) -> Result<(), CliError> {
        if self.json {
            let mut object = Map::from_iter([("status".to_owned(), json!("ok"))]);
            insert_bytes(&mut object, "value", value);
            return self.json_line(&Value::Object(object));
        }
        let needs_quotes = self.is_terminal && (needs_quotes(value, false) || !is_printable(value));
        if needs_quotes { self.line(&quoted(value)) } else { self.line(value) }
    }

    /// Writes exactly these bytes, without a line end.
    pub(crate) fn raw(&mut self, value: &[u8]) -> Result<(), CliError> {
        self.out.write_all(value).map_err(CliError::Output)
    }

    /// Prints one key of a scan, quoted where it would not stand on a line by itself.
    pub(crate) fn key(&mut self, key: &[u8]) -> Result<(), CliError> {
        if self.json {
            let mut object = Map::new();
            insert_bytes(&mut object, "key", key);
            return self.json_line(&Value::Object(object));
        }
        let needs_quotes = needs_quotes(key, true) || self.is_terminal && !is_printable(key);
        if needs_quotes { self.line(&quoted(key)) } else { self.line(key) }
    }

    pub(crate) fn info(&mut self, fields: &[(String, String)]) -> Result<(), CliError> {
        if self.json {
            let info: Map<_, _> = fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            return self.json_line(&json!({"status": "ok", "info": info}));
        }
        fields.iter().try_for_each(|(name, value)| self.text(&format!("{name}={value}")))
    }

    /// Prints `text`, or the object.
    pub(crate) fn report(&mut self, text: &str, object: &Value) -> Result<(), CliError> {
        self.print(text, || object.clone())
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        if self.is_terminal { self.line(visible(text).as_bytes()) } else { self.line(text.as_bytes()) }
    }

    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush().map_err(CliError::Output)
    }

    fn print(&mut self, text: &str, object: impl FnOnce() -> Value) -> Result<(), CliError> {
        if self.json { self.json_line(&object()) } else { self.text(text) }
    }

    fn json_line(&mut self, value: &Value) -> Result<(), CliError> {
        let text = value.to_string();
        if self.is_terminal { self.line(visible_json(&text).as_bytes()) } else { self.line(text.as_bytes()) }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), CliError> {
        self.out.write_all(line).and_then(|()| self.out.write_all(b"\n")).map_err(CliError::Output)
    }
}

/// Tells standard error what went wrong; nothing for a broken pipe, whose reader wants no more.
pub(crate) fn report_error(error: &CliError, json: bool) {
    if error.is_broken_pipe() {
        return;
    }
    let line = if json { error_json(error).to_string() } else { format!("error: {error}") };
    let mut stderr = io::stderr().lock();
    let line = match (stderr.is_terminal(), json) {
        (false, _) => line.into(),
        (true, false) => visible(&line),
        (true, true) => visible_json(&line),
    };
    // With standard error gone, only the exit code is left to tell.
    let _ = writeln!(stderr, "{line}");
}

fn error_json(error: &CliError) -> Value {
    let mut object = Map::from_iter([
        ("kind".to_owned(), json!(error.kind().to_string())),
        ("message".to_owned(), json!(error.to_string())),
    ]);
    if let Some(code) = error.server_code() {
        object.insert("code".to_owned(), json!(code));
    }
    if let Some(line) = error.line() {
        object.insert("line".to_owned(), json!(line));
    }
    json!({"error": object})
}

/// Adds `name`, or `name_base64` for bytes that JSON's strings cannot hold.
fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: bool, print: impl FnOnce(&mut Printer<Vec<u8>>) -> Result<(), CliError>) -> String {
        let mut printer = Printer { out: Vec::new(), json, is_terminal: false };
        print(&mut printer).expect("a Vec takes everything");
        String::from_utf8(printer.out).expect("UTF-8")
    }

    #[test]
    fn every_key_of_a_scan_is_one_line() {
        assert_eq!(printed(false, |p| p.key(b"user:1")), "user:1\n");
        assert_eq!(printed(false, |p| p.key(b"a\nb\x00")), "\"a\\nb\\x00\"\n");
        assert_eq!(printed(false, |p| p.key(b"two words")), "\"two words\"\n");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_base64() {
        assert_eq!(printed(true, |p| p.value("é".as_bytes())), "{\"status\":\"ok\",\"value\":\"é\"}\n");
        assert_eq!(
            printed(true, |p| p.value(b"\xff\x00")),
            "{\"status\":\"ok\",\"value_base64\":\"/wA=\"}\n"
        );
        assert_eq!(printed(true, |p| p.key(b"\xff")), "{\"key_base64\":\"/w==\"}\n");
    }

    #[test]
    fn errors_carry_their_line_and_kind() {
        let error = CliError::Line { line: 7, source: Box::new(CliError::Usage("what?".to_owned())) };
        let expected = json!({"error": {"kind": "usage", "message": "line 7: what?", "line": 7}});
        assert_eq!(error_json(&error), expected);
    }
}
