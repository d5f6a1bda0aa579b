//! The table of the protocol, line by line, byte by byte.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rustvault_tests::{Daemon, Launch, need};

#[test]
fn every_command_is_answered_as_the_table_says() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for (command, answer) in [
        ("PING", "PONG"),
        ("COUNT", "VALUE 0"),
        ("GET k", "NOT_FOUND"),
        ("EXISTS k", "NOT_FOUND"),
        ("DELETE k", "NOT_FOUND"),
        ("SET k v", "OK"),
        ("GET k", "VALUE v"),
        ("EXISTS k", "OK"),
        ("COUNT", "VALUE 1"),
        ("SET k w", "OK"),
        ("GET k", "VALUE w"),
        ("COUNT", "VALUE 1"),
        ("SCAN 0", "LIST 2\r\nVALUE 0\r\nVALUE k"),
        ("SCAN 0 PREFIX x", "LIST 1\r\nVALUE 0"),
        ("DELETE k", "OK"),
        ("GET k", "NOT_FOUND"),
        ("EXISTS k", "NOT_FOUND"),
        ("COUNT", "VALUE 0"),
        ("SCAN 0", "LIST 1\r\nVALUE 0"),
    ] {
        wire.ask(format!("{command}\r\n"), format!("{answer}\r\n"));
    }
    wire.send("QUIT\r\n");
    assert_eq!(wire.rest(), "OK\r\n");
}

