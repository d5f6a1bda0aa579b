//! A session at a terminal.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::pty::Terminal;
use crate::support::{BROKEN_KEY, FakeServer, SILENT_KEY, cli};
use bytes::Bytes;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// Bytes that a terminal sends around a paste.
const PASTE: (&str, &str) = ("\x1b[200~", "\x1b[201~");

fn session(server: &FakeServer) -> Terminal {
    let mut terminal = Terminal::start(&server.addr(), &[]);
    terminal.expect("> ");
    terminal
}

/// The session still works, and ends when it is told to.
fn assert_alive(mut terminal: Terminal) {
    terminal.send("ping\r");
    terminal.expect("\nPONG\r\n");
    terminal.expect("> ");
    terminal.send(CTRL_D);
    assert!(terminal.end().0.success());
}

#[test]
fn the_prompt_names_the_server() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server.addr(), &[]);
    terminal.expect(&format!("{}> ", server.addr()));
    assert_alive(terminal);
}

#[test]
fn every_line_of_a_bracketed_paste_is_run_in_order_with_its_answer() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    let lines = format!("set a 1\nset {BROKEN_KEY} v\r\n\n# note\rfrobnicate\nget a\nset b two words\nget b");
    terminal.send(&format!("{}{lines}{}", PASTE.0, PASTE.1));
    terminal.expect("get b");
    terminal.send("\r");
    for answer in ["> set a 1\r\nOK\r\n", "> get a\r\n1\r\n", "> get b\r\ntwo words\r\n"] {
        let before = terminal.expect(answer);
        assert_eq!(before.contains("disk full"), answer.contains("get a"), "{before}");
        assert_eq!(before.contains("unknown command 'frobnicate'"), answer.contains("get a"), "{before}");
    }
    assert_eq!(server.value("b"), Some(Bytes::from("two words")));
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn every_line_of_a_burst_is_run_in_order_with_its_answer() {
    const LINES: usize = 300;
    let server = FakeServer::start();
    let mut terminal = session(&server);
    // More than a read of the terminal takes, in lines some of which arrive while others are carried out.
    let lines: String =
        (0..LINES).map(|number| format!("set k{number} v{number}\rget k{number}\r")).collect();
    terminal.send(&lines);
    for number in 0..LINES {
        terminal.expect("\nOK\r\n");
        terminal.expect(&format!("\nv{number}\r\n"));
    }
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn what_is_typed_while_a_command_runs_is_shown_once_and_not_cut() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server.addr(), &["--timeout", "2s"]);
    terminal.expect("> ");
    terminal.send(&format!("set {SILENT_KEY} v\r"));
    server.wait_for_silence();
    // Longer than a line that the kernel edits may be.
    let value = "v".repeat(10_000);
    terminal.send(&format!("set long {value}\r"));
    assert!(!terminal.expect("no answer within 2s").contains("long"));
    terminal.expect("\nOK\r\n");
    assert_eq!(server.value("long"), Some(Bytes::from(value)));
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn quit_in_a_paste_ends_the_session_there() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    terminal.send(&format!("{}set a 1\nquit\nset b 2\n{}\r", PASTE.0, PASTE.1));
    assert!(terminal.end().0.success());
    assert_eq!((server.value("a"), server.value("b")), (Some(Bytes::from("1")), None));
}

#[test]
fn ctrl_c_ends_the_command_and_not_the_session() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    terminal.send(&format!("set {SILENT_KEY} v\r"));
    server.wait_for_silence();
    terminal.send(CTRL_C);
    terminal.expect("interrupted; it is unknown whether the write took effect");
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn ctrl_c_drops_what_was_pasted_behind_the_command() {
    let server = FakeServer::start();
    for (start, end) in [PASTE, ("", "")] {
        let mut terminal = session(&server);
        terminal.send(&format!("{start}set {SILENT_KEY} v\rset later v\r{end}\r"));
        server.wait_for_silence();
        terminal.send(CTRL_C);
        terminal.expect("interrupted");
        terminal.expect("> ");
        assert_alive(terminal);
        assert_eq!(server.value("later"), None);
    }
}

