//! Checks passwords, on one thread of low priority, behind a queue of limited length.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use parking_lot::{Condvar, Mutex};
use rustvault_users::{User, Users};
use tokio::sync::oneshot;
use tracing::debug;

use super::secrets::SecretHash;

/// Most passwords that wait for their check. Each check takes some 20 ms of CPU, so the last one waits for a second if the
/// machine has a core to spare.
pub(super) const MAX_QUEUED_LOGINS: usize = 64;

/// Places of the queue for names that have logged in from the same address before, so that others cannot take all.
pub(super) const RESERVED_LOGINS: usize = 16;

/// Niceness of the thread: whatever serves clients goes first. Where that leaves no core idle, the thread gets a tenth of one,
/// some five checks a second. With 19, the highest, it would get a hundredth: nobody could log in to a busy server.
const NICENESS: i32 = 10;

/// A password to check.
pub(super) struct Check {
    /// Keyed hash of name and password: whoever asks the same meanwhile waits for the same check.
    pub(super) hash: SecretHash,
    pub(super) users: Arc<Users>,
    pub(super) name: Box<str>,
    pub(super) password: Box<[u8]>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The result of a check.
#[derive(Debug, Clone)]
pub(super) struct CheckedPassword {
    /// The user, if the password is right.
    pub(super) user: Option<Arc<User>>,
    pub(super) checked_at: SystemTime,
}

/// The queue of the thread that checks passwords.
#[derive(Debug, Default)]
pub(super) struct Verifier {
    queue: Mutex<CheckQueue>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct CheckQueue {
    waiting: VecDeque<PendingCheck>,
    /// The one that is being checked.
    running: Option<PendingCheck>,
    is_closed: bool,
}

/// A check, and who waits for it.
#[derive(Debug)]
struct PendingCheck {
    check: Arc<Check>,
    askers: Vec<oneshot::Sender<CheckedPassword>>,
}

impl PendingCheck {
    fn is_same(&self, check: &Check) -> bool {
        self.check.hash == check.hash && Arc::ptr_eq(&self.check.users, &check.users)
    }
}

impl Verifier {
    /// Starts the thread, which ends once the verifier is [closed](Self::close).
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let verifier = Arc::clone(self);
        let thread = thread::Builder::new().name("login".to_owned());
        thread.spawn(move || verifier.run()).map(drop)
    }

    /// Asks for a check; `None` if the queue is full. Of places that are reserved it takes one only if `may_use_reserve`.
    pub(super) fn ask(
        &self,
        check: Check,
        may_use_reserve: bool,
    ) -> Option<oneshot::Receiver<CheckedPassword>> {
        let (asker, checked) = oneshot::channel();
        let mut queue = self.queue.lock();
        let CheckQueue { waiting, running, .. } = &mut *queue;
        if let Some(same) = running.iter_mut().chain(&mut *waiting).find(|pending| pending.is_same(&check)) {
            same.askers.push(asker);
            return Some(checked);
        }
        let max = if may_use_reserve { MAX_QUEUED_LOGINS } else { MAX_QUEUED_LOGINS - RESERVED_LOGINS };
        if waiting.len() >= max {
            // Those whose clients are gone need no check.
            waiting.retain(|pending| pending.askers.iter().any(|asker| !asker.is_closed()));
        }
        if waiting.len() >= max {
            return None;
        }
        waiting.push_back(PendingCheck { check: Arc::new(check), askers: vec![asker] });
        drop(queue);
        self.work.notify_one();
        Some(checked)
    }

    /// Returns how many passwords wait for their check.
    pub(super) fn queued(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Makes the thread end once its present check is done.
    pub(super) fn close(&self) {
        self.queue.lock().is_closed = true;
        self.work.notify_one();
    }

    fn run(&self) {
        // Of Linux's threads each has a niceness; 0 stands for the one that calls.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            debug!(%error, "the thread that checks passwords keeps its priority");
        }
        while let Some(check) = self.next() {
            self.finish_by(|| verdict(&check));
        }
    }

    /// Waits for a check and marks it as running; returns `None` once the verifier is closed.
    fn next(&self) -> Option<Arc<Check>> {
        let mut queue = self.queue.lock();
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(check) = queue.begin_next() {
                return Some(check);
            }
            self.work.wait(&mut queue);
        }
    }

