//! Memory: the section of `INFO`, and the figures that `MEMORY STATS` and `MEMORY DOCTOR` are made of.

use super::{Field, InfoState, constants, fields as make};
use crate::process_stats::ResidentMemory;

/// Memory of the server at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MemoryUsage {
    pub(crate) keys: u64,
    /// Memory of keys, values and tables as counted; `max_bytes` is its limit.
    pub(crate) used_bytes: u64,
    /// The limit; 0 if there is none.
    pub(crate) max_bytes: u64,
    /// Memory of the connections' buffers as counted.
    pub(crate) buffer_bytes: u64,
    pub(crate) max_buffer_bytes: u64,
    /// Memory of the process as the kernel counts it; 0 if it doesn't.
    pub(crate) resident_bytes: u64,
    pub(crate) peak_resident_bytes: u64,
    pub(crate) machine_bytes: u64,
}

impl MemoryUsage {
    pub(super) fn new<S>(state: &InfoState<'_, S>) -> Self {
        let resident = ResidentMemory::read();
        Self {
            keys: state.stats.keys,
            used_bytes: state.stats.used_bytes,
            max_bytes: state.config.max_memory_bytes.unwrap_or(0),
            buffer_bytes: state.engine.buffers.claimed_bytes() as u64,
            max_buffer_bytes: state.config.max_buffer_bytes as u64,
            resident_bytes: resident.bytes.unwrap_or(0),
            peak_resident_bytes: resident.peak_bytes.unwrap_or(0),
            machine_bytes: resident.machine_bytes.unwrap_or(0),
        }
    }

    /// Returns how much more memory the process has than what is counted, buffers included.
    pub(crate) fn fragmentation_ratio(&self) -> f64 {
        ratio(self.resident_bytes, self.counted_bytes())
    }

    /// Returns the memory of the process beyond what is counted; negative if not all that is counted has been touched.
    pub(crate) fn fragmentation_bytes(&self) -> i64 {
        let [resident, counted] =
            [self.resident_bytes, self.counted_bytes()].map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        resident - counted
    }

    fn counted_bytes(&self) -> u64 {
        self.used_bytes.saturating_add(self.buffer_bytes)
    }

    /// Returns the part of the peak that is in use, in percent.
    pub(crate) fn percent_of_peak(&self) -> f64 {
        ratio(self.used_bytes, self.peak_resident_bytes) * 100.0
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

pub(super) fn fields<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    const NO_SCRIPTS: &str = "used_memory_lua used_memory_vm_eval used_memory_scripts_eval number_of_cached_scripts number_of_functions \
        number_of_libraries used_memory_vm_functions used_memory_vm_total used_memory_functions used_memory_scripts";
    const NO_REPLICAS_NOR_CLUSTER: &str = "mem_not_counted_for_evict mem_replication_backlog mem_total_replication_buffers \
        mem_clients_slaves mem_cluster_links active_defrag_running lazyfree_pending_objects lazyfreed_objects";
    let memory = state.memory();
    let mut fields = make([
        ("used_memory", &memory.used_bytes),
        ("used_memory_human", &human(memory.used_bytes)),
        ("used_memory_rss", &memory.resident_bytes),
        ("used_memory_rss_human", &human(memory.resident_bytes)),
        ("used_memory_peak", &memory.peak_resident_bytes),
        ("used_memory_peak_human", &human(memory.peak_resident_bytes)),
        ("used_memory_peak_perc", &format_args!("{:.2}%", memory.percent_of_peak())),
        ("used_memory_overhead", &0),
        ("used_memory_startup", &0),
        ("used_memory_dataset", &memory.used_bytes),
        ("total_system_memory", &memory.machine_bytes),
        ("total_system_memory_human", &human(memory.machine_bytes)),
        ("maxmemory", &memory.max_bytes),
        ("maxmemory_human", &human(memory.max_bytes)),
        ("maxmemory_policy", &"noeviction"),
        ("mem_fragmentation_ratio", &format_args!("{:.2}", memory.fragmentation_ratio())),
        ("mem_fragmentation_bytes", &memory.fragmentation_bytes()),
        ("mem_clients_normal", &memory.buffer_bytes),
    ]);
    fields.extend(constants("0", NO_SCRIPTS));
    fields.extend(constants("0", NO_REPLICAS_NOR_CLUSTER));
    fields
}

/// Returns a size with a binary unit, as Redis writes it: `512B`, `1.50K`, `2.00G`.
fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let (mut size, mut unit) = (bytes as f64 / 1024.0, UNITS[0]);
    for larger in &UNITS[1..] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, *larger);
    }
    format!("{size:.2}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_the_unit_that_redis_would_give_it() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, 3 << 29, 1 << 40, 1 << 50, u64::MAX].map(human);
        let expected = ["0B", "1023B", "1.00K", "1.50K", "1.00M", "1.50G", "1.00T", "1.00P", "16384.00P"];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn a_server_that_holds_nothing_has_ratios_all_the_same() {
        let nothing = MemoryUsage::default();
        assert_eq!((nothing.fragmentation_ratio(), nothing.percent_of_peak()), (0.0, 0.0));
        let some = MemoryUsage { used_bytes: 30, buffer_bytes: 10, resident_bytes: 20, ..nothing };
        assert_eq!((some.fragmentation_ratio(), some.fragmentation_bytes()), (0.5, -20));
    }
}
