//! Latency events, as Redis's latency monitor has them: the longest duration of each second that had a long one.

use std::collections::VecDeque;

use parking_lot::Mutex;
use rustvault_storage::{SyncPeak, SyncPolicy};

/// Most seconds of an event that are remembered, as in Redis. The store has as many of its syncs.
const MAX_PEAKS: usize = 160;

/// Event of the commands that took as long as `--latency-ms`.
const COMMAND: &str = "command";

/// Event of the syncs that writes wait for, by its name in Redis.
const AWAITED_SYNC: &str = "aof-fsync-always";

/// Event of the syncs that nobody waits for. Redis has none of this kind.
const BACKGROUND_SYNC: &str = "aof-fsync";

/// The longest duration of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LatencyPeak {
    pub(crate) unix_seconds: u64,
    pub(crate) ms: u64,
}

impl From<SyncPeak> for LatencyPeak {
    fn from(peak: SyncPeak) -> Self {
        Self { unix_seconds: peak.unix_seconds, ms: peak.ms }
    }
}

/// An event that has happened, with its seconds, the oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LatencyEvent {
    pub(crate) name: &'static str,
    pub(crate) peaks: Vec<LatencyPeak>,
    pub(crate) longest_ms: u64,
}

/// The latency events of a server. The store remembers its syncs itself.
#[derive(Debug, Default)]
pub(crate) struct LatencyEvents {
    commands: Mutex<SlowSeconds>,
    /// The last sync before the last reset, which hides it and those before it.
    reset_at: Mutex<Option<LatencyPeak>>,
}

/// The seconds with slow commands.
#[derive(Debug, Default)]
struct SlowSeconds {
    peaks: VecDeque<LatencyPeak>,
    /// Longest duration since the reset, also when its second is forgotten.
    longest_ms: u64,
}

impl LatencyEvents {
    /// Records a slow command. One that took less than a millisecond is left out, as durations are whole milliseconds.
    pub(crate) fn command(&self, unix_seconds: u64, ms: u64) {
        if ms == 0 {
            return;
        }
        let mut commands = self.commands.lock();
        commands.longest_ms = commands.longest_ms.max(ms);
        match commands.peaks.back_mut().filter(|last| last.unix_seconds == unix_seconds) {
            Some(last) => last.ms = last.ms.max(ms),
            None => commands.peaks.push_back(LatencyPeak { unix_seconds, ms }),
        }
        if commands.peaks.len() > MAX_PEAKS {
            commands.peaks.pop_front();
        }
    }

    /// Returns the events that have happened since their last reset; `syncs` are those that the store remembers.
    pub(crate) fn all(&self, syncs: &[LatencyPeak], policy: SyncPolicy) -> Vec<LatencyEvent> {
        let commands = self.commands.lock();
        let (peaks, longest_ms) = (commands.peaks.iter().copied().collect(), commands.longest_ms);
        drop(commands);
        let commands = LatencyEvent { name: COMMAND, peaks, longest_ms };
        let peaks = self.since_reset(syncs);
        let longest_ms = peaks.iter().map(|peak| peak.ms).max().unwrap_or_default();
        let syncs = LatencyEvent { name: sync_event(policy), peaks, longest_ms };
        [commands, syncs].into_iter().filter(|event| !event.peaks.is_empty()).collect()
    }

    /// Forgets the events of these names, or all if there are none; returns how many that were.
    pub(crate) fn reset(&self, names: &[&[u8]], syncs: &[LatencyPeak], policy: SyncPolicy) -> usize {
        let is_meant = |event: &LatencyEvent| {
            names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(event.name.as_bytes()))
        };
        let events: Vec<_> = self.all(syncs, policy).into_iter().filter(is_meant).collect();
        for event in &events {
            match event.name {
                COMMAND => *self.commands.lock() = SlowSeconds::default(),
                _ => *self.reset_at.lock() = event.peaks.last().copied(),
            }
        }
        events.len()
    }

    /// Returns the syncs after the last reset. In the second of the reset those count that took longer than the ones before it.
    ///
    /// The order of the list tells which ones are later, and not their times: the system's clock may be set back.
    fn since_reset(&self, syncs: &[LatencyPeak]) -> Vec<LatencyPeak> {
        let Some(at) = *self.reset_at.lock() else { return syncs.to_vec() };
        let is_of_reset = |peak: &LatencyPeak| peak.unix_seconds == at.unix_seconds && peak.ms >= at.ms;
        let hidden = match syncs.iter().rposition(is_of_reset) {
            Some(position) if syncs.get(position) == Some(&at) => position + 1,
            Some(position) => position,
            // The store has forgotten it, because so many have followed.
            None => 0,
        };
        syncs.get(hidden..).unwrap_or_default().to_vec()
    }
}

