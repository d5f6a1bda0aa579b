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
    for (args, code, kind) in [(&["ping", "--json"][..], 4, "connection"), (&["--json", "get"], 2, "usage")] {
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
fn every_command_of_the_table_is_a_one_shot() {
    let server = FakeServer::start();
    server.put("k", "carpe diem");
    for (args, code, stdout) in [
        (&["strlen", "k"][..], 0, "10\n"),
        (&["StrLen", "k"], 0, "10\n"),
        (&["echo", "-5"], 0, "-5\n"),
        (&["mget", "k", "nobody", "k"], 0, "carpe diem\n\ncarpe diem\n"),
        (&["exists", "k", "k"], 0, "2\n"),
        (&["set", "k", "v", "NX"], 3, "\n"),
        (&["scan", "0", "match", "x*"], 0, "0\n\n"),
        (&["dbsize"], 0, "1\n"),
        (&["info", "rustvault"], 0, "# RustVault\r\nversion:9.9.9\r\nfsync:always\r\n\n"),
        (&["getdel", "k"], 0, "carpe diem\n"),
        (&["getdel", "k"], 3, "\n"),
        (&["del", "a", "b"], 0, "0\n"),
    ] {
        server.cli().args(args).assert().code(code).stdout(stdout).stderr("");
    }
}

#[test]
fn options_stand_before_a_command_or_behind_it_up_to_two_hyphens() {
    let server = FakeServer::start();
    let addr = server.addr();
    cli().args(["echo", "--addr", &addr, "hi", "--timeout=5s"]).assert().code(0).stdout("hi\n");
    cli().args(["--addr", &addr, "echo", "hi"]).assert().code(0).stdout("hi\n");
    server
        .cli()
        .args(["echo", "hi", "--json"])
        .assert()
        .code(0)
        .stdout("{\"status\":\"ok\",\"value\":\"hi\"}\n");
    server.cli().args(["echo", "--", "--json"]).assert().code(0).stdout("--json\n");
    server.cli().args(["echo", "--", "--"]).assert().code(0).stdout("--\n");
}

#[test]
fn json_of_a_command_has_its_answer_as_value() {
    let server = FakeServer::start();
    server.put("n", "5");
    server.put("raw", Bytes::from_static(b"\xff"));
    for (args, code, expected) in [
        (&["strlen", "n"][..], 0, r#"{"status":"ok","value":1}"#),
        (&["mget", "n", "raw", "nobody"], 0, r#"{"status":"ok","value":["5",{"base64":"/w=="},null]}"#),
        (&["echo", "hi"], 0, r#"{"status":"ok","value":"hi"}"#),
        (&["getdel", "raw"], 0, r#"{"status":"ok","value_base64":"/w=="}"#),
        (&["getdel", "raw"], 3, r#"{"status":"not_found"}"#),
        (&["hello", "3"], 0, r#"{"status":"ok","value":{"proto":3}}"#),
    ] {
        server.cli().arg("--json").args(args).assert().code(code).stdout(format!("{expected}\n")).stderr("");
    }
}

#[test]
fn an_error_of_a_command_is_shown_as_the_server_writes_it() {
    let server = FakeServer::start();
    server
        .cli()
        .args(["incr", "k"])
        .assert()
        .code(1)
        .stdout("")
        .stderr("(error) ERR value is not an integer or out of range\n");
    let output = server.cli().args(["--json", "incr", "k"]).output().unwrap();
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &error["error"]["kind"]), (Some(1), &"server".into()), "{error}");
    assert_eq!(error["error"]["message"], "ERR value is not an integer or out of range");
}

#[test]
fn a_name_that_the_table_lacks_is_sent_and_a_similar_one_is_pointed_out() {
    let server = FakeServer::start();
    let stderr = |name: &str| {
        let output = server.cli().args([name, "k"]).output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown =
        |name: &str| format!("(error) ERR unknown command '{name}', with args beginning with: 'k' \n");
    assert_eq!(stderr("frobnicate"), unknown("frobnicate"));
    assert_eq!(stderr("strlem"), unknown("strlem") + "hint: did you mean 'strlen'?\n");
    assert_eq!(stderr("gett"), unknown("gett") + "hint: did you mean 'get'?\n");
    assert_eq!(stderr("exprot"), unknown("exprot") + "hint: did you mean 'export'?\n");
}

#[test]
fn what_would_unpair_answers_is_refused() {
    let server = FakeServer::start();
    let output = server.cli().args(["client", "reply", "off"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("CLIENT REPLY"), "{stderr}");
}

#[test]
fn usual_aliases_are_their_commands() {
    let server = FakeServer::start();
    server.cli().args(["put", "k", "v"]).assert().code(0).stdout("OK\n");
    server.cli().arg("ls").assert().code(0).stdout("k\n");
    server.cli().args(["rm", "k"]).assert().code(0).stdout("OK\n");
    server.cli().args(["remove", "k"]).assert().code(3).stdout("(nil)\n");
}

#[test]
fn keys_with_a_prefix_are_printed_with_their_values() {
    let server = FakeServer::start();
    for (key, value) in [("u:1", "ada"), ("u:2", "two words "), ("u 3", "a\nb"), ("u:4", ""), ("v", "v")] {
        server.put(key, value);
    }
    let expected = "\"u 3\" \"a\\nb\"\nu:1 ada\nu:2 two words \nu:4 \"\"\n";
    server.cli().args(["get", "--prefix", "u"]).assert().code(0).stdout(expected).stderr("");
    server.cli().args(["get", "--prefix", "none"]).assert().code(0).stdout("");
    let json = "{\"key\":\"u:1\",\"value\":\"ada\"}\n";
    server.cli().args(["--json", "get", "--prefix", "u:1"]).assert().code(0).stdout(json);
    // What is printed can be run.
    let lines = expected.lines().map(|line| format!("set {line}\n")).collect::<String>();
    let other = FakeServer::start();
    other.cli().write_stdin(lines).assert().code(0);
    assert_eq!(other.value("u 3"), Some(Bytes::from("a\nb")));
    assert_eq!(other.value("u:2"), Some(Bytes::from("two words ")));
}

#[test]
fn keys_with_a_prefix_are_removed_only_if_that_is_agreed_to() {
    let server = FakeServer::start();
    for number in 0..400 {
        server.put(format!("user:{number}"), "v");
    }
    server.put("other", "v");
    for command in ["delete", "del", "rm"] {
        let output = server.cli().args([command, "--prefix", "user:"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("400 keys that start with \"user:\"") && stderr.contains("--yes"),
            "{stderr}"
        );
    }
    server.cli().args(["delete", "--prefix", "user:", "--yes"]).assert().code(0).stdout("400\n").stderr("");
    server
        .cli()
        .args(["del", "--yes", "--prefix", "oth", "--json"])
        .assert()
        .code(0)
        .stdout("{\"deleted\":1,\"status\":\"ok\"}\n");
    server.cli().args(["delete", "--prefix", "oth"]).assert().code(0).stdout("0\n");
}

#[test]
fn an_export_can_be_imported() {
    let (from, to) = (FakeServer::start(), FakeServer::start());
    let mut entries: Vec<_> = (0..2_500)
        .map(|number| (format!("k:{number}").into_bytes(), Bytes::from(format!("v{number}"))))
        .collect();
    entries.push((b"k:\xff\n".to_vec(), Bytes::from_static(b"\x00\xff\"")));
    for (key, value) in &entries {
        from.put(key, value.clone());
    }
    from.put("other", "v");
    let exported = from.cli().args(["export", "--prefix", "k:"]).output().unwrap();
    assert_eq!((exported.status.code(), &exported.stderr[..]), (Some(0), &b""[..]));
    assert_eq!(exported.stdout.iter().filter(|byte| **byte == b'\n').count(), entries.len());
    let stored = "stored 2501 keys\n";
    to.cli().arg("import").write_stdin(exported.stdout.clone()).assert().code(0).stdout(stored).stderr("");
    assert!(entries.iter().all(|(key, value)| to.value(key).as_ref() == Some(value)));
    assert_eq!(to.value("other"), None);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.jsonl");
    std::fs::write(&file, &exported.stdout).unwrap();
    to.put("k:7", "newer");
    let import = |options: &[&str]| to.cli().arg("import").arg(&file).args(options).output().unwrap().stdout;
    assert_eq!(import(&["--keep-existing"]), b"stored 0 keys, kept 2501 that were there\n");
    assert_eq!(to.value("k:7"), Some(Bytes::from("newer")));
    assert_eq!(import(&["--json"]), b"{\"kept\":0,\"status\":\"ok\",\"stored\":2501}\n");
    assert_eq!(to.value("k:7"), Some(Bytes::from("v7")));
}

#[test]
fn an_import_ends_at_the_line_that_is_none_and_says_what_was_stored() {
    let server = FakeServer::start();
    let line = |key: &str| format!("{{\"key\":\"{key}\",\"value\":\"v\"}}\n");
    for (lines, code, parts) in [
        (
            line("a") + &line("b") + "nonsense\n" + &line("c"),
            2,
            ["line 3: expected an object", "2 keys had been stored"],
        ),
        (line("a") + "{\"key\":\"b\",\"val", 2, ["line 2: EOF", "1 key had been stored"]),
        (
            line("a") + "\n" + &line(BROKEN_KEY) + &line("d"),
            1,
            ["line 3: disk full", "2 keys had been stored"],
        ),
    ] {
        let output = server.cli().arg("import").write_stdin(lines).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(code), &b""[..]), "{stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{stderr}");
    }
    assert_eq!((server.value("c"), server.value("d")), (None, Some(Bytes::from("v"))));
    cli().args(["--addr", &refusing_addr(), "import"]).write_stdin(line("a")).assert().code(4);
    server.cli().args(["import", "/nowhere/keys"]).assert().code(1);
    let unreadable = "error: cannot read /: Is a directory (os error 21); 0 keys had been stored\n";
    server.cli().args(["import", "/"]).assert().code(1).stderr(unreadable);
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
    assert_usage_error(&["--frob", "incr", "k"]);
    assert_usage_error(&["incr", "k", "--addr", "nowhere"]);
    assert_usage_error(&["get", "k", "--prefix", "p"]);
    assert_usage_error(&["delete", "--yes"]);
    assert_usage_error(&["scan", "0", "--limit", "5"]);
    assert_usage_error(&["del", "--prefix", "p", "more"]);
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

#[test]
fn help_tells_about_the_commands_of_the_table() {
    let help = |args: &[&str]| {
        let output = cli().args(args).output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for args in [&["help", "incrby"][..], &["incrby", "--help"], &["--json", "help", "INCRBY"]] {
        let text = help(args);
        assert!(text.starts_with("usage: incrby key increment\nAdds to the number in a key"), "{text}");
        assert!(text.contains("\ncomplexity: O(1)\n") && text.contains("\nsince: "), "{text}");
    }
    assert!(help(&["help", "client", "list"]).starts_with("usage: client list [TYPE "));
    assert!(help(&["help", "transactions"]).contains("\nwatch key [key ...]"));
    assert!(help(&["--help"]).contains(" incrbyfloat"));
    assert!(help(&["help", "get"]).contains("--raw"), "the form of our own has its own help");
    assert_usage_error(&["help", "frobnicate"]);
    assert_usage_error(&["wal", "frobnicate", "help"]);
    let output = cli().args(["help", "client", "lst"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("named 'client lst'; did you mean 'client list'?"), "{stderr}");
}

#[test]
fn a_usage_error_shows_what_is_missing_whatever_is_set_in_the_environment() {
    for args in
        [&["get"][..], &["set", "k"], &["exists"], &["wal", "convert"], &["scan", "--limit"], &["delete"]]
    {
        let shown = |addr: Option<&str>| {
            let mut command = cli();
            command.args(args).envs(addr.map(|addr| ("RUSTVAULT_ADDR", addr)));
            String::from_utf8(command.output().unwrap().stderr).unwrap()
        };
        let message = shown(Some("db.example:8080"));
        assert_eq!(message, shown(None), "{args:?}");
        assert!(
            message.contains("required") && message.contains("Usage: ") || message.contains("a value"),
            "{message}"
        );
        assert!(!message.contains("--addr"), "{message}");
    }
}

#[test]
fn tools_for_log_files_show_no_options_of_the_network_and_accept_them() {
    for args in [
        &["wal", "--help"][..],
        &["wal", "dump", "--help"],
        &["wal", "repair", "-h"],
        &["help", "wal", "load"],
    ] {
        let help = String::from_utf8(cli().args(args).output().unwrap().stdout).unwrap();
        assert!(help.contains("--json") && !help.contains("--addr") && !help.contains("--timeout"), "{help}");
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("vault.log");
    let line = r#"{"timestamp":0,"command":{"Set":{"key":"k","value":"v"}}}"#;
    let options = ["--addr", "127.0.0.1:1", "--timeout", "1s"];
    cli().args(["wal", "load"]).arg(&log).args(options).write_stdin(line).assert().code(0);
    cli().args(["wal", "verify"]).arg(&log).env("RUSTVAULT_ADDR", "nonsense").assert().code(0);
    let help = String::from_utf8(cli().args(["get", "--help"]).output().unwrap().stdout).unwrap();
    assert!(help.contains("--addr") && help.contains("--timeout"), "{help}");
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
