//! What a client types and what it gets.
#![cfg(test)]

mod support;

use std::io::Write;
use std::net::Shutdown;

use rustvault_testkit::{Wire, resp_request};
use support::{TestServer, config, start, start_with_config};

#[test]
fn a_session_answers_as_the_protocol_says() {
    let server = start();
    let mut client = server.wire();
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
    let server = start();
    let mut client = server.wire();
    client.send("SET a 1\r\nNOPE\r\n\r\nGET a\r\nGET\r\n\x00\x01\x02\r\nGET a\r\n");
    client.expect("OK\r\n");
    assert!(client.line().starts_with("ERROR UNKNOWN_COMMAND "));
    assert!(client.line().starts_with("ERROR SYNTAX "));
    client.expect("VALUE 1\r\n");
    assert!(client.line().starts_with("ERROR SYNTAX "));
    assert!(client.line().starts_with("ERROR UNKNOWN_COMMAND "));
    client.expect("VALUE 1\r\n");
    assert_eq!(client.info_number("total_errors"), 4);
}

#[test]
fn a_command_that_arrives_byte_by_byte_is_one_command() {
    let server = start();
    let mut client = server.wire();
    for byte in b"SET slow \"a\\r\\nb\"\r\nGET slow\r\n" {
        client.send([*byte]);
    }
    client.expect("OK\r\nVALUE \"a\\r\\nb\"\r\n");
}

#[test]
fn values_of_every_size_come_back_as_they_were_sent() {
    let server = start();
    let mut client = server.wire();
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
    let server = start_with_config(&config);
    let mut client = server.wire();
    client.ask("SET k 0123456789\r\n", "OK\r\n");
    client.send("SET k 0123456789x\r\nGET k\r\n");
    assert!(client.line().starts_with("ERROR TOO_LARGE "));
    client.expect("VALUE 0123456789\r\n");
}

#[test]
fn an_over_long_line_is_answered_once_and_skipped() {
    let mut config = config();
    config.max_value_bytes = 1024;
    let server = start_with_config(&config);
    let mut client = server.wire();
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
    let server = start();
    let mut client = server.wire();
    let mut sender = client.socket().try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let commands: String =
            (0..COMMANDS / 2).map(|i| format!("SET key:{i} {i}\r\nGET key:{i}\r\n")).collect();
        sender.write_all(commands.as_bytes()).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let answers: String = (0..COMMANDS / 2).map(|i| format!("OK\r\nVALUE {i}\r\n")).collect();
    assert!(client.rest() == answers, "the answers differ");
    sending.join().unwrap();
}

#[test]
fn commands_after_quit_are_not_carried_out() {
    let server = start();
    let mut client = server.wire();
    client.send("SET a 1\r\nQUIT\r\nSET b 2\r\nGET a\r\n");
    assert_eq!(client.rest(), "OK\r\nOK\r\n");
    server.wire().ask("EXISTS b\r\n", "NOT_FOUND\r\n");
}

#[test]
fn a_client_that_half_closes_gets_all_its_answers() {
    let server = start();
    let mut client = server.wire();
    client.send("SET a 1\r\n".repeat(5000));
    client.finish_sending();
    assert_eq!(client.rest(), "OK\r\n".repeat(5000));
}

#[test]
fn half_a_command_at_the_end_is_not_carried_out() {
    let server = start();
    let mut client = server.wire();
    client.send("SET a 1\r\nSET b 2");
    client.finish_sending();
    assert_eq!(client.rest(), "OK\r\n");
    server.wire().ask("COUNT\r\n", "VALUE 1\r\n");
}

#[test]
fn info_counts_what_happened() {
    let server = start();
    let mut client = server.wire();
    client.ask("SET a 1\r\nGET a\r\n", "OK\r\nVALUE 1\r\n");
    assert_eq!(client.info_number("keys"), 1);
    assert_eq!(client.info_number("connections"), 1);
    assert_eq!(client.info_number("total_commands"), 4);
    assert_eq!(client.info_number("threads"), 2);
}

/// A client of a server that has this many keys, `key:0` with the value 0 and so on.
fn client_of_keys(server: &TestServer, keys: usize) -> Wire {
    let mut client = server.wire();
    client.send((0..keys).map(|i| format!("SET key:{i} {i}\r\n")).collect::<String>());
    client.expect("OK\r\n".repeat(keys));
    client
}

/// Asks for a page, and returns the cursor of the next one and the keys.
fn scan(client: &mut Wire, cursor: &str, options: &str) -> (String, Vec<String>) {
    client.send(format!("SCAN {cursor} {options}\r\n"));
    read_page(client)
}

fn read_page(client: &mut Wire) -> (String, Vec<String>) {
    let items: usize = client.line().strip_prefix("LIST ").unwrap().parse().unwrap();
    let mut values = (0..items).map(|_| client.line().strip_prefix("VALUE ").unwrap().to_owned());
    let cursor = values.next().unwrap();
    (cursor, values.collect())
}

