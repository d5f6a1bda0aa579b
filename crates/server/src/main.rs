//! The RustVault daemon; `rustvault-server --help` lists its options.

#![warn(clippy::print_stdout, clippy::print_stderr)] // They panic when nobody reads.

mod daemon;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    daemon::main()
}
