//! Options, the start-up line, and starts that are refused.

use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustvault_tests::{Daemon, Launch, PATIENCE, Wire, listening_port, wait_for_exit};
use serde_json::Value;

#[test]
fn one_line_tells_version_address_log_policy_keys_and_time() {
    let launch = Launch::new().with_args("--fsync interval:100ms");
    let daemon = launch.start();
    daemon.wire().ask("SET a 1\r\nSET b 2\r\nDELETE b\r\n", "OK\r\nOK\r\nOK\r\n");
    daemon.stop();
    let daemon = launch.start();
    let line = daemon.ready_line();
    let (addr, wal) = (daemon.addr().to_string(), launch.wal().to_str().unwrap());
    for part in [env!("CARGO_PKG_VERSION"), &addr, wal, "interval:100ms", "keys_recovered=1", "recovery_ms="]
    {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    assert_eq!(daemon.log_lines().len(), 1, "{:#?}", daemon.log_lines());
}

#[test]
fn messages_can_be_json() {
    let launch = Launch::new().with_args("--message-format json");
    let daemon = launch.start();
    let line: Value = serde_json::from_str(daemon.ready_line()).unwrap();
    assert_eq!(line["fields"]["address"], daemon.addr().to_string(), "{line}");
    assert_eq!(line["fields"]["keys_recovered"], 0, "{line}");
    let lines = stop_and_take_lines(daemon);
    for line in lines {
        serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn a_log_of_json_lines_is_told_at_the_start_whatever_format_is_asked_for() {
    const LINE: &str = r#"{"timestamp":1640995200000,"command":{"Set":{"key":"a","value":"1"}}}"#;
    for args in ["--wal-format json", "--wal-format binary"] {
        let launch = Launch::new().with_args(args);
        std::fs::write(launch.wal(), format!("{LINE}\n")).unwrap();
        let daemon = launch.start();
        assert!(daemon.ready_line().contains("wal_format=\"json\""), "{}", daemon.ready_line());
        let mut wire = daemon.wire();
        wire.ask("GET a\r\n", "VALUE 1\r\n");
        wire.send("INFO\r\n");
        assert!(wire.list().contains(&"wal_format=json".to_owned()), "{args}");
    }
}

fn stop_and_take_lines(mut daemon: Daemon) -> Vec<String> {
    daemon.signal(Signal::TERM);
    daemon.wait(PATIENCE);
    daemon.wait_for_line("stopped");
    daemon.log_lines()
}

#[test]
fn a_bad_option_is_told_in_one_line_with_exit_code_2() {
    for args in [
        "--frobnicate",
        "--max-connections 0",
        "--max-connections many",
        "--fsync sometimes",
        "--fsync interval:",
        "--fsync interval:0s",
        "--fsync interval:soon",
        "--max-value-bytes 2TiB",
        "--max-value-bytes=-1",
        "--wal-format text",
        "--compact-ratio 1",
        "--compact-ratio nan",
        "--compact-min-bytes much",
        "--max-memory 0",
        "--threads 0",
        "--message-format xml",
        "--message-level loud",
        "--log-format xml",
        "--log-level loud",
        "--bind nowhere",
        "--bind 127.0.0.1:65536",
        "an-argument",
    ] {
        let launch = if let Some(addr) = args.strip_prefix("--bind ") {
            Launch::new().with_bind(addr)
        } else {
            Launch::new().with_args(args)
        };
        let refusal = launch.refused();
        assert_eq!((refusal.code, refusal.lines.len()), (2, 1), "{args}: {:#?}", refusal.lines);
        let option = args.split([' ', '=']).next().unwrap();
        assert!(refusal.lines[0].contains(option), "{args}: {}", refusal.lines[0]);
        assert!(!launch.wal().exists(), "{args}: the log was touched");
    }
}

#[test]
fn an_address_of_another_machine_is_refused_with_1() {
    // 192.0.2.0/24 is for documentation, so it is nobody's.
    let refusal = Launch::new().with_bind("192.0.2.1:0").refused();
    assert_eq!((refusal.code, refusal.lines.len()), (1, 1), "{:#?}", refusal.lines);
    assert!(refusal.lines[0].contains("192.0.2.1:0"), "{:#?}", refusal.lines);
}

#[test]
fn every_option_may_come_from_the_environment() {
    let launch = Launch::new();
    let mut command = Command::new(launch.command().get_program());
    command.current_dir(launch.folder()).env("RUSTVAULT_BIND_ADDR", "127.0.0.1:65536").stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    for (name, value) in [
        ("RUSTVAULT_MAX_CONNECTIONS", "none"),
        ("RUSTVAULT_FSYNC", "none"),
        ("RUSTVAULT_MAX_VALUE_BYTES", "none"),
        ("RUSTVAULT_WAL_FORMAT", "none"),
        ("RUSTVAULT_COMPACT_RATIO", "none"),
        ("RUSTVAULT_COMPACT_MIN_BYTES", "none"),
        ("RUSTVAULT_MAX_MEMORY", "none"),
        ("RUSTVAULT_THREADS", "none"),
    ] {
        let output = launch.command().env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
    }
    let output = Command::new(launch.command().get_program())
        .env("RUSTVAULT_BIND_ADDR", "127.0.0.1:0")
        .env("RUSTVAULT_WAL_PATH", launch.folder())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && stderr.contains(launch.folder().to_str().unwrap()),
        "{output:?}"
    );
}

#[test]
fn an_empty_environment_variable_counts_as_not_set() {
    let launch = Launch::new();
    let server = launch.command();
    let help = Command::new(server.get_program()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let names: Vec<_> =
        help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next()).collect();
    assert!(names.len() > 15, "{help}");
    // The one mistake that is left is on the command line, so none of them is refused.
    let mut command = Command::new(server.get_program());
    command.args(["--bind=127.0.0.1:0", "--wal"]).arg(launch.folder());
    for name in names {
        command.env(name, "");
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let folder = launch.folder().to_str().unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains(folder), "{output:?}");
}

#[test]
fn a_bad_environment_variable_is_named() {
    let launch = Launch::new();
    for (name, value) in [
        ("RUSTVAULT_MAX_CONNECTIONS", "none"),
        ("RUSTVAULT_FSYNC", "none"),
        ("RUSTVAULT_MAX_VALUE_BYTES", "none"),
        ("RUSTVAULT_WAL_FORMAT", "none"),
        ("RUSTVAULT_MAX_MEMORY", "0"),
        ("RUSTVAULT_THREADS", "0"),
        ("RUSTVAULT_CPU_AFFINITY", "on"),
        ("RUSTVAULT_UNIX_SOCKET", "unix:/x"),
        ("RUSTVAULT_MESSAGE_FORMAT", "none"),
        ("RUSTVAULT_MESSAGE_LEVEL", "none"),
        ("RUSTVAULT_LOG_FORMAT", "none"),
        ("RUSTVAULT_LOG_LEVEL", "none"),
    ] {
        let output = launch.command().env(name, value).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.lines().count() == 1, "{name}: {output:?}");
        assert!(stderr.contains(name), "{name}={value}: {stderr}");
        // What the command line says counts, so it is what is named.
        let output = launch.command().env(name, value).arg("--max-connections=x").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("--max-connections") && !stderr.contains("RUSTVAULT_"), "{stderr}");
    }
    let unreadable = std::ffi::OsStr::from_bytes(b"\xff");
    let output = launch.command().env("RUSTVAULT_THREADS", unreadable).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("RUSTVAULT_THREADS"), "{stderr}");
}

