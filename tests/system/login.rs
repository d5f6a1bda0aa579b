//! Logging in to a daemon: with a password and a token, in both protocols, and what holds before.

use std::fs;

use rustvault_tests::{Daemon, Launch, Wire, until};

const PASSWORD: &str = "correct horse";

/// A secret that looks like a token, which is checked without a wait.
const TOKEN: &str = "rv_0123456789abcdef";

const WRONG: &str = "ERROR DENIED invalid username-password pair or user is disabled.\r\n";
const RESP_WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

/// A daemon whose user `default` has this password, and what its arguments are besides.
fn launch(password: &str) -> Launch {
    let launch = Launch::new();
    let path = launch.folder().join("password");
    fs::write(&path, format!("{password}\n")).expect("the folder can be written");
    launch.with_args(&format!("--password-file {}", path.display()))
}

fn logged_in(daemon: &Daemon) -> Wire {
    let mut wire = daemon.wire();
    wire.ask(format!("AUTH {TOKEN}\r\n"), "OK\r\n");
    wire
}

#[test]
fn a_login_in_a_pipeline_is_obeyed_from_the_next_command_on() {
    let daemon = launch(PASSWORD).start();
    let mut wire = daemon.wire();
    wire.send("SET k 1\r\nAUTH wrong\r\nSET k 2\r\nAUTH default \"correct horse\"\r\nSET k 3\r\nGET k\r\nAUTH x\r\nGET k\r\n");
    assert!(wire.line().starts_with("ERROR AUTH_REQUIRED "));
    wire.expect(WRONG);
    assert!(wire.line().starts_with("ERROR AUTH_REQUIRED "));
    // A login that fails leaves the one before.
    wire.expect(format!("OK\r\nOK\r\nVALUE 3\r\n{WRONG}VALUE 3\r\n"));

    let mut wire = daemon.wire();
    wire.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n4\r\n*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$13\r\ncorrect horse\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    wire.expect(format!("-NOAUTH Authentication required.\r\n{RESP_WRONG}+OK\r\n$1\r\n3\r\n"));
    wire.ask(
        "*1\r\n$5\r\nRESET\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "+RESET\r\n-NOAUTH Authentication required.\r\n",
    );
    // Of those behind it, a command that needs no login is served.
    wire.ask("*1\r\n$4\r\nQUIT\r\n", "+OK\r\n");
}

