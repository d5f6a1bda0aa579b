//! `MONITOR`: what it shows, to whom, what ends it, and the figures of connections in `CLIENT LIST`.
#![cfg(test)]

mod support;

use rustvault_testkit::{Wire, until};
use support::{TestServer, config, start, start_with_config};

/// Most clients that may monitor, and the memory that each claims.
const MAX_MONITORS: usize = 16;
const MONITOR_BYTES: usize = 4 << 20;

/// The beginnings of a line of the text protocol and of RESP.
const MARKS: [&str; 2] = ["VALUE ", "+"];

/// A client that monitors in RESP.
fn monitor(server: &TestServer) -> Wire {
    let mut wire = server.wire();
    wire.ask("*1\r\n$7\r\nMONITOR\r\n", "+OK\r\n");
    wire
}

/// Returns the next line behind its mark and its time, the peer's port left out.
fn shown(monitor: &mut Wire, peer: &Wire) -> String {
    let line = monitor.line();
    let line = MARKS.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or_else(|| panic!("{line}"));
    let (_, line) = line.split_once(' ').unwrap();
    let peer = format!("[0 {}] ", peer.local_addr());
    line.strip_prefix(&peer).unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// Returns a field of a client's own line in `CLIENT LIST`.
fn field(asking: &mut Wire, id: u64, name: &str) -> String {
    asking.send(format!("CLIENT LIST ID {id}\r\n"));
    let line = asking.line();
    let fields = line.trim_start_matches("VALUE \"").trim_end_matches("\\n\"").split(' ');
    let field = fields.filter_map(|field| field.split_once('=')).find(|(known, _)| *known == name);
    field.unwrap_or_else(|| panic!("{name}: {line}")).1.to_owned()
}

fn id(wire: &mut Wire) -> u64 {
    wire.send("CLIENT ID\r\n");
    wire.line().strip_prefix("VALUE ").unwrap().parse().unwrap()
}

#[test]
fn monitors_of_every_protocol_are_sent_the_commands_of_every_protocol() {
    let server = start();
    let mut resp3 = server.wire();
    resp3.send("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*1\r\n$7\r\nMONITOR\r\n");
    while resp3.line() != "+OK" {}
    let mut text = server.wire();
    text.ask("MONITOR\r\n", "OK\r\n");
    let mut resp2 = monitor(&server);
    let (mut typing, mut redis) = (server.wire(), server.wire());
    typing.send("SET k \"a b\\n\"\r\nDELETE k\r\nNOPE\r\nSET k\r\nCONFIG GET databases\r\nGET k\r\n");
    while typing.line() != "NOT_FOUND" {}
    redis.ask(b"*3\r\n$3\r\nset\r\n$1\r\nk\r\n$2\r\n\"\xff\r\n", "+OK\r\n");
    redis.send("*2\r\n$6\r\nclient\r\n$2\r\nid\r\n");
    for monitor in [&mut text, &mut resp3, &mut resp2] {
        // Commands that are refused before they are executed, and those on the server, are not shown.
        for line in [r#""SET" "k" "a b\n""#, r#""DELETE" "k""#, r#""GET" "k""#] {
            assert_eq!(shown(monitor, &typing), line);
        }
        assert_eq!(shown(monitor, &redis), r#""SET" "k" "\"\xff""#);
        assert_eq!(shown(monitor, &redis), r#""CLIENT" "ID""#);
    }
}

#[test]
fn whatever_is_sent_ends_the_monitoring_and_is_answered_as_usual() {
    let server = start();
    let mut other = server.wire();
    for (sent, answer) in [
        ("*1\r\n$4\r\nPING\r\n", "+PONG\r\n"),
        ("*1\r\n$5\r\nRESET\r\n", "+RESET\r\n"),
        ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$-1\r\n"),
    ] {
        let mut monitor = monitor(&server);
        other.ask("PING\r\n", "PONG\r\n");
        assert_eq!(shown(&mut monitor, &other), r#""PING""#);
        monitor.ask(sent, answer);
        other.ask("PING\r\n", "PONG\r\n");
        assert!(monitor.gets_nothing(), "{sent}");
    }
    // A part of a request, too; and what comes together with the command.
    let mut half = server.wire();
    let half_id = id(&mut half);
    half.ask("MONITOR\r\n", "OK\r\n");
    assert_eq!(field(&mut other, half_id, "flags"), "O");
    half.send("PI");
    until("the part is there", || field(&mut other, half_id, "flags") == "N");
    half.ask("NG\r\n", "PONG\r\n");
    let mut together = server.wire();
    together.ask("MONITOR\r\nECHO a\r\n", "OK\r\nVALUE a\r\n");
    other.ask("PING\r\n", "PONG\r\n");
    assert!(together.gets_nothing());
    // The end of the connection ends it as well.
    let leaving = monitor(&server);
    drop(leaving);
    until("it is gone", || other.info_number("connections") == 3);
}

#[test]
fn a_kill_and_a_stop_end_a_monitor() {
    let server = start();
    let (mut killed, mut stopped, mut other) = (monitor(&server), monitor(&server), server.wire());
    let addr = killed.local_addr();
    other.ask(format!("CLIENT KILL {addr}\r\n"), "OK\r\n");
    assert_eq!(killed.rest(), "");
    drop(server);
    assert_eq!(stopped.rest(), "");
}

#[test]
fn no_answer_stands_behind_a_part_of_a_line_when_the_server_stops() {
    let server = start();
    let (mut slow, mut other) = (monitor(&server), server.wire());
    let slow_id = id(&mut other) - 1;
    let value = "v".repeat(4000);
    while field(&mut other, slow_id, "oll") == "0" || field(&mut other, slow_id, "obl") == "0" {
        other.ask(format!("ECHO {value}\r\n").repeat(200), format!("VALUE {value}\r\n").repeat(200));
    }
    // It is not read while lines are written; the client reads once the server has begun to stop.
    slow.send("*1\r\n$4\r\nPING\r\n");
    let reading = std::thread::spawn(move || {
        assert_eq!(other.rest(), "");
        slow.rest()
    });
    drop(server);
    let rest = reading.join().unwrap();
    assert!(rest.len() > 100_000 && !rest.contains("PONG"), "{:?}", &rest[rest.len() - 100..]);
}

#[test]
fn one_monitor_too_many_is_refused() {
    let server = start();
    let mut all: Vec<_> = (0..MAX_MONITORS).map(|_| monitor(&server)).collect();
    let mut last = server.wire();
    let error = last.ask_error("MONITOR\r\n", "BUSY");
    assert!(error.contains("16 clients monitor already"), "{error}");
    all[3].ask("*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
    last.ask("MONITOR\r\n", "OK\r\n");
}

#[test]
fn a_monitor_claims_its_memory_and_gives_it_back() {
    let mut config = config();
    config.max_value_bytes = MONITOR_BYTES / 4;
    config.max_buffer_bytes = 2 * MONITOR_BYTES;
    let server = start_with_config(&config);
    let mut other = server.wire();
    let (first, second) = (monitor(&server), monitor(&server));
    assert_eq!(other.info_number("buffer_bytes"), 2 * MONITOR_BYTES as u64);
    other.ask_error("MONITOR\r\n", "OUT_OF_MEMORY");
    drop((first, second));
    until("all is given back", || other.info_number("buffer_bytes") == 0);
    other.ask("MONITOR\r\n", "OK\r\n");
}

#[test]
fn a_client_without_answers_does_not_monitor() {
    let server = start();
    let (mut silent, mut other) = (server.wire(), server.wire());
    silent.send("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$7\r\nMONITOR\r\n");
    let silent_id = id(&mut other) - 1;
    until("it was answered", || field(&mut other, silent_id, "cmd") == "monitor");
    other.ask("PING\r\n", "PONG\r\n");
    assert!(silent.gets_nothing());
    assert_eq!(field(&mut other, silent_id, "flags"), "N");
}

#[test]
fn a_clients_line_has_its_figures() {
    let server = start();
    let (mut client, mut other) = (server.wire(), server.wire());
    client.ask("PING\r\nSET k v\r\nNOPE\r\n", "PONG\r\nOK\r\n");
    client.line();
    let client_id = id(&mut client);
    let mut is = |name: &str, expected: &str| {
        until(name, || field(&mut other, client_id, name) == expected);
    };
    is("tot-cmds", "4");
    is("tot-net-in", &"PING\r\nSET k v\r\nNOPE\r\nCLIENT ID\r\n".len().to_string());
    is("events", "r");
    is("flags", "N");
    is("obl", "0");
    is("qbuf-free", "0");
    client.send("SET k 12345");
    is("qbuf", "11");
    client.ask("\r\n", "OK\r\n");
    is("qbuf", "0");
    let number = |field: String| field.parse::<u64>().unwrap();
    let peak_bytes = number(field(&mut other, client_id, "rbp"));
    assert!((5..500).contains(&peak_bytes), "{peak_bytes}");
    assert!(number(field(&mut other, client_id, "tot-mem")) > 200);
    assert!(number(field(&mut other, client_id, "fd")) > 2);
    assert!(number(field(&mut other, client_id, "tot-net-out")) > 20);
}

#[test]
fn a_client_that_takes_nothing_is_seen_to_have_answers_waiting() {
    let server = start();
    let (mut client, mut other) = (server.wire(), server.wire());
    let value = "v".repeat(1 << 20);
    client.ask(format!("SET k {value}\r\n"), "OK\r\n");
    let client_id = id(&mut client);
    client.send("GET k\r\n".repeat(100));
    until("it waits", || field(&mut other, client_id, "events") == "rw");
    assert_eq!(field(&mut other, client_id, "oll"), "1");
    assert_eq!(field(&mut other, client_id, "omem"), (1 << 20).to_string());
}