#[test]
fn info_has_every_figure_that_is_promised() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\nNONSENSE\r\n", "OK\r\nERROR UNKNOWN_COMMAND ");
    wire.line();
    wire.send("INFO\r\n");
    let lines = wire.list();
    let figures: Vec<_> =
        lines.iter().map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}"))).collect();
    let figure = |name: &str| {
        let mut values = figures.iter().filter(|(found, _)| *found == name).map(|(_, value)| *value);
        let value = values.next().unwrap_or_else(|| panic!("no {name} in {lines:#?}"));
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    };
    let number =
        |name: &str| figure(name).parse::<u64>().unwrap_or_else(|_| panic!("{name}={}", figure(name)));
    assert_eq!(figure("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(figure("fsync"), "always");
    assert_eq!((figure("wal_format"), figure("last_compaction_error")), ("binary", ""));
    for (name, expected) in [
        ("keys", 1),
        ("connections", 1),
        ("total_commands", 2),
        ("total_errors", 1),
        ("durable_lsn", 1),
        ("peak_batch_records", 1),
        ("records_recovered", 0),
        ("torn_bytes_dropped", 0),
        ("compactions", 0),
        ("compaction_running", 0),
        ("last_compaction_ms", 0),
        ("last_compaction_unix_ms", 0),
        ("read_only", 0),
        ("max_memory_bytes", 0),
    ] {
        assert_eq!(number(name), expected, "{name}");
    }
    for stage in ["gather", "queue", "write", "sync", "wake", "reserve"] {
        let summary = figure(&format!("commit_{stage}_us"));
        let names: Vec<_> =
            summary.split(',').filter_map(|part| part.split_once('=')).map(|(name, _)| name).collect();
        assert_eq!(names, ["p50", "p99", "p99.9", "max"], "{stage}: {summary}");
    }
    for name in ["used_bytes", "log_bytes", "live_bytes", "syncs"] {
        assert!(number(name) > 0, "{name}");
    }
    assert!(number("uptime_seconds") < 60);
}

#[test]
fn names_are_taken_in_any_case_and_lines_with_a_bare_line_feed() {
    let daemon = Launch::new().start();
    daemon.wire().ask(
        "set K v\nSeT k w\r\nget K\ngEt k\r\nexists K\ncount\nping\nscan 0 prefix K limit 9\ndelete K\nGET K\nquit\n",
        "OK\r\nOK\r\nVALUE v\r\nVALUE w\r\nOK\r\nVALUE 2\r\nPONG\r\nLIST 2\r\nVALUE 0\r\nVALUE K\r\nOK\r\nNOT_FOUND\r\nOK\r\n",
    );
}

#[test]
fn quoting_reads_as_the_table_says() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for (line, key, value) in [
        (r"SET a b c", "a", "b c"),
        (r#"SET "a b" c"#, r#""a b""#, "c"),
        (r"SET path C:\new", "path", r"C:\new"),
        (r#"SET path "C:\\new""#, "path", r"C:\new"),
        (r#"SET say he said "hi""#, "say", r#"he said "hi""#),
        (r#"SET say "\"hi\", he said""#, "say", r#""\"hi\", he said""#),
        (r#"SET bin "\x41\x7F\xe9""#, "bin", "\"A\\x7f\u{fffd}\""),
        (r#"SET "" """#, r#""""#, r#""""#),
        (r#"SET "tab\there" "\r\n\t\x00""#, r#""tab\there""#, r#""\r\n\t\x00""#),
        ("SET empty ", "empty", r#""""#),
        ("SET spaces  v ", "spaces", " v "),
        ("SET tab \t", "tab", r#""\t""#),
        ("SET cr a\rb", "cr", r#""a\rb""#),
        ("SET zero a\0b", "zero", r#""a\x00b""#),
        (r#"SET mid" v"#, r#"mid""#, "v"),
    ] {
        wire.ask(format!("{line}\r\n"), "OK\r\n");
        wire.send(format!("GET {key}\r\n"));
        assert_eq!(wire.line(), format!("VALUE {value}"), "{line}");
    }
}

#[test]
fn bytes_from_0x80_up_travel_bare() {
    let daemon = Launch::new().start();
    let every_high_byte: Vec<u8> = (0x80..=0xff).collect();
    let line = [b"SET ", &every_high_byte[..], b" ", &every_high_byte, b"\r\n"].concat();
    daemon.wire().ask(line, "OK\r\n");
    let question = [b"GET ", &every_high_byte[..], b"\n"].concat();
    let answer = [b"VALUE ", &every_high_byte[..], b"\r\n"].concat();
    daemon.wire().ask(question, answer);
}

#[test]
fn what_is_no_command_is_an_error_and_the_connection_lives_on() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for line in [
        "",
        " ",
        "GET",
        "GET ",
        "GET  k",
        "GET k ",
        "GET a b",
        "SET",
        "SET k",
        "DELETE",
        "DELETE a b",
        "EXISTS",
        "TYPE",
        "MGET",
        "MSET a 1 b",
        "STRLEN a b",
        "ECHO",
        "KEYS",
        "COUNT x",
        "INFO x",
        "COMPACT x",
        r#"GET "a"#,
        r#"GET "a"b"#,
        r#"GET "a\q""#,
        r#"GET "a\x4""#,
        r#"SET k "v" "#,
        r#"SET k "v"w"#,
        r#"SET k "v" w"#,
        r#"SET "k"v"#,
        "SCAN",
        "SCAN x",
        "SCAN -1",
        "SCAN 0 PREFIX",
        "SCAN 0 LIMIT",
        "SCAN 0 LIMIT x",
        "SCAN 0 LIMIT 0",
        "SCAN 0 LIMIT 10001",
        "SCAN 0 LIMIT 1 LIMIT 2",
        "SCAN 0 PREFIX a PREFIX b",
        "SCAN 0 SUFFIX a",
    ] {
        wire.ask_error(format!("{line}\r\n"), "SYNTAX");
        wire.ask("PING\n", "PONG\r\n");
    }
    for line in ["FROB", "FROB k v", "SETT k v", "ge k", "\"GET\" k", "\u{e9}t\u{e9}", "\x00"] {
        wire.ask_error(format!("{line}\r\n"), "UNKNOWN_COMMAND");
        wire.ask("PING\n", "PONG\r\n");
    }
    assert_eq!(wire.info("keys"), "0", "none of it had an effect");
}

#[test]
fn a_message_comes_back_byte_for_byte() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for (line, answer) in [
        ("PING to be  or not ", "VALUE to be  or not "),
        ("ping \"a\\nb\"", "VALUE \"a\\nb\""),
        ("PING ", "VALUE \"\""),
        ("ECHO PING", "VALUE PING"),
    ] {
        wire.ask(format!("{line}\r\n"), format!("{answer}\r\n"));
    }
}

#[test]
fn answers_come_in_the_order_of_the_lines() {
    let daemon = Launch::new().start();
    let numbers = 0..3000;
    let commands: String =
        numbers.clone().map(|n| format!("SET k {n}\r\nGET k\r\nBAD\r\nDELETE k\r\nGET k\r\n")).collect();
    let mut wire = daemon.wire();
    let mut sender = wire.socket().try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(commands.as_bytes()).unwrap());
    for n in numbers {
        wire.expect(format!("OK\r\nVALUE {n}\r\n"));
        assert!(wire.line().starts_with("ERROR UNKNOWN_COMMAND "));
        wire.expect("OK\r\nNOT_FOUND\r\n");
    }
    sending.join().unwrap();
}

#[test]
fn lines_after_a_quit_are_not_carried_out() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.send("SET a 1\r\nQUIT\r\nSET b 2\r\n");
    assert_eq!(wire.rest(), "OK\r\nOK\r\n");
    daemon.wire().ask("GET a\r\nGET b\r\n", "VALUE 1\r\nNOT_FOUND\r\n");
}

const SESSION: &str = "SET user:1 john\r\nGET user:1\r\nDELETE user:1\r\nGET user:1\r\n";
const SESSION_ANSWERS: &str = "OK\r\nVALUE john\r\nOK\r\nNOT_FOUND\r\n";

#[test]
fn a_client_that_shuts_down_its_sending_side_gets_all_answers_and_then_the_end() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.send(SESSION);
    wire.finish_sending();
    assert_eq!(wire.rest(), SESSION_ANSWERS);
}

#[test]
fn the_session_works_through_nc() {
    if !need("nc") {
        return;
    }
    let daemon = Launch::new().start();
    assert_eq!(through_nc(&daemon, SESSION), SESSION_ANSWERS);
}

fn through_nc(daemon: &Daemon, input: &str) -> String {
    let addr = daemon.addr();
    let mut nc = Command::new("nc")
        .args(["-N", &addr.ip().to_string(), &addr.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    nc.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = nc.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// In the first console block of the document every command has a one-line answer under it.
#[test]
fn the_documented_session_is_what_the_server_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs/protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let block = document.split("```").nth(1).and_then(|block| block.strip_prefix("console\n$ nc ")).unwrap();
    let lines: Vec<_> = block.lines().skip(1).collect();
    assert!(lines.len() > 10 && lines.len().is_multiple_of(2), "{lines:#?}");
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for pair in lines.chunks(2) {
        wire.ask(format!("{}\n", pair[0]), format!("{}\r\n", pair[1]));
    }
}
