//! Connections that do nothing.

use rustvault_tests::{Launch, Wire, allow_open_files};

use crate::siege::Siege;

const CONNECTIONS: u64 = 10_000;

/// What one of them may take, in bytes.
const BYTES_EACH: u64 = 4 * 1024;

/// Files that this process has open beside them.
const OTHER_FILES: u64 = 100;

#[test]
fn ten_thousand_idle_connections_take_at_most_4_kib_each() {
    allow_open_files(CONNECTIONS + OTHER_FILES);
    let daemon = Launch::new().with_args("--max-connections 10100").start();
    let siege = Siege::begin(daemon).with_growth_limit(CONNECTIONS * BYTES_EACH);
    let addr = siege.daemon().addr();
    let mut idle: Vec<Wire> = (0..CONNECTIONS).map(|_| Wire::connect(addr)).collect();
    // All of them are served, not only accepted by the system.
    for wire in &mut idle {
        wire.ask("PING\r\n", "PONG\r\n");
    }
    siege.end("10,000 idle connections");
    drop(idle);
}
