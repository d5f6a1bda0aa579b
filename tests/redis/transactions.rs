//! `MULTI` is refused, and so is what was to be carried out with it; options of `SET` that are not served say so.

use rustvault_tests::{Launch, Wire, resp_request};

/// Sends all commands as one pipeline and reads as many replies.
fn pipeline(peer: &mut Wire, lines: &[&str]) -> Vec<String> {
    let words = |line: &&str| resp_request(&line.split(' ').collect::<Vec<_>>());
    peer.send(lines.iter().flat_map(words).collect::<Vec<_>>());
    lines.iter().map(|_| String::from_utf8_lossy(&peer.reply()).trim_end().to_owned()).collect()
}

#[track_caller]
fn assert_starts(replies: &[String], starts: &[&str]) {
    assert_eq!(replies.len(), starts.len());
    for (reply, start) in replies.iter().zip(starts) {
        assert!(reply.starts_with(start), "{reply:?} does not start with {start:?}: {replies:#?}");
    }
}

#[test]
fn nothing_of_a_refused_transaction_is_carried_out() {
    let daemon = Launch::new().start();
    let mut peer = daemon.wire();
    let lines = ["SET before 1", "MULTI", "SET k 1", "PING", "MSET a 1 b 2", "FLUSHALL", "EXEC", "DBSIZE"];
    let starts = [
        "+OK",
        "-ERR transactions are not served",
        "-ERR not carried out",
        "-ERR not carried out",
        "-ERR not carried out",
        "-ERR not carried out",
        "-EXECABORT ",
        ":1",
    ];
    assert_starts(&pipeline(&mut peer, &lines), &starts);
    assert_starts(&pipeline(&mut peer, &["SET k 2", "GET k"]), &["+OK", "$1\r\n2"]);
    daemon.stop();
}

#[test]
fn a_refused_transaction_lasts_over_several_packets_and_its_errors_are_its_own() {
    let daemon = Launch::new().start();
    let (mut peer, mut other) = (daemon.wire(), daemon.wire());
    assert_starts(&pipeline(&mut peer, &["multi"]), &["-ERR transactions"]);
    for line in ["SET k 1", "DEL k", "HELLO 3", "CLIENT SETNAME x", "BGREWRITEAOF", "UNWATCH"] {
        assert_starts(&pipeline(&mut peer, &[line]), &["-ERR not carried out"]);
    }
    let lines = ["GET", "NOPE", "MULTI", "WATCH k"];
    let starts = [
        "-ERR wrong number of arguments for 'get'",
        "-ERR unknown command 'NOPE'",
        "-ERR MULTI calls can not be nested",
        "-ERR WATCH inside MULTI is not allowed",
    ];
    assert_starts(&pipeline(&mut peer, &lines), &starts);
    assert_starts(&pipeline(&mut other, &["SET theirs 1", "DBSIZE"]), &["+OK", ":1"]);
    assert_starts(&pipeline(&mut peer, &["DISCARD", "SET k 1"]), &["+OK", "+OK"]);
}

#[test]
fn reset_and_quit_end_a_refused_transaction() {
    let daemon = Launch::new().start();
    let mut peer = daemon.wire();
    let lines = ["MULTI", "RESET", "SET k 1"];
    assert_starts(&pipeline(&mut peer, &lines), &["-ERR transactions", "+RESET", "+OK"]);
    let lines = ["MULTI", "SET k 2", "QUIT"];
    assert_starts(&pipeline(&mut peer, &lines), &["-ERR transactions", "-ERR not carried out", "+OK"]);
    assert!(peer.rest().is_empty());
    assert_eq!(daemon.wire().call(&[b"GET", b"k"]), b"$1\r\n1\r\n");
}

#[test]
fn outside_of_a_transaction_its_commands_are_answered_as_redis_does_or_say_what_is_missing() {
    let daemon = Launch::new().start();
    let lines = ["EXEC", "DISCARD", "UNWATCH", "WATCH k", "MULTI x", "EXEC x", "WATCH", "SET k 1"];
    let starts = [
        "-ERR EXEC without MULTI",
        "-ERR DISCARD without MULTI",
        "+OK",
        "-ERR transactions are not served",
        "-ERR wrong number of arguments for 'multi' command",
        "-ERR wrong number of arguments for 'exec' command",
        "-ERR wrong number of arguments for 'watch' command",
        "+OK",
    ];
    assert_starts(&pipeline(&mut daemon.wire(), &lines), &starts);
}

#[test]
fn options_of_set_that_are_not_served_are_named() {
    let daemon = Launch::new().start();
    let mut peer = daemon.wire();
    for option in ["EX 10", "px 10000", "EXAT 1893456000", "PXAT 1893456000000", "KEEPTTL"] {
        let reply = pipeline(&mut peer, &[&format!("SET k v {option}")]).remove(0);
        let named = option.split(' ').next().unwrap().to_ascii_uppercase();
        assert!(reply.starts_with("-ERR there is no expiry yet") && reply.contains(&named), "{reply}");
    }
    assert_starts(&pipeline(&mut peer, &["SET k v NX EX 10"]), &["-ERR there is no expiry yet"]);
    for line in ["SET k v FOO", "SET k v w x", "SET k v NX XX"] {
        assert_eq!(pipeline(&mut peer, &[line]), ["-ERR syntax error"]);
    }
    assert_starts(&pipeline(&mut peer, &["GET k"]), &["$-1"]);
}
