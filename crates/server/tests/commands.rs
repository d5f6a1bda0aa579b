//! What a client types and what it gets.
#![cfg(test)]

mod support;

use support::{TestServer, config};

#[test]
fn a_session_answers_as_the_protocol_says() {
    let server = TestServer::start();
    let mut client = server.client();
    client.ask("SET user:1 john\r\n", "OK\r\n");
    client.ask("GET user:1\r\n", "VALUE john\r\n");
    client.ask("EXISTS user:1\r\n", "OK\r\n");
    client.ask("COUNT\r\n", "VALUE 1\r\n");
    client.ask("SCAN 0 PREFIX user: LIMIT 5\r\n", "LIST 2\r\nVALUE 0\r\nVALUE user:1\r\n");
    client.ask("DELETE user:1\r\n", "OK\r\n");
    client.ask("GET user:1\r\n", "NOT_FOUND\r\n");
    client.ask("DELETE user:1\r\n", "NOT_FOUND\r\n");
    client.ask("EXISTS user:1\r\n", "NOT_FOUND\r\n");
    client.ask("ping\n", "PONG\r\n");
    client.ask("QUIT\r\n", "OK\r\n");
    assert_eq!(client.rest(), "");
}

#[test]
fn bad_lines_are_answered_in_their_place_and_the_connection_lives_on() {
    let server = TestServer::start();
    let mut client = server.client();
    client.send("SET a 1\r\nNOPE\r\n\r\nGET a\r\nGET\r\n\x00\x01\x02\r\nGET a\r\n");
    client.expect("OK\r\n");
    assert!(client.line().starts_with("ERROR UNKNOWN_COMMAND "));
    assert!(client.line().starts_with("ERROR SYNTAX "));
    client.expect("VALUE 1\r\n");
    assert!(client.line().starts_with("ERROR SYNTAX "));
    assert!(client.line().starts_with("ERROR UNKNOWN_COMMAND "));
    client.expect("VALUE 1\r\n");
    assert_eq!(client.info("total_errors"), 4);
}

#[test]
fn a_command_that_arrives_byte_by_byte_is_one_command() {
    let server = TestServer::start();
    let mut client = server.client();
    for byte in b"SET slow \"a\\r\\nb\"\r\nGET slow\r\n" {
        client.send([*byte]);
    }
    client.expect("OK\r\nVALUE \"a\\r\\nb\"\r\n");
}

#[test]
fn values_of_every_size_come_back_as_they_were_sent() {
    let server = TestServer::start();
    let mut client = server.client();
    for len in [0, 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 1024 * 1024 + 7, 16 * 1024 * 1024] {
        let value = "v".repeat(len);
        client.ask(format!("SET k {value}\r\n"), "OK\r\n");
        let shown = if len == 0 { "\"\"" } else { &value };
        client.ask("GET k\r\n", format!("VALUE {shown}\r\n"));
    }
    let escaped = "\\x00".repeat(100_000);
    client.ask(format!("SET k \"{escaped}\"\r\n"), "OK\r\n");
    client.ask("GET k\r\n", format!("VALUE \"{escaped}\"\r\n"));
}

#[test]
fn a_value_over_the_limit_is_refused_and_the_next_command_served() {
    let mut config = config();
    config.max_value_bytes = 10;
    let server = TestServer::with_config(&config);
    let mut client = server.client();
    client.ask("SET k 0123456789\r\n", "OK\r\n");
    client.send("SET k 0123456789x\r\nGET k\r\n");
    assert!(client.line().starts_with("ERROR TOO_LARGE "));
    client.expect("VALUE 0123456789\r\n");
}

#[test]
fn an_over_long_line_is_answered_once_and_skipped() {
    let mut config = config();
    config.max_value_bytes = 1024;
    let server = TestServer::with_config(&config);
    let mut client = server.client();
    client.send("SET k ");
    for _ in 0..64 {
        client.send(vec![b'x'; 64 * 1024]);
    }
    client.send("\r\nPING\r\n");
    assert!(client.line().starts_with("ERROR TOO_LARGE "));
    client.expect("PONG\r\n");
}

#[test]
fn a_pipeline_of_100_000_commands_is_answered_in_order() {
    const COMMANDS: usize = 100_000;
    let server = TestServer::start();
    let mut client = server.client();
    let mut sender = support::Client { stream: client.stream.try_clone().unwrap() };
    let sending = std::thread::spawn(move || {
        let commands: String =
            (0..COMMANDS / 2).map(|i| format!("SET key:{i} {i}\r\nGET key:{i}\r\n")).collect();
        sender.send(commands);
        sender.finish_sending();
    });
    let answers: String = (0..COMMANDS / 2).map(|i| format!("OK\r\nVALUE {i}\r\n")).collect();
    assert!(client.rest() == answers, "the answers differ");
    sending.join().unwrap();
}

#[test]
fn commands_after_quit_are_not_carried_out() {
    let server = TestServer::start();
    let mut client = server.client();
    client.send("SET a 1\r\nQUIT\r\nSET b 2\r\nGET a\r\n");
    assert_eq!(client.rest(), "OK\r\nOK\r\n");
    server.client().ask("EXISTS b\r\n", "NOT_FOUND\r\n");
}

#[test]
fn a_client_that_half_closes_gets_all_its_answers() {
    let server = TestServer::start();
    let mut client = server.client();
    client.send("SET a 1\r\n".repeat(5000));
    client.finish_sending();
    assert_eq!(client.rest(), "OK\r\n".repeat(5000));
}

#[test]
fn half_a_command_at_the_end_is_not_carried_out() {
    let server = TestServer::start();
    let mut client = server.client();
    client.send("SET a 1\r\nSET b 2");
    client.finish_sending();
    assert_eq!(client.rest(), "OK\r\n");
    server.client().ask("COUNT\r\n", "VALUE 1\r\n");
}

#[test]
fn info_counts_what_happened() {
    let server = TestServer::start();
    let mut client = server.client();
    client.ask("SET a 1\r\nGET a\r\n", "OK\r\nVALUE 1\r\n");
    assert_eq!(client.info("keys"), 1);
    assert_eq!(client.info("connections"), 1);
    assert_eq!(client.info("total_commands"), 5);
    assert_eq!(client.info("threads"), 2);
}
