//! A session whose standard input is not a terminal.

use crate::support::{BROKEN_KEY, FAREWELL_KEY, FakeServer, HANG_UP_KEY, cli, refusing_addr};
use bytes::Bytes;

#[test]
fn lines_run_without_a_prompt() {
    let server = FakeServer::start();
    let lines = "set mykey myvalue\nGET mykey\r\nget nobody\n\n# a comment\nexists mykey\ncount\n\
        scan --prefix my --limit 1\nping\ncompact\ninfo\ndelete mykey";
    let expected = "OK\nmyvalue\n(nil)\nOK\n1\nmykey\nPONG\nOK\nversion=9.9.9\nfsync=always\nOK\n";
    server.cli().write_stdin(lines).assert().code(0).stdout(expected).stderr("");
}

#[test]
fn values_are_the_rest_of_the_line_or_quoted() {
    let server = FakeServer::start();
    let lines = b"set motto carpe diem \nset \"two words\" \"a\\nb\\x00\"\nset bytes \xff\xfe\n".to_vec();
    server.cli().write_stdin(lines).assert().code(0).stdout("OK\nOK\nOK\n");
    assert_eq!(server.value("motto"), Some(Bytes::from("carpe diem ")));
    assert_eq!(server.value("two words"), Some(Bytes::from("a\nb\0")));
    assert_eq!(server.value("bytes"), Some(Bytes::from_static(b"\xff\xfe")));
}

#[test]
fn quit_ends_the_session() {
    let server = FakeServer::start();
    for quit in ["quit", "EXIT"] {
        server.cli().write_stdin(format!("ping\n{quit}\nfrobnicate\n")).assert().code(0).stdout("PONG\n");
    }
}

#[test]
fn help_names_every_command() {
    let server = FakeServer::start();
    let output = server.cli().write_stdin("help\n").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for command in ["set", "get", "delete", "exists", "count", "scan", "ping", "info", "compact", "quit"] {
        assert!(help.lines().any(|line| line.starts_with(command)), "{command} is missing in:\n{help}");
    }
}

#[test]
fn first_failed_line_ends_the_session_with_its_number() {
    let server = FakeServer::start();
    let lines = format!("ping\n\nset {BROKEN_KEY} v\nset later v\n");
    let expected = "error: line 3: disk full (READ_ONLY)\n";
    server.cli().write_stdin(lines).assert().code(1).stdout("PONG\n").stderr(expected);
    assert_eq!(server.value("later"), None);
}

#[test]
fn bad_line_is_a_usage_error() {
    let server = FakeServer::start();
    let expected = "error: line 2: unknown command 'frobnicate'; type help for the commands\n";
    server.cli().write_stdin("ping\nfrobnicate\n").assert().code(2).stdout("PONG\n").stderr(expected);
    server.cli().write_stdin("set k\n").assert().code(2);
    server.cli().write_stdin("get \"\"\n").assert().code(0).stdout("(nil)\n");
}

#[test]
fn json_applies_to_every_line() {
    let server = FakeServer::start();
    let output =
        server.cli().arg("--json").write_stdin("set k v\nget k\nget nobody\nnonsense\n").output().unwrap();
    let expected = "{\"status\":\"ok\"}\n{\"status\":\"ok\",\"value\":\"v\"}\n{\"status\":\"not_found\"}\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["line"], 4);
}

#[test]
fn no_server_is_exit_code_4() {
    let output = cli().args(["--addr", &refusing_addr()]).write_stdin("ping\n").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[test]
fn session_reconnects_after_the_server_closed() {
    let server = FakeServer::start();
    let lines = format!("set k v\nget {FAREWELL_KEY}\nget k\nset k w\nget k\n");
    server.cli().write_stdin(lines).assert().code(0).stdout("OK\n(nil)\nv\nOK\nw\n");
}

#[test]
fn write_of_unknown_outcome_is_reported_and_not_sent_again() {
    let server = FakeServer::start();
    let output = server.cli().write_stdin(format!("set {HANG_UP_KEY} v\nping\n")).output().unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(4), &b""[..]), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("line 1") && stderr.contains("unknown whether the write took effect"),
        "{stderr}"
    );
    assert_eq!(server.value(HANG_UP_KEY), Some(Bytes::from("I")), "one try");
}