#[test]
fn waiting_for_a_reconnect_is_reported() {
    let (listener, addr) = FakeServer::listen();
    let mut terminal = Terminal::start(&addr, &[]);
    terminal_connects(&listener);
    terminal.expect("> ");
    // The connection was dropped; now nobody listens, either.
    drop(listener);
    terminal.send("ping\r");
    let report = terminal.expect("Ctrl-C");
    assert!(report.contains(&format!("waiting for a connection to {addr}")), "{report}");
    let _server = FakeServer::start_at(&addr);
    terminal.expect("\nPONG\r\n");
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_reconnect() {
    let (listener, addr) = FakeServer::listen();
    let mut terminal = Terminal::start(&addr, &["--timeout", "1h"]);
    terminal_connects(&listener);
    drop(listener);
    terminal.expect("> ");
    terminal.send("ping\r");
    terminal.expect("waiting for a connection");
    terminal.send(CTRL_C);
    terminal.expect("interrupted");
    terminal.expect("> ");
    let _server = FakeServer::start_at(&addr);
    assert_alive(terminal);
}

/// Answers the greeting of one connection, then drops it.
fn terminal_connects(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    stream.write_all(b"%1\r\n$5\r\nproto\r\n:3\r\n").unwrap();
}

/// Ends of a line's hint and beginnings of the next thing that is drawn differ; this is a hint as it is shown.
fn hint(text: &str) -> String {
    format!("\x1b[2m{text}\x1b[m")
}

#[test]
fn tab_completes_the_names_of_commands_and_subcommands() {
    let server = FakeServer::start();
    server.put("k", "four");
    let mut terminal = session(&server);
    terminal.send("strl\tk\r");
    terminal.expect("> strlen k");
    terminal.expect("\n(integer) 4\r\n");
    terminal.expect("> ");
    terminal.send("help CLI\tl\t\r");
    terminal.expect("help client list");
    terminal.expect("\nusage: client list [TYPE");
    terminal.expect("> ");
    // Several that are possible come in turn.
    terminal.send("ge\t\tk\r");
    terminal.expect("> getdel k");
    terminal.expect("\n\"four\"\r\n");
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn the_arguments_that_are_still_to_be_typed_are_shown_behind_the_line() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    for (typed, shown) in
        [("incrby", hint(" key increment")), (" hits", hint(" increment")), (" ", hint("increment"))]
    {
        terminal.send(typed);
        terminal.expect(&shown);
    }
    terminal.send(CTRL_C);
    terminal.expect("> ");
    // A hint is not part of the line.
    terminal.send("echo \r");
    terminal.expect(&hint("message"));
    terminal.expect("\n\"\"\r\n");
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn answers_are_in_the_form_of_redis_cli() {
    let server = FakeServer::start();
    server.put("k", "two\nlines");
    let mut terminal = session(&server);
    for (line, answer) in [
        ("mget k nobody", "\n1) \"two\\nlines\"\r\n2) (nil)\r\n"),
        ("scan 0 match x", "\n1) \"0\"\r\n2) (empty array)\r\n"),
        ("hello 3", "\n1# \"proto\" => (integer) 3\r\n"),
        ("incr k", "\n(error) ERR value is not an integer or out of range\r\n"),
        ("strlem k", "with args beginning with: 'k' \r\nhint: did you mean 'strlen'?\r\n"),
        ("info all", "\n# RustVault\r\nversion:9.9.9\r\nfsync:always\r\n"),
    ] {
        terminal.send(&format!("{line}\r"));
        terminal.expect(answer);
        terminal.expect("> ");
    }
    assert_alive(terminal);
}

#[test]
fn help_is_shown_by_group_and_for_a_command() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    terminal.send("help\r");
    terminal.expect("\r\n  string:       get set mget");
    terminal.expect("> ");
    terminal.send("help getdel\r");
    terminal.expect("\nusage: getdel key\r\nRemoves a key and returns what it had.\r\ncomplexity: O(1)\r\n");
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn ctrl_c_drops_the_line_that_is_being_typed() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    terminal.send("set dropped v");
    terminal.expect("set dropped v");
    terminal.send(CTRL_C);
    terminal.expect("> ");
    terminal.send("\r");
    terminal.expect("> ");
    assert_eq!(server.value("dropped"), None);
    assert_alive(terminal);
}

#[test]
fn a_terminal_that_changes_its_size_while_a_line_is_typed_keeps_the_line() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    for (number, columns) in [40, 200, 30, 250].into_iter().enumerate() {
        let (start, end) = (format!("{number}").repeat(60) + "~", "end");
        terminal.send(&format!("set k {start}"));
        // All of it is drawn, so that what comes is drawn for the signal.
        terminal.expect("~");
        // Nothing waits for the line to be drawn again: on a busy machine that has been seen to stay out.
        terminal.resize(columns);
        terminal.send(&format!("{end}\r"));
        terminal.expect("\nOK\r\n");
        assert_eq!(server.value("k"), Some(Bytes::from(start + end)), "{columns} columns");
        terminal.expect("> ");
    }
    assert_alive(terminal);
}

