//! The command line against a real daemon: what it prints, and its exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use rustvault_tests::{Daemon, Launch, cli, need};
use serde_json::Value;

fn cli_of(daemon: &Daemon) -> Command {
    let mut command = cli();
    command.arg("--addr").arg(daemon.addr().to_string());
    command
}

fn output_with_input(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    process.wait_with_output().unwrap()
}

/// Runs a command line, whose words have no spaces, and compares everything.
#[track_caller]
fn check(daemon: &Daemon, line: &str, code: i32, stdout: &str) {
    let output = cli_of(daemon).args(line.split(' ')).output().unwrap();
    let found = (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned());
    assert_eq!(found, (Some(code), stdout.to_owned()), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{line}: {output:?}");
}

#[test]
fn one_shot_commands_print_what_people_read() {
    let daemon = Launch::new().start();
    for (line, code, stdout) in [
        ("set mykey myvalue", 0, "OK\n"),
        ("get mykey", 0, "myvalue\n"),
        ("exists mykey", 0, "OK\n"),
        ("set n -5", 0, "OK\n"),
        ("get n", 0, "-5\n"),
        ("count", 0, "2\n"),
        ("scan --prefix my", 0, "mykey\n"),
        ("scan --limit 0", 0, ""),
        ("get mykey --raw", 0, "myvalue"),
        ("delete mykey", 0, "OK\n"),
        ("get mykey", 3, "(nil)\n"),
        ("delete mykey", 3, "(nil)\n"),
        ("exists mykey", 3, "(nil)\n"),
        ("get mykey --raw", 3, ""),
        ("ping", 0, "PONG\n"),
        ("--json set k v", 0, "{\"status\":\"ok\"}\n"),
        ("--json get k", 0, "{\"status\":\"ok\",\"value\":\"v\"}\n"),
        ("--json get nobody", 3, "{\"status\":\"not_found\"}\n"),
        ("--json scan --prefix k", 0, "{\"key\":\"k\"}\n"),
    ] {
        check(&daemon, line, code, stdout);
    }
    let output = cli_of(&daemon).args(["set", "two words", "a b  c"]).output().unwrap();
    assert_eq!(output.stdout, b"OK\n");
    daemon.wire().ask("GET \"two words\"\r\n", "VALUE a b  c\r\n");
}

#[test]
fn commands_of_the_table_are_one_shots() {
    let daemon = Launch::new().start();
    for (line, code, stdout) in [
        ("incr hits", 0, "1\n"),
        ("incrby hits -5", 0, "-4\n"),
        ("mset a 1 b 2", 0, "OK\n"),
        ("mget a b c", 0, "1\n2\n\n"),
        ("exists a b c", 0, "2\n"),
        ("set a 5 NX", 3, "\n"),
        ("set a 5 XX GET", 0, "1\n"),
        ("client getname", 3, "\n"),
        ("command count --json", 0, &format!("{{\"status\":\"ok\",\"value\":{}}}\n", command_count(&daemon))),
        ("--json mget a c", 0, "{\"status\":\"ok\",\"value\":[\"5\",null]}\n"),
        ("--json config get databases", 0, "{\"status\":\"ok\",\"value\":{\"databases\":\"1\"}}\n"),
        ("--json getdel nobody", 3, "{\"status\":\"not_found\"}\n"),
        ("del a b c", 0, "2\n"),
    ] {
        check(&daemon, line, code, stdout);
    }
    for (line, stderr) in [
        (
            "incrr hits",
            "(error) ERR unknown command 'incrr', with args beginning with: 'hits' \nhint: did you mean 'incr'?\n",
        ),
        ("incr", "(error) ERR wrong number of arguments for 'incr' command\nhint: usage: incr key\n"),
        ("rename nobody x", "(error) ERR no such key\n"),
    ] {
        let output = cli_of(&daemon).args(line.split(' ')).output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), stderr, "{line}");
    }
}

