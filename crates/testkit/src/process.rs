//! Processes from outside: their memory, their end, the files they may open.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::patience::{POLL_INTERVAL, until};

/// Waits for a process to end and returns how it ended.
///
/// # Panics
/// It does not end within `limit`; it is killed then.
#[track_caller]
pub fn wait_for_exit(child: &mut Child, limit: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is a child of this process") {
            return status;
        }
        if start.elapsed() > limit {
            child.kill().expect("it has not ended");
            child.wait().expect("it was killed");
            panic!("the process did not end within {limit:?}");
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Returns the memory that a process has in use (`VmRSS`), in bytes.
///
/// # Panics
/// There is no such process.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}

/// A file that a process has open.
#[derive(Debug)]
pub struct OpenFile {
    /// The path by which it can be looked at, also when it has no name any more.
    pub handle: PathBuf,
    /// Its name, or what it was: ` (deleted)` follows then.
    pub name: PathBuf,
}

/// Returns the files that a process has open; none once it has ended.
pub fn open_files(pid: u32) -> Vec<OpenFile> {
    let Ok(handles) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let handles = handles.flatten().map(|handle| handle.path());
    handles.filter_map(|handle| fs::read_link(&handle).ok().map(|name| OpenFile { handle, name })).collect()
}

/// Returns the port that a process listens on, once it does.
///
/// # Panics
/// It does not.
#[track_caller]
pub fn listening_port(pid: u32) -> u16 {
    let mut port = None;
    until("the process listens", || {
        let sockets: Vec<_> = open_files(pid).into_iter().map(|file| file.name).collect();
        let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
        port = table.lines().find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let is_listener = *state == "0A" && sockets.contains(&format!("socket:[{inode}]").into());
            is_listener.then(|| u16::from_str_radix(local.split(':').nth(1)?, 16).ok())?
        });
        port.is_some()
    });
    port.expect("it was found")
}

/// Lets a process open `spare` more files and no further one; `None`: as many as it may have by its hard limit.
///
/// # Panics
/// There is no such process.
pub fn leave_descriptors(pid: u32, spare: Option<usize>) {
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("not 0");
    let handles = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs").flatten();
    let taken: BTreeSet<u64> =
        handles.filter_map(|handle| handle.file_name().to_str()?.parse().ok()).collect();
    // Descriptors are numbers, of which the lowest free one is given, and the limit is on them.
    let first_refused = |spare| (0..).filter(|number| !taken.contains(number)).nth(spare);
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = spare.map_or(maximum, first_refused);
    prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum }).expect("it is a child of this process");
}

/// Lets this process have as many files open as the system allows.
///
/// # Panics
/// That is fewer than `needed`.
pub fn allow_open_files(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "the hard limit of open files is below {needed}"
    );
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}
