//! Reads the kernel's counters from /proc and /sys: idle time of the cores, time of single threads, interrupts of a disk. A
//! counter that they lack is `None`.

use std::path::Path;

use rustix::fs::{major, minor, stat};
use rustix::thread::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::process_stats::TICKS_PER_SECOND;

/// Returns the idle time of all cores together since boot.
pub(crate) fn idle_us() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    // The first line: cpu, user, nice, system, idle, …
    let ticks: u64 = stat.split_ascii_whitespace().nth(4)?.parse().ok()?;
    Some(ticks * (1_000_000 / TICKS_PER_SECOND))
}

/// Returns the processor time that this thread has used.
pub(crate) fn thread_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// The time of a thread since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ThreadTime {
    /// Time in which it ran.
    pub(crate) ran_us: u64,
    /// Time in which it was runnable and had no core.
    pub(crate) waited_us: u64,
}

/// Returns the time of a thread of this process; `None` if it has ended, or if the kernel lacks the counter.
pub(crate) fn thread_time(thread: Pid) -> Option<ThreadTime> {
    let schedstat = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    // Nanoseconds, nanoseconds, time slices (the kernel's Documentation/scheduler/sched-stats.rst).
    let mut numbers = schedstat.split_ascii_whitespace().map_while(|number| number.parse::<u64>().ok());
    Some(ThreadTime { ran_us: numbers.next()? / 1000, waited_us: numbers.next()? / 1000 })
}

/// Returns the core with the most interrupts since boot by the disk that holds the file at `path`.
///
/// `None` if the kernel lacks the counter, or if the disk has no interrupts of its own (a file system in memory, several disks
/// combined).
pub(crate) fn interrupted_core(path: &Path) -> Option<usize> {
    let device = stat(path).ok()?.st_dev;
    let device = std::fs::canonicalize(format!("/sys/dev/block/{}:{}", major(device), minor(device))).ok()?;
    // A partition is below its disk, which is below the device with the interrupts.
    let irqs = device.ancestors().find_map(|above| std::fs::read_dir(above.join("msi_irqs")).ok())?;
    let irqs: Vec<_> = irqs.filter_map(|irq| irq.ok()?.file_name().into_string().ok()).collect();
    most_interrupted(&std::fs::read_to_string("/proc/interrupts").ok()?, &irqs)
}

/// Returns the core with most interrupts by one of `irqs`, from the text of /proc/interrupts: a column for each core, a
/// line for each IRQ.
fn most_interrupted(interrupts: &str, irqs: &[String]) -> Option<usize> {
    let mut lines = interrupts.lines();
    let cores = lines.next()?.split_ascii_whitespace().map(|name| name.strip_prefix("CPU")?.parse().ok());
    let cores: Vec<usize> = cores.collect::<Option<_>>()?;
    let mut counts = vec![0_u64; cores.len()];
    for line in lines {
        let Some((irq, rest)) = line.split_once(':') else { continue };
        if irqs.iter().any(|known| known == irq.trim()) {
            for (count, number) in counts.iter_mut().zip(rest.split_ascii_whitespace()) {
                *count += number.parse::<u64>().ok()?;
            }
        }
    }
    let (core, count) = cores.into_iter().zip(counts).max_by_key(|&(_, count)| count)?;
    (count > 0).then_some(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPTS: &str = "            CPU0       CPU2
  35:          9          1 PCI-MSIX-0000:00:02.0   0-edge      virtio1-config
  36:          2       7461 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 136:       9999          0 PCI-MSIX-0000:00:03.0   1-edge      virtio2-req.0
 NMI:          0          0   Non-maskable interrupts
";

    fn most_interrupted_by(irqs: &[&str]) -> Option<usize> {
        let irqs: Vec<_> = irqs.iter().map(|&irq| irq.to_owned()).collect();
        most_interrupted(INTERRUPTS, &irqs)
    }

    #[test]
    fn the_core_with_most_interrupts_of_a_device_is_found() {
        assert_eq!(most_interrupted_by(&["35", "36"]), Some(2));
        assert_eq!(most_interrupted_by(&["35"]), Some(0));
    }

    #[test]
    fn a_device_without_interrupts_has_no_core() {
        assert_eq!(most_interrupted_by(&[]), None);
        assert_eq!(most_interrupted_by(&["37"]), None);
        assert_eq!(most_interrupted("", &["36".to_owned()]), None);
    }

    #[test]
    fn a_thread_of_this_process_has_run() {
        let began = std::time::Instant::now();
        // However long a busy machine takes to let this thread run.
        while thread_time(rustix::thread::gettid()).is_some_and(|time| time.ran_us < 1000) {
            assert!(began.elapsed().as_secs() < 60);
        }
    }

    #[test]
    fn a_thread_of_another_process_has_no_time_here() {
        assert_eq!(thread_time(Pid::INIT), None);
    }
}