fn command_count(daemon: &Daemon) -> String {
    let output = cli_of(daemon).args(["command", "count"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_session_has_one_connection_whose_state_stays() {
    let daemon = Launch::new().start();
    let lines = b"client setname reader\nset k v\nget k\nclient getname\nclient list\nclient reply off\n";
    let output = output_with_input(cli_of(&daemon), lines);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("OK\nOK\nv\nreader\nid="), "{stdout}");
    assert_eq!(stdout.lines().filter(|line| line.starts_with("id=")).count(), 1, "{stdout}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("line 6: not sent: CLIENT REPLY"), "{stderr}");
}

#[test]
fn a_server_s_keys_are_moved_to_another_one_by_export_and_import() {
    let (from, to) = (Launch::new().start(), Launch::new().start());
    let commands: String = (0..2500).map(|n| format!("SET \"key:{n:04} \\xff\" \"\\x00{n}\"\r\n")).collect();
    from.wire().ask(commands, "OK\r\n".repeat(2500));
    from.wire().ask("SET other v\r\n", "OK\r\n");
    let exported = cli_of(&from).args(["export", "--prefix", "key:"]).output().unwrap();
    assert_eq!((exported.status.code(), &exported.stderr[..]), (Some(0), &b""[..]));
    let mut import = cli_of(&to);
    import.arg("import");
    assert_eq!(output_with_input(import, &exported.stdout).stdout, b"stored 2500 keys\n");
    check(&to, "count", 0, "2500\n");
    to.wire().ask("GET \"key:1234 \\xff\"\r\n", "VALUE \"\\x001234\"\r\n");

    check(&to, "delete --prefix key:1 --yes", 0, "1000\n");
    check(&to, "count", 0, "1500\n");
    let lines = cli_of(&to).args(["get", "--prefix", "key:"]).output().unwrap().stdout;
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 1500);
}

/// Runs a program on a terminal of its own; returns what it prints there.
fn at_terminal(program: &str, words: &[&str]) -> String {
    let line = words.iter().fold(program.to_owned(), |line, word| format!("{line} '{word}'"));
    let mut terminal = Command::new("script");
    // It passes the exit code of the line on with -e, which is not wanted here.
    terminal.args(["-qc", &line, "/dev/null"]).env("TERM", "dumb").stdin(Stdio::null());
    String::from_utf8_lossy(&terminal.output().unwrap().stdout).replace('\r', "")
}

#[test]
fn answers_look_as_with_redis_cli() {
    if !need("redis-cli") || !need("script") {
        return;
    }
    let daemon = Launch::new().start();
    let (host, port) = (daemon.addr().ip().to_string(), daemon.addr().port().to_string());
    check(&daemon, "mset a 1 b 2.5 text carpe", 0, "OK\n");
    let own = format!("'{}' --addr {}", cli().get_program().display(), daemon.addr());
    let redis = format!("redis-cli -3 -h {host} -p {port}");
    for line in [
        "mget a nobody text",
        "strlen text",
        "echo a\"b\\c",
        "getrange text 1 2",
        "type a",
        "type nobody",
        "object encoding a",
        "object encoding nobody",
        "keys te*",
        "keys none",
        "scan 0 match none",
        "scan 0 match te*",
        "getdel nobody",
        "config get max*",
        "config get none",
        "command getkeys mset a 1 b 2",
        "command info get nobody client",
        "command docs set incr",
        "command docs client",
        "command list filterby pattern cl*",
        "client help",
        "client setname x",
        "memory usage a",
        "set a 2 nx",
        "set a 1 get",
        "incrbyfloat b 0",
        "incr text",
        "nonsense a b",
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let (ours, theirs) = (at_terminal(&own, &words), at_terminal(&redis, &words));
        // Beside what the server says, there may be a hint.
        let ours: String = ours.split_inclusive('\n').filter(|line| !line.starts_with("hint: ")).collect();
        assert_eq!(ours, theirs, "{line}");
        // In a pipe redis-cli prints errors where answers go.
        if ours.starts_with("(error)") {
            continue;
        }
        let ours = cli_of(&daemon).args(&words).output().unwrap().stdout;
        let theirs =
            Command::new("redis-cli").args(["-3", "-h", &host, "-p", &port]).args(&words).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&ours),
            String::from_utf8_lossy(&theirs.stdout),
            "{line}, in a pipe"
        );
    }
}

#[test]
fn info_prints_the_figures_of_the_daemon() {
    let daemon = Launch::new().start();
    let output = cli_of(&daemon).arg("info").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["keys=0".to_owned(), "fsync=always".to_owned(), format!("pid={}", daemon.pid())] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
    let output = cli_of(&daemon).args(["info", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["info"]["keys"], "0", "{json}");
}

#[test]
fn standard_input_is_stored_byte_for_byte() {
    let daemon = Launch::new().start();
    let value: Vec<u8> = (0..=255).cycle().take(100_000).chain(*b"\r\n").collect();
    let mut command = cli_of(&daemon);
    command.args(["set", "bin", "--stdin"]);
    assert_eq!(output_with_input(command, &value).stdout, b"OK\n");
    assert!(cli_of(&daemon).args(["get", "--raw", "bin"]).output().unwrap().stdout == value);
}

#[test]
fn scan_prints_every_key_of_many_pages() {
    let daemon = Launch::new().start();
    let commands: String = (0..2500).map(|n| format!("SET key:{n:04} v\r\n")).collect();
    daemon.wire().ask(commands, "OK\r\n".repeat(2500));
    let output = cli_of(&daemon).arg("scan").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut keys: Vec<_> = text.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..2500).map(|n| format!("key:{n:04}")).collect::<Vec<_>>());
}

