//! The table, for people and for programs.

use std::fmt::Write;

use serde::Serialize;

use crate::effort::Effort;
use crate::figures::{Figure, readable};
use crate::machine::Machine;
use crate::rows::{Contest, Outcome, Row};
use crate::server::Peer;

/// Everything that a run found out.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Machine,
    effort: Effort,
    peers: [Peer; 2],
    outcomes: Vec<(Row, Outcome)>,
}

const COLUMNS: usize = 9;

impl Report {
    pub(crate) fn new(machine: Machine, contest: &Contest, outcomes: Vec<(Row, Outcome)>) -> Self {
        Self { machine, effort: contest.effort, peers: contest.peers, outcomes }
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.failures().next().is_some()
    }

    /// The machine, the table, and what failed, as Markdown whose columns are aligned.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n\n{}", self.setting(), aligned(&self.lines()));
        for (row, message) in self.failures() {
            // Writing to a string does not fail.
            let _ = write!(text, "\nRow {} ({}) failed: {message}\n", row.number, row.work);
        }
        text
    }

    /// The same for programs, with every sample.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        let rows = self.outcomes.iter().map(|(row, outcome)| JsonRow::new(row, outcome)).collect();
        let json = Json {
            effort: self.effort,
            machine: &self.machine,
            measured: self.peers[0].title(),
            against: self.peers[1].title(),
            rows,
        };
        serde_json::to_string_pretty(&json).map(|text| text + "\n")
    }

    fn failures(&self) -> impl Iterator<Item = (&Row, String)> {
        self.outcomes.iter().filter_map(|(row, outcome)| match outcome {
            Outcome::Failed(error) => Some((row, error.to_string())),
            Outcome::Measured(_) => None,
        })
    }

    fn setting(&self) -> String {
        let Machine { processor, cores, memory_gib, kernel, disk, rustvault, redis } = &self.machine;
        let journal = match disk.has_journal {
            Some(true) => ", with a journal",
            Some(false) => ", without a journal",
            None => "",
        };
        let quick = if self.effort.quick { ", quick" } else { "" };
        format!(
            "{rustvault} and Redis {redis} on {cores} cores of {processor}, {memory_gib} GiB, Linux {kernel},\n\
             {} ({}){journal}; medians of {} pairs of {:.1} s{quick}.",
            disk.file_system,
            disk.options,
            self.effort.pairs,
            self.effort.measurement.as_secs_f64(),
        )
    }

    fn lines(&self) -> Vec<[String; COLUMNS]> {
        let [ours, theirs] = self.peers.map(Peer::title);
        let mut lines = vec![
            ["#", "work", "figure", ours, theirs, "ratio", "lowest–highest", "goal", "verdict"]
                .map(str::to_owned),
        ];
        for (row, outcome) in &self.outcomes {
            lines.extend(row_lines(row, outcome));
        }
        lines
    }
}

fn row_lines(row: &Row, outcome: &Outcome) -> Vec<[String; COLUMNS]> {
    let mut lines = match outcome {
        Outcome::Measured(figures) => figures.iter().map(figure_line).collect(),
        Outcome::Failed(_) => {
            let mut line: [String; COLUMNS] = Default::default();
            "failed, see below".clone_into(&mut line[2]);
            vec![line]
        }
    };
    if let Some(first) = lines.first_mut() {
        first[0] = row.number.to_string();
        first[1] = row.work.to_owned();
    }
    lines
}

fn figure_line(figure: &Figure) -> [String; COLUMNS] {
    let name = match figure.unit {
        "" => figure.name.clone(),
        unit => format!("{}, {unit}", figure.name),
    };
    let [ours, theirs] = figure.medians().map(readable);
    let [lowest, ratio, highest] = figure.ratios().map(|ratio| format!("{ratio:.2}"));
    let (none, spread) = (String::new, format!("{lowest}–{highest}"));
    [none(), none(), name, ours, theirs, ratio, spread, figure.goal_text(), figure.verdict()]
}

/// A table of Markdown, its first line the headings; numbers to the right.
fn aligned(lines: &[[String; COLUMNS]]) -> String {
    const IS_NUMBER: [bool; COLUMNS] = [true, false, false, true, true, true, true, false, false];
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for ((cell, width), is_number) in line.iter().zip(widths).zip(IS_NUMBER) {
            text += &if is_number { format!("| {cell:>width$} ") } else { format!("| {cell:<width$} ") };
        }
        text += "|\n";
        if index == 0 {
            for (width, is_number) in widths.into_iter().zip(IS_NUMBER) {
                text += &format!("|{}{}", "-".repeat(width + 1), if is_number { ":" } else { "-" });
            }
            text += "|\n";
        }
    }
    text
}

#[derive(Serialize)]
struct Json<'a> {
    measured: &'static str,
    against: &'static str,
    #[serde(flatten)]
    effort: Effort,
    machine: &'a Machine,
    rows: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    row: u8,
    work: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    figures: Vec<JsonFigure<'a>>,
}

#[derive(Serialize)]
struct JsonFigure<'a> {
    name: &'a str,
    unit: &'a str,
    medians: [f64; 2],
    ratio: f64,
    lowest_ratio: f64,
    highest_ratio: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    goal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_goal: Option<f64>,
    samples: &'a [[f64; 2]],
}

impl<'a> JsonRow<'a> {
    fn new(row: &'a Row, outcome: &'a Outcome) -> Self {
        let (status, message, figures) = match outcome {
            Outcome::Measured(figures) => ("measured", None, figures.as_slice()),
            Outcome::Failed(error) => ("failed", Some(error.to_string()), &[][..]),
        };
        let figures = figures.iter().map(JsonFigure::new).collect();
        Self { row: row.number, work: row.work, status, message, figures }
    }
}

impl<'a> JsonFigure<'a> {
    fn new(figure: &'a Figure) -> Self {
        let [lowest_ratio, ratio, highest_ratio] = figure.ratios();
        Self {
            name: &figure.name,
            unit: figure.unit,
            medians: figure.medians(),
            ratio,
            lowest_ratio,
            highest_ratio,
            goal: figure.goal_text(),
            share_of_goal: figure.share_of_goal(),
            samples: &figure.samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::Goal;

    #[test]
    fn a_figure_is_a_line_of_medians_ratio_spread_and_goal() {
        let samples = [[1500.0, 1000.0], [1000.0, 1000.0], [2000.0, 1000.0]];
        let figure = Figure::of("throughput", "ops/s", &samples, |sample| *sample);
        let line = figure_line(&figure.with_goal(Goal::ratio_at_least(1.5)));
        let expected = ["", "", "throughput, ops/s", "1,500", "1,000", "1.50", "1.00–2.00", "≥ 1.5", "ok"];
        assert_eq!(line, expected.map(str::to_owned));
    }

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let line = |cells: &str| -> [String; COLUMNS] { std::array::from_fn(|_| cells.to_owned()) };
        let text = aligned(&[line("µs"), line("1,234")]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("|    µs | µs    | µs    |    µs |"), "{text}");
        assert!(lines[1].starts_with("|------:|-------|-------|------:|"), "{text}");
        assert!(lines[2].starts_with("| 1,234 | 1,234 | 1,234 |"), "{text}");
    }
}
