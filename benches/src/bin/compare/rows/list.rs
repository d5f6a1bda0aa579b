//! What is measured, and what has to be reached: the table of `docs/performance.md`.

use super::start::Before;
use super::steady::{Goals, Steady};
use super::{Row, Task};
use crate::load::{Load, Work};
use crate::server::Policy;

/// 50 connections without pipelining, 64-byte values, 100,000 keys.
const PLAIN: Load = Load { work: Work::Set, connections: 50, pipeline: 1, value_bytes: 64, keys: 100_000 };

/// Fewer keys: 16 KiB × 100,000 would measure the machine's memory.
const LARGE: Load = Load { value_bytes: 16 * 1024, keys: 10_000, ..PLAIN };

pub(super) const ROWS: &[Row] = &[
    always(1, "SET, always", PLAIN, Goals::throughput(1.5)),
    always(2, "SET, always, pipeline 16", Load { pipeline: 16, ..PLAIN }, Goals::throughput(3.0)),
    always(3, "SET, always, 1 connection", Load { connections: 1, ..PLAIN }, Goals::throughput(1.2)),
    always(
        4,
        "SET, always, 500 connections",
        Load { connections: 500, ..PLAIN },
        Goals { cpu: Some(1.0), ..Goals::throughput(1.1) },
    ),
    always(
        5,
        "10 GET : 1 SET, always",
        Load { work: Work::Mixed { reads_percent: 91 }, ..PLAIN },
        Goals { get_p50: Some(0.6), ..Goals::throughput(1.5) },
    ),
    always(
        6,
        "GET, pipeline 16",
        Load { work: Work::Get, pipeline: 16, ..PLAIN },
        Goals { cpu: Some(0.65), ..Goals::throughput(1.5) },
    ),
    always(
        7,
        "GET",
        Load { work: Work::Get, ..PLAIN },
        Goals { cpu: Some(1.05), cpu_to_ping: Some(1.1), ..Goals::throughput(0.97) },
    ),
    Row {
        number: 8,
        work: "SET, once a second, pipeline 16",
        task: Task::Steady(Steady {
            policy: Policy::EverySecond,
            load: Load { pipeline: 16, ..PLAIN },
            goals: Goals::throughput(1.8),
        }),
    },
    always(9, "SET 16 KiB, always", LARGE, Goals::throughput(1.2)),
    always(9, "GET 16 KiB", Load { work: Work::Get, ..LARGE }, Goals::throughput(1.2)),
    Row { number: 10, work: "memory, 16+64 bytes", task: Task::Memory },
    Row { number: 11, work: "start-up after kill -9", task: Task::Start(Before::Kill) },
    Row { number: 11, work: "start-up after compaction, stop", task: Task::Start(Before::CompactionAndStop) },
    Row { number: 12, work: "compaction, 50 writers", task: Task::Compaction },
    Row { number: 13, work: "10,000 idle connections", task: Task::Idle },
];

const fn always(number: u8, work: &'static str, load: Load, goals: Goals) -> Row {
    Row { number, work, task: Task::Steady(Steady { policy: Policy::Always, load, goals }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_rows_1_to_13_in_order() {
        let mut numbers: Vec<_> = ROWS.iter().map(|row| row.number).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=13).collect::<Vec<u8>>());
    }
}
