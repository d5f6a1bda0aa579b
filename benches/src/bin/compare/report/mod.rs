//! The report of a run: for people a table in Markdown, for programs JSON.

mod json;
mod table;

use std::fmt::Write;

use crate::comparison::{AGAINST, Comparison, MEASURED};
use crate::effort::Effort;
use crate::figures::{Figure, readable};
use crate::machine::Machine;
use crate::rows::{Contest, Outcome, Row};
use crate::verdict::Verdict;
use table::Column;

/// Everything that a run found out.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Machine,
    effort: Effort,
    comparison: Comparison,
    outcomes: Vec<(Row, Outcome)>,
}

/// A line of the table.
struct Line<'a> {
    /// In the first line of a row.
    row: Option<&'a Row>,
    /// `None` if the row failed.
    figure: Option<&'a Figure>,
}

impl Report {
    pub(crate) fn new(machine: Machine, contest: &Contest, outcomes: Vec<(Row, Outcome)>) -> Self {
        Self { machine, effort: contest.effort, comparison: contest.comparison, outcomes }
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.failures().next().is_some()
    }

    /// Writes the machine, the table, what is worse than the baseline, and what failed.
    pub(crate) fn markdown(&self) -> String {
        let table = table::markdown(&self.columns(), &self.lines());
        let mut text = format!("{}\n\n{table}", self.setting());
        if self.has_baseline() {
            text += &conclusion(&self.outcomes);
        }
        for (row, message) in self.failures() {
            // Writing to a string does not fail.
            let _ = write!(text, "\nRow {} ({}) failed: {message}\n", row.number, row.work);
        }
        text
    }