#[test]
fn hello_logs_in_and_changes_nothing_if_the_login_fails() {
    let daemon = launch(PASSWORD).start();
    let mut wire = daemon.wire();
    let hello =
        |rest: &str| format!("*{}\r\n$5\r\nHELLO\r\n$1\r\n3\r\n{rest}", 2 + rest.matches('$').count());
    wire.send(hello(""));
    assert!(wire.line().starts_with("-NOAUTH HELLO must be called with the client already authenticated"));
    wire.ask(hello("$4\r\nAUTH\r\n$7\r\ndefault\r\n$1\r\nx\r\n"), RESP_WRONG);
    wire.ask("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "-NOAUTH Authentication required.\r\n");
    wire.send(hello("$4\r\nAUTH\r\n$7\r\ndefault\r\n$13\r\ncorrect horse\r\n$7\r\nSETNAME\r\n$1\r\nn\r\n"));
    assert_eq!(wire.line(), "%7");
    until("the rest of the map is read", || wire.line() == "*0");
    wire.ask("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "_\r\n");
}

#[test]
fn before_the_login_a_request_has_at_most_4_kib() {
    let daemon = launch(TOKEN).start();
    let refused = |bytes: String, error: &str| {
        let mut wire = daemon.wire();
        wire.send(bytes);
        let answer = wire.rest();
        assert!(
            answer.contains(error) && answer.contains("more than 4096 bytes before the login"),
            "{answer}"
        );
    };
    let long = "x".repeat(4096);
    // Whole, and without an end.
    refused(format!("SET k {long}\r\n"), "ERROR TOO_LARGE ");
    refused(format!("SET k {long}"), "ERROR TOO_LARGE ");
    refused(format!("*2\r\n$4\r\nAUTH\r\n$4096\r\n{long}\r\n"), "-TOOLARGE ");
    refused(format!("*2\r\n$4\r\nAUTH\r\n$16000000\r\n{long}"), "-TOOLARGE ");
    let mut wire = daemon.wire();
    wire.send(format!("AUTH {TOKEN}\r\nSET k {long}\r\nGET k\r\n"));
    wire.expect(format!("OK\r\nOK\r\nVALUE {long}\r\n"));
    assert_eq!(wire.info_number("closed_protocol_error"), 4);
}

#[test]
fn logins_are_counted_and_told_without_their_secrets() {
    let daemon = launch(TOKEN).start();
    let mut wire = daemon.wire();
    wire.ask("AUTH ann hunter22\r\nAUTH \"a\\nb\" hunter22\r\nAUTH rv_wrong\r\n", WRONG.repeat(3));
    wire.ask(format!("AUTH {TOKEN}\r\n"), "OK\r\n");
    let failed = daemon.wait_for_line("login failed");
    for part in ["audit", "ann", "127.0.0.1:"] {
        assert!(failed.contains(part), "{failed}");
    }
    let accepted = daemon.wait_for_line("login accepted");
    assert!(accepted.contains("default") && accepted.contains(&wire.local_addr().to_string()), "{accepted}");
    assert_eq!((wire.info_number("logins"), wire.info_number("failed_logins")), (1, 3));
    wire.send("INFO\r\n");
    let info = wire.list().join("\n");
    for line in daemon.log_lines().iter().map(String::as_str).chain([info.as_str()]) {
        assert!(!line.contains("hunter22") && !line.contains(TOKEN) && !line.contains("rv_wrong"), "{line}");
    }
}

#[test]
fn ten_wrong_passwords_lock_their_address_out_of_passwords_for_a_while() {
    let daemon = launch(PASSWORD).start();
    let mut wire = daemon.wire();
    for number in 0..10 {
        wire.ask(format!("AUTH wrong{number}\r\n"), WRONG);
    }
    let refusal = wire.ask_error(format!("AUTH \"{PASSWORD}\"\r\n"), "BUSY");
    assert!(refusal.contains("too many failed logins from this address; try again in a minute"), "{refusal}");
}

#[test]
fn without_users_nobody_has_to_log_in() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.ask("AUTH default any\r\nSET k 1\r\nGET k\r\n", "OK\r\nOK\r\nVALUE 1\r\n");
    wire.ask("AUTH ann any\r\nGET k\r\n", format!("{WRONG}VALUE 1\r\n"));
}

#[test]
fn a_public_address_needs_users_or_the_word_that_it_needs_none() {
    for bind in ["0.0.0.0:0", "[::]:0"] {
        let refusal = Launch::new().with_bind(bind).refused();
        assert_eq!((refusal.code, refusal.lines.len()), (2, 1), "{:?}", refusal.lines);
        for remedy in ["--users", "--password-file", "--allow-unauthenticated", "loopback"] {
            assert!(refusal.lines[0].contains(remedy), "{:?}", refusal.lines);
        }
    }
    let daemon = Launch::new().with_bind("0.0.0.0:0").with_args("--allow-unauthenticated").start();
    assert!(daemon.log_lines().iter().any(|line| line.contains("anybody who can reach this address")));
    daemon.wire().ask("PING\r\n", "PONG\r\n");
    let daemon = launch(TOKEN).with_bind("0.0.0.0:0").start();
    assert!(!daemon.log_lines().iter().any(|line| line.contains("anybody who can reach this address")));
    logged_in(&daemon).ask("PING\r\n", "PONG\r\n");
}

#[test]
fn a_password_file_that_holds_no_password_is_told_and_not_shown() {
    for (contents, reason) in [
        ("", "empty"),
        ("hunter22\nhunter22\n", "several lines"),
        (&*"hunter22".repeat(100), "over the limit"),
    ] {
        let refusal = launch(contents).refused();
        let line = refusal.lines.join("\n");
        assert_eq!(refusal.code, 2, "{line}");
        assert!(line.contains(reason) && line.contains("password") && !line.contains("hunter22"), "{line}");
    }
    let launch = Launch::new();
    let folder = launch.folder().display().to_string();
    let refusal = launch.with_args(&format!("--password-file {folder}")).refused();
    assert!(refusal.code == 2 && refusal.lines.join("\n").contains("is a folder"), "{:?}", refusal.lines);
}