/// Returns the format of the message that ends a daemon with these variables and arguments, all of them but the last good.
fn format_of_refusal(variables: &[(&str, &str)], args: &str) -> &'static str {
    let mut command = Launch::new().command();
    command.envs(variables.iter().copied()).args(args.split_whitespace()).arg("--nonsense");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && stderr.contains("--nonsense"),
        "{variables:?} {args}: {stderr}"
    );
    if serde_json::from_str::<Value>(&stderr).is_ok() { "json" } else { "text" }
}

#[test]
fn old_names_of_the_message_options_still_work_and_any_option_beats_any_variable() {
    const NEW: &str = "RUSTVAULT_MESSAGE_FORMAT";
    const OLD: &str = "RUSTVAULT_LOG_FORMAT";
    for (variables, args, format) in [
        (&[][..], "", "text"),
        (&[], "--log-format json", "json"),
        (&[(OLD, "json")], "", "json"),
        (&[(NEW, "text"), (OLD, "json")], "", "text"),
        (&[(NEW, "json"), (OLD, "none")], "", "json"),
        (&[(NEW, ""), (OLD, "json")], "", "json"),
        (&[(NEW, "json"), (OLD, "")], "", "json"),
        (&[(NEW, "json")], "--log-format text", "text"),
        (&[(OLD, "json")], "--message-format text", "text"),
        (&[(OLD, "json")], "--log-format text", "text"),
    ] {
        assert_eq!(format_of_refusal(variables, args), format, "{variables:?} {args}");
    }
    for (name, value, has_message) in [
        ("RUSTVAULT_MESSAGE_LEVEL", "info", true),
        ("RUSTVAULT_LOG_LEVEL", "error", false),
        ("RUSTVAULT_MESSAGE_LEVEL", "error", false),
    ] {
        let launch = Launch::new();
        let mut daemon = launch.command().env(name, value).spawn().unwrap();
        Wire::connect(([127, 0, 0, 1], listening_port(daemon.id())).into()).ask("PING\r\n", "PONG\r\n");
        kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
        assert_eq!(wait_for_exit(&mut daemon, PATIENCE).code(), Some(0));
        let lines: Vec<_> = BufReader::new(daemon.stderr.take().unwrap()).lines().collect();
        assert_eq!(!lines.is_empty(), has_message, "{name}={value}: {lines:?}");
    }
}

