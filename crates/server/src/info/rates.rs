//! Rates of commands and bytes over the last moments.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::metrics::MetricsSnapshot;

/// Least time that a rate covers, unless the server has just been started.
const LEAST_SPAN: Duration = Duration::from_secs(1);

/// Remembers totals of the counters. Nothing runs between two calls of `INFO`: a rate covers the time since an earlier one.
#[derive(Debug)]
pub(crate) struct RateSampler {
    moments: Mutex<RateMoments>,
}

/// The moment that rates count from, and the one that takes its place once it is [old enough](LEAST_SPAN).
#[derive(Debug, Clone, Copy)]
struct RateMoments {
    base: CounterTotals,
    next: CounterTotals,
}

/// Totals of the counters at one moment.
#[derive(Debug, Clone, Copy)]
struct CounterTotals {
    at: Instant,
    commands: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

/// Rates over the last moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    pub(crate) commands_per_second: u64,
    pub(crate) received_kib_per_second: f64,
    pub(crate) sent_kib_per_second: f64,
}

impl RateSampler {
    /// Makes a sampler of a server that starts now.
    pub(crate) fn new(started: Instant) -> Self {
        let start = CounterTotals { at: started, commands: 0, received_bytes: 0, sent_bytes: 0 };
        Self { moments: Mutex::new(RateMoments { base: start, next: start }) }
    }

    /// Returns the rates up to now, from counters since the start of the server.
    pub(crate) fn sample(&self, metrics: &MetricsSnapshot) -> Rates {
        self.moments.lock().add(CounterTotals {
            at: Instant::now(),
            commands: metrics.total_commands(),
            received_bytes: metrics.received_bytes,
            sent_bytes: metrics.sent_bytes,
        })
    }
}

impl RateMoments {
    fn add(&mut self, now: CounterTotals) -> Rates {
        if now.at.duration_since(self.next.at) >= LEAST_SPAN {
            (self.base, self.next) = (self.next, now);
        }
        now.rates_since(&self.base)
    }
}

impl CounterTotals {
    fn rates_since(&self, base: &Self) -> Rates {
        let seconds = self.at.duration_since(base.at).max(Duration::from_millis(1)).as_secs_f64();
        // Callers may overtake each other between counting and sampling.
        let rate = |now: u64, base: u64| now.saturating_sub(base) as f64 / seconds;
        Rates {
            commands_per_second: rate(self.commands, base.commands) as u64,
            received_kib_per_second: rate(self.received_bytes, base.received_bytes) / 1024.0,
            sent_kib_per_second: rate(self.sent_bytes, base.sent_bytes) / 1024.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_covers_at_least_a_second_and_not_the_whole_past() {
        let start = Instant::now();
        let sample = |at_ms, commands| CounterTotals {
            at: start + Duration::from_millis(at_ms),
            commands,
            received_bytes: commands * 1024,
            sent_bytes: commands * 2048,
        };
        let mut moments = RateMoments { base: sample(0, 0), next: sample(0, 0) };
        let mut commands_per_second =
            |at_ms, commands| moments.add(sample(at_ms, commands)).commands_per_second;
        assert_eq!(commands_per_second(500, 50), 100);
        assert_eq!(commands_per_second(10_000, 10_000), 1000);
        assert_eq!(commands_per_second(10_500, 11_000), 1047, "since the start");
        assert_eq!(commands_per_second(11_000, 15_000), 5000, "since a second");
        assert_eq!(commands_per_second(20_000, 15_000), 0, "since nine seconds");
        let rates = moments.add(sample(22_000, 15_020));
        assert_eq!((rates.received_kib_per_second, rates.sent_kib_per_second), (10.0, 20.0));
    }
}
