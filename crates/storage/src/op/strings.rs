//! Operations that read a string and write it, in one step.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Decision, Records, decimal};
use crate::Error;
use crate::batch::Outcome;
use crate::keyspace::{Content, Effect, Entry, Value};
use crate::wal;

/// Longest text of a number of 64 bits, in bytes.
const MAX_INTEGER_BYTES: usize = 20;

/// The change of the value of an [`Op::Update`](super::Op::Update).
#[derive(Debug, Clone, Copy)]
pub enum StringUpdate<'a> {
    /// Store a value if a condition holds: [`Outcome::Changed`].
    SetIf {
        /// The new value.
        value: &'a [u8],
        /// The condition.
        condition: Condition,
    },
    /// Store a value if a condition holds, and return the previous value: [`Outcome::Value`].
    Swap {
        /// The new value.
        value: &'a [u8],
        /// The condition.
        condition: Condition,
    },
    /// Remove the key, and return its value: [`Outcome::Value`].
    Take,
    /// Add a number to the one stored, or to 0 if the key is missing: the sum, as [`Outcome::Integer`].
    Add(i64),
    /// Add a decimal number, as text, to the one stored: the stored sum, as [`Outcome::Text`].
    ///
    /// The arithmetic is decimal; the sum is rounded to 17 digits behind the point.
    AddDecimal(&'a [u8]),
    /// Append bytes: the new length, as [`Outcome::Count`].
    Append(&'a [u8]),
    /// Overwrite a part, after filling a value that is too short with zeros: the new length, as [`Outcome::Count`].
    SetRange {
        /// Position of the first byte that is overwritten.
        offset: usize,
        /// The new bytes; without any, nothing is changed.
        bytes: &'a [u8],
    },
    /// Apply the change that a function returns: [`Outcome::Changed`].
    With(UpdateWith<'a>),
}

/// Condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// None.
    Always,
    /// The key does not exist.
    IfNew,
    /// The key exists.
    IfPresent,
}

impl Condition {
    fn holds(self, current: Option<&Entry>) -> bool {
        match self {
            Self::Always => true,
            Self::IfNew => current.is_none(),
            Self::IfPresent => current.is_some(),
        }
    }
}

/// Change of a key that an update function requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keep the value.
    Keep,
    /// Store this value.
    Put(Vec<u8>),
    /// Remove the key.
    Delete,
}

/// A function from the present value of a key, if it exists, to its change.
#[derive(Clone, Copy)]
pub struct UpdateWith<'a>(pub &'a (dyn Fn(Option<&[u8]>) -> Change + Send + Sync));

impl fmt::Debug for UpdateWith<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpdateWith(..)")
    }
}

