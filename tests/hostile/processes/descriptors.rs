//! No descriptor left, while a compaction needs one.

use rustvault_tests::{Launch, Wire, allow_open_files, leave_descriptors, until};

use crate::siege::{Siege, is_served};

/// Clients that take what is left.
const CLIENTS: usize = 50;

#[test]
fn a_compaction_without_a_descriptor_fails_alone_and_the_next_succeeds() {
    allow_open_files(1000);
    let siege = Siege::begin(Launch::new().start());
    let daemon = siege.daemon();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    leave_descriptors(daemon.pid(), Some(3));
    // They wait for the server to take them, or are refused.
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
