//! The wire protocols of the load: how requests are written, answers are read and errors shown.

use bytes::BytesMut;
use rustvault_protocol::{ClientCodec, Command, ErrorCode, ErrorReply, encode_request, encode_resp_request};

use crate::commands::LIMITS;

/// A wire protocol that the load generator speaks.
pub(super) trait Dialect: Clone + 'static {
    /// Appends a request to read `key`.
    fn get(&self, key: &[u8], out: &mut BytesMut);

    /// Appends a request to store `value` under `key`.
    fn set(&self, key: &[u8], value: &[u8], out: &mut BytesMut);

    /// Appends a login.
    fn log_in(&self, user: &[u8], password: &[u8], out: &mut BytesMut);

    /// A decoder at the start of a connection.
    fn answers(&self) -> ClientCodec;

    /// Returns an error as it stands on the wire.
    fn shown(&self, error: &ErrorReply) -> String;
}

/// RustVault's text protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text;

impl Dialect for Text {
    fn get(&self, key: &[u8], out: &mut BytesMut) {
        encode_request(Command::Get, &[key], out);
    }

    fn set(&self, key: &[u8], value: &[u8], out: &mut BytesMut) {
        encode_request(Command::Set, &[key, value], out);
    }

    fn log_in(&self, user: &[u8], password: &[u8], out: &mut BytesMut) {
        encode_request(Command::Auth, &[user, password], out);
    }

    fn answers(&self) -> ClientCodec {
        ClientCodec::text(LIMITS)
    }

    fn shown(&self, error: &ErrorReply) -> String {
        match error.code {
            // The message names its code.
            ErrorCode::Other => error.to_string(),
            code => format!("{code} {error}"),
        }
    }
}

/// Redis's protocol, version 2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resp;

impl Dialect for Resp {
    fn get(&self, key: &[u8], out: &mut BytesMut) {
        encode_resp_request(Command::Get, &[key], out);
    }

    fn set(&self, key: &[u8], value: &[u8], out: &mut BytesMut) {
        encode_resp_request(Command::Set, &[key, value], out);
    }

    fn log_in(&self, user: &[u8], password: &[u8], out: &mut BytesMut) {
        encode_resp_request(Command::Auth, &[user, password], out);
    }

    fn answers(&self) -> ClientCodec {
        ClientCodec::resp(LIMITS)
    }

    fn shown(&self, error: &ErrorReply) -> String {
        String::from_utf8_lossy(error.line()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resp_requests_are_arrays_of_bulk_strings() {
        let mut out = BytesMut::new();
        Resp.get(b"k", &mut out);
        Resp.set(b"k\r\n", b"", &mut out);
        assert_eq!(&out[..], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
    }

    #[test]
    fn an_error_is_shown_as_the_server_sent_it() {
        let sent = [
            ErrorReply::new(ErrorCode::ReadOnly, "disk full"),
            ErrorReply::from_resp_line(b"LOADING wait".into()),
        ];
        assert_eq!(sent.each_ref().map(|error| Text.shown(error)), ["READ_ONLY disk full", "LOADING wait"]);
        assert_eq!(sent.each_ref().map(|error| Resp.shown(error)), ["MISCONF disk full", "LOADING wait"]);
    }
}
