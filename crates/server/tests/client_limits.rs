//! Limits on clients: requests that do not go on arriving, and the memory of all buffers together.

#![cfg(test)]

mod support;

use std::time::Duration;

use rustvault_server::ServerConfig;
use rustvault_storage::{MemoryStore, Options};
use rustvault_testkit::{Wire, until};
use support::{TestServer, config, memory_store, start_with_config, start_with_store};

/// So long that a client which sends without a pause takes longer than the request timeout.
const LONG_VALUE_BYTES: usize = 128 << 20;

const VALUE_BYTES: usize = 1 << 20;

/// Room for the claims of five values at the same time.
const BUFFER_BYTES: usize = 6 << 20;

fn with_request_timeout(secs: u64) -> TestServer {
    let mut config = config();
    config.max_value_bytes = LONG_VALUE_BYTES;
    config.request_timeout = Some(Duration::from_secs(secs));
    let mut options = Options::default();
    options.max_value_bytes = LONG_VALUE_BYTES;
    start_with_store(MemoryStore::new(options).unwrap(), &config)
}

fn with_little_memory() -> ServerConfig {
    let mut config = config();
    config.max_value_bytes = VALUE_BYTES;
    config.max_buffer_bytes = BUFFER_BYTES;
    config
}

#[test]
fn a_request_that_does_not_go_on_arriving_is_answered_with_an_error_and_ends_its_connection() {
    let server = with_request_timeout(1);
    let mut waiting = server.wire();
    waiting.ask("PING\r\n", "PONG\r\n");
    // Half a line, a line behind a whole one, one over the limit that is being dropped, and half a command of RESP.
    let halves = [
        "SET k v",
        "PING\r\nSET k v",
        &["SET k ", &"v".repeat(LONG_VALUE_BYTES + (1 << 20))].concat(),
        "*2\r\n$3\r\nGET\r\n$1\r\n",
    ];
    let mut clients: Vec<Wire> = halves.iter().map(|_| server.wire()).collect();
    for (client, half) in clients.iter_mut().zip(halves) {
        client.send(half);
    }
    let expected = ["ERROR TIMEOUT ", "PONG\r\nERROR TIMEOUT ", "ERROR TOO_LARGE ", "-TIMEOUT "];
    for (client, expected) in clients.iter_mut().zip(expected) {
        let answer = client.rest();
        assert!(answer.starts_with(expected), "{answer}");
        assert!(answer.contains("TIMEOUT ") && answer.contains("--request-timeout"), "{answer}");
    }
    until("all are counted", || waiting.info_number("closed_request_timeout") == 4);
    // Whoever sends nothing, or whole requests only, has no deadline.
    waiting.ask("GET k\r\n", "NOT_FOUND\r\n");
}

#[test]
fn a_request_that_goes_on_arriving_may_take_longer_than_the_timeout() {
    let server = with_request_timeout(1);
    let (mut slow, mut watching) = (server.wire(), server.wire());
    slow.send("SET k ");
    let mut sent_bytes = 0;
    // While it sends, three others that stop after a few bytes run out of time, one after the other.
    for timeouts in 1..=3 {
        let mut stalled = server.wire();
        stalled.send("SET k v");
        until("the other one has run out of time", || {
            slow.send("v".repeat(16 * 1024));
            sent_bytes += 16 * 1024;
            watching.info_number("closed_request_timeout") == timeouts
        });
    }
    slow.send("\r\n");
    assert_eq!(slow.line(), "OK");
    slow.ask("STRLEN k\r\n", format!("VALUE {sent_bytes}\r\n"));
}

#[test]
fn limits_that_are_set_while_connections_wait_hold_for_them_at_once() {
    let server = start_with_config(&config());
    let (mut idle, mut half, mut setting) = (server.wire(), server.wire(), server.wire());
    idle.ask("PING\r\n", "PONG\r\n");
    half.ask("PING\r\nSET k v", "PONG\r\n");
    // Both wait by now, with a minute and without a limit.
    setting.ask("CONFIG SET request-timeout 1\r\n", "OK\r\n");
    assert!(half.rest().starts_with("ERROR TIMEOUT "));
    setting.ask("CONFIG SET idle-timeout 1\r\n", "OK\r\n");
    assert_eq!(idle.rest(), "");
}

#[test]
fn half_sent_values_of_many_clients_take_no_more_than_the_limit_and_common_requests_are_served() {
    let server = start_with_config(&with_little_memory());
    let mut watching = server.wire();
    let half = [b"SET k ", vec![b'v'; VALUE_BYTES * 3 / 4].as_slice()].concat();
    let mut clients: Vec<Wire> = (0..20).map(|_| server.wire()).collect();
    for client in &mut clients {
        // A client that gets an error may be unable to send the rest.
        let _ = client.try_send(&half);
    }
    until("the limit is reached", || watching.info_number("closed_buffer_limit") > 10);
    let held_bytes = watching.info_number("buffer_bytes") as usize;
    assert!((BUFFER_BYTES / 2..=BUFFER_BYTES).contains(&held_bytes), "{held_bytes}");
    watching.ask(format!("SET small {}\r\n", "v".repeat(30_000)), "OK\r\n");
    server.wire().ask("STRLEN small\r\n", "VALUE 30000\r\n");

    let served = clients.into_iter().filter_map(|mut client| {
        if client.try_send("\r\n").is_err() {
            return None;
        }
        client.try_line()
    });
    let (stored, refused): (Vec<_>, Vec<_>) = served.partition(|line| line == b"OK");
    assert!(stored.len() >= 3, "{} stored", stored.len());
    for line in &refused {
        assert!(line.starts_with(b"ERROR OUT_OF_MEMORY "), "{}", line.escape_ascii());
    }
    until("all is given back", || watching.info_number("buffer_bytes") == 0);
    assert!(watching.info_number("buffer_limit_refusals") >= refused.len() as u64);
    server.wire().ask([&half[..], b"\r\n"].concat(), "OK\r\n");
}

#[test]
fn a_listing_that_finds_no_memory_is_an_error_and_the_connection_goes_on() {
    let store = memory_store();
    let writing = start_with_store(store.clone(), &config());
    let sets: String = (0..4000).map(|i| format!("SET {i:0>250} v\r\n")).collect();
    writing.wire().ask(sets, "OK\r\n".repeat(4000));
    let server = start_with_store(store, &with_little_memory());
    let (mut listing, mut watching) = (server.wire(), server.wire());
    let mut holding = Vec::new();
    while watching.info_number("buffer_limit_refusals") == 0 {
        let mut client = server.wire();
        client.send([b"SET k ", vec![b'v'; VALUE_BYTES * 3 / 4].as_slice()].concat());
        holding.push(client);
        until("it is read", || {
            watching.info_number("buffer_bytes") as usize >= holding.len() * VALUE_BYTES / 2
                || watching.info_number("buffer_limit_refusals") > 0
        });
    }
    let message = listing.ask_error("KEYS *\r\n", "OUT_OF_MEMORY");
    assert!(message.contains("--max-buffer-bytes"), "{message}");
    drop(holding);
    until("all is given back", || watching.info_number("buffer_bytes") == 0);
    listing.send("KEYS *\r\n");
    assert_eq!(listing.list().len(), 4000);
    until("the list is given back", || watching.info_number("buffer_bytes") == 0);
}