#[test]
fn a_mistake_in_an_old_name_is_told_by_the_name_that_was_typed() {
    for (args, part, absent) in [
        ("--log-format xml", "'--log-format <FORMAT>'", "--message"),
        ("--log-level=loud", "'--log-level <LEVEL>'", "--message"),
        ("--message-level loud", "'--message-level <LEVEL>'", "--log"),
        ("--log-level", "'--log-level <LEVEL>'", "--message"),
        (
            "--log-level info --log-level info",
            "'--log-level <LEVEL>' cannot be used multiple times",
            "--message",
        ),
        (
            "--log-level info --message-level off",
            "--message-level and --log-level are the same option: give it once",
            "'",
        ),
        (
            "--message-format json --log-format json",
            "--message-format and --log-format are the same option",
            "'",
        ),
    ] {
        let refusal = Launch::new().with_args(args).refused();
        assert_eq!((refusal.code, refusal.lines.len()), (2, 1), "{args}: {:#?}", refusal.lines);
        assert!(
            refusal.lines[0].contains(part) && !refusal.lines[0].contains(absent),
            "{args}: {}",
            refusal.lines[0]
        );
    }
    let help = |name: &str| {
        let mut command = Command::new(Launch::new().command().get_program());
        String::from_utf8(command.env(name, "json").arg("--help").output().unwrap().stdout).unwrap()
    };
    let help = help("RUSTVAULT_LOG_FORMAT");
    assert!(
        help.contains("--message-format <FORMAT>") && help.contains("RUSTVAULT_MESSAGE_FORMAT="),
        "{help}"
    );
    assert!(!help.contains("--log-") && !help.contains("RUSTVAULT_LOG"), "{help}");
}

