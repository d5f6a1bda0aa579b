//! Policy that decides whether the log writer and the first worker are pinned to one core: a pure function of the measured
//! windows.

/// Share of the core, in thousandths, above which a pinned writer is unpinned: it copies many bytes.
const BUSY_PINNED_WRITER: u32 = 500;

/// Share of a core, in thousandths, above which an unpinned writer is not pinned. A writer that uses 550 unpinned may use 250
/// beside the worker, because it finds the worker's records in the core's caches.
const BUSY_UNPINNED_WRITER: u32 = 700;

/// Most time that both threads together may wait for their core, in thousandths. They wait about 300 for each other, and 550 to
/// 850 beside a thread that keeps their core or the other one busy.
const CROWDED: u32 = 500;

/// Time for which both stay unpinned after their core did not suffice, in microseconds.
const RETRY_US: u64 = 2_000_000;

/// The decision, and the measurements that it depends on.
#[derive(Debug, Default)]
pub(super) struct PinningPolicy {
    pub(super) is_pinned: bool,
    /// Time until the last sample.
    now_us: u64,
    retry_at_us: u64,
    /// Time that both waited for their core, in thousandths: a moving average over the last windows.
    waited: u32,
}

/// A window between two samples: the shares of its length, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampleWindow {
    pub(super) length_us: u64,
    /// Share of a core that the writer used.
    pub(super) writer: u32,
    /// Time that both waited for a core.
    pub(super) waited: u32,
}

impl PinningPolicy {
    /// Decides from the last window, and those before, whether both are pinned in the next one.
    pub(super) fn decide(&mut self, window: SampleWindow, one_is_enough: bool) -> bool {
        self.now_us += window.length_us;
        // A moving average, because single windows vary too much. Unpinned threads wait for others, so that time does not count.
        self.waited = if self.is_pinned { (3 * self.waited).saturating_add(window.waited) / 4 } else { 0 };
        let busy = if self.is_pinned { BUSY_PINNED_WRITER } else { BUSY_UNPINNED_WRITER };
        let is_crowded = window.writer > busy || self.waited > CROWDED;
        if is_crowded {
            self.retry_at_us = self.now_us + RETRY_US;
        }
        // Without writes pinning makes no difference, so nothing is changed.
        let may_begin = window.writer > 0 && self.now_us >= self.retry_at_us;
        self.is_pinned = one_is_enough && !is_crowded && (self.is_pinned || may_begin);
        self.is_pinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_US: u64 = 60_000;

    fn policy(is_pinned: bool, waited: u32) -> PinningPolicy {
        PinningPolicy { is_pinned, waited, ..PinningPolicy::default() }
    }

    fn window(writer: u32, waited: u32) -> SampleWindow {
        SampleWindow { length_us: WINDOW_US, writer, waited }
    }

    #[test]
    fn a_writer_with_little_to_do_runs_beside_the_worker() {
        assert!(policy(false, 0).decide(window(600, 0), true));
        assert!(policy(true, 400).decide(window(200, 400), true));
    }

    #[test]
    fn a_busy_writer_gets_a_core_of_its_own_and_keeps_it_for_a_while() {
        assert!(!policy(false, 0).decide(window(800, 0), true));
        let mut policy = policy(true, 0);
        assert!(!policy.decide(window(600, 0), true));
        let unpinned = (1..100).take_while(|_| !policy.decide(window(100, 0), true)).count() as u64;
        assert_eq!(unpinned, RETRY_US / WINDOW_US);
    }

    #[test]
    fn a_core_that_others_want_is_left() {
        let mut policy = policy(true, 300);
        let lasts = (1..10).take_while(|_| policy.decide(window(200, 700), true));
        assert_eq!(lasts.count(), 2, "one window tells little");
        policy.decide(window(200, 900), true);
        assert_eq!(policy.waited, 0, "apart, they wait for others");
    }

    #[test]
    fn what_needs_several_workers_is_left_to_the_kernel() {
        assert!(!policy(true, 0).decide(window(200, 0), false));
        assert!(!policy(false, 0).decide(window(200, 0), false));
    }

    #[test]
    fn without_writes_nothing_changes() {
        assert!(policy(true, 0).decide(window(0, 0), true));
        assert!(!policy(false, 0).decide(window(0, 0), true));
    }
}
