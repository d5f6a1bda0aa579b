//! Policy of compactions: when one is due, and how much of the disk writers leave for it.

use crate::wal::compacted_overhead_bytes;
use crate::{Error, Options};

/// Room on the disk that a compaction leaves free, in bytes, because the log grows meanwhile.
const SPARE_DISK_BYTES: u64 = 4 * 1024 * 1024;

/// Zeros and batches of a successor in addition to its entries, in bytes.
const SUCCESSOR_SPARE_BYTES: u64 = 2 * 1024 * 1024;

/// Least garbage for which a compaction is worth it when room is scarce, in bytes.
const MIN_GARBAGE_BYTES: u64 = 1024 * 1024;

/// Policy of automatic compactions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    ratio: f64,
    min_bytes: u64,
}

/// Sizes by which the policy decides, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) log: u64,
    /// Size of a compacted log that holds the live entries alone.
    pub(super) live: u64,
    /// The log's size after the last compaction; 0 before the first.
    pub(super) after_last: u64,
    /// Free room on the disk.
    pub(super) free: u64,
}

impl Rule {
    /// Returns the policy of these options.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        if options.compact_ratio.is_finite() && options.compact_ratio > 1.0 {
            Ok(Self { ratio: options.compact_ratio, min_bytes: options.compact_min_bytes })
        } else {
            Err(Error::InvalidOptions("compact_ratio must be a number above 1"))
        }
    }

    pub(super) fn is_due(&self, sizes: &Sizes) -> bool {
        sizes.log >= self.due_bytes(sizes) || Self::is_due_for_space(sizes)
    }

    /// Returns the size at which a log with this live data is compacted.
    pub(super) fn due_bytes(&self, sizes: &Sizes) -> u64 {
        let live = sizes.live as f64;
        // In addition to the ratio: overhead that a compaction cannot remove must not make it run again and again.
        let grown = sizes.after_last.saturating_add((live * (self.ratio - 1.0) / 2.0) as u64);
        self.min_bytes.max((live * self.ratio) as u64).max(grown).max(1)
    }

    /// Returns the size at which the log is checked next.
    pub(super) fn look_bytes(&self, sizes: &Sizes) -> u64 {
        // A log that is already due waits for a retry.
        let due = Some(self.due_bytes(sizes)).filter(|&due| due > sizes.log).unwrap_or(u64::MAX);
        // Fast writers fill a small disk within a second, and a full disk has no room for a compaction.
        let until_tight = sizes.free.saturating_sub(room_bytes(sizes.live).saturating_mul(2));
        due.min(sizes.log.saturating_add(until_tight.max(MIN_GARBAGE_BYTES)))
    }

    /// Returns the size limit of the log until the next check: writers must leave the room for a compaction that is worth it.
    pub(super) fn size_limit(sizes: &Sizes) -> u64 {
        // If there is no room for a compaction, none is kept.
        let Some(spare) = sizes.free.checked_sub(room_bytes(sizes.live)) else { return u64::MAX };
        let until_worth_it =
            (sizes.live.max(sizes.after_last) + least_garbage(sizes.live)).saturating_sub(sizes.log);
        // A compaction may have to copy everything that is written meanwhile, so each may take half.
        sizes.log.saturating_add((spare / 2).max(until_worth_it))
    }

    /// Returns whether the disk would soon lack the room for a compaction that is worth it.
    fn is_due_for_space(sizes: &Sizes) -> bool {
        let garbage = sizes.log.saturating_sub(sizes.live.max(sizes.after_last));
        let is_tight = sizes.free < room_bytes(sizes.live).saturating_mul(2);
        is_tight && garbage >= least_garbage(sizes.live)
    }
}

/// Returns the least garbage for which a compaction is worth it when room is scarce, in bytes.
fn least_garbage(live: u64) -> u64 {
    MIN_GARBAGE_BYTES.max(live / 4)
}

/// Returns the free room that a compaction of these live bytes needs to begin.
pub(super) fn room_bytes(live: u64) -> u64 {
    live + compacted_overhead_bytes(live) + SUCCESSOR_SPARE_BYTES + SPARE_DISK_BYTES
}

