//! Linearizability over real sockets: whatever clients see of servers that are killed or whose disks fail, one
//! order of their commands explains it.
#![cfg(test)]

mod client;
mod connection;
mod coordinator;
mod disk;
mod history;
#[path = "../../crates/storage/tests/support/hooked.rs"]
mod hooked;
mod known;
#[allow(dead_code, reason = "the storage crate's tests need more of it")]
#[path = "../../crates/storage/tests/support/memory.rs"]
mod memory;
mod model;
mod plan;
mod processes;
mod script;
mod server;
