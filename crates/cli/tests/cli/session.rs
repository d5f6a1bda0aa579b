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
fn help_on_a_command_or_a_group_is_from_the_table() {
    let server = FakeServer::start();
    let output =
        server.cli().write_stdin("help client list\nhelp Incr\nhelp string\nhelp scan\n").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for text in [
        "usage: client list [TYPE ",
        "complexity: O(connections)",
        "usage: incr key\nAdds 1 ",
        "\nmget key [key ...] ",
        "scan [--prefix P] [--limit N]",
    ] {
        assert!(help.contains(text), "{text:?} is missing in:\n{help}");
    }
    let error = "error: line 1: no command or group is named 'gett'; did you mean 'get'?\n";
    server.cli().write_stdin("help gett\n").assert().code(2).stderr(error);
}

#[test]
fn every_command_of_the_table_is_a_line() {
    let server = FakeServer::start();
    server.put("k", "v");
    let lines = "STRLEN k\nmget k \"no body\" k\necho to be or not\nexists k k\nset k \"w\" NX\nset k \"w x\" XX\n\
        getdel k\nscan 0 MATCH x\nput a b c\nls\nrm a\n";
    let expected = "1\nv\n\nv\nto be or not\n2\n\nOK\nw x\n0\n\nOK\na\nOK\n";
    server.cli().write_stdin(lines).assert().code(0).stdout(expected).stderr("");
}

#[test]
fn an_error_of_the_server_ends_a_script_with_its_line() {
    let server = FakeServer::start();
    let expected = "error: line 2: ERR value is not an integer or out of range\n";
    server.cli().write_stdin("ping\nincr k\nping\n").assert().code(1).stdout("PONG\n").stderr(expected);
    let lines = "get --prefix none\ndelete --prefix a --yes\ndelete --prefix none\n";
    server.put("a", "v");
    server.cli().write_stdin(lines).assert().code(0).stdout("1\n0\n").stderr("");
    server.put("a", "v");
    let output = server.cli().write_stdin("delete --prefix a\n").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
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
    server
        .cli()
        .write_stdin("ping\nget\n")
        .assert()
        .code(2)
        .stdout("PONG\n")
        .stderr("error: line 2: usage: GET key\n");
    server.cli().write_stdin("set k\n").assert().code(2);
    server.cli().write_stdin("get \"\"\n").assert().code(0).stdout("(nil)\n");
}

#[test]
fn an_unknown_command_is_the_servers_to_refuse() {
    let server = FakeServer::start();
    let expected = "error: line 2: ERR unknown command 'strlem', with args beginning with: 'k' \n\
        hint: did you mean 'strlen'?\n";
    server.cli().write_stdin("ping\nstrlem k\n").assert().code(1).stdout("PONG\n").stderr(expected);
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
