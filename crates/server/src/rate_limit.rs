//! Limits how often a warning that clients can cause is reported, so that they cannot fill a disk with messages.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Most messages of one kind in an [`INTERVAL`].
const MAX_MESSAGES: u32 = 10;

/// Interval that the messages are counted in.
const INTERVAL: Duration = Duration::from_secs(60);

/// Limit on one kind of message: ten a minute. The next one reports how many were left out.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    window: Mutex<Option<RateWindow>>,
}

/// An interval, and what was asked for in it.
#[derive(Debug)]
struct RateWindow {
    began: Instant,
    admitted: u32,
    /// Messages that were refused, and that no admitted one has reported yet.
    left_out: u64,
}

impl RateLimit {
    /// Returns how many messages were left out since the last one if another may be reported now; zero is none, so that
    /// a field of the message stands there only where it tells something.
    ///
    /// `None` counts this one as left out.
    pub(crate) fn admit(&self) -> Option<Option<NonZeroU64>> {
        self.admit_at(Instant::now()).map(NonZeroU64::new)
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock();
        let window = window.get_or_insert(RateWindow { began: now, admitted: 0, left_out: 0 });
        if now.saturating_duration_since(window.began) >= INTERVAL {
            (window.began, window.admitted) = (now, 0);
        }
        if window.admitted == MAX_MESSAGES {
            window.left_out += 1;
            return None;
        }
        window.admitted += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_admitted_and_the_next_one_says_how_many_were_not() {
        let (limit, start) = (RateLimit::default(), Instant::now());
        let admitted = (0..1000).filter(|_| limit.admit_at(start).is_some()).count();
        assert_eq!(admitted, 10);
        let almost = start + INTERVAL - Duration::from_millis(1);
        assert_eq!(limit.admit_at(almost), None);
        assert_eq!(limit.admit_at(start + INTERVAL), Some(991));
        assert_eq!(limit.admit_at(start + INTERVAL), Some(0));
    }
}
