//! The keys as a single thread would serve them, and the check of a history against that.
//!
//! The checker looks for an order of all operations. A command with an unknown outcome may stand anywhere from its
//! call to the restart, or not at all: a few of them would make the search hopeless. So a step is refused that leads
//! nowhere, or only to where another order leads as well. No value is overwritten that somebody is still to read, as
//! nobody writes it again; values that nobody is still to read are all the same; an unknown write makes a difference
//! and stands right before what it makes one to; and those that never happen stand behind the restart, oldest first.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use porcupine_rs::{
    CheckResult, Model, check_operations_info_timeout, check_operations_timeout, visualize_path,
};

use crate::history::{Answer, Command, History, KEYS, Key, MAX_CLIENTS, Operation, Restart, Value};

/// A check that takes longer has failed.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// Stands for all values that nobody is still to read.
const READ_BY_ALL: Value = Value::new(u32::MAX - 1).expect("it is above 0");

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Linearizable,
    NotLinearizable,
    /// Not within the limit of 60 seconds.
    Undecided,
}

/// Checks whether the operations can be put into one order that explains every answer and keeps to real time.
///
/// Beyond what linearizability asks, the order keeps to the order in which each client sent its commands, pipelines
/// included, and has each of them between the start and the end of the server that it was sent to.
pub(crate) fn check(history: &History) -> Verdict {
    match check_operations_timeout(&steps(history), CHECK_LIMIT) {
        CheckResult::Ok => Verdict::Linearizable,
        CheckResult::Illegal => Verdict::NotLinearizable,
        CheckResult::Unknown => Verdict::Undecided,
    }
}

/// Checks again, and draws how far each attempt at an order came, as a page for a browser.
pub(crate) fn draw(history: &History, path: &Path) -> std::io::Result<()> {
    let (_, attempts) = check_operations_info_timeout(&steps(history), CHECK_LIMIT);
    visualize_path(&attempts, path)
}

/// The values of the keys, and what decides which steps may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    run: usize,
    values: [Option<Value>; KEYS],
    /// The number of reads of each of the values that are still to come.
    readers: [u16; KEYS],
    /// The number of commands of each client that have been answered.
    turns: [u16; MAX_CLIENTS],
    idle: Idle,
    /// The bits of the unknown writes that have happened or never will.
    decided: u128,
}

/// Unknown writes that have made no difference yet: a step right behind them must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Idle {
    /// One bit for each possible [`Mask`]: set if a write of just these keys is among them.
    masks: u64,
    /// Set: one of them stores nothing that is ever read.
    has_unread: bool,
}

/// A set of keys.
type Mask = u8;

#[derive(Debug, Clone)]
enum Step {
    Restart(Restart),
    Known(Known),
    Unknown(Unknown),
}

/// A command that was answered.
#[derive(Debug, Clone)]
struct Known {
    run: usize,
    client: usize,
    /// The number of the client's answered commands before this one.
    turn: u16,
    effect: Effect,
    mask: Mask,
    answer: Answer,
}

/// The effect of a command on the keys.
#[derive(Debug, Clone)]
enum Effect {
    /// Each pair with the number of reads of its value in the whole history.
    Set(Vec<(Key, Value, u16)>),
    Get(Vec<Key>),
    Delete(Vec<Key>),
    Exists(Vec<Key>),
}

/// A write that has taken effect or not.
#[derive(Debug, Clone)]
struct Unknown {
    run: usize,
    client: usize,
    /// The least number of the client's answered commands before this one.
    least_turn: u16,
    effect: Effect,
    mask: Mask,
    /// The number of this unknown write, in the order of the calls.
    number: u32,
}

impl Model for State {
    type State = Self;
    type Op = Step;
    type Metadata = ();

    fn init() -> Self {
        let (values, readers, turns) = ([None; KEYS], [0; KEYS], [0; MAX_CLIENTS]);
        Self { run: 0, values, readers, turns, idle: Idle::default(), decided: 0 }
    }

    fn step(state: &Self, step: &Step) -> (bool, Self) {
        let mut next = *state;
        let is_possible = match step {
            Step::Restart(restart) => next.restart(restart),
            Step::Known(known) => next.carry_out(known),
            Step::Unknown(unknown) => next.happen_or_not(unknown),
        };
        (is_possible, next)
    }

