//! Two protocols, one keyspace.

use rustvault_tests::{Launch, resp_request};

/// A value that is awkward in either protocol, as the text protocol writes it.
const VALUE: &[u8] = b" \"a\"\r\n$3\r\n\0\xff";
const QUOTED_VALUE: &[u8] = b"\" \\\"a\\\"\\r\\n$3\\r\\n\\x00\xff\"";

#[test]
fn text_and_resp_share_the_keyspace() {
    let daemon = Launch::new().start();
    let (mut text, mut resp) = (daemon.wire(), daemon.wire());

    assert_eq!(resp.call(&[b"SET", b"a b", VALUE]), b"+OK\r\n");
    text.ask("GET \"a b\"\r\n", [b"VALUE ", QUOTED_VALUE, b"\r\n"].concat());

    text.ask([b"SET other ", QUOTED_VALUE, b"\r\n"].concat(), "OK\r\n");
    assert_eq!(resp.call(&[b"GET", b"other"]), [b"$12\r\n", VALUE, b"\r\n"].concat());
    assert_eq!(resp.call(&[b"DBSIZE"]), b":2\r\n");

    text.ask("DELETE other\r\n", "OK\r\n");
    assert_eq!(resp.call(&[b"MGET", b"other"]), b"*1\r\n$-1\r\n");
    assert_eq!(resp.call(&[b"FLUSHALL"]), b"+OK\r\n");
    text.ask("COUNT\r\n", "VALUE 0\r\n");
    daemon.stop();
}

#[test]
fn what_resp_has_written_is_there_after_a_restart() {
    let daemon = Launch::new().start();
    let launch = daemon.launch().clone();
    let mut resp = daemon.wire();
    assert_eq!(resp.call(&[b"MSET", b"a", b"1", b"b", b"2", b"c", b"3"]), b"+OK\r\n");
    assert_eq!(resp.call(&[b"DEL", b"a", b"missing"]), b":1\r\n");
    daemon.kill();

    let daemon = launch.start();
    assert_eq!(daemon.wire().call(&[b"MGET", b"a", b"b", b"c"]), b"*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    assert_eq!(daemon.wire().call(&[b"FLUSHALL"]), b"+OK\r\n");
    daemon.kill();

    let daemon = launch.start();
    daemon.wire().ask("COUNT\r\n", "VALUE 0\r\n");
}

#[test]
fn the_first_byte_decides_and_stays() {
    let daemon = Launch::new().start();
    let mut text = daemon.wire();
    text.ask("PING\r\n", "PONG\r\n");
    text.ask_error("*1\r\n", "UNKNOWN_COMMAND");
    let mut resp = daemon.wire();
    resp.ask(resp_request(&["PING"]), "+PONG\r\n");
    resp.send("PING\r\n");
    assert_eq!(resp.rest(), "-ERR Protocol error: expected \\'*\\', got \\'P\\'\r\n");
}

#[test]
fn a_resp_client_too_many_is_told_so() {
    let daemon = Launch::new().with_args("--max-connections 1").start();
    let mut first = daemon.wire();
    assert_eq!(first.call(&[b"PING"]), b"+PONG\r\n");
    let mut second = daemon.wire();
    // The refusal may come before the command, and close the connection while it is sent.
    let _ = second.try_send(resp_request(&["PING"]));
    assert_eq!(second.rest(), "-ERR max number of clients reached\r\n");
}
