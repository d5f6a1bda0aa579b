//! Rate limit of warnings that clients can cause: without it they could fill a disk with messages.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Most messages of one kind in an [`INTERVAL`], unless its limit is another.
const MAX_MESSAGES: u32 = 10;

/// Interval in which messages are counted.
const INTERVAL: Duration = Duration::from_secs(60);

/// Rate limit of one kind of message: ten a minute, or another number. The next message contains the number of those that
/// were left out.
#[derive(Debug)]
pub(crate) struct RateLimit {
    max_messages: u32,
    window: Mutex<Option<RateWindow>>,
}

/// The current interval, and the messages in it.
#[derive(Debug)]
struct RateWindow {
    began: Instant,
    admitted: u32,
    /// Messages that were left out, and that no later message has reported yet.
    left_out: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::of(MAX_MESSAGES)
    }
}

impl RateLimit {
    /// Admits so many messages a minute.
    pub(crate) const fn of(max_messages: u32) -> Self {
        Self { max_messages, window: Mutex::new(None) }
    }

    /// Asks for permission to report one message; `None` refuses it and counts it as left out.
    ///
    /// The inner value is the number of messages that were left out since the last one; it is `None` for zero, so that the
    /// message then has no such field.
    pub(crate) fn admit(&self) -> Option<Option<NonZeroU64>> {
        self.admit_at(Instant::now()).map(NonZeroU64::new)
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock();
        let window = window.get_or_insert(RateWindow { began: now, admitted: 0, left_out: 0 });
        if now.saturating_duration_since(window.began) >= INTERVAL {
            (window.began, window.admitted) = (now, 0);
        }
        if window.admitted == self.max_messages {
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
