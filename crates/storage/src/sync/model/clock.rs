//! Time in the model: it passes when somebody has waited for it, and when the test says so.

use std::ops::Add;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::choose;

/// When the model's time begins, in seconds since the Unix epoch.
const BEGIN_UNIX_SECONDS: u64 = 1_700_000_000;

/// Average number of looks at a timed wait before it ends early: a schedule has one of these throughout.
const PATIENCES: [usize; 4] = [4, 16, 64, 256];

struct Clock {
    now_nanos: AtomicU64,
    patience: AtomicUsize,
}

shuttle::lazy_static! {
    static ref CLOCK: Clock = Clock {
        now_nanos: AtomicU64::new(0),
        patience: AtomicUsize::new(PATIENCES.get(choose(PATIENCES.len())).copied().unwrap_or(1)),
    };
}

/// Advances the model's clock by `duration`. For tests within a schedule of the model checker alone; no part of the stable API.
#[doc(hidden)]
pub fn pass_time(duration: Duration) {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    CLOCK.now_nanos.fetch_add(nanos, Ordering::Relaxed);
}

/// Returns whether a wait until `deadline` ends now; time is there then. Any step may be the one: real threads sleep longer
/// than they wanted to.
pub(super) fn is_over(deadline: Instant) -> bool {
    let patience = CLOCK.patience.load(Ordering::Relaxed);
    if Instant::now() < deadline && choose(patience) > 0 {
        return false;
    }
    let nanos = u64::try_from(deadline.0.as_nanos()).unwrap_or(u64::MAX);
    CLOCK.now_nanos.fetch_max(nanos, Ordering::Relaxed);
    true
}

/// A moment of the model's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(Duration::from_nanos(CLOCK.now_nanos.load(Ordering::Relaxed)))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }

    pub(crate) const fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

/// A moment of the model's calendar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemTime(Duration);

impl SystemTime {
    pub(crate) const UNIX_EPOCH: Self = Self(Duration::ZERO);

    pub(crate) fn now() -> Self {
        Self(Duration::from_secs(BEGIN_UNIX_SECONDS) + Instant::now().0)
    }

    /// The time between the two; as of the system's clock, `None` if it ran backwards.
    pub(crate) fn duration_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }
}
