//! Limit on the messages on compactions: without it a client that asks for one after the other could fill a disk with them.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::sync::Instant;

/// Most compactions that are reported in an [`INTERVAL`].
const MAX_REPORTS: u32 = 10;

/// Interval in which reports are counted.
const INTERVAL: Duration = Duration::from_secs(60);

/// Limit on the reports of one kind. The next report contains the number of those that were left out.
#[derive(Debug, Default)]
pub(super) struct ReportLimit {
    /// Begin of the current interval; `None` before the first report.
    began: Option<Instant>,
    admitted: u32,
    /// Reports that were left out, and that no later one has told of yet.
    left_out: u64,
}

impl ReportLimit {
    /// Asks for permission to report at `now`; `None` refuses it. The inner value is the number of reports that were left out since
    /// the last one; `None` stands for zero, so that the message then has no such field.
    pub(super) fn admit(&mut self, now: Instant) -> Option<Option<NonZeroU64>> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= INTERVAL) {
            (self.began, self.admitted) = (Some(now), 0);
        }
        if self.admitted == MAX_REPORTS {
            self.left_out += 1;
            return None;
        }
        self.admitted += 1;
        Some(NonZeroU64::new(std::mem::take(&mut self.left_out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_reported_and_the_next_one_says_how_many_were_not() {
        let (mut limit, start) = (ReportLimit::default(), Instant::now());
        assert_eq!((0..100).filter(|_| limit.admit(start).is_some()).count(), 10);
        assert_eq!(limit.admit(start + INTERVAL - Duration::from_millis(1)), None);
        assert_eq!(limit.admit(start + INTERVAL), Some(NonZeroU64::new(91)));
        assert_eq!(limit.admit(start + INTERVAL), Some(None));
    }
}