    /// Writes the same for programs, with every sample.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        json::text(self)
    }

    fn has_baseline(&self) -> bool {
        self.comparison == Comparison::WithBaseline
    }

    /// Names of the side that is measured and of the one that ratios are to.
    fn titles(&self) -> [&'static str; 2] {
        let sides = self.comparison.sides(false);
        [MEASURED, AGAINST].map(|side| sides.get(side).map_or("", |peer| peer.title()))
    }

    fn failures(&self) -> impl Iterator<Item = (&Row, String)> {
        self.outcomes.iter().filter_map(|(row, outcome)| match outcome {
            Outcome::Failed(error) => Some((row, error.to_string())),
            Outcome::Measured(_) => None,
        })
    }

    fn setting(&self) -> String {
        let Machine { processor, cores, memory_gib, kernel, disk, rustvault, baseline, redis } =
            &self.machine;
        let other = match (baseline, redis) {
            (Some(baseline), _) => format!("the baseline {baseline}"),
            (None, redis) => format!("Redis {}", redis.as_deref().unwrap_or_default()),
        };
        let journal = match disk.has_journal {
            Some(true) => ", with a journal",
            Some(false) => ", without a journal",
            None => "",
        };
        let quick = if self.effort.quick { ", quick" } else { "" };
        format!(
            "{rustvault} and {other} on {cores} cores of {processor}, {memory_gib} GiB, Linux {kernel},\n\
             {} ({}){journal}; medians of {} pairs of {:.1} s{quick}.",
            disk.file_system,
            disk.options,
            self.effort.pairs,
            self.effort.measurement.as_secs_f64(),
        )
    }

    fn columns(&self) -> Vec<Column<Line<'_>>> {
        let [measured, against] = self.titles();
        let mut columns = vec![
            Column::number("#", |line: &Line<'_>| line.of_row(|row| row.number.to_string())),
            Column::text("work", |line| line.of_row(|row| row.work.to_owned())),
            Column::text("figure", Line::figure_name),
            Column::number(measured, |line| line.of_figure(|figure| readable(figure.median(MEASURED)))),
            Column::number(against, |line| line.of_figure(|figure| readable(figure.median(AGAINST)))),
            Column::number("ratio", |line| line.of_figure(|figure| two_decimals(figure.ratios().median))),
            Column::number("lowest–highest", |line| line.of_figure(|figure| figure.ratios().range_text())),
        ];
        columns.extend(match self.comparison {
            Comparison::WithBaseline => vec![
                Column::number("A/A", |line: &Line<'_>| line.of_figure(reference_ratio)),
                Column::number("lowest–highest", |line| line.of_figure(reference_range)),
                Column::text("verdict", |line| line.of_figure(|figure| Verdict::of(figure).text())),
            ],
            Comparison::WithRedis => vec![
                Column::number("ceiling", |line: &Line<'_>| line.of_figure(reference_ratio)),
                Column::text("goal", |line| line.of_figure(Figure::goal_text)),
                Column::text("verdict", |line| line.of_figure(Figure::goal_verdict)),
            ],
            Comparison::Ceiling => vec![
                Column::text("goal", |line: &Line<'_>| line.of_figure(Figure::goal_text)),
                Column::text("verdict", |line| line.of_figure(Figure::goal_verdict)),
            ],
            Comparison::Noise => Vec::new(),
        });
        columns
    }

    fn lines(&self) -> Vec<Line<'_>> {
        self.outcomes.iter().flat_map(|(row, outcome)| row_lines(row, outcome)).collect()
    }
}

/// Lists the figures that are worse than the baseline's.
fn conclusion(outcomes: &[(Row, Outcome)]) -> String {
    let mut judged = 0;
    let mut worse = Vec::new();
    for (row, outcome) in outcomes {
        let Outcome::Measured(figures) = outcome else { continue };
        for figure in figures {
            judged += 1;
            let verdict = Verdict::of(figure);
            if matches!(verdict, Verdict::Worse { .. } | Verdict::Unknown) {
                let Row { number, work, .. } = row;
                worse.push(format!("- row {number} ({work}), {}: {}\n", figure.name, verdict.text()));
            }
        }
    }
    match worse.len() {
        0 => format!("\nOf {judged} figures none is worse beyond noise.\n"),
        count => {
            format!("\nOf {judged} figures {count} are worse beyond noise, or unknown:\n\n{}", worse.concat())
        }
    }
}

fn row_lines<'a>(row: &'a Row, outcome: &'a Outcome) -> Vec<Line<'a>> {
    match outcome {
        Outcome::Failed(_) => vec![Line { row: Some(row), figure: None }],
        Outcome::Measured(figures) => figures
            .iter()
            .enumerate()
            .map(|(index, figure)| Line { row: (index == 0).then_some(row), figure: Some(figure) })
            .collect(),
    }
}

fn two_decimals(ratio: f64) -> String {
    format!("{ratio:.2}")
}

fn reference_ratio(figure: &Figure) -> String {
    figure.reference_ratios().map(|ratios| two_decimals(ratios.median)).unwrap_or_default()
}

fn reference_range(figure: &Figure) -> String {
    figure.reference_ratios().map(|ratios| ratios.range_text()).unwrap_or_default()
}

impl Line<'_> {
    fn of_row(&self, text: fn(&Row) -> String) -> String {
        self.row.map(text).unwrap_or_default()
    }

    fn of_figure(&self, text: impl Fn(&Figure) -> String) -> String {
        self.figure.map(text).unwrap_or_default()
    }

    fn figure_name(&self) -> String {
        match self.figure {
            None => "failed, see below".to_owned(),
            Some(Figure { name, unit: "", .. }) => name.clone(),
            Some(Figure { name, unit, .. }) => format!("{name}, {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::goals::Goal;
    use crate::machine::Disk;

    fn report(comparison: Comparison, outcome: Outcome) -> Report {
        let disk = Disk {
            folder: String::new(),
            file_system: "ext4".to_owned(),
            options: "rw".to_owned(),
            has_journal: None,
        };
        let machine = Machine {
            processor: "a processor".to_owned(),
            cores: 2,
            memory_gib: 4,
            kernel: "6".to_owned(),
            disk,
            rustvault: "rustvault-server 0.2.0".to_owned(),
            baseline: (comparison == Comparison::WithBaseline).then(|| "rustvault-server 0.1.0".to_owned()),
            redis: comparison.needs_redis().then(|| "7.0.15".to_owned()),
        };
        Report {
            machine,
            effort: Effort::new(true, None),
            comparison,
            outcomes: vec![(Row::first(), outcome)],
        }
    }

    fn throughput(rounds: [[f64; 3]; 3]) -> Figure {
        let rounds = rounds.map(Vec::from);
        Figure::of("throughput", "ops/s", &rounds, |value| *value).higher_is_better()
    }

    /// The cells of the last line of the table.
    fn last_cells(report: &Report) -> Vec<String> {
        let markdown = report.markdown();
        let line = markdown.lines().rfind(|line| line.starts_with('|')).unwrap();
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn beside_redis_a_figure_has_ratio_spread_ceiling_goal_and_verdict() {
        let figure =
            throughput([[1500.0, 1000.0, 3000.0], [1000.0, 1000.0, 3000.0], [2000.0, 1000.0, 3000.0]]);
        let figure = Figure { goal: Some(Goal::ratio_at_least(1.5)), ..figure };
        let cells = last_cells(&report(Comparison::WithRedis, Outcome::Measured(vec![figure])));
        let expected = ["1", "SET, always", "throughput, ops/s", "1,500", "1,000", "1.50", "1.00–2.00"];
        assert_eq!(cells[..7], expected);
        assert_eq!(cells[7..], ["3.00", "≥ 1.5", "ok"]);
    }

    #[test]
    fn beside_a_baseline_a_figure_has_ratio_spread_noise_and_verdict() {
        let figure = throughput([[800.0, 1000.0, 900.0], [700.0, 1000.0, 1000.0], [900.0, 1000.0, 1050.0]]);
        let report = report(Comparison::WithBaseline, Outcome::Measured(vec![figure]));
        let cells = last_cells(&report);
        assert_eq!(cells[3..7], ["800.0", "1,000", "0.80", "0.70–0.90"]);
        assert_eq!(cells[7..], ["1.00", "0.90–1.05", "worse beyond noise: 0.800 < 0.900"]);
        let told = "- row 1 (SET, always), throughput: worse beyond noise: 0.800 < 0.900\n";
        assert!(report.markdown().ends_with(told), "{}", report.markdown());
        assert!(
            report
                .markdown()
                .starts_with("rustvault-server 0.2.0 and the baseline rustvault-server 0.1.0 on")
        );
    }

    #[test]
    fn a_run_in_which_nothing_is_worse_says_so() {
        let figure = throughput([[1000.0, 1000.0, 900.0]; 3]);
        let markdown = report(Comparison::WithBaseline, Outcome::Measured(vec![figure])).markdown();
        assert!(markdown.ends_with("\nOf 1 figures none is worse beyond noise.\n"), "{markdown}");
    }

    #[test]
    fn a_row_that_failed_is_a_failure_and_says_why() {
        let report = report(Comparison::WithRedis, Outcome::Failed(Error::Interrupted));
        assert!(report.has_failures());
        assert_eq!(last_cells(&report)[2], "failed, see below");
        assert!(report.markdown().ends_with("\nRow 1 (SET, always) failed: interrupted\n"));
    }

    #[test]
    fn programs_are_told_the_verdict_and_every_sample() {
        let figure = throughput([[800.0, 1000.0, 1000.0]; 3]);
        let json = report(Comparison::WithBaseline, Outcome::Measured(vec![figure])).json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let row = &json["rows"][0];
        assert_eq!(row["sides"], serde_json::json!(["RustVault", "baseline", "baseline"]));
        let figure = &row["figures"][0];
        assert_eq!(figure["samples"][2], serde_json::json!([800.0, 1000.0, 1000.0]));
        assert_eq!(figure["reference"]["ratio"], 1.0);
        assert_eq!(figure["verdict"], "worse beyond noise: 0.800 < 0.990");
    }
}
