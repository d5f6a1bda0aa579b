//! The limits of the protocol, at their edges.

use rustvault_tests::Launch;

const MAX_KEY_BYTES: usize = 65_536;
const MAX_VALUE_BYTES: usize = 1024;

/// As docs/protocol.md gives it.
const MAX_LINE_BYTES: usize = 4 * (MAX_KEY_BYTES + MAX_VALUE_BYTES) + 64;

fn launch() -> Launch {
    Launch::new().with_args("--max-value-bytes 1KiB")
}

#[test]
fn a_key_may_have_64_kib_and_no_byte_more() {
    let daemon = launch().start();
    let mut wire = daemon.wire();
    let key = "k".repeat(MAX_KEY_BYTES);
    wire.ask(format!("SET {key} v\r\nGET {key}\r\nEXISTS {key}\r\n"), "OK\r\nVALUE v\r\nOK\r\n");
    wire.ask(
        format!("SCAN 0 PREFIX {key}\r\nDELETE {key}\r\n"),
        format!("LIST 2\r\nVALUE 0\r\nVALUE {key}\r\nOK\r\n"),
    );
    for command in
        [format!("SET {key}k v"), format!("GET {key}k"), format!("DELETE {key}k"), format!("EXISTS {key}k")]
    {
        wire.ask_error(format!("{command}\r\n"), "TOO_LARGE");
    }
    wire.ask_error(format!("SCAN 0 PREFIX {key}k\r\n"), "TOO_LARGE");
    wire.ask("COUNT\r\n", "VALUE 0\r\n");
}

#[test]
fn a_value_may_have_what_the_option_says_and_no_byte_more() {
    let daemon = launch().start();
    let mut wire = daemon.wire();
    let value = "v".repeat(MAX_VALUE_BYTES);
    wire.ask(format!("SET k {value}\r\nGET k\r\n"), format!("OK\r\nVALUE {value}\r\n"));
    wire.ask_error(format!("SET k {value}v\r\n"), "TOO_LARGE");
    wire.ask("GET k\r\n", format!("VALUE {value}\r\n"));
}

#[test]
fn the_limits_count_bytes_after_unquoting() {
    let daemon = launch().start();
    let (key, value) = (r"\x6b".repeat(MAX_KEY_BYTES), r"\x76".repeat(MAX_VALUE_BYTES));
    let answer = format!("OK\r\nVALUE {}\r\n", "v".repeat(MAX_VALUE_BYTES));
    daemon.wire().ask(format!("SET \"{key}\" \"{value}\"\r\nGET {}\r\n", "k".repeat(MAX_KEY_BYTES)), answer);
}

#[test]
fn the_default_limit_of_a_value_is_16_mib() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    let value = "v".repeat(16 << 20);
    wire.ask(format!("SET k {value}\r\nGET k\r\n"), format!("OK\r\nVALUE {value}\r\n"));
    wire.ask_error(format!("SET k {value}v\r\n"), "TOO_LARGE");
}

#[test]
fn a_line_over_its_limit_is_answered_before_it_ends_and_its_rest_is_dropped() {
    let daemon = launch().start();
    let mut wire = daemon.wire();
    wire.ask("PING\r\n", "PONG\r\n");
    wire.ask_error("x".repeat(MAX_LINE_BYTES + 1), "TOO_LARGE");
    wire.ask("xxx GET k\r\nPING\r\n", "PONG\r\n");
    wire.ask_error(format!("SET k {}\r\n", "x".repeat(MAX_LINE_BYTES)), "TOO_LARGE");
    wire.ask("COUNT\r\n", "VALUE 0\r\n");
}