#[test]
fn a_deletion_by_prefix_at_a_terminal_asks_first() {
    let server = FakeServer::start();
    for (answer, left) in [("\r", true), ("no\r", true), ("y\r", false)] {
        server.put("user:1", "v");
        server.put("user:2", "v");
        let mut terminal = Terminal::start(&server.addr(), &["delete", "--prefix", "user:"]);
        terminal.expect("Delete 2 keys that start with \"user:\"? [y/N] ");
        terminal.send(answer);
        let (status, output) = terminal.end();
        let output = String::from_utf8_lossy(&output);
        assert!(status.success() && output.contains("\n2\r\n") != left, "{output:?}");
        assert_eq!(server.value("user:1").is_some(), left, "{answer:?}");
    }
}

#[test]
fn a_value_that_looks_like_an_expiry_gets_a_hint_before_it_is_sent() {
    let server = FakeServer::start();
    let mut terminal = session(&server);
    for line in ["set k v EX 10", "SET k v px 1500", "set k v NX"] {
        terminal.send(&format!("{line}\r"));
        let before = terminal.expect("\nOK\r\n");
        assert!(before.contains("hint: ") && before.contains("is part of the value"), "{before}");
        assert_eq!(before.contains("no expiry yet"), !line.ends_with("NX"), "{before}");
        terminal.expect("> ");
    }
    assert_eq!(server.value("k"), Some(Bytes::from("v NX")), "it is a value like any other");
    for line in ["set k \"v EX 10\"", "set k EX 10", "set k carpe diem", "set k v EX ten"] {
        terminal.send(&format!("{line}\r"));
        let before = terminal.expect("\nOK\r\n");
        assert!(!before.contains("hint"), "{before}");
        terminal.expect("> ");
    }
    assert_alive(terminal);
}

#[test]
fn a_stored_value_cannot_control_the_terminal() {
    // Titles and colours, in either form of the control sequence introducer, and bytes that are no UTF-8.
    let bytes = b"\x1b]0;renamed\x07\x1b[2J\xc2\x9b31m\xff\x7f\xc3\xa9 end";
    let quoted = "\"\\x1b]0;renamed\\x07\\x1b[2J\\xc2\\x9b31m\\xff\\x7f\u{e9} end\"\r\n";
    let server = FakeServer::start();
    server.put("evil", Bytes::from_static(bytes));
    let (status, output) = Terminal::start(&server.addr(), &["get", "evil"]).end();
    assert_eq!((status.code(), String::from_utf8_lossy(&output)), (Some(0), quoted.into()));

    let mut terminal = session(&server);
    terminal.send("get evil\r");
    terminal.expect(&format!("\n{quoted}"));
    terminal.expect("> ");
    // What is printed can be typed.
    terminal.send(&format!("set copy {}\r", quoted.trim_end()));
    terminal.expect("\nOK\r\n");
    assert_eq!(server.value("copy"), Some(Bytes::from_static(bytes)));
    terminal.expect("> ");
    assert_alive(terminal);
}

