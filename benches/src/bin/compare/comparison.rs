//! The sides of a run, which are measured in turn.

use crate::server::Peer;

/// Position of the side that is measured.
pub(crate) const MEASURED: usize = 0;

/// Position of the side that ratios are to.
pub(crate) const AGAINST: usize = 1;

/// Position of the side that says what the ratios are worth, in runs that have one: the ceiling, or the baseline
/// once more.
pub(crate) const REFERENCE: usize = 2;

/// A kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// RustVault with Redis, and in the rows where it can be measured the ceiling, which limits the goals.
    WithRedis,
    /// Redis with itself: the noise floor of this machine.
    Noise,
    /// The ceiling with Redis.
    Ceiling,
    /// This build with a baseline, an older build, and the baseline with itself: the noise floor of this run.
    WithBaseline,
}

impl Comparison {
    /// The sides of a row, in the order of their turns.
    pub(crate) fn sides(self, row_has_ceiling: bool) -> Vec<Peer> {
        match self {
            Self::WithRedis if row_has_ceiling => vec![Peer::RustVault, Peer::Redis, Peer::Ceiling],
            Self::WithRedis => vec![Peer::RustVault, Peer::Redis],
            Self::Noise => vec![Peer::Redis, Peer::Redis],
            Self::Ceiling => vec![Peer::Ceiling, Peer::Redis],
            // In the middle, so that both ratios to it are of neighbours in time.
            Self::WithBaseline => vec![Peer::RustVault, Peer::Baseline, Peer::Baseline],
        }
    }

    /// Returns whether the goals apply: they are ratios to Redis.
    pub(crate) fn has_goals(self) -> bool {
        matches!(self, Self::WithRedis | Self::Ceiling)
    }

    /// Returns whether Redis takes part.
    pub(crate) fn needs_redis(self) -> bool {
        self.sides(false).contains(&Peer::Redis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_measured_twice_and_needs_no_redis() {
        let sides = Comparison::WithBaseline.sides(true);
        assert_eq!(sides[MEASURED], Peer::RustVault);
        assert_eq!([sides[AGAINST], sides[REFERENCE]], [Peer::Baseline; 2]);
        assert!(!Comparison::WithBaseline.needs_redis());
        assert!(Comparison::WithRedis.needs_redis());
    }

    #[test]
    fn the_ceiling_is_measured_beside_redis_where_a_row_has_one() {
        assert_eq!(Comparison::WithRedis.sides(true)[REFERENCE], Peer::Ceiling);
        assert_eq!(Comparison::WithRedis.sides(false).len(), 2);
    }
}
