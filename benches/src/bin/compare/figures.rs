use crate::goals::{Bound, Goal, Subject};

/// One number of a row, measured on both peers in turn.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    /// Of the peer that is measured and of the one it is measured against, pair by pair.
    pub(crate) samples: Vec<[f64; 2]>,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    /// The figure that `value` reads from each measurement.
    pub(crate) fn of<T>(
        name: impl Into<String>,
        unit: &'static str,
        pairs: &[[T; 2]],
        value: impl Fn(&T) -> f64,
    ) -> Self {
        let samples = pairs.iter().map(|[ours, theirs]| [value(ours), value(theirs)]).collect();
        Self { name: name.into(), unit, samples, goal: None }
    }

    pub(crate) fn with_goal(self, goal: impl Into<Option<Goal>>) -> Self {
        Self { goal: goal.into(), ..self }
    }

    /// The median of each peer's values.
    pub(crate) fn medians(&self) -> [f64; 2] {
        let of_peer = |peer: usize| median(self.samples.iter().map(|pair| pair[peer]));
        [of_peer(0), of_peer(1)]
    }

    /// Lowest, median and highest ratio of a pair.
    pub(crate) fn ratios(&self) -> [f64; 3] {
        let ratios = || self.samples.iter().map(|[ours, theirs]| ours / theirs);
        [ratios().fold(f64::INFINITY, f64::min), median(ratios()), ratios().fold(0.0, f64::max)]
    }

    /// How much of its goal it reaches, 1 or more is all of it; `None` without a goal.
    pub(crate) fn share_of_goal(&self) -> Option<f64> {
        let goal = self.goal?;
        let measured = match goal.subject {
            Subject::Ratio => self.ratios()[1],
            Subject::Value => self.medians()[0],
        };
        Some(goal.bound.share(measured))
    }

    /// The goal in words: ratios as a bare number, values with their unit.
    pub(crate) fn goal_text(&self) -> String {
        let Some(goal) = self.goal else { return String::new() };
        let unit = if goal.subject == Subject::Value { self.unit } else { "" };
        let text = match goal.bound {
            Bound::AtLeast(bound) => format!("≥ {} {unit}", short(bound)),
            Bound::AtMost(bound) => format!("≤ {} {unit}", short(bound)),
        };
        text.trim_end().to_owned()
    }

    /// `ok`, or how much of the goal is reached; nothing without a goal.
    pub(crate) fn verdict(&self) -> String {
        match self.share_of_goal() {
            None => String::new(),
            Some(share) if share >= 1.0 => "ok".to_owned(),
            // Cut, not rounded: what misses its goal must not read as all of it.
            Some(share) => format!("below: {:.2} of it", (share * 100.0).floor() / 100.0),
        }
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

/// At most two decimals, and none that are 0.
fn short(bound: f64) -> String {
    let text = format!("{bound:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(samples: &[[f64; 2]]) -> Figure {
        Figure::of("memory", "KiB", samples, |sample| *sample)
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn the_ratio_is_the_median_of_the_ratios_of_the_pairs() {
        let figure = figure(&[[10.0, 10.0], [30.0, 10.0], [40.0, 20.0]]);
        assert_eq!(figure.ratios(), [1.0, 2.0, 3.0]);
        assert_eq!(figure.medians(), [30.0, 10.0]);
    }

    #[test]
    fn a_verdict_says_how_much_of_the_goal_is_reached() {
        let figure = figure(&[[30.0, 20.0]]);
        assert_eq!(figure.verdict(), "");
        let verdict = |goal| figure.clone().with_goal(goal).verdict();
        assert_eq!(verdict(Goal::ratio_at_least(1.5)), "ok");
        assert_eq!(verdict(Goal::ratio_at_least(2.0)), "below: 0.75 of it");
        assert_eq!(verdict(Goal::ratio_at_least(1.501)), "below: 0.99 of it");
        assert_eq!(verdict(Goal::value_at_most(15.0)), "below: 0.50 of it");
    }

    #[test]
    fn a_goal_on_the_value_has_the_unit() {
        let text = |goal| figure(&[]).with_goal(goal).goal_text();
        assert_eq!(text(Goal::ratio_at_least(1.5)), "≥ 1.5");
        assert_eq!(text(Goal::ratio_at_most(1.0 / 3.0)), "≤ 0.33");
        assert_eq!(text(Goal::value_at_most(8.0)), "≤ 8 KiB");
    }

    #[test]
    fn values_have_the_decimals_they_deserve() {
        let texts = [1_234_567.8, 1000.0, 123.44, 12.345, 0.1234, 0.0].map(readable);
        assert_eq!(texts, ["1,234,568", "1,000", "123.4", "12.35", "0.123", "0.000"]);
    }
}
