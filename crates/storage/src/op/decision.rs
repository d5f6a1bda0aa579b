//! Decisions: the outcome of an operation that reads and writes in one step, and its changes.

use smallvec::{SmallVec, smallvec};

use crate::batch::Outcome;
use crate::keyspace::Effect;
use crate::wal;

/// An outcome and its effects, which are applied atomically.
pub(crate) struct Decision<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) effects: SmallVec<[Effect<'a>; 1]>,
}

impl<'a> Decision<'a> {
    /// Changes nothing.
    pub(crate) fn keep(outcome: Outcome) -> Self {
        Self { outcome, effects: SmallVec::new() }
    }

    /// Changes one key.
    pub(crate) fn one(outcome: Outcome, effect: Effect<'a>) -> Self {
        Self { outcome, effects: smallvec![effect] }
    }
}

/// Returns the logged form of an effect.
pub(crate) fn change<'e>(effect: &'e Effect<'_>) -> wal::LoggedChange<'e> {
    match effect {
        Effect::Put { key, value } => wal::LoggedChange::Set { key, value: value.bytes() },
        Effect::Delete { key } => wal::LoggedChange::Delete { key },
        Effect::Clear => wal::LoggedChange::Clear,
    }
}
