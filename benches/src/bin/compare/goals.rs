/// What a figure has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Goal {
    pub(crate) subject: Subject,
    pub(crate) bound: Bound,
}

/// What a goal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The ratio to the other peer.
    Ratio,
    /// The value itself, whatever the other peer's is.
    Value,
}

/// The bound that the goal sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) const fn ratio_at_least(bound: f64) -> Self {
        Self { subject: Subject::Ratio, bound: Bound::AtLeast(bound) }
    }

    pub(crate) const fn ratio_at_most(bound: f64) -> Self {
        Self { subject: Subject::Ratio, bound: Bound::AtMost(bound) }
    }

    pub(crate) const fn value_at_most(bound: f64) -> Self {
        Self { subject: Subject::Value, bound: Bound::AtMost(bound) }
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
}
