//! What the whole-system tests share: the real programs, a daemon to talk to, and all of `rustvault_testkit`.
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
mod programs;
mod service_manager;
mod sockets;
pub mod tls;
mod well_behaved;

pub use daemon::Daemon;
pub use launch::{Launch, Refusal};
pub use network::Network;
pub use programs::{cli, example, examples};
/// The pieces that other crates' tests use as well.
pub use rustvault_testkit::*;
pub use service_manager::{Report, ServiceManager};
pub use sockets::{Keepalive, SocketOptions, socket_options};
pub use well_behaved::{Experience, WellBehaved};

/// The examples of the project's README, which compile as long as this does.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
