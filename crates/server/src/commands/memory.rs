//! `MEMORY STATS`, `DOCTOR`, `MALLOC-STATS` and `PURGE`.

use rustvault_protocol::{Reply, Request};
use rustvault_storage::batch::BatchStore;

use super::Answer;
use super::reply::{Payload, borrowed, integer};
use super::server::stats;
use crate::engine::Engine;
use crate::info::{InfoState, MemoryUsage};
use crate::respond::Responder;
use crate::session::Session;

/// Part of a limit, in percent, from which on `MEMORY DOCTOR` warns.
const NEAR_LIMIT_PERCENT: u64 = 90;

/// Memory of the process beyond what is counted, in percent of that, from which on `MEMORY DOCTOR` mentions it.
const MUCH_BEYOND_PERCENT: u64 = 50;

/// Least memory beyond what is counted that is mentioned: a small server always has much beyond the little that it holds.
const MUCH_BEYOND_BYTES: u64 = 128 * 1024 * 1024;

/// Returns the figures under Redis's names; without those that could reveal writes that are not durable if a sync takes long.
pub(super) async fn statistics<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let (stats, is_durable) = stats(responder).await?;
    let memory = InfoState::new(responder.engine, &stats, is_durable).memory();
    let of_data = is_durable.then(|| figures_of_data(&memory)).into_iter().flatten();
    let figures = figures(&memory).into_iter().chain(of_data);
    Ok(Reply::Map(figures.map(|(name, figure)| (borrowed(name.as_bytes()), figure)).collect()))
}

type Figure = (&'static str, Reply<Payload<'static>>);

fn figures(memory: &MemoryUsage) -> [Figure; 9] {
    [
        ("peak.allocated", integer(memory.peak_resident_bytes)),
        ("startup.allocated", integer(0)),
        ("replication.backlog", integer(0)),
        ("clients.slaves", integer(0)),
        ("clients.normal", integer(memory.buffer_bytes)),
        ("cluster.links", integer(0)),
        ("lua.caches", integer(0)),
        ("functions.caches", integer(0)),
        ("overhead.total", integer(0)),
    ]
}

fn figures_of_data(memory: &MemoryUsage) -> [Figure; 8] {
    let bytes_per_key = memory.used_bytes.checked_div(memory.keys).unwrap_or(0);
    [
        ("total.allocated", integer(memory.used_bytes)),
        ("keys.count", integer(memory.keys)),
        ("keys.bytes-per-key", integer(bytes_per_key)),
        ("dataset.bytes", integer(memory.used_bytes)),
        ("dataset.percentage", Reply::Double(100.0)),
        ("peak.percentage", Reply::Double(memory.percent_of_peak())),
        ("fragmentation", Reply::Double(memory.fragmentation_ratio())),
        ("fragmentation.bytes", integer(memory.fragmentation_bytes())),
    ]
}

/// Returns what is wrong with the server's memory, and what to do.
pub(super) async fn doctor<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let (stats, is_durable) = stats(responder).await?;
    let memory = InfoState::new(responder.engine, &stats, is_durable).memory();
    let text = if is_durable {
        report(&memory)
    } else {
        "The log waits for a sync, so the memory of the data is not shown: look at sync_running_ms in INFO."
            .into()
    };
    Ok(Reply::Verbatim(Payload::Owned(text.into_bytes())))
}

fn report(memory: &MemoryUsage) -> String {
    let findings =
        [near_max_memory(memory), near_buffer_limit(memory), near_machine(memory), much_beyond(memory)];
    let findings: Vec<_> = findings.into_iter().flatten().map(|finding| format!("* {finding}")).collect();
    if findings.is_empty() {
        return "Nothing is wrong with the memory of this server.\n".into();
    }
    // redis-cli shows it as it is: without a line end its prompt would stand behind the report.
    findings.join("\n") + "\n"
}

fn near_max_memory(memory: &MemoryUsage) -> Option<String> {
    let percent = percent(memory.used_bytes, memory.max_bytes)?;
    (percent >= NEAR_LIMIT_PERCENT).then(|| {
        format!(
            "Keys and values take {percent}% of --max-memory. Beyond it, writes that need memory are refused: delete keys, or raise \
            the limit (CONFIG SET maxmemory)."
        )
    })
}