    fn describe_operation(step: &Step) -> String {
        match step {
            Step::Restart(Restart { found, .. }) => format!("restart -> {}", Answer::Values(found.clone())),
            Step::Known(Known { effect, answer, .. }) => format!("{effect} -> {answer}"),
            Step::Unknown(Unknown { effect, .. }) => format!("{effect} -> unknown"),
        }
    }

    fn describe_state(state: &Self) -> String {
        format!("run {}: {}", state.run, Answer::Values(state.values.to_vec()))
    }
}

impl State {
    fn restart(&mut self, restart: &Restart) -> bool {
        let is_possible = self.run == restart.run && !self.idle.has_unread;
        (self.run, self.idle) = (restart.run + 1, Idle::default());
        is_possible && (0..KEYS).all(|key| self.read(key) == restart.found[key])
    }

    fn carry_out(&mut self, known: &Known) -> bool {
        let Known { run, client, turn, effect, mask, answer } = known;
        let turns = &mut self.turns[*client];
        let is_next = self.run == *run && *turns == *turn;
        *turns += 1;
        let idle = std::mem::take(&mut self.idle);
        is_next
            && idle.all_touch(*mask)
            && !(matches!(effect, Effect::Set(_)) && idle.is_overwritten(*mask))
            && self.apply(effect).as_ref() == Some(answer)
    }

    fn happen_or_not(&mut self, unknown: &Unknown) -> bool {
        let Unknown { run, client, least_turn, effect, mask, number } = unknown;
        match self.run.cmp(run) {
            Ordering::Less => false,
            Ordering::Equal => {
                let can_be = self.turns[*client] >= *least_turn
                    && !self.idle.is_overwritten(*mask)
                    && self.makes_a_difference(effect);
                self.idle.add(*mask, effect.is_unread());
                self.decide(*number);
                can_be && self.apply(effect).is_some()
            }
            // The server ended before the command was carried out.
            Ordering::Greater => self.decide(*number),
        }
    }

    /// Marks an unknown write as decided; returns whether all before it are decided, too.
    fn decide(&mut self, number: u32) -> bool {
        // Of more unknown writes than there are bits the order is not looked after.
        let Some(bit) = 1_u128.checked_shl(number) else { return true };
        let before = bit - 1;
        self.decided |= bit;
        self.decided & before == before
    }

    /// Returns whether a later operation could tell that the keys were written like that.
    fn makes_a_difference(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Set(pairs) => {
                pairs.iter().any(|(key, _, readers)| *readers > 0 || self.values[*key].is_none())
            }
            Effect::Delete(keys) => keys.iter().any(|key| self.values[*key].is_some()),
            Effect::Get(_) | Effect::Exists(_) => false,
        }
    }

    /// Returns the answer; `None` if the command must not be the next one.
    fn apply(&mut self, effect: &Effect) -> Option<Answer> {
        match effect {
            Effect::Set(pairs) => {
                for &(key, value, readers) in pairs {
                    self.write(key, Some(value), readers)?;
                }
                Some(Answer::Done)
            }
            Effect::Get(keys) => Some(Answer::Values(keys.iter().map(|key| self.read(*key)).collect())),
            Effect::Exists(keys) => {
                Some(Answer::Count(keys.iter().filter(|key| self.values[**key].is_some()).count()))
            }
            Effect::Delete(keys) => {
                let mut deleted = 0;
                for key in keys {
                    deleted += usize::from(self.values[*key].is_some());
                    self.write(*key, None, 0)?;
                }
                Some(Answer::Count(deleted))
            }
        }
    }

    fn read(&mut self, key: Key) -> Option<Value> {
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
}

impl Effect {
    /// Returns the effect of a command, where `readers` says how many times each value is read.
    fn of(command: &Command, readers: &BTreeMap<Value, u16>) -> Self {
        match command {
            Command::Set(pairs) => {
                let readers_of = |value| readers.get(&value).copied().unwrap_or(0);
                Self::Set(pairs.iter().map(|&(key, value)| (key, value, readers_of(value))).collect())
            }
            Command::Get(keys) => Self::Get(keys.clone()),
            Command::Delete(keys) => Self::Delete(keys.clone()),
            Command::Exists(keys) => Self::Exists(keys.clone()),
        }
    }