    /// Carries out the check that is running, and gives its result to all who ask. If it panics, they get none, and the thread
    /// goes on: otherwise nobody could log in by password any more.
    fn finish_by(&self, check: impl FnOnce() -> CheckedPassword) {
        let checked = catch_unwind(AssertUnwindSafe(check));
        let finished = self.queue.lock().running.take();
        let Ok(checked) = checked else { return };
        for asker in finished.into_iter().flat_map(|pending| pending.askers) {
            // Whoever is gone needs no result.
            drop(asker.send(checked.clone()));
        }
    }
}

impl CheckQueue {
    /// Begins the first check that somebody still waits for.
    fn begin_next(&mut self) -> Option<Arc<Check>> {
        while let Some(pending) = self.waiting.pop_front() {
            if pending.askers.iter().any(|asker| !asker.is_closed()) {
                let check = Arc::clone(&pending.check);
                self.running = Some(pending);
                return Some(check);
            }
        }
        None
    }
}

fn verdict(check: &Check) -> CheckedPassword {
    let checked_at = SystemTime::now();
    let user = check.users.log_in(&check.name, &check.password, checked_at).cloned();
    CheckedPassword { user, checked_at }
}

#[cfg(test)]
impl Verifier {
    /// Does what its thread does next, if there is something to do.
    pub(super) fn step(&self) -> bool {
        let next = self.queue.lock().begin_next();
        next.map(|check| self.finish_by(|| verdict(&check))).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::tests::{PASSWORD, users};

    fn check(users: &Arc<Users>, hash: SecretHash, password: &str) -> Check {
        Check { hash, users: Arc::clone(users), name: "ann".into(), password: password.as_bytes().into() }
    }

    #[test]
    fn the_same_password_is_checked_once_for_all_who_wait_for_it() {
        let (verifier, users) = (Verifier::default(), Arc::new(users(&["ann"])));
        let ask = |hash, password| verifier.ask(check(&users, hash, password), false).unwrap();
        let (mut first, mut same, mut other) = (ask(1, PASSWORD), ask(1, PASSWORD), ask(2, "wrong"));
        assert_eq!(verifier.queued(), 2);
        assert!(verifier.step());
        for checked in [&mut first, &mut same] {
            assert_eq!(checked.try_recv().unwrap().user.unwrap().name, "ann");
        }
        assert!(other.try_recv().is_err());
        assert!(verifier.step() && !verifier.step());
        assert!(other.try_recv().unwrap().user.is_none());
        // Other users may have another password of the same name.
        let others = Arc::new(crate::login::tests::users(&["ann"]));
        let _one = verifier.ask(check(&users, 1, PASSWORD), false);
        let _two = verifier.ask(check(&others, 1, PASSWORD), false);
        assert_eq!(verifier.queued(), 2);
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_forgets_those_who_are_gone() {
        let (verifier, users) = (Verifier::default(), Arc::new(users(&["ann"])));
        let ask = |hash, may_use_reserve| verifier.ask(check(&users, hash, "x"), may_use_reserve);
        let mut waiting: Vec<_> = (0..48).map(|hash| ask(hash, false).unwrap()).collect();
        assert!(ask(48, false).is_none());
        waiting.extend((48..64).map(|hash| ask(hash, true).unwrap()));
        assert!(ask(64, true).is_none());
        assert!(ask(63, false).is_some(), "the same one waits already");
        drop(waiting.split_off(10));
        assert!(ask(64, false).is_some());
        assert_eq!(verifier.queued(), 11, "the one that was asked twice is gone, too");
        drop(waiting);
        assert!(!verifier.step());
    }

    #[test]
    fn a_check_that_panics_ends_for_who_waits_and_for_nobody_else() {
        let (verifier, users) = (Verifier::default(), Arc::new(users(&["ann"])));
        let ask = |hash| verifier.ask(check(&users, hash, PASSWORD), false).unwrap();
        let (mut unlucky, mut next) = (ask(1), ask(2));
        assert!(verifier.queue.lock().begin_next().is_some());
        verifier.finish_by(|| panic!("as a check never should"));
        assert_eq!(unlucky.try_recv().err(), Some(oneshot::error::TryRecvError::Closed));
        // The same password is checked again, and does not wait for what is over.
        let mut again = ask(1);
        assert!(verifier.step() && verifier.step() && !verifier.step());
        assert!(next.try_recv().unwrap().user.is_some() && again.try_recv().unwrap().user.is_some());
    }

    #[test]
    fn the_thread_checks_and_ends() {
        let (verifier, users) = (Arc::new(Verifier::default()), Arc::new(users(&["ann"])));
        verifier.start().unwrap();
        let checked = verifier.ask(check(&users, 1, PASSWORD), false).unwrap().blocking_recv().unwrap();
        assert!(checked.user.is_some());
        verifier.close();
    }
}
