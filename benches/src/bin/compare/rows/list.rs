//! The rows and their goals: the table of `docs/performance.md`, which a test compares with this.

use super::start::Before;
use super::steady::Steady;
use super::{Row, Task};
use crate::goals::{Goal, Goals};
use crate::load::{Load, Work};
use crate::server::Policy;

/// 50 connections without pipelining, 64-byte values, 100,000 keys.
const PLAIN: Load = Load { work: Work::Set, connections: 50, pipeline: 1, value_bytes: 64, keys: 100_000 };

/// Fewer keys: 16 KiB × 100,000 would measure the machine's memory.
const LARGE: Load = Load { value_bytes: 16 * 1024, keys: 10_000, ..PLAIN };

pub(super) const ROWS: &[Row] = &[
    always(
        1,
        "SET, always",
        PLAIN,
        &[throughput(1.3), cpu(0.9), ratio("SET p50", 0.8), ratio("SET p99", 0.8)],
    ),
    always(
        2,
        "SET, always, pipeline 16",
        Load { pipeline: 16, ..PLAIN },
        &[throughput(1.6), cpu(0.55), ratio("SET p50", 0.5), ratio("SET p99", 1.0)],
    ),
    always(
        3,
        "SET, always, 1 connection",
        Load { connections: 1, ..PLAIN },
        &[throughput(1.25), cpu(0.75), ratio("SET p99", 0.9)],
    ),
    always(
        4,
        "SET, always, 500 connections",
        Load { connections: 500, ..PLAIN },
        &[throughput(1.0), cpu(1.05), ratio("SET p99", 0.9)],
    ),
    always(
        5,
        "10 GET : 1 SET, always",
        Load { work: Work::Mixed { reads_percent: 91 }, ..PLAIN },
        &[
            throughput(1.15),
            ratio("GET p50", 0.6),
            ratio("GET p99", 1.2),
            ratio("SET p50", 1.2),
            ratio("SET p99", 1.5),
        ],
    ),
    always(
        6,
        "GET, pipeline 16",
        Load { work: Work::Get, pipeline: 16, ..PLAIN },
        &[throughput(1.6), cpu(0.55)],
    ),
    Row {
        number: 7,
        work: "GET",
        task: Task::Steady(Steady {
            policy: Policy::Always,
            load: Load { work: Work::Get, ..PLAIN },
            has_ping: true,
        }),
        goals: &[throughput(1.0), cpu(0.95), value("CPU per op ÷ its PING's", 1.1)],
    },
    Row {
        number: 8,
        work: "SET, once a second, pipeline 16",
        task: Task::Steady(Steady {
            policy: Policy::EverySecond,
            load: Load { pipeline: 16, ..PLAIN },
            has_ping: false,
        }),
        goals: &[throughput(1.8), cpu(0.5), ratio("SET p99", 1.0)],
    },
    always(9, "SET 16 KiB, always", LARGE, &[throughput(1.2), cpu(0.9)]),
    always(9, "GET 16 KiB", Load { work: Work::Get, ..LARGE }, &[throughput(1.0), cpu(0.9)]),
    Row { number: 10, work: "memory, 16+64 bytes", task: Task::Memory, goals: &[ratio("all sizes", 0.75)] },
    Row {
        number: 11,
        work: "start-up after kill -9",
        task: Task::Start(Before::Kill),
        goals: &[ratio("first answer", 0.2)],
    },
    Row {
        number: 11,
        work: "start-up after compaction, stop",
        task: Task::Start(Before::CompactionAndStop),
        goals: &[ratio("first answer", 0.2)],
    },
    Row {
        number: 12,
        work: "compaction, 50 writers",
        task: Task::Compaction,
        goals: &[
            value("extra memory", 5.0),
            value("SET p99 during ÷ without", 1.3),
            ratio("SET p99.9 without", 1.2),
            ratio("SET p99.9 during", 1.0),
        ],
    },
    Row {
        number: 13,
        work: "10,000 idle connections",
        task: Task::Idle,
        goals: &[value("memory each", 4.0), value("p99 with ÷ without", 1.2)],
    },
];

const fn always(number: u8, work: &'static str, load: Load, goals: Goals) -> Row {
    Row { number, work, task: Task::Steady(Steady { policy: Policy::Always, load, has_ping: false }), goals }
}

const fn throughput(at_least: f64) -> (&'static str, Goal) {
    ("throughput", Goal::ratio_at_least(at_least))
}

const fn cpu(at_most: f64) -> (&'static str, Goal) {
    ratio("server CPU per op", at_most)
}

const fn ratio(figure: &'static str, at_most: f64) -> (&'static str, Goal) {
    (figure, Goal::ratio_at_most(at_most))
}

const fn value(figure: &'static str, at_most: f64) -> (&'static str, Goal) {
    (figure, Goal::value_at_most(at_most))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_has_the_rows_1_to_13_in_order() {
        let mut numbers: Vec<_> = ROWS.iter().map(|row| row.number).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=13).collect::<Vec<u8>>());
    }

    /// Number and goals of each row: `(7, ["throughput ≥ 1", "server CPU per op ≤ 0.95", …])`.
    type RowGoals = Vec<(u8, Vec<String>)>;

    #[test]
    fn the_documents_name_the_same_goals_row_by_row() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert_eq!(documented(&page), in_code());
    }

    fn in_code() -> RowGoals {
        let texts = |row: &Row| row.goals.iter().map(|(figure, goal)| format!("{figure} {}", goal.text("")));
        ROWS.iter().map(|row| (row.number, texts(row).collect())).collect()
    }

    /// Reads the lines `| number | work | goal; goal |` below "The rows", without the units of the bounds.
    fn documented(page: &str) -> RowGoals {
        let (_, section) = page.split_once("\n## The rows\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let cells = section.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let rows = cells.filter_map(|cells| match cells[..] {
            ["", number, _, goals, ""] => {
                Some((number.parse().ok()?, goals.split("; ").map(without_unit).collect()))
            }
            _ => None,
        });
        rows.collect()
    }

    fn without_unit(goal: &str) -> String {
        let bound_at = goal.find(['≥', '≤']).unwrap();
        let (figure, bound) = goal.split_at(bound_at);
        let bound: Vec<_> = bound.split(' ').take(2).collect();
        format!("{figure}{}", bound.join(" "))
    }
}
