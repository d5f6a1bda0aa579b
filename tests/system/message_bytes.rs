//! Bytes of clients in messages: they cannot begin a line, reach a terminal, or break a line of JSON.

use rustvault_tests::{Daemon, Launch, resp_request};

use super::secured::user;

/// A line of its own for a forger, an escape for a terminal, the end of a string in JSON, fields that are none, a change of the direction of
/// writing, a null byte, and a byte that is not UTF-8.
const HOSTILE: &[u8] =
    b"in:\r\n{\"level\":\"ERROR\"}\x1b[31m\"}\\ user=root \xe2\x80\xae\xe2\x80\xa8\x07\0\xff\x9b";

/// Messages that show what a client has sent.
const KINDS: [&str; 5] =
    ["slow command", "login failed", "command denied", "protocol error", "it began with"];

/// Starts a daemon whose clients cause each kind of message, with these bytes wherever they can put some.
fn cause_messages(format: &str) -> Daemon {
    let launch = Launch::new();
    let launch = launch.clone().with_args(&format!(
        "--message-format {format} --message-level debug --slow-ms 0.001 --users {}/users.toml",
        launch.folder().display()
    ));
    let token = user(&launch, "add app --allow read:in: --token");
    let daemon = launch.start();
    let mut wire = daemon.wire();
    let ask_all = |wire: &mut rustvault_tests::Wire, requests: &[&[&[u8]]]| {
        for words in requests {
            wire.send(resp_request(words));
            drop(wire.reply());
        }
    };
    ask_all(
        &mut wire,
        &[
            &[b"AUTH", HOSTILE, HOSTILE],
            &[b"HELLO", b"3", b"AUTH", HOSTILE, HOSTILE],
            &[b"AUTH", b"app", token.trim().as_bytes()],
            &[b"GET", HOSTILE],
            &[b"GET", &HOSTILE[3..]],
            &[b"SET", HOSTILE, HOSTILE],
            &[b"CLIENT", b"SETNAME", HOSTILE],
            &[HOSTILE, HOSTILE],
            &[b"CLIENT", HOSTILE],
            &[b"CONFIG", b"SET", HOSTILE, HOSTILE],
        ],
    );
    for bytes in [
        &b"*1\r\n\x1b"[..],
        b"*\x1b[31m\r\n",
        b"*1\r\n$\x1b\r\n",
        b"\x1b[31m\r\n",
        b"GET \x1b\x07\0\r\n",
        b"\x16\x03\x01\x1b",
    ] {
        let mut wire = daemon.wire();
        wire.send(bytes);
        wire.finish_sending();
        drop(wire.rest());
    }
    daemon
}

/// Returns what of a line does not stand between quotes.
fn outside_quotes(line: &str) -> String {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_outside = |c: &char| {
        let is_quote = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_quoted ^= is_quote;
        !is_quoted && !is_quote
    };
    line.chars().filter(is_outside).collect()
}

#[test]
fn no_byte_of_a_client_breaks_a_line_of_text() {
    let daemon = cause_messages("text");
    KINDS.iter().for_each(|kind| drop(daemon.wait_for_line(kind)));
    for line in daemon.log_lines() {
        let is_printable = |c: char| !c.is_control() && !['\u{202e}', '\u{2028}', '\u{fffd}'].contains(&c);
        assert!(line.chars().all(is_printable), "{line:?}");
        assert!(line.starts_with("20") && line.contains("Z "), "a client began this line: {line:?}");
        assert!(!outside_quotes(&line).contains("user=root"), "a client made this field: {line:?}");
    }
}

#[test]
fn no_byte_of_a_client_breaks_a_line_of_json() {
    let daemon = cause_messages("json");
    KINDS.iter().for_each(|kind| drop(daemon.wait_for_line(kind)));
    for line in daemon.log_lines() {
        let message: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        for name in ["timestamp", "level", "target"] {
            assert!(message[name].is_string(), "no {name} in {line}");
        }
        assert_ne!(message["level"], "ERROR", "{line}");
        assert!(message["fields"]["message"].is_string(), "{line}");
    }
}