fn near_buffer_limit(memory: &MemoryUsage) -> Option<String> {
    let percent = percent(memory.buffer_bytes, memory.max_buffer_bytes)?;
    (percent >= NEAR_LIMIT_PERCENT).then(|| {
        format!(
            "The buffers of connections take {percent}% of --max-buffer-bytes. Beyond it, large requests and answers are refused: \
            look for clients that do not read their answers (CLIENT LIST), or raise the limit."
        )
    })
}

fn near_machine(memory: &MemoryUsage) -> Option<String> {
    let percent = percent(memory.resident_bytes, memory.machine_bytes)?;
    (percent >= NEAR_LIMIT_PERCENT).then(|| {
        let remedy = if memory.max_bytes == 0 { "set --max-memory" } else { "lower --max-memory" };
        format!(
            "The process takes {percent}% of the machine's memory, so the system may end it: {remedy}, or use a larger machine."
        )
    })
}

fn much_beyond(memory: &MemoryUsage) -> Option<String> {
    let beyond = u64::try_from(memory.fragmentation_bytes()).ok()?;
    let percent = percent(beyond, memory.used_bytes.saturating_add(memory.buffer_bytes))?;
    (beyond >= MUCH_BEYOND_BYTES && percent >= MUCH_BEYOND_PERCENT).then(|| {
        format!(
            "The process takes {} MiB more than the server counts, {percent}% of that. Memory that deleted keys have left is used again \
            for new ones; if there will be none, a restart gives it back to the system.",
            beyond / (1024 * 1024)
        )
    })
}

/// Returns a part of a limit in percent, rounded down; `None` if there is no limit.
fn percent(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(100).checked_div(whole)
}

/// Answers as Redis does with an allocator that has no statistics.
pub(super) fn allocator_stats<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(Reply::Verbatim(Payload::Borrowed(b"Stats not supported for the current allocator")))
}

/// Answers as Redis does with an allocator that gives memory back by itself.
pub(super) fn purge<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A server without any trouble.
    fn healthy() -> MemoryUsage {
        MemoryUsage {
            keys: 10,
            used_bytes: 500 * MIB,
            max_bytes: 1000 * MIB,
            buffer_bytes: 10 * MIB,
            max_buffer_bytes: 1000 * MIB,
            resident_bytes: 600 * MIB,
            peak_resident_bytes: 700 * MIB,
            machine_bytes: 10_000 * MIB,
        }
    }

    #[test]
    fn every_trouble_is_found_alone_and_its_remedy_is_named() {
        assert_eq!(report(&healthy()), "Nothing is wrong with the memory of this server.\n");
        for (memory, found) in [
            (MemoryUsage { max_bytes: 550 * MIB, ..healthy() }, "take 90% of --max-memory"),
            (MemoryUsage { max_buffer_bytes: 10 * MIB, ..healthy() }, "take 100% of --max-buffer-bytes"),
            (
                MemoryUsage { machine_bytes: 610 * MIB, ..healthy() },
                "memory, so the system may end it: lower --max-memory",
            ),
            (MemoryUsage { machine_bytes: 610 * MIB, max_bytes: 0, ..healthy() }, "end it: set --max-memory"),
            (
                MemoryUsage { resident_bytes: 1000 * MIB, ..healthy() },
                "490 MiB more than the server counts, 96%",
            ),
        ] {
            let report = report(&memory);
            assert!(
                report.contains(found) && report.ends_with('\n') && report.lines().count() == 1,
                "{found}: {report}"
            );
        }
    }

    #[test]
    fn a_limit_that_is_not_set_and_a_system_without_figures_are_no_trouble() {
        assert_eq!(report(&MemoryUsage::default()), "Nothing is wrong with the memory of this server.\n");
        let unlimited = MemoryUsage { max_bytes: 0, machine_bytes: 0, resident_bytes: 0, ..healthy() };
        assert_eq!(report(&unlimited), "Nothing is wrong with the memory of this server.\n");
    }
}
