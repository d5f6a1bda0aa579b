//! The report for programs, with every sample.

use serde::Serialize;

use super::Report;
use crate::effort::Effort;
use crate::figures::{Figure, Ratios};
use crate::machine::Machine;
use crate::rows::{Outcome, Row};
use crate::verdict::Verdict;

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
    /// In the order of the values in a sample.
    sides: Vec<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    figures: Vec<JsonFigure<'a>>,
}

#[derive(Serialize)]
struct JsonFigure<'a> {
    name: &'a str,
    unit: &'a str,
    medians: Vec<f64>,
    ratio: f64,
    lowest_ratio: f64,
    highest_ratio: f64,
    /// Ratio of the third side to the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<JsonReference>,
    #[serde(skip_serializing_if = "String::is_empty")]
    goal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_goal: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    samples: &'a [Vec<f64>],
}

#[derive(Serialize)]
struct JsonReference {
    ratio: f64,
    lowest_ratio: f64,
    highest_ratio: f64,
}

pub(super) fn text(report: &Report) -> Result<String, serde_json::Error> {
    let [measured, against] = report.titles();
    let rows = report.outcomes.iter().map(|(row, outcome)| JsonRow::new(report, row, outcome)).collect();
    let json = Json { effort: report.effort, machine: &report.machine, measured, against, rows };
    serde_json::to_string_pretty(&json).map(|text| text + "\n")
}

impl<'a> JsonRow<'a> {
    fn new(report: &Report, row: &'a Row, outcome: &'a Outcome) -> Self {
        let (status, message, figures) = match outcome {
            Outcome::Measured(figures) => ("measured", None, figures.as_slice()),
            Outcome::Failed(error) => ("failed", Some(error.to_string()), &[][..]),
        };
        let sides = report.comparison.sides(row.has_ceiling()).iter().map(|side| side.title()).collect();
        let figures = figures.iter().map(|figure| JsonFigure::new(report, figure)).collect();
        Self { row: row.number, work: row.work, sides, status, message, figures }
    }
}

impl<'a> JsonFigure<'a> {
    fn new(report: &Report, figure: &'a Figure) -> Self {
        let Ratios { lowest, median, highest } = figure.ratios();
        let sides = figure.samples.first().map_or(0, Vec::len);
        Self {
            name: &figure.name,
            unit: figure.unit,
            medians: (0..sides).map(|side| figure.median(side)).collect(),
            ratio: median,
            lowest_ratio: lowest,
            highest_ratio: highest,
            reference: figure.reference_ratios().map(JsonReference::new),
            goal: figure.goal_text(),
            share_of_goal: figure.share_of_goal(),
            verdict: report.has_baseline().then(|| Verdict::of(figure).text()),
            samples: &figure.samples,
        }
    }
}

impl JsonReference {
    fn new(ratios: Ratios) -> Self {
        Self { ratio: ratios.median, lowest_ratio: ratios.lowest, highest_ratio: ratios.highest }
    }
}
