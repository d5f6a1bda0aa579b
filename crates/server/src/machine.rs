//! What the system tells of its cores, and of what this process has had of them.

use rustix::time::{ClockId, clock_gettime};

/// The unit of /proc/stat: 1/100 s, whatever the kernel's own (`USER_HZ`, proc_stat(5)).
const TICK_US: u64 = 10_000;

/// For how long all cores together have been idle since the machine was started; `None` if the system does not tell.
pub(crate) fn idle_us() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    // The first line: cpu, user, nice, system, idle, …
    let ticks: u64 = stat.split_ascii_whitespace().nth(4)?.parse().ok()?;
    Some(ticks * TICK_US)
}

/// The processor time that this thread has used.
pub(crate) fn thread_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}