const fn sync_event(policy: SyncPolicy) -> &'static str {
    match policy {
        SyncPolicy::Always => AWAITED_SYNC,
        _ => BACKGROUND_SYNC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syncs(peaks: &[(u64, u64)]) -> Vec<LatencyPeak> {
        peaks.iter().map(|&(unix_seconds, ms)| LatencyPeak { unix_seconds, ms }).collect()
    }

    fn shown(events: &[LatencyEvent]) -> Vec<String> {
        let peaks = |event: &LatencyEvent| {
            let peaks: Vec<_> =
                event.peaks.iter().map(|peak| format!("{}:{}", peak.unix_seconds, peak.ms)).collect();
            format!("{} {} longest {}", event.name, peaks.join(" "), event.longest_ms)
        };
        events.iter().map(peaks).collect()
    }

    #[test]
    fn an_event_has_the_longest_duration_of_each_second() {
        let events = LatencyEvents::default();
        for (second, ms) in [(1, 5), (1, 7), (1, 6), (2, 0), (3, 4)] {
            events.command(second, ms);
        }
        let all = events.all(&syncs(&[(2, 30), (4, 20)]), SyncPolicy::Always);
        assert_eq!(shown(&all), ["command 1:7 3:4 longest 7", "aof-fsync-always 2:30 4:20 longest 30"]);
        assert_eq!(events.all(&syncs(&[(2, 30)]), SyncPolicy::Never)[1].name, "aof-fsync");
    }

    #[test]
    fn the_oldest_seconds_are_forgotten_and_the_longest_duration_is_not() {
        let events = LatencyEvents::default();
        events.command(0, 1000);
        (1..=MAX_PEAKS as u64).for_each(|second| events.command(second, 1));
        let all = events.all(&[], SyncPolicy::Always);
        assert_eq!(
            (all[0].peaks.len(), all[0].peaks[0].unix_seconds, all[0].longest_ms),
            (MAX_PEAKS, 1, 1000)
        );
    }

    #[test]
    fn a_reset_forgets_the_events_that_are_named() {
        let (events, before) = (LatencyEvents::default(), syncs(&[(1, 30), (2, 40)]));
        events.command(1, 5);
        let all = |syncs: &[LatencyPeak]| shown(&events.all(syncs, SyncPolicy::Always));
        assert_eq!(events.reset(&[b"nonsense"], &before, SyncPolicy::Always), 0);
        assert_eq!(events.reset(&[b"AOF-fsync-always"], &before, SyncPolicy::Always), 1);
        assert_eq!(all(&before), ["command 1:5 longest 5"]);
        assert_eq!(events.reset(&[], &before, SyncPolicy::Always), 1);
        assert_eq!(all(&before), [""; 0]);
        // The peak of the same second rises, and a later second comes.
        assert_eq!(all(&syncs(&[(1, 30), (2, 50), (3, 10)])), ["aof-fsync-always 2:50 3:10 longest 50"]);
    }

    #[test]
    fn a_clock_that_is_set_back_hides_no_sync_after_a_reset() {
        let (events, before) = (LatencyEvents::default(), syncs(&[(100, 30), (200, 30)]));
        events.reset(&[], &before, SyncPolicy::Always);
        let all = |peaks: &[(u64, u64)]| shown(&events.all(&syncs(peaks), SyncPolicy::Always));
        assert_eq!(all(&[(100, 30), (200, 30)]), [""; 0]);
        let later = [(100, 30), (200, 30), (150, 40), (200, 20)];
        assert_eq!(all(&later), ["aof-fsync-always 150:40 200:20 longest 40"]);
        assert_eq!(
            all(&later[2..]),
            ["aof-fsync-always 150:40 200:20 longest 40"],
            "the store has forgotten it"
        );
    }
}
