//! Crashes a recorded session after each of its operations, in many ways.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use fastrand::Rng;
use rustvault_storage::{Error, Lsn};

use crate::content::Image;
use crate::disk::{CrashStates, Disk};
use crate::oracle::{Found, Oracle, refused};
use crate::sim::Operation;
use crate::workload::{LOG, Session};

/// Of one in so many crash states the recovery is crashed, too.
const RECOVERY_CRASHED: u8 = 4;

/// One in so many crash states is written to after recovery, and crashed again.
const WRITTEN_TO: u8 = 32;

/// What was looked at.
#[derive(Default)]
pub(crate) struct Counts {
    /// Distinct images that a crash of a session left.
    pub(crate) states: HashSet<u64>,
    /// Distinct images that a crash of a recovery left.
    pub(crate) recovery_states: HashSet<u64>,
    pub(crate) operations: usize,
    /// Operations after which every possible state was looked at.
    pub(crate) exhausted: usize,
    pub(crate) torn: usize,
    /// Images of logs of lines that were refused, as they may be.
    pub(crate) refused: usize,
    pub(crate) sessions: usize,
    pub(crate) compactions: usize,
    /// Operations after which it was open which file a crash leaves as the log.
    pub(crate) replacing: usize,
    /// How often zeros were put ahead of a log's end.
    pub(crate) extensions: usize,
    /// Sessions on a log that was there before.
    pub(crate) reopenings: usize,
    /// Those of them whose log had a torn tail.
    pub(crate) reopened_torn: usize,
}

/// A crash state that a log may go on from.
pub(crate) struct Left {
    pub(crate) image: Image,
    /// The number of the state that recovery makes of it.
    pub(crate) number: usize,
    /// After how many operations the crash came.
    pub(crate) operations: usize,
}

/// Looks at the crash states of one session.
pub(crate) struct Explorer<'a> {
    session: &'a Session,
    oracle: &'a Oracle,
    rng: &'a mut Rng,
    counts: &'a mut Counts,
    batch_ends: BTreeSet<usize>,
    /// What recovery made of each image.
    seen: HashMap<u64, u64>,
    torn: Option<Left>,
    /// Replies up to here promise to survive a power loss.
    synced: Lsn,
}

impl<'a> Explorer<'a> {
    pub(crate) fn new(
        session: &'a Session,
        oracle: &'a Oracle,
        rng: &'a mut Rng,
        counts: &'a mut Counts,
    ) -> Self {
        Self {
            session,
            oracle,
            rng,
            counts,
            batch_ends: session.batch_ends(),
            seen: HashMap::new(),
            torn: None,
            synced: Lsn::ZERO,
        }
    }

    /// Crashes after every operation, in all ways if they are fewer than `most`, else in so many of them.
    ///
    /// Returns the last one found with a torn tail, and what a crash of the process in the end leaves.
    pub(crate) fn run(mut self, most: usize) -> (Option<Left>, Left) {
        let mut disk = Disk::of(&self.session.base);
        for operations in 0..=self.session.recorded.len() {
            if let Some(last) = operations.checked_sub(1) {
                let recorded = &self.session.recorded[last];
                disk.apply(&recorded.operation);
                // What was written before the log itself was synced is durable, whatever the policy.
                if matches!(&recorded.operation, Operation::Sync { node, .. } if disk.durably_named(LOG) == Some(*node))
                {
                    self.synced = self.synced.max(recorded.acknowledged);
                }
            }
            self.counts.replacing += usize::from(disk.is_replacing(LOG));
            self.crash(operations, &disk.crash_states(), most);
        }
        self.count();
        let last = self.session.recorded.len();
        let left = self.left(last, disk.crash_states().newest());
        (self.torn, left)
    }

    fn count(&mut self) {
        let (session, counts) = (self.session, &mut *self.counts);
        counts.sessions += 1;
        counts.operations += session.recorded.len();
        counts.compactions += session.compactions;
        counts.extensions += session.recorded.iter().filter(|recorded| recorded.is_extension()).count();
        counts.reopenings += usize::from(!session.base.files.is_empty());
        counts.reopened_torn += usize::from(session.began_torn);
        counts.states.extend(self.seen.keys());
    }

