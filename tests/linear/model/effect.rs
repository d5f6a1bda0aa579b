//! What a command does to the keys, and which unknown writes it may follow.

use std::collections::BTreeMap;

use crate::history::{Answer, Command, History, KEYS, Key, Operation, Value};

/// A set of keys.
type Mask = u8;

/// A command, with what the search has to know of it.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    pub(super) command: Command,
    pub(super) is_answered: bool,
    /// The number of reads, in the whole history, of each of the values that the command may store.
    pub(super) readers: Vec<u16>,
    /// The keys that it looks at or writes.
    pub(super) touched: Mask,
    /// Those of them that are written without a trace of what they had before.
    pub(super) overwritten: Mask,
}

impl Effect {
    /// Returns the effect of an operation, where `readers` says how many times each value is read.
    pub(super) fn of(operation: &Operation, readers: &BTreeMap<Value, u16>) -> Self {
        let (command, answer) = (operation.command.clone(), operation.returned.as_ref().map(|(_, it)| it));
        let keys = command.keys();
        let (touched, overwritten) = match (&command, answer) {
            (Command::Set(_), _) | (Command::Delete(_) | Command::Take(_), None) => (&keys[..], &keys[..]),
            (Command::Rename(..), Some(Answer::NoSuchKey)) => (&keys[..1], &[][..]),
            // A key that is renamed to itself stays.
            (Command::Rename(from, to), _) if from != to => (&keys[..], &keys[1..]),
            // An answer tells what was there; and an unknown `SET … NX` that wrote needed a key that was not.
            _ => (&keys[..], &[][..]),
        };
        let (touched, overwritten) = (mask(touched), mask(overwritten));
        let readers = command.values().iter().map(|value| readers.get(value).copied().unwrap_or(0)).collect();
        Self { command, is_answered: answer.is_some(), readers, touched, overwritten }
    }

    /// Returns whether this stores values, none of which is ever read.
    fn is_unread(&self) -> bool {
        !self.readers.is_empty() && self.readers.iter().all(|readers| *readers == 0)
    }
}

fn mask(keys: &[Key]) -> Mask {
    keys.iter().fold(0, |mask, key| mask | 1 << key)
}

/// Counts the reads of each value.
pub(super) fn readers(history: &History) -> BTreeMap<Value, u16> {
    let answers = history.operations.iter().filter_map(|operation| match &operation.returned {
        Some((_, Answer::Values(values))) => Some(values),
        _ => None,
    });
    let found = history.restarts.iter().map(|restart| &restart.found);
    let mut readers = BTreeMap::new();
    for value in answers.chain(found).flatten().flatten() {
        *readers.entry(*value).or_default() += 1;
    }
    readers
}

/// Unknown writes that have made no difference yet: a step right behind them must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Idle {
    /// One bit for each possible [`Mask`]: set if a write of just these keys is among them.
    masks: u64,
    /// Set: one of them stores nothing that is ever read.
    pub(super) has_unread: bool,
}

// Refusing these steps loses no order that explains a history. An unknown write may change places with a following
// operation on other keys, as nothing has to wait for its end; and one that is overwritten before an operation could
// show a trace of it may as well not have happened. So may one that stores what nobody reads, right before a restart,
// which reads all keys: if others have moved its value on, it went on in place of another that nobody reads, or its
// last key was deleted or overwritten, which needs no value to be there.
impl Idle {
    pub(super) fn add(&mut self, effect: &Effect) {
        let mask = effect.touched;
        self.masks =
            self.iter().filter(|idle| idle & mask == 0).fold(1 << mask, |masks, idle| masks | 1 << idle);
        self.has_unread |= effect.is_unread();
    }

    /// Returns whether an operation touches every idle write.
    pub(super) fn all_touched(self, effect: &Effect) -> bool {
        self.iter().all(|idle| idle & effect.touched != 0)
    }

    /// Returns whether an operation leaves no trace of some idle write.
    pub(super) fn is_overwritten(self, effect: &Effect) -> bool {
        self.iter().any(|idle| idle & !effect.overwritten == 0)
    }

    fn iter(self) -> impl Iterator<Item = Mask> {
        (0..1 << KEYS).filter(move |mask| self.masks & (1 << mask) != 0)
    }
}
