//! Clients that a server should never meet, and does: what each sends, and what it must get for it.
//!
//! Each attack is over within seconds and can be repeated. They know sockets only, so that any build can be attacked.

mod doors;
mod keys;
mod readers;
mod writers;

use std::net::SocketAddr;

use crate::{Wire, resp_request};

/// One way to treat a server badly.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// A few words for a table.
    pub name: &'static str,
    /// Stores what the attack needs.
    prepare: fn(SocketAddr),
    run: fn(SocketAddr),
}

/// Asks for 100 MiB at one go and takes them slowly, beside overwrites of all of it.
pub const SLOW_READER: Attack = Attack {
    name: "a slow reader of a large MGET",
    prepare: readers::store_large_values,
    run: readers::read_slowly,
};

/// Sends commands byte by byte.
pub const SLOW_WRITERS: Attack =
    Attack { name: "slow writers, byte by byte", prepare: nothing, run: writers::write_slowly };

/// Sends a line and a value of 1 GiB.
pub const TOO_MUCH: Attack =
    Attack { name: "lines and values of 1 GiB", prepare: nothing, run: writers::send_too_much };

/// Sends a million commands at one go.
pub const LONG_PIPELINE: Attack = Attack {
    name: "a pipeline of 1,000,000 commands",
    prepare: nothing,
    run: writers::send_a_million_commands,
};

/// Connects and disconnects 6,000 times.
pub const COMING_AND_GOING: Attack =
    Attack { name: "connecting and disconnecting", prepare: nothing, run: doors::come_and_go };

/// Speaks HTTP, TLS, and what nobody speaks.
pub const OTHER_PROTOCOLS: Attack =
    Attack { name: "HTTP, TLS and random bytes", prepare: nothing, run: doors::speak_other_protocols };

/// Asks for a million values in one command.
pub const LARGE_MGET: Attack =
    Attack { name: "MGET of 1,000,000 keys", prepare: keys::store_keys, run: keys::get_a_million };

/// Searches a million keys with a pattern that is slow to match.
pub const SLOW_PATTERNS: Attack = Attack {
    name: "KEYS and SCAN with the worst pattern",
    prepare: keys::store_keys_to_match,
    run: keys::match_slowly,
};

/// All of them.
pub const ATTACKS: [Attack; 8] = [
    SLOW_READER,
    SLOW_WRITERS,
    TOO_MUCH,
    LONG_PIPELINE,
    COMING_AND_GOING,
    OTHER_PROTOCOLS,
    LARGE_MGET,
    SLOW_PATTERNS,
];

impl Attack {
    /// Stores what the attack needs, so that this is not part of it.
    pub fn prepare(&self, addr: SocketAddr) {
        (self.prepare)(addr);
    }

    /// Attacks the server that listens there, once.
    ///
    /// # Panics
    /// The server gives another answer than it should.
    #[track_caller]
    pub fn run(&self, addr: SocketAddr) {
        (self.run)(addr);
    }
}

fn nothing(_: SocketAddr) {}

/// A connection that speaks RESP.
#[track_caller]
fn resp_wire(addr: SocketAddr) -> Wire {
    let mut wire = Wire::connect(addr);
    wire.ask(resp_request(&[b"PING"]), "+PONG\r\n");
    wire
}