    fn crash(&mut self, operations: usize, states: &CrashStates<'_>, most: usize) {
        let acknowledged = self.session.acknowledged(operations);
        let promised = if self.session.promises_power_loss() { acknowledged } else { self.synced };
        self.check(operations, &states.newest(), self.session.allowed(operations, acknowledged));
        let allowed = self.session.allowed(operations, promised);
        if let Some(count) = states.count_below(most) {
            self.counts.exhausted += 1;
            (0..count).for_each(|n| self.check(operations, &states.nth(n), allowed.clone()));
        } else {
            for _ in 0..most {
                let image = states.random(self.rng);
                self.check(operations, &image, allowed.clone());
            }
        }
    }

    fn check(&mut self, operations: usize, image: &Image, allowed: Range<usize>) {
        if let Err(wrong) = self.judge(operations, image, &allowed) {
            let kept = image.keep();
            let session = self.counts.sessions;
            panic!("after {operations} operations of session {session}: {wrong}; the files are in {kept:?}");
        }
    }

    fn judge(&mut self, operations: usize, image: &Image, allowed: &Range<usize>) -> Result<(), String> {
        let digest = image.digest();
        let state = match self.seen.get(&digest) {
            Some(&state) => state,
            None => self.recover(operations, image, allowed)?,
        };
        self.seen.insert(digest, state);
        self.check_state(state, image, allowed)
    }

    fn check_state(&self, state: u64, image: &Image, allowed: &Range<usize>) -> Result<(), String> {
        if self.number(state, image, allowed).is_some() {
            return Ok(());
        }
        let number = self.number(state, image, &(0..self.session.states()));
        let ends = &self.batch_ends;
        Err(format!("it holds state {number:?}, allowed are {allowed:?} where a batch ends: {ends:?}"))
    }

    /// The number of the state with this digest, at which a log like that of the image may end.
    fn number(&self, state: u64, image: &Image, allowed: &Range<usize>) -> Option<usize> {
        let may_end = |number: &usize| image.is_of_lines() || self.batch_ends.contains(number);
        allowed.clone().rfind(|number| self.session.digest(*number) == state && may_end(number))
    }

    /// Recovers an image that was not seen before, in all the ways that recovery may go.
    fn recover(&mut self, operations: usize, image: &Image, allowed: &Range<usize>) -> Result<u64, String> {
        let found = match self.oracle.recover(image) {
            Ok(found) => found,
            Err(error) => return self.before_damage(image, error),
        };
        if self.rng.u8(..RECOVERY_CRASHED) == 0 {
            let (left, again) = self.oracle.crash_recovery(image, &found, self.rng)?;
            self.check_state(again.digest(), &left, allowed)?;
            self.counts.recovery_states.insert(left.digest());
        }
        if self.rng.u8(..WRITTEN_TO) == 0 {
            let highest = if image.is_binary() { self.session.highest_lsn(operations) } else { Lsn::ZERO };
            self.oracle.write_and_crash(image, highest, self.rng)?;
        }
        self.note_torn(operations, image, &found, allowed);
        Ok(found.digest())
    }

    /// The state before the damage that a log of lines is refused for: all that has to be there stands before it.
    fn before_damage(&mut self, image: &Image, error: Error) -> Result<u64, String> {
        let sound_bytes = match error {
            Error::Corrupted { offset, .. } if image.is_of_lines() => offset,
            // Of the very first lines the first sector was lost.
            Error::NotALog { .. } if self.session.has_lines() => 0,
            error => return Err(refused(error)),
        };
        if !image.has_hole {
            return Err(refused(error));
        }
        self.counts.refused += 1;
        Ok(self.oracle.recover(&image.cut(sound_bytes)).map_err(refused)?.digest())
    }

    fn left(&self, operations: usize, image: Image) -> Left {
        let state = self.seen[&image.digest()];
        let number = self.number(state, &image, &(0..self.session.states())).unwrap();
        Left { image, number, operations }
    }

    fn note_torn(&mut self, operations: usize, image: &Image, found: &Found, allowed: &Range<usize>) {
        if found.torn_bytes > 0 {
            self.counts.torn += 1;
            if let Some(number) = self.number(found.digest(), image, allowed) {
                self.torn = Some(Left { image: image.clone(), number, operations });
            }
        }
    }
}
