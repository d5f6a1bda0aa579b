//! The numbers of a row: samples of all sides, their medians and their ratios.

use crate::comparison::{AGAINST, MEASURED, REFERENCE};
use crate::goals::{Goal, Subject};
use crate::verdict::Better;

/// One number of a row, measured on all sides in turn.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// Values below it are noise, and count as it in ratios.
    pub(crate) resolution: f64,
    /// The value of each side, round by round.
    pub(crate) samples: Vec<Vec<f64>>,
    pub(crate) goal: Option<Goal>,
}

/// Ratios of two sides over all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratios {
    pub(crate) lowest: f64,
    pub(crate) median: f64,
    pub(crate) highest: f64,
}

impl Figure {
    /// Reads a figure, of which less is better, from each measurement by `value`.
    pub(crate) fn of<T>(
        name: impl Into<String>,
        unit: &'static str,
        rounds: &[Vec<T>],
        value: impl Fn(&T) -> f64,
    ) -> Self {
        let samples = rounds.iter().map(|round| round.iter().map(&value).collect()).collect();
        Self { name: name.into(), unit, better: Better::Lower, resolution: 0.0, samples, goal: None }
    }

    pub(crate) fn higher_is_better(self) -> Self {
        Self { better: Better::Higher, ..self }
    }

    pub(crate) fn with_resolution(self, resolution: f64) -> Self {
        Self { resolution, ..self }
    }

    /// The median of a side's values.
    pub(crate) fn median(&self, side: usize) -> f64 {
        median(self.samples.iter().filter_map(|round| round.get(side).copied()))
    }

    /// Ratios of the measured side to the other.
    pub(crate) fn ratios(&self) -> Ratios {
        Ratios::of(&self.ratios_by_round(MEASURED))
    }

    /// Ratios of the third side to the second; `None` in a run without a third side.
    pub(crate) fn reference_ratios(&self) -> Option<Ratios> {
        let ratios = self.reference_ratios_by_round();
        (!ratios.is_empty()).then(|| Ratios::of(&ratios))
    }

    pub(crate) fn reference_ratios_by_round(&self) -> Vec<f64> {
        self.ratios_by_round(REFERENCE)
    }

    fn ratios_by_round(&self, side: usize) -> Vec<f64> {
        // Not by `f64::max`, which makes a number of NaN.
        let resolved = |value: f64| if value < self.resolution { self.resolution } else { value };
        let ratio = |round: &Vec<f64>| Some(resolved(*round.get(side)?) / resolved(*round.get(AGAINST)?));
        self.samples.iter().filter_map(ratio).collect()
    }

    /// How much of its goal it reaches, 1 or more is all of it; `None` without a goal.
    pub(crate) fn share_of_goal(&self) -> Option<f64> {
        let goal = self.goal?;
        let measured = match goal.subject {
            Subject::Ratio => self.ratios().median,
            Subject::Value => self.median(MEASURED),
        };
        Some(goal.bound.share(measured))
    }

    /// The goal in words; nothing without a goal.
    pub(crate) fn goal_text(&self) -> String {
        self.goal.map(|goal| goal.text(self.unit)).unwrap_or_default()
    }

    /// `ok`, or how much of the goal is reached; nothing without a goal.
    pub(crate) fn goal_verdict(&self) -> String {
        match self.share_of_goal() {
            None => String::new(),
            Some(share) if share >= 1.0 => "ok".to_owned(),
            // Cut, not rounded: what misses its goal must not read as all of it.
            Some(share) => format!("below: {:.2} of it", (share * 100.0).floor() / 100.0),
        }
    }
}

impl Ratios {
    fn of(ratios: &[f64]) -> Self {
        Self {
            lowest: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            median: median(ratios.iter().copied()),
            highest: ratios.iter().copied().fold(0.0, f64::max),
        }
    }

    /// `lowest–highest`.
    pub(crate) fn range_text(&self) -> String {
        format!("{:.2}–{:.2}", self.lowest, self.highest)
    }
}

/// The median; of an even number, the mean of the two in the middle. NaN of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (_, None) => f64::NAN,
        (1, Some(middle)) => *middle,
        (_, Some(upper)) => (sorted[middle - 1] + upper) / 2.0,
    }
}

/// A value with as many decimals as it deserves: `1,234,567`, `123.4`, `12.34`, `0.123`.
pub(crate) fn readable(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => grouped(value),
        large if large >= 100.0 => format!("{value:.1}"),
        large if large >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(rounds: &[Vec<f64>]) -> Figure {
        Figure::of("memory", "KiB", rounds, |value| *value)
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn the_ratio_is_the_median_of_the_ratios_of_the_rounds() {
        let figure = figure(&[vec![10.0, 10.0], vec![30.0, 10.0], vec![40.0, 20.0]]);
        assert_eq!(figure.ratios(), Ratios { lowest: 1.0, median: 2.0, highest: 3.0 });
        assert_eq!([figure.median(MEASURED), figure.median(AGAINST)], [30.0, 10.0]);
        assert_eq!(figure.reference_ratios(), None);
    }

    #[test]
    fn the_third_side_is_set_in_ratio_to_the_second() {
        let figure = figure(&[vec![9.0, 10.0, 20.0], vec![9.0, 10.0, 5.0], vec![9.0, 10.0, 10.0]]);
        let expected = Ratios { lowest: 0.5, median: 1.0, highest: 2.0 };
        assert_eq!(figure.reference_ratios(), Some(expected));
    }

    #[test]
    fn values_below_the_resolution_count_as_it() {
        let figure = figure(&[vec![0.0, 0.2]]).with_resolution(1.0);
        assert_eq!(figure.ratios().median, 1.0);
        assert_eq!(figure.median(MEASURED), 0.0);
    }

    #[test]
    fn a_verdict_says_how_much_of_the_goal_is_reached() {
        let figure = figure(&[vec![30.0, 20.0]]);
        assert_eq!(figure.goal_verdict(), "");
        let verdict = |goal| Figure { goal: Some(goal), ..figure.clone() }.goal_verdict();
        assert_eq!(verdict(Goal::ratio_at_least(1.5)), "ok");
        assert_eq!(verdict(Goal::ratio_at_least(2.0)), "below: 0.75 of it");
        assert_eq!(verdict(Goal::ratio_at_least(1.501)), "below: 0.99 of it");
        assert_eq!(verdict(Goal::value_at_most(15.0)), "below: 0.50 of it");
    }

    #[test]
    fn values_have_the_decimals_they_deserve() {
        let texts = [1_234_567.8, 1000.0, 123.44, 12.345, 0.1234, 0.0].map(readable);
        assert_eq!(texts, ["1,234,568", "1,000", "123.4", "12.35", "0.123", "0.000"]);
    }
}