/// Returns the size limit of the log during a compaction that began with `live` live bytes and a log of `log_at_start` bytes, and
/// has written `done` bytes.
pub(super) fn size_limit_beside(live: u64, done: u64, log_at_start: u64, log: u64, free: u64) -> u64 {
    let grown = log.saturating_sub(log_at_start);
    let to_write = room_bytes(live).saturating_add(grown).saturating_sub(done);
    log.saturating_add(free.saturating_sub(to_write) / 2)
}

/// Returns whether free room is so scarce that a running compaction must be abandoned for the log.
pub(super) const fn is_too_tight(free_bytes: u64) -> bool {
    free_bytes < SPARE_DISK_BYTES / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;
    const PLENTY: Sizes = Sizes { log: 0, live: 0, after_last: 0, free: 1 << 40 };

    fn rule() -> Rule {
        Rule::new(&Options::default()).unwrap()
    }

    #[test]
    fn a_log_is_compacted_at_twice_its_live_data_and_from_32_mib_on() {
        let due = |log, live| rule().is_due(&Sizes { log, live, ..PLENTY });
        assert!(!due(31 * MIB, 0) && due(32 * MIB, 0));
        assert!(!due(199 * MIB, 100 * MIB) && due(200 * MIB, 100 * MIB));
    }

    #[test]
    fn a_log_that_a_compaction_left_too_large_has_to_grow_first() {
        let tight = Rule { ratio: 1.01, min_bytes: 0 };
        let sizes = Sizes { log: 102 * MIB, live: 100 * MIB, after_last: 102 * MIB, ..PLENTY };
        assert!(!tight.is_due(&sizes));
        assert!(tight.is_due(&Sizes { log: 103 * MIB, ..sizes }));
        // An emptied store has nothing of its log.
        assert!(tight.is_due(&Sizes { live: 0, ..sizes }));
    }

    #[test]
    fn a_log_is_compacted_earlier_while_the_disk_still_has_room_for_it() {
        let sizes = Sizes { log: 150 * MIB, live: 100 * MIB, after_last: 0, free: 220 * MIB };
        assert!(!rule().is_due(&sizes));
        assert!(rule().is_due(&Sizes { free: 200 * MIB, ..sizes }));
        assert!(!rule().is_due(&Sizes { free: 200 * MIB, log: 110 * MIB, ..sizes }), "little to gain");
        assert!(!rule().is_due(&Sizes { free: 0, live: 0, log: MIB / 2, after_last: 0 }), "little to gain");
    }

    #[test]
    fn a_log_is_looked_at_when_the_disk_would_be_tight() {
        let sizes = Sizes { log: 150 * MIB, live: 100 * MIB, after_last: 0, free: 250 * MIB };
        let look = rule().look_bytes(&sizes);
        assert!((160 * MIB..200 * MIB).contains(&look), "{look}");
        let grown = Sizes { log: look, free: sizes.free - (look - sizes.log) - 1, ..sizes };
        assert!(rule().is_due(&grown));
        // But not at every batch, while there is little to gain, or while the next try has to wait.
        assert_eq!(rule().look_bytes(&Sizes { free: 0, ..sizes }), 151 * MIB);
        assert_eq!(rule().look_bytes(&Sizes { log: 300 * MIB, free: 0, ..sizes }), 301 * MIB);
    }

    #[test]
    fn writers_leave_a_compaction_its_room() {
        let sizes = Sizes { log: 20 * MIB, live: 10 * MIB, after_last: 0, free: 40 * MIB };
        let limit = Rule::size_limit(&sizes);
        // At the limit a compaction has room even if everything new is live.
        let written = limit - sizes.log;
        assert!(written > 8 * MIB);
        assert!(sizes.free - written >= room_bytes(sizes.live + written) - MIB, "{written}");
        // Until there is something to gain nobody is held for it, nor when it is too late.
        let fresh = Sizes { log: 10 * MIB, free: room_bytes(10 * MIB), ..sizes };
        assert_eq!(Rule::size_limit(&fresh), fresh.log + 10 * MIB / 4);
        assert_eq!(Rule::size_limit(&Sizes { free: fresh.free - 1, ..fresh }), u64::MAX);
    }

    #[test]
    fn ratios_that_no_log_could_keep_are_refused() {
        for compact_ratio in [1.0, 0.0, -2.0, f64::NAN, f64::INFINITY] {
            let options = Options { compact_ratio, ..Options::default() };
            assert!(matches!(Rule::new(&options), Err(Error::InvalidOptions(_))), "{compact_ratio}");
        }
    }
}
