//! What Linux tells of a process.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// The processor time that a process has taken, all its threads in user and in kernel mode.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration, Error> {
    let text = read(pid, "stat")?;
    let ticks = ticks_in(&text).ok_or(Error::NoResult { program: "/proc/PID/stat", text })?;
    Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

/// The memory that a process has in use (`VmRSS`), in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, Error> {
    let text = read(pid, "status")?;
    kibibytes_in(&text, "VmRSS:").ok_or(Error::NoResult { program: "/proc/PID/status", text })
}

/// The memory that a process and those it has forked have in use, in bytes. What several share is counted once.
pub(crate) fn tree_bytes(pid: u32) -> Result<u64, Error> {
    let mut bytes = proportional_bytes(pid)?;
    for child in children_in(&read(pid, &format!("task/{pid}/children"))?) {
        // It may have ended meanwhile.
        bytes += tree_bytes(child).unwrap_or(0);
    }
    Ok(bytes)
}

/// The memory that a process has in use (`Pss`), in bytes; its part of what it shares with others.
fn proportional_bytes(pid: u32) -> Result<u64, Error> {
    let text = read(pid, "smaps_rollup")?;
    kibibytes_in(&text, "Pss:").ok_or(Error::NoResult { program: "/proc/PID/smaps_rollup", text })
}

/// Lets this process, and those it starts, have as many files open as the system allows.
pub(crate) fn allow_open_files() -> Result<(), Error> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|error| Error::system("raise the soft limit of open files")(error.into()))
}

/// Checks that this process may have `needed` files open at a time.
pub(crate) fn check_open_files(needed: u64) -> Result<(), Error> {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => Err(Error::OpenFiles { needed, limit }),
        _ => Ok(()),
    }
}

fn read(pid: u32, name: &str) -> Result<String, Error> {
    let path = format!("/proc/{pid}/{name}");
    fs::read_to_string(&path).map_err(Error::system(format!("read {path}")))
}

/// `utime + stime` of a `/proc/PID/stat`: fields 14 and 15, where field 2, in parentheses, may hold anything.
fn ticks_in(stat: &str) -> Option<u64> {
    let (_, from_field_3) = stat.rsplit_once(") ")?;
    let mut fields = from_field_3.split(' ').skip(14 - 3);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(ticks()? + ticks()?)
}

/// The bytes of a line `NAME  1234 kB`.
fn kibibytes_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Of a `/proc/PID/task/TID/children`.
fn children_in(children: &str) -> impl Iterator<Item = u32> {
    children.split_whitespace().filter_map(|pid| pid.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 40 2 13 14 20 0 3 0 99\n";
        assert_eq!(ticks_in(stat), Some(42));
        assert_eq!(ticks_in("4711 (short) S 1 2 3"), None);
        assert_eq!(ticks_in(""), None);
    }

    #[test]
    fn resident_memory_is_told_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    1234 kB\n";
        assert_eq!(kibibytes_in(status, "VmRSS:"), Some(1234 * 1024));
        assert_eq!(kibibytes_in("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn what_a_process_has_forked_counts_with_it() {
        let mut shell = Command::new("sh")
            .args(["-c", "(echo forked; cat); true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (alone, tree) = (proportional_bytes(shell.id()).unwrap(), tree_bytes(shell.id()).unwrap());
        // Ends the input of `cat`.
        shell.wait().unwrap();
        assert!(tree > alone, "{tree} and {alone} bytes");
    }

    #[test]
    fn children_are_numbers_between_spaces() {
        assert_eq!(children_in("12 4711 \n").collect::<Vec<_>>(), [12, 4711]);
        assert_eq!(children_in("").count(), 0);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).unwrap() > 0);
        assert!(cpu_time(pid).is_ok());
    }
}
