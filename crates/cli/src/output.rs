//! Prints results and errors: for people, for programs, and so that no byte of them controls a terminal.

use std::io::{self, IsTerminal, Write};

use bytes::Bytes;
use rustvault_protocol::{Reply, needs_quotes};
use serde_json::{Map, Value, json};

use crate::commands::CommandOutcome;
use crate::error::CliError;
use crate::escape::{is_printable, quoted, visible, visible_json};
use crate::reply::{self, insert_bytes};

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

    /// Prints the reply to a command that has no form of its own here.
    pub(crate) fn reply(&mut self, reply: &Reply) -> Result<CommandOutcome, CliError> {
        if self.json {
            self.json_line(&reply::json_object(reply))?;
        } else {
            let written = match self.is_terminal {
                true => reply::write_for_people(reply, &mut self.out),
                false => reply::write_raw(reply, &mut self.out),
            };
            written.and_then(|()| self.out.write_all(b"\n")).map_err(CliError::Output)?;
        }
        Ok(if *reply == Reply::Null { CommandOutcome::KeyNotFound } else { CommandOutcome::Done })
    }

    /// Prints a key and its value in one line, as `set` of a session takes them.
    pub(crate) fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), CliError> {
        if self.json {
            let mut object = Map::new();
            insert_bytes(&mut object, "key", key);
            insert_bytes(&mut object, "value", value);
            return self.json_line(&Value::Object(object));
        }
        let is_bare =
            |bytes: &[u8], is_key| !needs_quotes(bytes, is_key) && (!self.is_terminal || is_printable(bytes));
        let form = |bytes: &[u8], is_key| match is_bare(bytes, is_key) {
            true => Bytes::copy_from_slice(bytes),
            false => quoted(bytes).freeze(),
        };
        let line = [form(key, true), form(value, false)].join(&b' ');
        self.line(&line)
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

/// Returns a number of keys in words.
pub(crate) fn keys(count: u64) -> String {
    format!("{count} {}", if count == 1 { "key" } else { "keys" })
}

/// Prints an error to standard error; nothing for a broken pipe, whose reader wants no more.
pub(crate) fn report_error(error: &CliError, json: bool) {
    if error.is_broken_pipe() {
        return;
    }
    let line = match (json, error) {
        (true, _) => error_json(error).to_string(),
        // The form of redis-cli.
        (false, CliError::Answer { line, .. }) => format!("(error) {line}"),
        (false, _) => format!("error: {error}"),
    };
    let mut stderr = io::stderr().lock();
    let line = match (stderr.is_terminal(), json) {
        (false, _) => line.into(),
        (true, false) => visible(&line),
        (true, true) => visible_json(&line),
    };
    // With standard error gone, only the exit code is left to tell.
    let _ = writeln!(stderr, "{line}");
    if let Some(hint) = error.hint().filter(|_| !json) {
        let _ = writeln!(stderr, "hint: {}", visible(&hint));
    }
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
    fn an_entry_is_what_set_takes() {
        assert_eq!(printed(false, |p| p.entry(b"user:1", b"carpe diem ")), "user:1 carpe diem \n");
        assert_eq!(printed(false, |p| p.entry(b"two words", b"a\nb")), "\"two words\" \"a\\nb\"\n");
        assert_eq!(printed(false, |p| p.entry(b"", b"")), "\"\" \"\"\n");
        assert_eq!(printed(true, |p| p.entry(b"k", b"\xff")), "{\"key\":\"k\",\"value_base64\":\"/w==\"}\n");
    }

    #[test]
    fn errors_carry_their_line_and_kind() {
        let error = CliError::Line { line: 7, source: Box::new(CliError::Usage("what?".to_owned())) };
        let expected = json!({"error": {"kind": "usage", "message": "line 7: what?", "line": 7}});
        assert_eq!(error_json(&error), expected);
    }
}