#[test]
fn a_value_without_control_bytes_is_printed_as_it_is() {
    let server = FakeServer::start();
    server.put("k", "caf\u{e9} \\n \"ok\"");
    let (_, output) = Terminal::start(&server.addr(), &["get", "k"]).end();
    assert_eq!(String::from_utf8_lossy(&output), "caf\u{e9} \\n \"ok\"\r\n");
}

#[test]
fn raw_at_a_terminal_is_raw() {
    let server = FakeServer::start();
    server.put("k", Bytes::from_static(b"\x1b[1mbold\xff"));
    let (_, output) = Terminal::start(&server.addr(), &["get", "--raw", "k"]).end();
    assert_eq!(output, b"\x1b[1mbold\xff");
}

#[test]
fn nothing_else_that_a_server_sends_can_control_the_terminal() {
    let server = FakeServer::start_hostile();
    server.put(b"\x1b[2J\xc2\x9bkey", "\u{9b}1m\x1b[1m\x7f");
    let key = "\x1b[2J\u{9b}key";
    for (args, shown) in [
        (&["scan"][..], "\"\\x1b[2J\\xc2\\x9bkey\""),
        (&["info"], "name=\\u{1b}[2Jvalue\\u{9b}"),
        (&["info", "all"], "name:\\u{1b}[2Jvalue\\u{9b}"),
        (&["echo", "x"], "\\u{1b}[2J\\u{9b}"),
        (&["mget", key], "1) \"\\xc2\\x9b1m\\x1b[1m\\x7f\""),
        (&["get", "--prefix", ""], "\"\\x1b[2J\\xc2\\x9bkey\" \"\\xc2\\x9b1m\\x1b[1m\\x7f\""),
        (&["export"], r#"{"key":"\u001b[2J\u009bkey","value":"\u009b1m\u001b[1m\u007f"}"#),
        (&["delete", "k"], "error: \\u{9b}2J no (STORAGE)"),
        (&["--json", "get", key], r#"{"status":"ok","value":"\u009b1m\u001b[1m\u007f"}"#),
        (&["--json", "scan"], r#"{"key":"\u001b[2J\u009bkey"}"#),
        (&["--json", "info"], r#"{"info":{"name":"\u001b[2Jvalue\u009b"},"status":"ok"}"#),
        (&["--json", "delete", "k"], r#""message":"\u009b2J no (STORAGE)""#),
    ] {
        let (_, output) = Terminal::start(&server.addr(), args).end();
        let output = String::from_utf8_lossy(&output);
        assert!(output.contains(shown), "{args:?}: {output:?}");
        assert!(!output.contains(['\x1b', '\u{9b}', '\x7f']), "{args:?}: {output:?}");
    }
}

#[test]
fn a_dumped_log_cannot_control_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("vault.log");
    let line = r#"{"timestamp":0,"command":{"Set":{"key":"k\u009b1m","value":"\u007f"}}}"#;
    cli().args(["wal", "load"]).arg(&log).write_stdin(line).assert().code(0);
    let (_, output) = Terminal::start("127.0.0.1:1", &["wal", "dump", log.to_str().unwrap()]).end();
    let output = String::from_utf8_lossy(&output);
    assert!(output.contains(r#""Set":{"key":"k\u009b1m","value":"\u007f"}"#), "{output:?}");
}

#[test]
fn the_bar_of_a_bench_has_a_whole_number_a_second() {
    let server = FakeServer::start();
    let load = ["bench", "--clients", "1", "--requests", "20000", "--value-bytes", "8"];
    let (status, output) = Terminal::start(&server.addr(), &load).end();
    let output = String::from_utf8_lossy(&output);
    assert!(status.success(), "{output}");
    // The table has `requests/s` in its header.
    let words = output.match_indices("/s ").filter_map(|(end, _)| output[..end].rsplit(' ').next());
    let rates: Vec<_> = words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit())).collect();
    assert!(!rates.is_empty(), "{output:?}");
    assert!(
        rates.iter().all(|rate| rate.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')),
        "{rates:?}"
    );
}
