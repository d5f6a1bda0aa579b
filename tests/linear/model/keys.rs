//! The keys as a single thread would serve them, as far as anybody is still to see.

use super::effect::Effect;
use crate::history::{Answer, Command, KEYS, Key, Value};

/// Stands for all values that nobody is still to read.
const READ_BY_ALL: Value = Value::new(u32::MAX - 1).expect("it is above 0");

/// The values of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Keys {
    pub(super) values: [Option<Value>; KEYS],
    /// The number of reads of each of the values that are still to come.
    readers: [u16; KEYS],
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { values: [None; KEYS], readers: [0; KEYS] }
    }

    /// Returns whether a later operation could tell that the command was carried out.
    pub(super) fn would_tell(&self, effect: &Effect) -> bool {
        let has = |key: &Key| self.values[*key].is_some();
        match &effect.command {
            Command::Set(pairs) => {
                pairs.iter().zip(&effect.readers).any(|((key, _), readers)| *readers > 0 || !has(key))
            }
            Command::SetNew(key, _) => !has(key),
            Command::Delete(keys) => keys.iter().any(has),
            Command::Take(key) => has(key),
            Command::Rename(from, to) => from != to && has(from),
            Command::Get(_) | Command::Exists(_) | Command::Increment(_) | Command::Count(_) => false,
        }
    }

    /// Returns the answer; `None` if the command must not be the next one.
    pub(super) fn apply(&mut self, effect: &Effect) -> Option<Answer> {
        match &effect.command {
            Command::Set(pairs) => {
                for (&(key, value), &readers) in pairs.iter().zip(&effect.readers) {
                    self.write(key, Some(value), readers)?;
                }
                Some(Answer::Done)
            }
            Command::SetNew(key, _) if self.values[*key].is_some() => Some(Answer::Count(0)),
            Command::SetNew(key, value) => {
                self.write(*key, Some(*value), effect.readers[0])?;
                Some(Answer::Count(1))
            }
            Command::Get(keys) => Some(Answer::Values(keys.iter().map(|key| self.read(*key)).collect())),
            Command::Exists(keys) => {
                Some(Answer::Count(keys.iter().filter(|key| self.values[**key].is_some()).count()))
            }
            Command::Delete(keys) => {
                let mut deleted = 0;
                for key in keys {
                    deleted += usize::from(self.values[*key].is_some());
                    self.write(*key, None, 0)?;
                }
                Some(Answer::Count(deleted))
            }
            Command::Take(key) => {
                // One whose answer is unknown is none of the readers.
                let value = if effect.is_answered { self.read(*key) } else { self.values[*key] };
                self.write(*key, None, 0)?;
                Some(Answer::Values(vec![value]))
            }
            Command::Rename(from, to) => self.rename(*from, *to),
            Command::Increment(_) | Command::Count(_) => None,
        }
    }

    pub(super) fn read(&mut self, key: Key) -> Option<Value> {
        let value = self.values[key]?;
        self.readers[key] = self.readers[key].saturating_sub(1);
        if self.readers[key] == 0 {
            self.values[key] = Some(READ_BY_ALL);
        }
        Some(value)
    }

    /// Stores a value; `None` if somebody is still to read the one before.
    fn write(&mut self, key: Key, value: Option<Value>, readers: u16) -> Option<()> {
        self.values[key] = value.map(|value| if readers > 0 { value } else { READ_BY_ALL });
        (std::mem::replace(&mut self.readers[key], readers) == 0).then_some(())
    }

    /// Moves a value together with those who are still to read it.
    fn rename(&mut self, from: Key, to: Key) -> Option<Answer> {
        let Some(value) = self.values[from] else { return Some(Answer::NoSuchKey) };
        if from != to {
            let readers = std::mem::take(&mut self.readers[from]);
            self.values[from] = None;
            self.write(to, Some(value), readers)?;
        }
        Some(Answer::Done)
    }
}
