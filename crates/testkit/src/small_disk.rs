//! A disk that is soon full.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::settings::need_that;

/// A file system in memory with room for so many bytes; it goes when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one, unless this process may not: it says so then.
    ///
    /// # Panics
    /// It may not, and `RUSTVAULT_REQUIRE_ALL=1` is set.
    pub fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={bytes},mode=0777");
        let args = ["-t", "tmpfs", "-o", &options, "rustvault-test"].map(OsStr::new);
        let is_mounted = as_root("mount", &[&args[..], &[folder.path().as_os_str()]].concat());
        need_that("the right to mount", is_mounted).then_some(Self { folder })
    }

    /// Returns the folder at which it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while a failed test still has files open there.
        as_root("umount", &["--lazy".as_ref(), self.path().as_os_str()]);
    }
}

/// Runs a program as root, directly or by sudo, and returns whether it succeeded.
pub fn as_root(program: &str, args: &[&OsStr]) -> bool {
    let mut command = if geteuid().is_root() {
        Command::new(program)
    } else {
        let mut command = Command::new("sudo");
        command.arg("-n").arg(program);
        command
    };
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
