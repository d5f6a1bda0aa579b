//! Schedules that a number tells: which thread runs next, and all else that is left to chance.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// How far into a schedule threads change their priority, in steps, at most.
const HORIZONS: [u32; 4] = [100, 400, 1_600, 6_400];

/// How often at most they do.
const MOST_CHANGES: u64 = 5;

/// Runs the schedules with these numbers.
pub(crate) struct Numbered {
    numbers: Range<u64>,
    current: Arc<AtomicU64>,
    rng: Rng,
    taste: Taste,
}

/// How a schedule chooses among threads that can run.
enum Taste {
    /// Any of them.
    Even,
    /// Mostly the one that runs.
    Sticky,
    /// The one with the highest priority. Priorities are random, and change a few times: this finds what needs few
    /// particular switches among many (Burckhardt et al., "A Randomized Scheduler with Probabilistic
    /// Guarantees of Finding Bugs").
    Priorities { of: HashMap<TaskId, u64>, changes: Vec<u32>, step: u32, lowest: u64 },
}

impl Numbered {
    /// `current` tells the number of the schedule that runs.
    pub(crate) fn new(numbers: Range<u64>, current: Arc<AtomicU64>) -> Self {
        Self { numbers, current, rng: Rng::with_seed(0), taste: Taste::Even }
    }
}

impl Taste {
    fn choose(rng: &mut Rng) -> Self {
        match rng.u64(..4) {
            0 => Self::Even,
            1 => Self::Sticky,
            _ => {
                let horizon = HORIZONS[rng.usize(..HORIZONS.len())];
                let changes = (0..rng.u64(..=MOST_CHANGES)).map(|_| rng.u32(..horizon)).collect();
                Self::Priorities { of: HashMap::new(), changes, step: 0, lowest: u64::MAX / 2 }
            }
        }
    }
}

impl Scheduler for Numbered {
    fn new_execution(&mut self) -> Option<Schedule> {
        let number = self.numbers.next()?;
        self.current.store(number, Ordering::Relaxed);
        self.rng = Rng::with_seed(number);
        self.taste = Taste::choose(&mut self.rng);
        Some(Schedule::new(number))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        if let [only] = runnable {
            return Some(only.id());
        }
        let any = runnable[self.rng.usize(..runnable.len())].id();
        match &mut self.taste {
            Taste::Even => Some(any),
            Taste::Sticky => {
                let stays = !is_yielding && self.rng.u64(..8) > 0;
                current
                    .filter(|&current| stays && runnable.iter().any(|task| task.id() == current))
                    .or(Some(any))
            }
            Taste::Priorities { of, changes, step, lowest } => {
                *step += 1;
                if let Some(current) = current.filter(|_| is_yielding || changes.contains(step)) {
                    *lowest += 1;
                    of.insert(current, *lowest);
                }
                let mut priority = |id| *of.entry(id).or_insert_with(|| self.rng.u64(..u64::MAX / 2));
                runnable.iter().map(|task| task.id()).min_by_key(|&id| priority(id))
            }
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.rng.u64(..)
    }
}
