//! Processor time and memory of the process, as the kernel counts them; and the section `CPU` of `INFO`.

use std::fs;
use std::path::Path;

use super::{Field, InfoState};

/// Ticks in a second of /proc/PID/stat, whatever the kernel's own (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: u64 = 100;

/// Returns processor time in seconds; without the fields that the kernel lacks.
pub(super) fn cpu<S>(_: &InfoState<'_, S>) -> Vec<Field> {
    let process = ProcessorTicks::read(Path::new("/proc/self/stat"));
    let main_thread = ProcessorTicks::read(&Path::new("/proc/self/task").join(main_thread()).join("stat"));
    let of_process = process.into_iter().flat_map(|ticks| {
        [
            ("used_cpu_sys", ticks.system),
            ("used_cpu_user", ticks.user),
            ("used_cpu_sys_children", ticks.system_of_children),
            ("used_cpu_user_children", ticks.user_of_children),
        ]
    });
    let of_main_thread = main_thread.into_iter().flat_map(|ticks| {
        [("used_cpu_sys_main_thread", ticks.system), ("used_cpu_user_main_thread", ticks.user)]
    });
    of_process.chain(of_main_thread).map(|(name, ticks)| (name.into(), seconds(ticks))).collect()
}

/// Returns the name of the main thread's folder: the number of the process.
fn main_thread() -> String {
    std::process::id().to_string()
}

fn seconds(ticks: u64) -> String {
    let us_of_second = ticks % TICKS_PER_SECOND * (1_000_000 / TICKS_PER_SECOND);
    format!("{}.{us_of_second:06}", ticks / TICKS_PER_SECOND)
}

/// Processor time of a process or thread, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProcessorTicks {
    user: u64,
    system: u64,
    user_of_children: u64,
    system_of_children: u64,
}

impl ProcessorTicks {
    fn read(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    /// Returns the times in a line of /proc/PID/stat: fields 14 to 17 of proc(5). The second one, a name in parentheses, may have
    /// spaces in it.
    fn parse(stat: &str) -> Option<Self> {
        const TIMES_BEHIND_NAME: usize = 11;
        let (_, behind_name) = stat.rsplit_once(')')?;
        let mut times = behind_name.split_ascii_whitespace().skip(TIMES_BEHIND_NAME);
        let mut next = || times.next()?.parse().ok();
        Some(Self { user: next()?, system: next()?, user_of_children: next()?, system_of_children: next()? })
    }
}

/// Memory of the process and of its machine; what the kernel lacks is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ResidentMemory {
    pub(super) bytes: u64,
    /// The most since the start.
    pub(super) peak_bytes: u64,
    /// All memory of the machine.
    pub(super) machine_bytes: u64,
}

impl ResidentMemory {
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            bytes: bytes_in(&status, "VmRSS:"),
            peak_bytes: bytes_in(&status, "VmHWM:"),
            machine_bytes: bytes_in(&machine, "MemTotal:"),
        }
    }
}

/// Returns the value of a line such as `VmRSS:  1234 kB`; 0 if there is none.
fn bytes_in(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    value.and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_that_looks_like_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 107 0 0 0 13 250 3 4 20 0 5 0 100 1 1";
        let ticks = ProcessorTicks::parse(stat);
        let expected = ProcessorTicks { user: 13, system: 250, user_of_children: 3, system_of_children: 4 };
        assert_eq!(ticks, Some(expected));
        assert_eq!(ProcessorTicks::parse("7 (a) S 1"), None);
        assert_eq!((seconds(250), seconds(3)), ("2.500000".to_owned(), "0.030000".to_owned()));
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "Name:\tVmRSS: 7 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!((bytes_in(status, "VmRSS:"), bytes_in(status, "VmHWM:")), (1 << 20, 2 << 20));
        assert_eq!(bytes_in(status, "VmSwap:"), 0);
    }

    #[test]
    fn this_process_has_memory_and_a_machine() {
        let memory = ResidentMemory::read();
        assert!(
            memory.bytes > 0 && memory.peak_bytes > 0 && memory.machine_bytes > memory.bytes,
            "{memory:?}"
        );
        assert!(ProcessorTicks::read(Path::new("/proc/self/stat")).is_some());
    }
}
