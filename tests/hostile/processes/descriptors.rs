//! No descriptor left, while a compaction needs one.

use rustvault_tests::{Launch, Wire, allow_open_files, leave_descriptors, until};

use crate::siege::{Siege, is_served};

/// Clients that take what is left.
const CLIENTS: usize = 50;

/// Open files of a daemon that few connections fill.
const FEW_OPEN_FILES: usize = 128;

#[test]
fn connections_leave_descriptors_for_a_compaction() {
    let siege = Siege::begin(Launch::new().with_open_files_limit(FEW_OPEN_FILES).start());
    let daemon = siege.daemon();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    let (mut served, mut refused) = (Vec::new(), 0);
    for _ in 0..FEW_OPEN_FILES {
        let mut client = daemon.wire();
        client.send("PING\r\n");
        match client.try_line() {
            Some(line) if line == b"PONG" => served.push(client),
            Some(line) => {
                let line = String::from_utf8_lossy(&line).into_owned();
                assert!(
                    line.starts_with("ERROR TOO_MANY_CONNECTIONS ") && line.contains("descriptors"),
                    "{line}"
                );
                refused += 1;
            }
            // A refused client that has sent something may meet a reset.
            None => refused += 1,
        }
    }
    assert!(served.len() > FEW_OPEN_FILES / 4 && refused > FEW_OPEN_FILES / 4, "{} served", served.len());
    assert_eq!(wire.info_number("rejected_for_descriptors"), refused as u64);
    for _ in 0..3 {
        wire.ask("COMPACT\r\n", "OK\r\n");
    }
    for client in &mut served {
        client.ask("GET k\r\n", "VALUE v\r\n");
    }
    daemon.wait_for_line("--reserved-descriptors");
    drop(served);
    until("new clients are served", || is_served(daemon));
    siege.end("connections that would take every descriptor");
}

#[test]
fn a_compaction_without_a_descriptor_fails_alone_and_the_next_succeeds() {
    allow_open_files(1000);
    let siege = Siege::begin(Launch::new().start());
    let daemon = siege.daemon();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    leave_descriptors(daemon.pid(), Some(0));
    // They wait for the server to take them.
    let clients: Vec<Wire> = (0..CLIENTS).filter_map(|_| Wire::try_connect(daemon.addr()).ok()).collect();
    let message = wire.ask_error("COMPACT\r\n", "STORAGE");
    assert!(message.contains("open files"), "{message}");
    wire.ask("SET k w\r\nGET k\r\n", "OK\r\nVALUE w\r\n");
    leave_descriptors(daemon.pid(), None);
    drop(clients);
    wire.ask("COMPACT\r\n", "OK\r\n");
    until("new clients are served", || is_served(daemon));
    siege.end("no descriptor left in a compaction");
}
