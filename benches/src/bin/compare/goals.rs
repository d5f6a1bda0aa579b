//! Goals of figures. Those of each row stand in `rows/list.rs`, and for people in `docs/performance.md`.

/// A bound that a figure has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Goal {
    pub(crate) subject: Subject,
    pub(crate) bound: Bound,
    /// The bound is that of the ceiling, because the stated one is out of reach on this machine.
    pub(crate) is_of_ceiling: bool,
}

/// The goals of a row, each with the name of its figure.
pub(crate) type Goals = &'static [(&'static str, Goal)];

/// The number that a goal bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The ratio to the other side.
    Ratio,
    /// The value itself, whatever the other side's is.
    Value,
}

/// The bound that the goal sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// The part of the ceiling's throughput that a server which does the work can be asked for.
const SHARE_OF_CEILING: f64 = 0.9;

impl Goal {
    pub(crate) const fn ratio_at_least(bound: f64) -> Self {
        Self { subject: Subject::Ratio, bound: Bound::AtLeast(bound), is_of_ceiling: false }
    }

    pub(crate) const fn ratio_at_most(bound: f64) -> Self {
        Self { subject: Subject::Ratio, bound: Bound::AtMost(bound), is_of_ceiling: false }
    }

    pub(crate) const fn value_at_most(bound: f64) -> Self {
        Self { subject: Subject::Value, bound: Bound::AtMost(bound), is_of_ceiling: false }
    }

    /// Lowers a ratio that is to be reached to 0.9 of what a server that only answers reaches in the same run.
    /// Upper bounds stay as they are: the ceiling excuses no cost.
    pub(crate) fn within_ceiling(self, ceiling_ratio: f64) -> Self {
        let reachable = SHARE_OF_CEILING * ceiling_ratio;
        match (self.subject, self.bound) {
            (Subject::Ratio, Bound::AtLeast(stated)) if reachable < stated => {
                Self { bound: Bound::AtLeast(reachable), is_of_ceiling: true, ..self }
            }
            _ => self,
        }
    }

    /// The goal in words. `unit` is that of the figure's values; ratios have none.
    pub(crate) fn text(&self, unit: &str) -> String {
        let unit = if self.subject == Subject::Value { unit } else { "" };
        let text = match self.bound {
            Bound::AtLeast(bound) => format!("≥ {} {unit}", short(bound)),
            Bound::AtMost(bound) => format!("≤ {} {unit}", short(bound)),
        };
        let source = if self.is_of_ceiling { " (ceiling)" } else { "" };
        format!("{}{source}", text.trim_end())
    }
}

impl Bound {
    /// How much of the goal `measured` reaches: 1 or more is all of it.
    pub(crate) fn share(self, measured: f64) -> f64 {
        match self {
            Self::AtLeast(bound) => measured / bound,
            Self::AtMost(bound) => bound / measured,
        }
    }
}

/// At most two decimals, and none that are 0.
fn short(bound: f64) -> String {
    let text = format!("{bound:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_goal_is_1_exactly_at_its_bound_and_less_on_the_wrong_side() {
        assert_eq!(Bound::AtLeast(1.5).share(1.5), 1.0);
        assert_eq!(Bound::AtLeast(2.0).share(1.5), 0.75);
        assert_eq!(Bound::AtMost(0.5).share(0.5), 1.0);
        assert_eq!(Bound::AtMost(0.5).share(1.0), 0.5);
        assert!(Bound::AtMost(8.0).share(7.9) > 1.0);
    }

    #[test]
    fn a_goal_on_the_value_has_the_unit() {
        assert_eq!(Goal::ratio_at_least(1.5).text("KiB"), "≥ 1.5");
        assert_eq!(Goal::ratio_at_most(1.0 / 3.0).text("KiB"), "≤ 0.33");
        assert_eq!(Goal::value_at_most(8.0).text("KiB"), "≤ 8 KiB");
        assert_eq!(Goal::value_at_most(1.1).text(""), "≤ 1.1");
    }

    #[test]
    fn a_throughput_goal_is_the_lower_of_the_stated_one_and_nine_tenths_of_the_ceiling() {
        let goal = Goal::ratio_at_least(1.0);
        assert_eq!(goal.within_ceiling(1.2), goal);
        assert_eq!(goal.within_ceiling(0.8).bound, Bound::AtLeast(0.9 * 0.8));
        assert_eq!(goal.within_ceiling(0.8).text(""), "≥ 0.72 (ceiling)");
    }

    #[test]
    fn the_ceiling_excuses_no_cost() {
        for goal in [Goal::ratio_at_most(0.9), Goal::value_at_most(1.1)] {
            assert_eq!(goal.within_ceiling(0.1), goal);
        }
    }
}
