//! Operations on two keys, independent of the type of their values.

use smallvec::smallvec;

use super::{Decision, Records, total_bytes};
use crate::Error;
use crate::batch::Outcome;
use crate::keyspace::{Content, Effect, Entry};
use crate::wal::LoggedChange;

/// The change of the keys of an [`Op::UpdateKeys`](super::Op::UpdateKeys).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUpdate {
    /// Move the value from one key to the other: [`Outcome::Changed`], or [`Error::NoSuchKey`].
    Rename {
        /// Change nothing if the other key exists.
        only_if_new: bool,
    },
    /// Copy the value to the other key: [`Outcome::Changed`], which is `false` if the key does not exist.
    Copy {
        /// Replace the value of the other key; otherwise nothing changes if that exists.
        replaces: bool,
    },
}

impl KeyUpdate {
    pub(super) fn records<'a>(self, from: &'a [u8], to: &'a [u8]) -> Records<'a> {
        let set = LoggedChange::Set { key: to, value: b"" };
        let changes = [set, LoggedChange::Delete { key: from }];
        let count = match self {
            Self::Rename { .. } => 2,
            Self::Copy { .. } => 1,
        };
        let other_bytes = total_bytes(changes.into_iter().take(count));
        Records::DependsOnValue { key: from, target: to, added_bytes: 0, other_bytes }
    }

    /// Decides by the present values of the two keys.
    pub(crate) fn decide<'a>(
        self,
        (from, source): (&'a [u8], Option<&Entry>),
        (to, target): (&'a [u8], Option<&Entry>),
    ) -> Result<Decision<'a>, Error> {
        let put = |source: &Entry| Effect::Put { key: to, value: Content::Stored(source.clone()) };
        let (source, may_replace) = match (self, source) {
            (Self::Rename { .. }, None) => return Err(Error::NoSuchKey),
            (Self::Copy { .. }, None) => return Ok(Decision::keep(Outcome::Changed(false))),
            (Self::Rename { only_if_new }, Some(source)) => (source, !only_if_new),
            (Self::Copy { replaces }, Some(source)) => (source, replaces),
        };
        if target.is_some() && !may_replace {
            return Ok(Decision::keep(Outcome::Changed(false)));
        }
        // A key that is moved to itself stays: a `Set` and a `Delete` of it would remove it.
        if from == to {
            return Ok(Decision::keep(Outcome::Changed(true)));
        }
        let outcome = Outcome::Changed(true);
        Ok(match self {
            Self::Rename { .. } => {
                Decision { outcome, effects: smallvec![put(source), Effect::Delete { key: from }] }
            }
            Self::Copy { .. } => Decision::one(outcome, put(source)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(update: KeyUpdate, to: &[u8], source: bool, target: bool) -> Result<(bool, usize), Error> {
        let (source, target) =
            (source.then(|| Entry::live(b"from", b"value")), target.then(|| Entry::live(to, b"other")));
        let decision = update.decide((b"from", source.as_ref()), (to, target.as_ref()))?;
        let Outcome::Changed(is_changed) = decision.outcome else { panic!("{:?}", decision.outcome) };
        Ok((is_changed, decision.effects.len()))
    }

    #[test]
    fn a_rename_needs_a_source_and_if_asked_to_no_target() {
        let rename = |only_if_new, source, target| {
            decide(KeyUpdate::Rename { only_if_new }, b"to", source, target)
                .map_err(|error| error.to_string())
        };
        assert_eq!(rename(false, true, false), Ok((true, 2)));
        assert_eq!(rename(false, true, true), Ok((true, 2)));
        assert_eq!(rename(true, true, false), Ok((true, 2)));
        assert_eq!(rename(true, true, true), Ok((false, 0)));
        assert_eq!(rename(true, false, true), Err("no such key".to_owned()));
    }

    #[test]
    fn a_copy_without_a_source_or_onto_a_key_changes_nothing() {
        let copy = |replaces, source, target| {
            decide(KeyUpdate::Copy { replaces }, b"to", source, target).map_err(|error| error.to_string())
        };
        assert_eq!(copy(false, true, false), Ok((true, 1)));
        assert_eq!(copy(false, true, true), Ok((false, 0)));
        assert_eq!(copy(true, true, true), Ok((true, 1)));
        assert_eq!(copy(true, false, true), Ok((false, 0)));
    }

    #[test]
    fn a_key_renamed_to_itself_stays() {
        let rename = |only_if_new| decide(KeyUpdate::Rename { only_if_new }, b"from", true, true).ok();
        assert_eq!(rename(false), Some((true, 0)));
        assert_eq!(rename(true), Some((false, 0)));
    }
}
