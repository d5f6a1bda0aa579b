//! What the whole-system tests share: the real programs, a daemon to talk to, and a plain socket to do it with.
//!
//! ```no_run
//! use rustvault_tests::Launch;
//!
//! let daemon = Launch::new().start();
//! daemon.wire().ask("PING\r\n", "PONG\r\n");
//! ```
//!
//! Everything here reports trouble by panicking, as a failed test does.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod attacks;
mod daemon;
mod launch;
mod log;
mod network;
mod process;
mod programs;
mod small_disk;
mod sockets;
mod well_behaved;
mod wire;

pub use daemon::Daemon;
pub use launch::{Launch, Refusal};
pub use network::Network;
pub use process::{
    OpenFile, PATIENCE, allow_open_files, leave_descriptors, listening_port, open_files, resident_bytes,
    until, wait_for_exit,
};
pub use programs::{cli, example, examples, has_program, need, need_strace, need_that};
pub use small_disk::SmallDisk;
pub use sockets::{Keepalive, SocketOptions, socket_options};
pub use well_behaved::{Experience, WellBehaved};
pub use wire::Wire;

/// The examples of the project's README, which compile as long as this does.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
