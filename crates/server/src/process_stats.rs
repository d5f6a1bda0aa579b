//! Figures of this process, from the system. One that the system lacks is `None`.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Ticks in a second of /proc, whatever the kernel's own (`USER_HZ`, proc_pid_stat(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of this process at one moment.
#[derive(Debug)]
pub(crate) struct ProcessStats {
    /// Processor time, user and system.
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    /// `None` also if there is no limit.
    pub(crate) max_fds: Option<u64>,
    pub(crate) started_unix_seconds: Option<f64>,
}

impl ProcessStats {
    /// Reads the figures, which takes some ten microseconds, and a few more for each open file.
    pub(crate) fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu: Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)),
            resident_bytes: field(&status, "VmRSS").map(|kib| kib * 1024),
            virtual_bytes: field(&status, "VmSize").map(|kib| kib * 1024),
            threads: field(&status, "Threads"),
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::Nofile).current,
            started_unix_seconds: started_unix_seconds(),
        }
    }
}

/// Returns the number of a line of /proc/self/status.
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns the number of open files, without the folder that is read for it.
fn open_fds() -> Option<u64> {
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

fn started_unix_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + started_ticks(&stat)? / TICKS_PER_SECOND)
}

/// Returns the time from boot to the start of a process, from the text of its `stat`.
fn started_ticks(stat: &str) -> Option<f64> {
    // The second field is a name in parentheses, which may hold spaces and parentheses; the start is the 22nd.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_figures_of_this_process_are_plausible() {
        let before = ProcessStats::read();
        let _file = std::fs::File::open("/proc/self/stat").unwrap();
        let stats = ProcessStats::read();
        assert!(stats.cpu > Duration::ZERO && stats.cpu >= before.cpu);
        let (resident, size) = (stats.resident_bytes.unwrap(), stats.virtual_bytes.unwrap());
        assert!((100 * 1024..=size).contains(&resident), "{resident} of {size}");
        assert!(stats.threads.unwrap() >= 2, "this one and the main one");
        assert!((4..stats.max_fds.unwrap()).contains(&stats.open_fds.unwrap()), "{:?}", stats.open_fds);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let age = now - stats.started_unix_seconds.unwrap();
        // The time of boot is rounded to a second.
        assert!((-2.0..24.0 * 60.0 * 60.0).contains(&age), "{age}");
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(started_ticks(stat), Some(4711.0));
        assert_eq!(started_ticks("7 (a"), None);
    }
}
