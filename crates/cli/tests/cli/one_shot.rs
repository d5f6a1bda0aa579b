//! One command per process: what is printed, and the exit codes.

use std::time::{Duration, Instant};

use crate::support::{BROKEN_KEY, FakeServer, SILENT_KEY, cli, refusing_addr};
use bytes::Bytes;

/// Exit code 2, nothing on standard output.
fn assert_usage_error(args: &[&str]) {
    let output = cli().args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}: {output:?}");
}

#[test]
fn set_get_and_delete_print_what_people_read() {
    let server = FakeServer::start();
    server.cli().args(["set", "user:1", "john"]).assert().code(0).stdout("OK\n").stderr("");
    server.cli().args(["get", "user:1"]).assert().code(0).stdout("john\n");
    server.cli().args(["exists", "user:1"]).assert().code(0).stdout("OK\n");
    server.cli().args(["delete", "user:1"]).assert().code(0).stdout("OK\n");
}

#[test]
fn missing_key_is_nil_with_exit_code_3() {
    let server = FakeServer::start();
    for command in ["get", "delete", "exists"] {
        server.cli().args([command, "nobody"]).assert().code(3).stdout("(nil)\n").stderr("");
    }
    server.cli().args(["get", "--raw", "nobody"]).assert().code(3).stdout("").stderr("");
}

#[test]
fn count_ping_and_info_are_plain_lines() {
    let server = FakeServer::start();
    server.put("a", "1");
    server.cli().arg("count").assert().code(0).stdout("1\n");
    server.cli().arg("ping").assert().code(0).stdout("PONG\n");
    server.cli().arg("info").assert().code(0).stdout("version=9.9.9\nfsync=always\n");
}

#[test]
fn compact_prints_ok_or_why_not() {
    let server = FakeServer::start();
    server.cli().arg("compact").assert().code(0).stdout("OK\n").stderr("");
    server.put(BROKEN_KEY, "");
    server.cli().arg("compact").assert().code(1).stdout("").stderr("error: disk full (READ_ONLY)\n");
}

#[test]
fn scan_follows_the_cursor_and_prints_a_key_a_line() {
    let server = FakeServer::start();
    for key in ["a:1", "a:2", "a:3", "a:4", "b\n5", "b 6", "c7"] {
        server.put(key, "");
    }
    server.cli().arg("scan").assert().code(0).stdout("a:1\na:2\na:3\na:4\n\"b\\n5\"\n\"b 6\"\nc7\n");
    server.cli().args(["scan", "--prefix", "a:"]).assert().code(0).stdout("a:1\na:2\na:3\na:4\n");
    server.cli().args(["scan", "--limit", "5"]).assert().code(0).stdout("a:1\na:2\na:3\na:4\n\"b\\n5\"\n");
    server.cli().args(["scan", "--limit", "0"]).assert().code(0).stdout("");
    server.cli().args(["scan", "--prefix", "none"]).assert().code(0).stdout("");
}

#[test]
fn values_and_keys_may_begin_with_a_hyphen() {
    let server = FakeServer::start();
    server.cli().args(["set", "n", "-5"]).assert().code(0).stdout("OK\n");
    assert_eq!(server.value("n"), Some(Bytes::from("-5")));
    server.cli().args(["set", "--", "-n", "--json"]).assert().code(0).stdout("OK\n");
    server.cli().args(["get", "--", "-n"]).assert().code(0).stdout("--json\n");
}

#[test]
fn stdin_and_raw_keep_every_byte() {
    let server = FakeServer::start();
    let value: Vec<u8> = (0..=255).chain(*b"\r\n\n").collect();
    server.cli().args(["set", "bin", "--stdin"]).write_stdin(value.clone()).assert().code(0).stdout("OK\n");
    assert_eq!(server.value("bin"), Some(Bytes::from(value.clone())));
    server.cli().args(["get", "--raw", "bin"]).assert().code(0).stdout(value.clone());
    server.cli().args(["get", "bin"]).assert().code(0).stdout([&value[..], b"\n"].concat());
    server.cli().args(["set", "empty", "--stdin"]).write_stdin("").assert().code(0);
    server.cli().args(["get", "empty"]).assert().code(0).stdout("\n");
    server.cli().args(["set", "", "the empty key"]).assert().code(0).stdout("OK\n");
    server.cli().args(["get", ""]).assert().code(0).stdout("the empty key\n");
}

#[cfg(unix)]
#[test]
fn arguments_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let server = FakeServer::start();
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    server.cli().arg("set").args([bytes, bytes]).assert().code(0);
    assert_eq!(server.value(b"\xff\xfe"), Some(Bytes::from_static(b"\xff\xfe")));
}

