//! Figures of this process, from the system, for `INFO` and /metrics. One that the system lacks is `None`.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Ticks in a second of /proc/stat and /proc/PID/stat, whatever the kernel's own (`USER_HZ`, proc_stat(5), proc_pid_stat(5)).
pub(crate) const TICKS_PER_SECOND: u64 = 100;

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
        let status = read_status();
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu: Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)),
            resident_bytes: bytes_in(&status, "VmRSS"),
            virtual_bytes: bytes_in(&status, "VmSize"),
            threads: number_in(&status, "Threads"),
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::Nofile).current,
            started_unix_seconds: started_unix_seconds(),
        }
    }
}

/// Returns the number of open files, without the folder that is read for it.
fn open_fds() -> Option<u64> {
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

fn started_unix_seconds() -> Option<f64> {
    const START: usize = 22;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + field_of_stat(&stat, START)? as f64 / TICKS_PER_SECOND as f64)
}

/// Memory of this process and of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResidentMemory {
    pub(crate) bytes: Option<u64>,
    /// The most since the start.
    pub(crate) peak_bytes: Option<u64>,
    /// All memory of the machine.
    pub(crate) machine_bytes: Option<u64>,
}

impl ResidentMemory {
    pub(crate) fn read() -> Self {
        let status = read_status();
        let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            bytes: bytes_in(&status, "VmRSS"),
            peak_bytes: bytes_in(&status, "VmHWM"),
            machine_bytes: bytes_in(&machine, "MemTotal"),
        }
    }
}

/// Processor time of a process or thread, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessorTicks {
    pub(crate) user: u64,
    pub(crate) system: u64,
    pub(crate) user_of_children: u64,
    pub(crate) system_of_children: u64,
}

impl ProcessorTicks {
    pub(crate) fn of_process() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Returns the time of the main thread, whose number is that of the process.
    pub(crate) fn of_main_thread() -> Option<Self> {
        let path = format!("/proc/self/task/{}/stat", std::process::id());
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        let field = |number| field_of_stat(stat, number);
        Some(Self {
            user: field(14)?,
            system: field(15)?,
            user_of_children: field(16)?,
            system_of_children: field(17)?,
        })
    }
}

fn read_status() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// Returns the size in a line such as `VmRSS:  1234 kB`.
fn bytes_in(text: &str, name: &str) -> Option<u64> {
    number_in(text, name).map(|kib| kib * 1024)
}

/// Returns the number in the line of this name.
fn number_in(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns a field of the line in /proc/PID/stat, by its number in proc_pid_stat(5), 3 or more.
fn field_of_stat(stat: &str, number: usize) -> Option<u64> {
    // The second field is a name in parentheses, which may hold spaces and parentheses.
    let behind_name = stat.rsplit_once(')')?.1;
    behind_name.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
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
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 107 0 0 0 13 250 3 4 20 0 5 0 4711 1 1";
        assert_eq!(field_of_stat(stat, 22), Some(4711));
        let expected = ProcessorTicks { user: 13, system: 250, user_of_children: 3, system_of_children: 4 };
        assert_eq!(ProcessorTicks::parse(stat), Some(expected));
        assert_eq!((field_of_stat("7 (a", 22), ProcessorTicks::parse("7 (a) S 1")), (None, None));
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "Name:\tVmRSS: 7 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!((bytes_in(status, "VmRSS"), bytes_in(status, "VmHWM")), (Some(1 << 20), Some(2 << 20)));
        assert_eq!(bytes_in(status, "VmSwap"), None);
    }

    #[test]
    fn this_process_has_memory_a_machine_and_a_main_thread() {
        let memory = ResidentMemory::read();
        assert!(memory.bytes > Some(0) && memory.peak_bytes > Some(0), "{memory:?}");
        assert!(memory.machine_bytes > memory.bytes, "{memory:?}");
        assert!(ProcessorTicks::of_process().is_some() && ProcessorTicks::of_main_thread().is_some());
    }
}