impl<'a> StringUpdate<'a> {
    pub(super) fn records(self, key: &'a [u8]) -> Records<'a> {
        let set_bytes = wal::LoggedChange::Set { key, value: b"" }.encoded_bytes();
        let at_most = |bytes| Records::AtMost(set_bytes + bytes);
        let longer =
            |added_bytes| Records::DependsOnValue { key, target: key, added_bytes, other_bytes: set_bytes };
        match self {
            Self::SetIf { value, .. } | Self::Swap { value, .. } => at_most(value.len()),
            Self::Take => Records::AtMost(wal::LoggedChange::Delete { key }.encoded_bytes()),
            Self::Add(_) => at_most(MAX_INTEGER_BYTES),
            Self::AddDecimal(_) => at_most(decimal::MAX_TEXT_BYTES),
            Self::Append(bytes) => longer(bytes.len()),
            Self::SetRange { bytes: [], .. } => Records::None,
            Self::SetRange { offset, bytes } => longer(offset.saturating_add(bytes.len())),
            Self::With(_) => longer(0),
        }
    }

    /// Returns whether it may remove the key.
    pub(super) const fn may_remove(self) -> bool {
        matches!(self, Self::Take | Self::With(_))
    }

    /// Returns the longest new value, if that is known without the present one.
    pub(super) const fn value_bytes(self) -> Option<usize> {
        match self {
            Self::SetIf { value, .. } | Self::Swap { value, .. } => Some(value.len()),
            Self::Add(_) => Some(MAX_INTEGER_BYTES),
            Self::AddDecimal(_) => Some(decimal::MAX_TEXT_BYTES),
            Self::Take | Self::Append(_) | Self::SetRange { .. } | Self::With(_) => None,
        }
    }

    /// Decides by the present value of the key. A new value has at most `max_value_bytes`.
    pub(crate) fn decide(
        self,
        key: &'a [u8],
        current: Option<&Entry>,
        max_value_bytes: usize,
    ) -> Result<Decision<'a>, Error> {
        let check_len = |len_bytes| {
            let error = Error::ValueTooLarge { len_bytes, max_bytes: max_value_bytes };
            if len_bytes > max_value_bytes { Err(error) } else { Ok(()) }
        };
        let put = |outcome, value: Content<'a>| {
            check_len(value.bytes().len())?;
            Ok(Decision::one(outcome, Effect::Put { key, value }))
        };
        let old = || Outcome::Value(current.cloned().map(Value::of));
        let bytes = current.map_or(&b""[..], Entry::value);
        match self {
            Self::SetIf { value, condition } | Self::Swap { value, condition } => {
                let is_met = condition.holds(current);
                let outcome = match self {
                    Self::Swap { .. } => old(),
                    _ => Outcome::Changed(is_met),
                };
                if is_met { put(outcome, Content::Borrowed(value)) } else { Ok(Decision::keep(outcome)) }
            }
            Self::Take if current.is_none() => Ok(Decision::keep(old())),
            Self::Take => Ok(Decision::one(old(), Effect::Delete { key })),
            Self::Add(by) => {
                let number = current.map_or(Some(0), |entry| integer(entry.value()));
                let sum = number.ok_or(Error::NotAnInteger)?.checked_add(by).ok_or(Error::Overflow)?;
                put(Outcome::Integer(sum), Content::Owned(sum.to_string().into_bytes()))
            }
            Self::AddDecimal(by) => {
                let sum = decimal::sum(current.map(Entry::value), by)?;
                put(Outcome::Text(sum.clone()), Content::Owned(sum.into_bytes()))
            }
            Self::Append(more) => {
                check_len(bytes.len() + more.len())?;
                let value = [bytes, more].concat();
                put(Outcome::Count(value.len() as u64), Content::Owned(value))
            }
            Self::SetRange { bytes: [], .. } => Ok(Decision::keep(Outcome::Count(bytes.len() as u64))),
            Self::SetRange { offset, bytes: part } => {
                let end = offset.saturating_add(part.len());
                check_len(end)?;
                let mut value = bytes.to_vec();
                value.resize(value.len().max(end), 0);
                value[offset..end].copy_from_slice(part);
                put(Outcome::Count(value.len() as u64), Content::Owned(value))
            }
            Self::With(UpdateWith(function)) => {
                // The captured state of the function is not used again here; a broken invariant in it is the caller's.
                let change = catch_unwind(AssertUnwindSafe(|| function(current.map(Entry::value))));
                match change.map_err(|_| Error::UpdatePanicked)? {
                    Change::Put(value) => put(Outcome::Changed(true), Content::Owned(value)),
                    Change::Delete if current.is_some() => {
                        Ok(Decision::one(Outcome::Changed(true), Effect::Delete { key }))
                    }
                    Change::Keep | Change::Delete => Ok(Decision::keep(Outcome::Changed(false))),
                }
            }
        }
    }
}

