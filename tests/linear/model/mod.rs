//! The keys as a single thread would serve them, and the check of a history against that.
//!
//! The checker looks for an order of all operations. A command with an unknown outcome may stand anywhere from its
//! call to the restart, or not at all: a few of them would make the search hopeless. So a step is refused that leads
//! nowhere, or only to where another order leads as well. No value is overwritten that somebody is still to read, as
//! nobody writes it again; values that nobody is still to read are all the same; an unknown write makes a difference
//! and stands right before what it makes one to; and those that never happen stand behind the restart, oldest first.
//!
//! That fits commands that read and write in one step, too. `SET … NX` stores a value of its own or looks whether the
//! key is there; `GETDEL` reads and deletes; `RENAME` takes a value along with those who are still to read it, or says
//! that there is none. `INCR` does not fit, as its numbers come again: it has keys of its own, see [`counter`].

mod counter;
mod effect;
mod keys;
mod order;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use porcupine_rs::{
    CheckResult, Model, check_operations_info_timeout, check_operations_timeout, visualize_path,
};

use crate::history::{Answer, COUNTERS, History, KEYS, Operation, Restart, Value};
use effect::{Effect, Idle, readers};
use keys::Keys;
use order::{Maker, Place, Progress, steps};

/// A check that takes longer has failed.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// The result of a check; the worse one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Linearizable,
    /// Not within the limit of 60 seconds.
    Undecided,
    NotLinearizable,
}

/// Checks whether the operations can be put into one order that explains every answer and keeps to real time.
///
/// Beyond what linearizability asks, the order keeps to the order in which each client sent its commands, pipelines
/// included, and has each of them between the start and the end of the server that it was sent to.
pub(crate) fn check(history: &History) -> Verdict {
    let of_counters = (0..COUNTERS).map(|counter| counter::check(history, counter)).max();
    verdict_of(&steps_of_keys(history)).max(of_counters.unwrap_or(Verdict::Linearizable))
}

/// Checks again, and draws how far each attempt at an order came, as a page for a browser.
pub(crate) fn draw(history: &History, path: &Path) -> std::io::Result<()> {
    match (0..COUNTERS).find(|counter| counter::check(history, *counter) != Verdict::Linearizable) {
        Some(counter) => draw_steps(&counter::counter_steps(history, counter), path),
        None => draw_steps(&steps_of_keys(history), path),
    }
}

fn draw_steps<M: Model + 'static>(steps: &[porcupine_rs::Operation<M>], path: &Path) -> std::io::Result<()> {
    let (_, attempts) = check_operations_info_timeout(steps, CHECK_LIMIT);
    visualize_path(&attempts, path)
}

fn verdict_of<M: Model>(steps: &[porcupine_rs::Operation<M>]) -> Verdict {
    match check_operations_timeout(steps, CHECK_LIMIT) {
        CheckResult::Ok => Verdict::Linearizable,
        CheckResult::Illegal => Verdict::NotLinearizable,
        CheckResult::Unknown => Verdict::Undecided,
    }
}

fn steps_of_keys(history: &History) -> Vec<porcupine_rs::Operation<State>> {
    steps(history, &OfKeys { readers: readers(history) })
}

/// The values of the keys, and what decides which steps may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    progress: Progress,
    keys: Keys,
    idle: Idle,
}

#[derive(Debug, Clone)]
enum Step {
    Restart(Restart),
    Known(Place, Effect, Answer),
    /// A write that has taken effect or not, by its number among them.
    Unknown(Place, Effect, u32),
}

impl Model for State {
    type State = Self;
    type Op = Step;
    type Metadata = ();

    fn init() -> Self {
        Self { progress: Progress::new(), keys: Keys::new(), idle: Idle::default() }
    }

    fn step(state: &Self, step: &Step) -> (bool, Self) {
        let mut next = *state;
        let is_possible = match step {
            Step::Restart(restart) => next.restart(restart),
            Step::Known(place, effect, answer) => {
                next.progress.answer(place) && next.carry_out(effect) == Some(answer.clone())
            }
            Step::Unknown(place, effect, number) => {
                let State { progress, keys, idle } = &mut next;
                progress.decide(place, *number, || happen(keys, idle, effect))
            }
        };
        (is_possible, next)
    }

    fn describe_operation(step: &Step) -> String {
        match step {
            Step::Restart(Restart { found, .. }) => format!("restart -> {}", Answer::Values(found.clone())),
            Step::Known(_, effect, answer) => format!("{} -> {answer}", effect.command),
            Step::Unknown(_, effect, _) => format!("{} -> unknown", effect.command),
        }
    }

    fn describe_state(state: &Self) -> String {
        format!("run {}: {}", state.progress.run, Answer::Values(state.keys.values.to_vec()))
    }
}

impl State {
    fn restart(&mut self, restart: &Restart) -> bool {
        let idle = std::mem::take(&mut self.idle);
        self.progress.restart(restart)
            && !idle.has_unread
            && (0..KEYS).all(|key| self.keys.read(key) == restart.found[key])
    }

    /// Returns the answer; `None` if the command must not be the next one.
    fn carry_out(&mut self, effect: &Effect) -> Option<Answer> {
        let idle = std::mem::take(&mut self.idle);
        let may_follow = idle.all_touched(effect) && !idle.is_overwritten(effect);
        if may_follow { self.keys.apply(effect) } else { None }
    }
}

/// Carries an unknown write out; returns whether it may happen here.
fn happen(keys: &mut Keys, idle: &mut Idle, effect: &Effect) -> bool {
    let may_follow = !idle.is_overwritten(effect) && keys.would_tell(effect);
    idle.add(effect);
    may_follow && keys.apply(effect).is_some()
}

/// Makes the steps of all keys but the counters.
struct OfKeys {
    readers: BTreeMap<Value, u16>,
}

impl Maker<Step> for OfKeys {
    fn takes(&self, operation: &Operation) -> bool {
        operation.command.counter().is_none()
    }

    fn restart(&self, restart: &Restart) -> Step {
        Step::Restart(restart.clone())
    }

    fn known(&self, place: Place, operation: &Operation, answer: &Answer) -> Step {
        Step::Known(place, Effect::of(operation, &self.readers), answer.clone())
    }

    fn unknown(&self, place: Place, operation: &Operation, number: u32) -> Step {
        Step::Unknown(place, Effect::of(operation, &self.readers), number)
    }
}
