//! Steps of a history for the checker, and the rules that hold for them whatever the commands are about.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use porcupine_rs::{Model, Operation};

use crate::history::{self, Answer, History, MAX_CLIENTS, Restart};

/// Where a command stands among those of its client and its run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    run: usize,
    client: usize,
    /// The number of the client's answered commands before this one.
    turn: u16,
}

/// The part of a state that says which steps may follow, whatever the keys hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    pub(super) run: usize,
    /// The number of commands of each client that have been answered.
    turns: [u16; MAX_CLIENTS],
    /// The bits of the unknown writes that have happened or never will.
    decided: u128,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { run: 0, turns: [0; MAX_CLIENTS], decided: 0 }
    }

    /// Begins the run behind a restart; returns whether that is the next one.
    pub(super) fn restart(&mut self, restart: &Restart) -> bool {
        let is_next = self.run == restart.run;
        self.run = restart.run + 1;
        is_next
    }

    /// Has a command answered; returns whether it is its client's next one.
    pub(super) fn answer(&mut self, place: &Place) -> bool {
        let turns = &mut self.turns[place.client];
        let is_next = self.run == place.run && *turns == place.turn;
        *turns += 1;
        is_next
    }

    /// Decides about an unknown write, where `happen` carries it out; returns whether this is possible here.
    pub(super) fn decide(&mut self, place: &Place, number: u32, happen: impl FnOnce() -> bool) -> bool {
        let are_earlier_decided = self.mark_decided(number);
        match self.run.cmp(&place.run) {
            Ordering::Less => false,
            Ordering::Equal => self.turns[place.client] >= place.turn && happen(),
            // The server ended before the command was carried out.
            Ordering::Greater => are_earlier_decided,
        }
    }

    /// Marks an unknown write as decided; returns whether all before it are decided, too.
    fn mark_decided(&mut self, number: u32) -> bool {
        // Of more unknown writes than there are bits the order is not looked after.
        let Some(bit) = 1_u128.checked_shl(number) else { return true };
        let before = bit - 1;
        self.decided |= bit;
        self.decided & before == before
    }
}

/// Makes the steps of one model.
pub(super) trait Maker<Op> {
    /// Returns whether the model is about this command.
    fn takes(&self, operation: &history::Operation) -> bool;

    fn restart(&self, restart: &Restart) -> Op;

    /// A command that was answered.
    fn known(&self, place: Place, operation: &history::Operation, answer: &Answer) -> Op;

    /// A write that has taken effect or not; unknown ones are numbered in the order of the calls.
    fn unknown(&self, place: Place, operation: &history::Operation, number: u32) -> Op;
}

/// The history as the checker wants it.
pub(super) fn steps<M: Model<Metadata = ()>>(
    history: &History,
    maker: &impl Maker<M::Op>,
) -> Vec<Operation<M>> {
    let ends: BTreeMap<_, _> =
        history.restarts.iter().map(|restart| (restart.run, restart.ended_ns)).collect();
    let restarts = history
        .restarts
        .iter()
        .map(|restart| step(None, (restart.began_ns, restart.ended_ns), maker.restart(restart)));
    let operations: Vec<_> = history.operations.iter().filter(|operation| maker.takes(operation)).collect();
    let numbers = numbers_of_unknown(&operations);
    let mut turns = [0; MAX_CLIENTS];
    let calls = operations.iter().enumerate().map(|(index, operation)| {
        let turn = &mut turns[operation.client];
        let place = Place { run: operation.run, client: operation.client, turn: *turn };
        let (returned_ns, op) = match &operation.returned {
            Some((returned_ns, answer)) => {
                *turn += 1;
                (*returned_ns, maker.known(place, operation, answer))
            }
            // What has not happened when the next run serves never will.
            None => (ends[&operation.run], maker.unknown(place, operation, numbers[&index])),
        };
        step(Some(operation.client as u32), (operation.called_ns, returned_ns), op)
    });
    restarts.chain(calls).collect()
}

fn step<M: Model<Metadata = ()>>(
    client_id: Option<u32>,
    (call_time, return_time): (i64, i64),
    op: M::Op,
) -> Operation<M> {
    Operation { client_id, call_time, return_time, op, metadata: None }
}

/// The numbers of the operations with an unknown outcome, by their places among all.
fn numbers_of_unknown(operations: &[&history::Operation]) -> BTreeMap<usize, u32> {
    let operations = operations.iter().enumerate();
    let mut unknown: Vec<_> = operations.filter(|(_, operation)| operation.returned.is_none()).collect();
    unknown.sort_by_key(|(_, operation)| operation.called_ns);
    unknown.into_iter().map(|(index, _)| index).zip(0..).collect()
}