#[test]
fn what_follows_a_page_in_several_turns_is_carried_out_after_it() {
    let server = start();
    let mut client = client_of_keys(&server, 6000);
    client.send("SCAN 0 LIMIT 10000\r\nSET late v\r\nCOUNT\r\n");
    let (cursor, keys) = read_page(&mut client);
    assert_eq!((cursor.as_str(), keys.len()), ("0", 6000));
    assert!(!keys.contains(&"late".to_owned()));
    client.expect("OK\r\nVALUE 6001\r\n");
}

#[test]
fn a_page_in_several_turns_has_as_many_keys_as_were_asked_for() {
    let server = start();
    let mut client = client_of_keys(&server, 6000);
    let (cursor, keys) = scan(&mut client, "0", "LIMIT 5000");
    assert_eq!(keys.len(), 5000);
    assert_ne!(cursor, "0");
}

#[test]
fn a_walk_in_pages_of_several_turns_returns_every_key_once() {
    let server = start();
    let mut client = client_of_keys(&server, 6000);
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let (next, keys) = scan(&mut client, &cursor, "PREFIX key:1 LIMIT 1001");
        found.extend(keys);
        cursor = next;
        if cursor == "0" {
            break;
        }
    }
    let keys = (0..6000).map(|i| format!("key:{i}"));
    let mut expected: Vec<_> = keys.filter(|key| key.starts_with("key:1")).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_page_in_several_turns_has_no_more_bytes_of_keys_than_one_of_one_turn() {
    let server = start();
    let mut client = server.wire();
    let long = "k".repeat(395);
    client.send((0..2000).map(|i| format!("SET {long}{i:04} v\r\n")).collect::<String>());
    client.expect("OK\r\n".repeat(2000));
    let (mut cursor, mut found) = ("0".to_owned(), 0);
    loop {
        let (next, keys) = scan(&mut client, &cursor, "LIMIT 10000");
        let bytes: usize = keys.iter().map(String::len).sum();
        assert!(bytes <= 200 * 1024, "{bytes}");
        found += keys.len();
        cursor = next;
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found, 2000);
}

#[test]
fn an_mget_in_several_turns_returns_each_value_in_order() {
    let server = start();
    client_of_keys(&server, 10_500);
    let mut client = server.wire();
    let bulk = |text: String| format!("${}\r\n{text}\r\n", text.len());
    let keys = || (0..11_000).rev();
    let names: String = keys().map(|i| bulk(format!("key:{i}"))).collect();
    client.send(format!("*11001\r\n$4\r\nMGET\r\n{names}*1\r\n$4\r\nPING\r\n"));
    client.expect("*11000\r\n");
    client.expect(
        keys().map(|i| if i < 10_500 { bulk(i.to_string()) } else { "$-1\r\n".into() }).collect::<String>(),
    );
    client.expect("+PONG\r\n");
}

#[test]
fn an_argument_that_is_no_number_is_named_and_no_fault_of_the_value() {
    let server = start();
    let mut client = server.wire();
    let whole = "must be a whole number of 64 bits, without + or leading zeros";
    let decimal = "must be a decimal number of at most 1100 characters, such as 0.5 or -2e3";
    for (line, error) in [
        ("INCRBY n x", format!("SYNTAX increment {whole}")),
        ("DECRBY n +1", format!("SYNTAX decrement {whole}")),
        ("DECRBY n -9223372036854775808", "OUT_OF_RANGE decrement would overflow".to_owned()),
        ("SETRANGE n x v", format!("SYNTAX offset {whole}")),
        ("SETRANGE n -1 v", "SYNTAX offset is out of range".to_owned()),
        ("GETRANGE n x 1", format!("SYNTAX start {whole}")),
        ("GETRANGE n 0 01", format!("SYNTAX end {whole}")),
        ("COPY n m DB x", format!("SYNTAX destination-db {whole}")),
        ("INCRBYFLOAT n x", format!("SYNTAX increment {decimal}")),
        ("INCRBYFLOAT n nan", format!("SYNTAX increment {decimal}")),
        ("INCRBYFLOAT n 1e309", "OUT_OF_RANGE increment would produce NaN or Infinity".to_owned()),
    ] {
        client.ask(format!("{line}\r\n"), format!("ERROR {error}\r\n"));
    }
    let longest = format!("{}1", "0".repeat(1099));
    client.ask(format!("INCRBYFLOAT n 0{longest}\r\n"), format!("ERROR SYNTAX increment {decimal}\r\n"));
    client.ask(format!("INCRBYFLOAT n {longest}\r\n"), "VALUE 1\r\n");
    client.ask("SET n text\r\n", "OK\r\n");
    client.ask("INCRBYFLOAT n 1\r\n", "ERROR WRONG_TYPE value is not a valid float\r\n");
    client.ask("INCRBY n 1\r\n", "ERROR WRONG_TYPE value is not an integer or out of range\r\n");

    let mut client = server.wire();
    for (command, error) in [
        ("INCRBYFLOAT m x", "value is not a valid float"),
        ("INCRBY m x", "value is not an integer or out of range"),
        ("DECRBY m -9223372036854775808", "decrement would overflow"),
    ] {
        let words: Vec<_> = command.split(' ').collect();
        client.ask(resp_request(&words), format!("-ERR {error}\r\n"));
    }
}
