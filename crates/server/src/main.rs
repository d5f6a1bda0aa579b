//! The RustVault daemon; `rustvault-server --help` lists its options.

mod daemon;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    daemon::main()
}
