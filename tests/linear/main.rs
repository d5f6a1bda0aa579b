//! Linearizability over real sockets: whatever clients see of servers that are killed or whose disks fail, one
//! order of their commands explains it.
#![cfg(test)]

mod client;
mod connection;
mod coordinator;
mod disk;
mod history;
mod known;
mod model;
mod plan;
mod processes;
mod script;
mod server;