#[test]
fn what_ends_the_daemon_is_json_where_messages_are() {
    let taken = Launch::new().start();
    let corrupt = Launch::new().with_args("--message-format=json");
    std::fs::write(corrupt.wal(), "no log").unwrap();
    for (launch, code, part) in [
        (Launch::new().with_bind(taken.addr()).with_args("--message-format json"), 1, "cannot listen on"),
        (
            Launch::new().with_bind(taken.addr()).with_args("--message-format json --message-level off"),
            1,
            "cannot listen",
        ),
        (Launch::new().with_args("--message-format json --threads 0"), 2, "--threads"),
        (Launch::new().with_args("--threads 0 --log-format=json"), 2, "--threads"),
        (corrupt, 3, "vault.log"),
    ] {
        let refusal = launch.refused();
        assert_eq!((refusal.code, refusal.lines.len()), (code, 1), "{:#?}", refusal.lines);
        let line: Value = serde_json::from_str(&refusal.lines[0]).unwrap();
        let message = line["fields"]["message"].as_str().unwrap();
        assert!(line["level"] == "ERROR" && message.contains(part), "{line}");
    }
    let output =
        Launch::new().command().env("RUSTVAULT_MESSAGE_FORMAT", "json").arg("--nonsense").output().unwrap();
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(line["fields"]["message"].as_str().unwrap().contains("--nonsense"), "{line}");
}

#[test]
fn a_memory_limit_that_leaves_no_room_is_warned_about() {
    let launch = Launch::new();
    let daemon = launch.clone().with_args("--max-memory 1").start();
    let line = daemon.wait_for_line("no write can succeed");
    assert!(line.contains("WARN") && line.contains("--max-memory"), "{line}");
    daemon.wire().ask_error("SET k v\r\n", "OUT_OF_MEMORY");
    daemon.stop();

    let daemon = launch.start();
    let mut wire = daemon.wire();
    let empty_bytes = wire.info_number("used_bytes");
    wire.ask("SET k v\r\n", "OK\r\n");
    let used_bytes = wire.info_number("used_bytes");
    daemon.stop();
    let daemon = launch.clone().with_args(&format!("--max-memory {}", used_bytes - 1)).start();
    daemon.wait_for_line("writes that add data are refused");
    daemon.stop();
    for max_memory in [used_bytes + 1, 64 << 20] {
        let daemon = launch.clone().with_args(&format!("--max-memory {max_memory}")).start();
        assert_eq!(daemon.log_lines().len(), 1, "{:#?}", daemon.log_lines());
    }
    println!("an empty store takes {empty_bytes} bytes");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let program = Launch::new().command().get_program().to_owned();
    let output = Command::new(&program).arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("rustvault-server {}\n", env!("CARGO_PKG_VERSION"))
    );
    let output = Command::new(&program).arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty());
    for text in [
        "127.0.0.1:8080",
        "RUSTVAULT_BIND_ADDR",
        "vault.log",
        "RUSTVAULT_WAL_PATH",
        "1000",
        "RUSTVAULT_MAX_CONNECTIONS",
        "always",
        "RUSTVAULT_FSYNC",
        "16MiB",
        "RUSTVAULT_MAX_VALUE_BYTES",
    ] {
        assert!(help.contains(text), "no {text} in:\n{help}");
    }
}

#[test]
fn nobody_is_served_before_recovery_has_ended() {
    let launch = Launch::new().with_args("--fsync never");
    let daemon = launch.start();
    let mut wire = daemon.wire();
    for batch in 0..20 {
        let sets: String = (0..2000).map(|n| format!("SET key:{batch}:{n} v\r\n")).collect();
        wire.ask(sets, "OK\r\n".repeat(2000));
    }
    let addr = daemon.addr();
    drop(wire);
    daemon.kill();
    let launch = launch.with_bind(addr);
    let asking = std::thread::spawn(move || first_count(addr));
    let _daemon = launch.start();
    assert_eq!(asking.join().unwrap(), "VALUE 40000");
}

/// Asks from before the daemon listens; the first answer that comes.
fn first_count(addr: std::net::SocketAddr) -> String {
    let ask = || {
        let mut wire = Wire::try_connect(addr).ok()?;
        wire.try_send("COUNT\r\n").ok()?;
        wire.try_line()
    };
    let mut answer = None;
    rustvault_tests::until("the daemon answers", || {
        answer = ask();
        answer.is_some()
    });
    String::from_utf8(answer.unwrap()).unwrap()
}
