//! What the tests of several crates share, and nothing of theirs that runs in production.
#![doc = include_str!("../README.md")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[cfg(feature = "command-line")]
pub mod command_line;
#[cfg(feature = "storage")]
pub mod files;
mod patience;
mod process;
mod resp;
mod server_thread;
mod settings;
mod small_disk;
mod wire;

pub use patience::{PATIENCE, SOON, block_on, soon, until};
pub use process::{
    OpenFile, allow_open_files, leave_descriptors, listening_port, open_files, resident_bytes, wait_for_exit,
};
pub use resp::{resp_reply, resp_request};
pub use server_thread::ServerThread;
pub use settings::{has_program, need, need_strace, need_that, number_in};
pub use small_disk::{SmallDisk, as_root};
/// The socket of a [`Wire`].
pub use socket2::Socket;
pub use wire::Wire;