#[test]
fn json_has_one_shape_per_command() {
    let server = FakeServer::start();
    server.put("text", "john");
    server.put(b"\xff", Bytes::from_static(b"\xff\x00"));
    let check = |args: &[&str], code, expected: &str| {
        server.cli().arg("--json").args(args).assert().code(code).stdout(format!("{expected}\n")).stderr("");
    };
    check(&["set", "n", "-5"], 0, r#"{"status":"ok"}"#);
    check(&["get", "text"], 0, r#"{"status":"ok","value":"john"}"#);
    check(&["get", "nobody"], 3, r#"{"status":"not_found"}"#);
    check(&["exists", "n"], 0, r#"{"status":"ok"}"#);
    check(&["count"], 0, r#"{"count":3,"status":"ok"}"#);
    check(&["scan"], 0, "{\"key\":\"n\"}\n{\"key\":\"text\"}\n{\"key_base64\":\"/w==\"}");
    check(&["delete", "n"], 0, r#"{"status":"ok"}"#);
    check(&["delete", "n"], 3, r#"{"status":"not_found"}"#);
    check(&["exists", "n"], 3, r#"{"status":"not_found"}"#);
    check(&["ping"], 0, r#"{"status":"ok"}"#);
    check(&["compact"], 0, r#"{"status":"ok"}"#);
    check(&["info"], 0, r#"{"info":{"fsync":"always","version":"9.9.9"},"status":"ok"}"#);
}

#[test]
fn json_errors_go_to_standard_error() {
    let server = FakeServer::start();
    let expected =
        "{\"error\":{\"code\":\"READ_ONLY\",\"kind\":\"server\",\"message\":\"disk full (READ_ONLY)\"}}\n";
    server.cli().args(["--json", "set", BROKEN_KEY, "v"]).assert().code(1).stdout("").stderr(expected);
    for (args, code, kind) in
        [(&["ping", "--json"][..], 4, "connection"), (&["--json", "frobnicate"], 2, "usage")]
    {
        let output = cli().args(["--addr", &refusing_addr()]).args(args).output().unwrap();
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), error["error"]["kind"].as_str()),
            (Some(code), Some(kind)),
            "{error}"
        );
    }
}

#[test]
fn server_error_is_exit_code_1() {
    let server = FakeServer::start();
    let output = server.cli().args(["set", BROKEN_KEY, "v"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: disk full (READ_ONLY)\n");
}

#[test]
fn refused_connection_is_exit_code_4_at_once() {
    let started = Instant::now();
    let addr = refusing_addr();
    let output = cli().args(["--addr", &addr, "--timeout", "50s", "ping"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&addr), "{output:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "it must not try again until the time-out");
}

#[test]
fn silent_server_is_exit_code_4_after_the_timeout() {
    let server = FakeServer::start();
    let output = server.cli().args(["--timeout", "100ms", "set", SILENT_KEY, "v"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown whether"), "{output:?}");
}

#[test]
fn misuse_is_exit_code_2() {
    assert_usage_error(&["frobnicate"]);
    assert_usage_error(&["get"]);
    assert_usage_error(&["get", "k", "extra"]);
    assert_usage_error(&["set", "k"]);
    assert_usage_error(&["set", "k", "v", "--stdin"]);
    assert_usage_error(&["get", "k", "--raw", "--json"]);
    assert_usage_error(&["--json", "get", "k", "--raw"]);
    assert_usage_error(&["scan", "--limit", "many"]);
    assert_usage_error(&["--addr", "nowhere", "ping"]);
    assert_usage_error(&["--timeout", "0s", "ping"]);
    assert_usage_error(&["bench", "--reads", "101"]);
}

#[test]
fn a_bad_address_in_the_environment_is_named_as_such() {
    for json in [&[][..], &["--json"]] {
        let output = cli().args(["ping"]).args(json).env("RUSTVAULT_ADDR", "foo").output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("for RUSTVAULT_ADDR (--addr <HOST:PORT>)"), "{message}");
    }
    let output = cli().args(["ping", "--addr", "bar"]).env("RUSTVAULT_ADDR", "foo").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("for '--addr <HOST:PORT>'") && !message.contains("RUSTVAULT_ADDR"), "{message}");
}

#[test]
fn an_empty_address_in_the_environment_counts_as_none() {
    // A command that needs no server: the default address may be anybody's.
    let output = cli().args(["wal", "verify", "nowhere.log"]).env("RUSTVAULT_ADDR", "").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && message.contains("nowhere.log"), "{message}");
    let output = cli().args(["ping", "--addr", ""]).env("RUSTVAULT_ADDR", "").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn help_documents_exit_codes_and_defaults() {
    let output = cli().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for text in ["Exit codes:", "127.0.0.1:8080", "RUSTVAULT_ADDR", "[default: 10s]", "not_found"] {
        assert!(help.contains(text), "{text:?} is missing in:\n{help}");
    }
}

#[cfg(unix)]
#[test]
fn broken_pipe_ends_quietly() {
    use std::process::{Command, Stdio};
    let server = FakeServer::start();
    // More than a pipe holds, so the program still writes when its reader has gone.
    for number in 0..2_000 {
        server.put(format!("{number:04}-{}", "k".repeat(100)), "");
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_rustvault-cli"));
    program.envs(server.cli().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = program.arg("scan").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
}