/// Reads a value as an integer in its canonical form: without `+`, leading zeros, or `-0`.
fn integer(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_VALUE_BYTES: usize = 10;

    /// Returns the outcome and what is stored then, or the error.
    fn decide(update: StringUpdate<'_>, current: Option<&str>) -> Result<(String, Option<String>), String> {
        let entry = current.map(|value| Entry::live(b"key", value.as_bytes()));
        let decision =
            update.decide(b"key", entry.as_ref(), MAX_VALUE_BYTES).map_err(|error| error.to_string())?;
        let outcome = match decision.outcome {
            Outcome::Changed(is_changed) => is_changed.to_string(),
            Outcome::Value(value) => format!("{value:?}"),
            Outcome::Integer(number) => number.to_string(),
            Outcome::Count(count) => count.to_string(),
            Outcome::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let stored = match decision.effects.first() {
            None => current.map(str::to_owned),
            Some(Effect::Put { value, .. }) => Some(String::from_utf8_lossy(value.bytes()).into_owned()),
            Some(Effect::Delete { .. } | Effect::Clear) => None,
        };
        Ok((outcome, stored))
    }

    fn ok(outcome: &str, stored: Option<&str>) -> Result<(String, Option<String>), String> {
        Ok((outcome.to_owned(), stored.map(str::to_owned)))
    }

    #[test]
    fn numbers_are_added_up_to_the_ends_of_64_bits() {
        let add = |by, current| decide(StringUpdate::Add(by), current);
        assert_eq!(add(1, None), ok("1", Some("1")));
        assert_eq!(add(-3, Some("2")), ok("-1", Some("-1")));
        assert_eq!(add(i64::MIN, Some("9223372036854775807")), ok("-1", Some("-1")));
        assert!(add(1, Some("9999999999")).is_err(), "longer than a value may be");
        assert_eq!(add(1, Some("9223372036854775807")), Err(Error::Overflow.to_string()));
        assert_eq!(add(-1, Some("-9223372036854775808")), Err(Error::Overflow.to_string()));
        for no_number in ["", "+1", "01", "-0", " 1", "1 ", "1.0", "x", "9223372036854775808"] {
            assert_eq!(add(1, Some(no_number)), Err(Error::NotAnInteger.to_string()), "{no_number:?}");
        }
    }

    #[test]
    fn a_condition_decides_whether_a_value_is_stored() {
        for (condition, current, is_met) in [
            (Condition::Always, None, true),
            (Condition::Always, Some("old"), true),
            (Condition::IfNew, None, true),
            (Condition::IfNew, Some("old"), false),
            (Condition::IfPresent, None, false),
            (Condition::IfPresent, Some("old"), true),
        ] {
            let stored = if is_met { Some("new") } else { current };
            let set = StringUpdate::SetIf { value: b"new", condition };
            assert_eq!(decide(set, current), ok(&is_met.to_string(), stored));
            let swap = StringUpdate::Swap { value: b"new", condition };
            let old = if current.is_some() { "Some(b\"old\")" } else { "None" };
            assert_eq!(decide(swap, current), ok(old, stored));
        }
    }

    #[test]
    fn what_is_taken_is_gone() {
        assert_eq!(decide(StringUpdate::Take, Some("old")), ok("Some(b\"old\")", None));
        assert_eq!(decide(StringUpdate::Take, None), ok("None", None));
    }

    #[test]
    fn bytes_are_appended_and_overwritten_within_the_limit_of_a_value() {
        let too_large = Err("value of 11 bytes is over the limit of 10".to_owned());
        assert_eq!(decide(StringUpdate::Append(b"lo"), Some("hel")), ok("5", Some("hello")));
        assert_eq!(decide(StringUpdate::Append(b"lo"), None), ok("2", Some("lo")));
        assert_eq!(decide(StringUpdate::Append(b"lo"), Some("123456789")), too_large);
        let set = |offset, bytes, current| decide(StringUpdate::SetRange { offset, bytes }, current);
        assert_eq!(set(1, b"xx", Some("hello")), ok("5", Some("hxxlo")));
        assert_eq!(set(3, b"ping", Some("help")), ok("7", Some("helping")));
        assert_eq!(set(2, b"x", None), ok("3", Some("\0\0x")));
        assert_eq!(set(9, b"", Some("ab")), ok("2", Some("ab")));
        assert_eq!(set(9, b"", None), ok("0", None));
        assert_eq!(set(9, b"xx", Some("ab")), too_large);
        assert!(set(usize::MAX, b"xx", Some("ab")).is_err());
    }

    #[test]
    fn a_function_that_panics_or_says_too_much_changes_nothing() {
        let with = |function: &(dyn Fn(Option<&[u8]>) -> Change + Send + Sync), current| {
            decide(StringUpdate::With(UpdateWith(function)), current)
        };
        assert_eq!(with(&|_| Change::Put(b"new".to_vec()), Some("old")), ok("true", Some("new")));
        assert_eq!(with(&|_| Change::Delete, Some("old")), ok("true", None));
        assert_eq!(with(&|_| Change::Delete, None), ok("false", None));
        assert_eq!(with(&|_| Change::Keep, Some("old")), ok("false", Some("old")));
        assert!(with(&|_| Change::Put(vec![0; 11]), Some("old")).is_err());
        let panics = |_: Option<&[u8]>| -> Change { panic!("as the test wants") };
        assert_eq!(with(&panics, Some("old")), Err(Error::UpdatePanicked.to_string()));
    }
}