#[test]
fn failures_have_the_documented_exit_codes() {
    let daemon = Launch::new().with_args("--max-value-bytes 10").start();
    let code = |args: &[&str]| {
        let output = cli_of(&daemon).args(args).output().unwrap();
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}: {output:?}");
        output.status.code()
    };
    assert_eq!(code(&["set", "k", "a value that is too long"]), Some(1));
    assert_eq!(code(&["set", "k"]), Some(2));
    assert_eq!(code(&["frobnicate"]), Some(1));
    assert_eq!(code(&["incr"]), Some(1));
    assert_eq!(code(&["--addr", "nowhere", "ping"]), Some(2));
    let addr = daemon.addr().to_string();
    daemon.kill();
    let output = cli().args(["--addr", &addr, "ping"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&addr), "{output:?}");
}

#[test]
fn the_address_may_come_from_the_environment() {
    let daemon = Launch::new().start();
    let output = cli().arg("ping").env("RUSTVAULT_ADDR", daemon.addr().to_string()).output().unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"PONG\n"[..]));
}

#[test]
fn a_piped_session_runs_its_lines_without_a_prompt() {
    let daemon = Launch::new().start();
    let input = b"set mykey myvalue\nget mykey\nget nobody\n\n# a remark\nSET motto carpe diem\nget motto\ncount\ndelete mykey\nquit\n";
    let output = output_with_input(cli_of(&daemon), input);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "OK\nmyvalue\n(nil)\nOK\ncarpe diem\n2\nOK\n",
        "{output:?}"
    );
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
}

#[test]
fn a_piped_session_ends_at_the_line_that_fails_and_gives_its_number() {
    let daemon = Launch::new().with_args("--max-value-bytes 10").start();
    let output = output_with_input(cli_of(&daemon), b"set a 1\nset b a-value-that-is-too-long\nset c 3\n");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"OK\n"[..]), "{stderr}");
    assert!(stderr.contains("line 2") && stderr.contains("TOO_LARGE"), "{stderr}");
    daemon.wire().ask("COUNT\r\n", "VALUE 1\r\n");
}

#[test]
fn bench_reports_every_request_and_no_error() {
    let daemon = Launch::new().start();
    let load =
        "bench --json --clients 20 --pipeline 4 --requests 4000 --value-bytes 100 --keys 500 --reads 50";
    let output = cli_of(&daemon).args(load.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["errors"], &report["requests"]), (&0.into(), &4000.into()), "{report}");
    let commands = report["commands"].as_array().unwrap();
    assert_eq!(commands.iter().map(|command| command["requests"].as_u64().unwrap()).sum::<u64>(), 4000);
    for command in commands {
        for name in ["p50_microseconds", "p95_microseconds", "p99_microseconds", "max_microseconds"] {
            assert!(command[name].as_f64().is_some_and(|value| value > 0.0), "{name}: {command}");
        }
    }
    assert_eq!(daemon.wire().info_number("total_errors"), 0);
}

#[test]
fn the_tools_for_log_files_refuse_what_a_daemon_holds_also_once_it_has_compacted_it() {
    let launch = Launch::new();
    let daemon = launch.start();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    for _ in 0..2 {
        for tool in ["inspect", "verify", "dump", "load", "repair --yes", "convert --to json"] {
            let (name, options) = tool.split_once(' ').unwrap_or((tool, ""));
            let mut command = cli();
            command.args(["wal", name]).arg(launch.wal()).args(options.split_whitespace());
            let output = command.output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{tool}: {stderr}");
            assert!(stderr.contains(&format!("in use by process {};", daemon.pid())), "{tool}: {stderr}");
            assert!(output.stdout.is_empty(), "{tool}");
        }
        wire.ask("COMPACT\r\n", "OK\r\n");
    }
    wire.ask("GET k\r\n", "VALUE v\r\n");
    daemon.stop();
    let output = cli().args(["wal", "verify"]).arg(launch.wal()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_repair_at_a_terminal_shows_its_plan_and_asks() {
    if !need("script") {
        return;
    }
    let launch = Launch::new();
    let daemon = launch.start();
    for number in 0..20 {
        daemon.wire().ask(format!("SET key:{number} v\r\n"), "OK\r\n");
    }
    daemon.stop();
    let mut damaged = std::fs::read(launch.wal()).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(launch.wal(), &damaged).unwrap();
    let line = format!("'{}' wal repair '{}'", cli().get_program().display(), launch.wal().display());
    for (answer, code) in [("\n", 3), ("no\n", 3), ("y\n", 0)] {
        // It runs the line on a terminal of its own.
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &line, "/dev/null"]);
        let output = output_with_input(terminal, answer.as_bytes());
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains("would be cut: ") && text.contains("Cut it off? [y/N]"), "{text}");
        assert_eq!(std::fs::read(launch.wal()).unwrap() == damaged, code == 3, "{answer:?}");
    }
    let keys = launch.start().wire().info_number("keys");
    assert!((5..15).contains(&keys), "{keys}");
}
