//! `LATENCY`: slow commands and slow syncs second by second, and how durations are distributed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use rustvault_protocol::{Command, Protocol, Reply, Request};
use rustvault_storage::batch::{BatchStore, Op, Outcome};

use super::introspection::check_names;
use super::reply::{Payload, borrowed, bulk, integer, unexpected};
use super::{Answer, Refusal};
use crate::engine::Engine;
use crate::latency::{LatencyEvent, LatencyPeak};
use crate::respond::Responder;
use crate::session::Session;

/// Least duration of a sync that the store remembers.
const LONG_SYNC: Duration = Duration::from_millis(10);

/// Returns the slow syncs that the store remembers. They tell nothing of the data, so nobody waits for a sync here.
async fn syncs<S: BatchStore>(responder: &Responder<'_, S>) -> Result<Vec<LatencyPeak>, Refusal> {
    match responder.ask(Op::Stats).await? {
        (Outcome::Stats(stats), _) => {
            let threshold = responder.engine.config().latency_threshold;
            let is_event = |peak: &LatencyPeak| {
                threshold.is_some_and(|threshold| Duration::from_millis(peak.ms) >= threshold)
            };
            Ok(stats.recent_syncs.iter().copied().map(LatencyPeak::from).filter(is_event).collect())
        }
        _ => Err(unexpected()),
    }
}

async fn events<S: BatchStore>(responder: &Responder<'_, S>) -> Result<Vec<LatencyEvent>, Refusal> {
    let syncs = syncs(responder).await?;
    let engine = responder.engine;
    Ok(engine.latency.all(&syncs, engine.config().sync_policy))
}

/// Returns the last second of each event.
pub(super) async fn latest<S: BatchStore>(responder: &Responder<'_, S>) -> Answer<'static> {
    let events = events(responder).await?;
    let latest = |event: &LatencyEvent| {
        let last = event.peaks.last()?;
        let (name, longest) = (borrowed(event.name.as_bytes()), integer(event.longest_ms));
        Some(Reply::Array(vec![name, integer(last.unix_seconds), integer(last.ms), longest]))
    };
    Ok(Reply::Array(events.iter().filter_map(latest).collect()))
}

/// Returns the seconds of an event, none for one that has not happened.
pub(super) async fn history<S: BatchStore>(
    responder: &Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let events = events(responder).await?;
    let event = events.iter().find(|event| event.name.as_bytes() == request.argument(0));
    let peak = |peak: &LatencyPeak| Reply::Array(vec![integer(peak.unix_seconds), integer(peak.ms)]);
    Ok(Reply::Array(event.into_iter().flat_map(|event| &event.peaks).map(peak).collect()))
}

pub(super) async fn reset<S: BatchStore>(
    responder: &Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let syncs = syncs(responder).await?;
    let engine = responder.engine;
    Ok(integer(engine.latency.reset(request.arguments, &syncs, engine.config().sync_policy)))
}

/// Returns a report for people: what was slow, and what to look at.
pub(super) async fn doctor<S: BatchStore>(responder: &Responder<'_, S>) -> Answer<'static> {
    let events = events(responder).await?;
    let threshold = responder.engine.config().latency_threshold;
    Ok(Reply::Verbatim(Payload::Owned(report(&events, threshold).into_bytes())))
}

fn report(events: &[LatencyEvent], threshold: Option<Duration>) -> String {
    let mut report = String::new();
    for event in events {
        let seconds = event.peaks.len() as u64;
        let average_ms = event.peaks.iter().map(|peak| peak.ms).sum::<u64>() / seconds.max(1);
        let advice = if event.name == "command" {
            "SLOWLOG GET shows the commands, and messages with the target 'slow' their clients."
        } else {
            "The disk took long to sync the log; INFO shows the stages of a commit as commit_..._us."
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            report,
            "{}: slow in {seconds} seconds that are remembered; the longest of a second took {average_ms} ms on average, \
             {} ms at most. {advice}",
            event.name, event.longest_ms
        );
    }
    if events.is_empty() {
        report.push_str("Nothing was slow since the start, or since the last LATENCY RESET.\n");
    }
    let _ = match threshold {
        Some(threshold) => writeln!(
            report,
            "Commands count from {} ms (--latency-ms), syncs of the log from {} ms.",
            threshold.as_micros() as f64 / 1e3,
            threshold.max(LONG_SYNC).as_micros() as f64 / 1e3
        ),
        None => writeln!(
            report,
            "Nothing is remembered at present, because --latency-ms is 0: 'CONFIG SET latency-ms 100' begins."
        ),
    };
    report
}

/// Returns how the durations of all commands, or of those that are named, are distributed: of each the number of calls, and the
/// number of those that took as many microseconds or less. A name that is unknown is left out, as in Redis.
pub(super) fn histogram<'b, S>(
    request: Request<'b>,
    session: &mut Session,
    engine: &Engine<S>,
) -> Answer<'b> {
    check_names(request.arguments)?;
    let wanted = named(request.arguments, session.protocol());
    let snapshot = engine.metrics.since_reset();
    // By name: in both protocols together, where a command has a row for each.
    let mut by_name = BTreeMap::<&str, Distribution>::new();
    for (command, figures) in snapshot.commands() {
        let (Some(command), Some(durations)) = (command, &figures.durations) else { continue };
        let is_wanted = request.arguments.is_empty() || wanted.contains(command.name());
        if is_wanted && durations.count() > 0 {
            let distribution = by_name.entry(command.name()).or_default();
            distribution.calls += durations.count();
            for (upper, count) in durations.octaves().filter(|(_, count)| *count > 0) {
                *distribution.by_upper_us.entry(upper.as_micros()).or_default() += count;
            }
        }
    }
    let entries =
        by_name.into_iter().map(|(name, figures)| (bulk(name.to_lowercase()), figures.into_reply()));
    Ok(Reply::Map(entries.collect()))
}

/// Returns the names in the table of these commands, and of their subcommands.
fn named(names: &[&[u8]], protocol: Protocol) -> BTreeSet<&'static str> {
    let commands = names.iter().filter_map(|name| Command::find_whole(name, protocol));
    let with_subcommands =
        commands.flat_map(|command| std::iter::once(command).chain(command.served_subcommands(protocol)));
    with_subcommands.map(Command::name).collect()
}

/// Durations of a command.
#[derive(Debug, Default)]
struct Distribution {
    calls: u64,
    /// Number of calls by the upper bound of their bucket.
    by_upper_us: BTreeMap<u128, u64>,
}

impl Distribution {
    /// Returns it in Redis's form.
    fn into_reply<'b>(self) -> Reply<Payload<'b>> {
        let mut cumulated = 0;
        let buckets = self.by_upper_us.into_iter().map(|(upper_us, count)| {
            cumulated += count;
            (integer(upper_us), integer(cumulated))
        });
        let buckets = Reply::Map(buckets.collect());
        Reply::Map(vec![(bulk("calls"), integer(self.calls)), (bulk("histogram_usec"), buckets)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_was_slow_and_what_to_look_at() {
        let peaks = vec![LatencyPeak { unix_seconds: 1, ms: 100 }, LatencyPeak { unix_seconds: 2, ms: 300 }];
        let events = [LatencyEvent { name: "command", peaks, longest_ms: 900 }];
        let text = report(&events, Some(Duration::from_micros(500)));
        for part in [
            "command: slow in 2 seconds",
            "200 ms on average, 900 ms at most",
            "SLOWLOG GET",
            "0.5 ms (--latency-ms)",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        let text = report(&[], None);
        assert!(text.starts_with("Nothing was slow") && text.contains("--latency-ms is 0"), "{text}");
    }
}