    /// Returns whether this stores values, none of which is ever read.
    fn is_unread(&self) -> bool {
        matches!(self, Self::Set(pairs) if pairs.iter().all(|(_, _, readers)| *readers == 0))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match self {
            Self::Set(pairs) => Command::Set(pairs.iter().map(|&(key, value, _)| (key, value)).collect()),
            Self::Get(keys) => Command::Get(keys.clone()),
            Self::Delete(keys) => Command::Delete(keys.clone()),
            Self::Exists(keys) => Command::Exists(keys.clone()),
        };
        command.fmt(f)
    }
}

// Refusing these steps loses no order that explains a history. An unknown write may change places with a following
// operation on other keys, as nothing has to wait for its end; and one that is overwritten before an operation could
// show a trace of it may as well not have happened.
impl Idle {
    fn add(&mut self, mask: Mask, is_unread: bool) {
        self.masks =
            self.iter().filter(|idle| idle & mask == 0).fold(1 << mask, |masks, idle| masks | 1 << idle);
        self.has_unread |= is_unread;
    }

    /// Returns whether an operation on these keys touches every idle write.
    fn all_touch(self, mask: Mask) -> bool {
        self.iter().all(|idle| idle & mask != 0)
    }

    /// Returns whether writing these keys leaves no trace of some idle write.
    fn is_overwritten(self, mask: Mask) -> bool {
        self.iter().any(|idle| idle & !mask == 0)
    }

    fn iter(self) -> impl Iterator<Item = Mask> {
        (0..1 << KEYS).filter(move |mask| self.masks & (1 << mask) != 0)
    }
}

/// The history as the checker wants it.
fn steps(history: &History) -> Vec<porcupine_rs::Operation<State>> {
    let ends: BTreeMap<_, _> =
        history.restarts.iter().map(|restart| (restart.run, restart.ended_ns)).collect();
    let restarts = history
        .restarts
        .iter()
        .map(|restart| step(None, (restart.began_ns, restart.ended_ns), Step::Restart(restart.clone())));
    let numbers = numbers_of_unknown(history);
    let readers = readers(history);
    let mut turns = [0; MAX_CLIENTS];
    let calls = history.operations.iter().enumerate().map(|(index, operation)| {
        let Operation { client, run, command, called_ns, returned } = operation;
        let (client, run) = (*client, *run);
        let (effect, mask) = (Effect::of(command, &readers), mask(&command.keys()));
        let turn = &mut turns[client];
        let (returned_ns, op) = match returned {
            Some((returned_ns, answer)) => {
                let known = Known { run, client, turn: *turn, effect, mask, answer: answer.clone() };
                *turn += 1;
                (*returned_ns, Step::Known(known))
            }
            None => {
                let number = numbers[&index];
                let unknown = Unknown { run, client, least_turn: *turn, effect, mask, number };
                // What has not happened when the next run serves never will.
                (ends[&run], Step::Unknown(unknown))
            }
        };
        step(Some(client as u32), (*called_ns, returned_ns), op)
    });
    restarts.chain(calls).collect()
}

fn step(
    client_id: Option<u32>,
    (call_time, return_time): (i64, i64),
    op: Step,
) -> porcupine_rs::Operation<State> {
    porcupine_rs::Operation { client_id, call_time, return_time, op, metadata: None }
}

fn mask(keys: &[Key]) -> Mask {
    keys.iter().fold(0, |mask, key| mask | 1 << key)
}

/// The numbers of the operations with an unknown outcome, by their places in the history.
fn numbers_of_unknown(history: &History) -> BTreeMap<usize, u32> {
    let operations = history.operations.iter().enumerate();
    let mut unknown: Vec<_> = operations.filter(|(_, operation)| operation.returned.is_none()).collect();
    unknown.sort_by_key(|(_, operation)| operation.called_ns);
    unknown.into_iter().map(|(index, _)| index).zip(0..).collect()
}

/// Counts the reads of each value.
fn readers(history: &History) -> BTreeMap<Value, u16> {
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
