//! Replies: the data model that the encoders of all protocols share.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::ErrorCode;

/// A server's answer, in RESP3's data model, generic over the type of byte strings.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply<B = Bytes> {
    /// A word such as `OK`. For a write it also confirms that this is durable under the server's sync policy.
    Simple(Cow<'static, str>),
    /// The command was not executed; if the code is [`ErrorCode::Storage`], the outcome is unknown.
    Error(Box<ErrorReply>),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Double(f64),
    /// A byte string.
    Bulk(B),
    /// A text for people: a verbatim string in RESP3, otherwise a byte string.
    Verbatim(B),
    /// Null: no such key, or nothing done.
    Null,
    /// Replies in order.
    Array(Vec<Self>),
    /// Replies in no order, each once.
    Set(Vec<Self>),
    /// Names and values: a map in RESP3, otherwise an array in which they alternate.
    Map(Vec<(Self, Self)>),
}

impl<B> Reply<B> {
    /// Reply of a command that succeeded and returns no data.
    pub const OK: Self = Self::simple("OK");

    /// A word that the program knows.
    pub const fn simple(word: &'static str) -> Self {
        Self::Simple(Cow::Borrowed(word))
    }

    /// An error.
    pub fn error(code: ErrorCode, message: impl fmt::Display) -> Self {
        ErrorReply::new(code, message).into()
    }
}

impl<B> From<ErrorReply> for Reply<B> {
    fn from(error: ErrorReply) -> Self {
        Self::Error(Box::new(error))
    }
}

impl<B> From<Box<ErrorReply>> for Reply<B> {
    fn from(error: Box<ErrorReply>) -> Self {
        Self::Error(error)
    }
}

/// Error for which a command is not executed.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorReply {
    /// The kind of error, for programs.
    pub code: ErrorCode,
    /// The line in Redis's form, for example `ERR syntax error`: kind, space, and message.
    pub(crate) line: Cow<'static, [u8]>,
    /// Message in the text protocol, if it differs from that of the line.
    pub(crate) text: Option<Box<str>>,
}

impl ErrorReply {
    /// Makes an error whose kind in RESP is that of its code.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self::with_bytes(code, format!("{} {message}", code.resp_kind()).into_bytes())
    }

    /// Makes an error from a line in Redis's form, with its kind in front.
    pub const fn fixed(code: ErrorCode, line: &'static str) -> Self {
        Self { code, line: Cow::Borrowed(line.as_bytes()), text: None }
    }

    /// Makes an error from a line in Redis's form that contains bytes of a client.
    pub const fn with_bytes(code: ErrorCode, line: Vec<u8>) -> Self {
        Self { code, line: Cow::Owned(line), text: None }
    }

    /// Sets another message for the text protocol, which need not have Redis's sentences.
    #[must_use]
    pub fn with_text(mut self, message: impl fmt::Display) -> Self {
        self.text = Some(message.to_string().into());
        self
    }

    /// Makes an error for `what`, whose length is over its limit.
    pub fn over_limit(what: &str, len_bytes: usize, max_bytes: usize) -> Self {
        let message = format_args!("{what} of {len_bytes} bytes is over the limit of {max_bytes}");
        Self::new(ErrorCode::TooLarge, message)
    }

    /// Makes an error with the beginning of a client's word in quotes, between `before` and `after`.
    pub fn about_word(code: ErrorCode, before: &str, word: &[u8], after: &str) -> Self {
        let word = shown(word, MAX_SHOWN_BYTES);
        let line = [b"ERR ", before.as_bytes(), b" '", word, b"'", after.as_bytes()];
        Self::with_bytes(code, line.concat())
    }

    /// Returns the whole line in Redis's form, with its kind in front.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Returns the message for people: what happened, and what to do.
    pub fn message(&self) -> &[u8] {
        if let Some(text) = &self.text {
            return text.as_bytes();
        }
        match self.line.iter().position(|byte| *byte == b' ') {
            Some(space) => self.line.get(space + 1..).unwrap_or_default(),
            None => &self.line,
        }
    }
}

/// Most bytes of a client's word that an error shows.
pub(crate) const MAX_SHOWN_BYTES: usize = 128;

/// Returns the beginning of `text`: Redis prints what it was sent as C strings.
pub(crate) fn shown(text: &[u8], max_bytes: usize) -> &[u8] {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    text.get(..max_bytes).unwrap_or(text)
}

impl fmt::Debug for ErrorReply {
    /// Shows the line as text: this is what a program prints whose `main` returns the error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ErrorReply");
        shown.field("code", &self.code).field("line", &String::from_utf8_lossy(&self.line));
        self.text.iter().for_each(|text| {
            shown.field("text", text);
        });
        shown.finish()
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.message()))
    }
}

impl std::error::Error for ErrorReply {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_kind_and_a_message() {
        let error = ErrorReply::new(ErrorCode::OutOfMemory, "no room");
        assert_eq!((error.line(), error.message()), (&b"OOM no room"[..], &b"no room"[..]));
        assert_eq!(format!("{error:?}"), r#"ErrorReply { code: OutOfMemory, line: "OOM no room" }"#);
        let error = ErrorReply::fixed(ErrorCode::Denied, "WRONGPASS no");
        assert_eq!((error.line(), error.to_string().as_str()), (&b"WRONGPASS no"[..], "no"));
        let error = error.with_text("not you");
        assert_eq!((error.line(), error.message()), (&b"WRONGPASS no"[..], &b"not you"[..]));
    }

    #[test]
    fn a_word_is_shown_up_to_its_first_nul_and_not_at_length() {
        let line =
            |word: &[u8]| ErrorReply::about_word(ErrorCode::Syntax, "Unknown", word, "!").line().to_vec();
        assert_eq!(line(b"a\xff\0b"), b"ERR Unknown 'a\xff'!");
        assert_eq!(line(&[b'x'; 1000]).len(), b"ERR Unknown ''!".len() + MAX_SHOWN_BYTES);
    }

    #[test]
    fn a_reply_is_small() {
        assert!(size_of::<Reply<&[u8]>>() <= 32);
    }
}
