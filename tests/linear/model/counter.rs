//! A counter as a single thread would serve it: a key that is only ever counted up and read.
//!
//! `INCR` makes numbers that are the same whoever made them, so that a value does not tell its write; among the other
//! keys that would make the search hopeless. Counters are keys of their own, and checked one by one: whatever order
//! explains each key explains all of them. That is the same history with the same faults and restarts; only the order
//! within a pipeline is not looked at between a counter and other keys.
//!
//! Here the search is short. The answers say which increment is the next one, unless nobody was answered that number:
//! only then has an unknown one happened.

use std::collections::BTreeSet;
use std::sync::Arc;

use porcupine_rs::Model;

use super::order::{Maker, Place, Progress, steps};
use super::{Verdict, verdict_of};
use crate::history::{Answer, Command, Counter, History, Operation, Restart};

/// Checks the part of a history that is about a counter.
pub(super) fn check(history: &History, counter: Counter) -> Verdict {
    verdict_of(&counter_steps(history, counter))
}

/// The part of a history that is about a counter, as the checker wants it.
pub(super) fn counter_steps(history: &History, counter: Counter) -> Vec<porcupine_rs::Operation<State>> {
    steps(history, &Counting { counter, answered: Arc::new(answered(history, counter)) })
}

/// Returns the numbers that increments were answered.
fn answered(history: &History, counter: Counter) -> BTreeSet<u64> {
    let numbers =
        history.operations.iter().filter_map(|operation| match (&operation.command, &operation.returned) {
            (Command::Increment(it), Some((_, Answer::Number(number)))) if *it == counter => Some(*number),
            _ => None,
        });
    numbers.collect()
}

/// What has been counted to, and what decides which steps may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    progress: Progress,
    number: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// With the number that was found.
    Restart(Restart, u64),
    Known(Place, Command, Answer),
    /// An increment, by its number among the unknown ones.
    Unknown(Place, u32, Arc<BTreeSet<u64>>),
}

impl Model for State {
    type State = Self;
    type Op = Step;
    type Metadata = ();

    fn init() -> Self {
        Self { progress: Progress::new(), number: 0 }
    }

    fn step(state: &Self, step: &Step) -> (bool, Self) {
        let mut next = *state;
        let is_possible = match step {
            Step::Restart(restart, found) => next.progress.restart(restart) && next.number == *found,
            Step::Known(place, command, answer) => {
                next.number += u64::from(!command.is_read());
                next.progress.answer(place) && *answer == Answer::Number(next.number)
            }
            Step::Unknown(place, number, answered) => next.progress.decide(place, *number, || {
                next.number += 1;
                !answered.contains(&next.number)
            }),
        };
        (is_possible, next)
    }

    fn describe_operation(step: &Step) -> String {
        match step {
            Step::Restart(_, found) => format!("restart -> {found}"),
            Step::Known(_, command, answer) => format!("{command} -> {answer}"),
            Step::Unknown(..) => "incr -> unknown".to_owned(),
        }
    }

    fn describe_state(state: &Self) -> String {
        format!("run {}: {}", state.progress.run, state.number)
    }
}

/// Makes the steps of one counter.
struct Counting {
    counter: Counter,
    answered: Arc<BTreeSet<u64>>,
}

impl Maker<Step> for Counting {
    fn takes(&self, operation: &Operation) -> bool {
        operation.command.counter() == Some(self.counter)
    }

    fn restart(&self, restart: &Restart) -> Step {
        Step::Restart(restart.clone(), restart.counted[self.counter])
    }

    fn known(&self, place: Place, operation: &Operation, answer: &Answer) -> Step {
        Step::Known(place, operation.command.clone(), answer.clone())
    }

    fn unknown(&self, place: Place, _: &Operation, number: u32) -> Step {
        Step::Unknown(place, number, self.answered.clone())
    }
}
