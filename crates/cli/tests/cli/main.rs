//! The program as a process, against a server in the test's process.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod network;
mod one_shot;
mod pty;
mod session;
mod support;
mod terminal;
mod user;
