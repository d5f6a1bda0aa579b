//! Many clients at once, and too many.

use std::io::Write;
use std::thread;

use rustvault_tests::{Daemon, Launch, Wire, allow_open_files, until};

#[test]
fn a_hundred_clients_are_served_at_once() {
    serve_at_once(100);
}

#[test]
fn a_thousand_clients_are_served_at_once() {
    allow_open_files(1200);
    serve_at_once(1000);
}

/// The daemon's default is to serve 1,000.
fn serve_at_once(clients: usize) {
    let daemon = Launch::new().start();
    let mut wires: Vec<_> = (0..clients).map(|_| daemon.wire()).collect();
    for round in 0..5 {
        for (client, wire) in wires.iter_mut().enumerate() {
            wire.send(format!("SET key:{client} {round}\r\nGET key:{client}\r\n"));
        }
        for wire in &mut wires {
            wire.expect(format!("OK\r\nVALUE {round}\r\n"));
        }
    }
    assert_eq!(wires[0].info_number("connections"), clients as u64);
    assert_eq!(wires[0].info_number("total_errors"), 0);
    wires[0].ask("COUNT\r\n", format!("VALUE {clients}\r\n"));
}

#[test]
fn one_client_too_many_is_told_so_and_a_place_that_gets_free_is_given_again() {
    let daemon = Launch::new().with_args("--max-connections 5").start();
    let mut wires: Vec<_> = (0..5).map(|_| served(&daemon)).collect();
    for _ in 0..3 {
        let answer = daemon.wire().rest();
        assert!(answer.starts_with("ERROR TOO_MANY_CONNECTIONS ") && answer.ends_with("\r\n"), "{answer:?}");
        assert_eq!(answer.lines().count(), 1, "{answer:?}");
    }
    wires[0].ask("SET k v\r\n", "OK\r\n");
    drop(wires.pop());
    until("the place is free", || wires[0].info("connections") == "4");
    wires.push(served(&daemon));
    assert!(daemon.wire().rest().starts_with("ERROR TOO_MANY_CONNECTIONS "));
}

fn served(daemon: &Daemon) -> Wire {
    let mut wire = daemon.wire();
    wire.ask("PING\r\n", "PONG\r\n");
    wire
}

#[test]
fn a_hundred_thousand_commands_in_one_pipeline_are_answered_in_order() {
    const PAIRS: usize = 50_000;
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    let mut sender = wire.socket().try_clone().unwrap();
    let sending = thread::spawn(move || {
        let commands: String =
            (0..PAIRS).map(|n| format!("SET key:{} {n}\r\nGET key:{}\r\n", n % 999, n % 999)).collect();
        sender.write_all(commands.as_bytes()).unwrap();
    });
    for n in 0..PAIRS {
        wire.expect(format!("OK\r\nVALUE {n}\r\n"));
    }
    sending.join().unwrap();
    assert_eq!(wire.info_number("total_commands"), 2 * PAIRS as u64);
    let syncs = wire.info_number("syncs");
    println!("{PAIRS} writes in one pipeline took {syncs} syncs");
    assert!(syncs < PAIRS as u64 / 50, "{syncs} syncs for {PAIRS} writes");
}
