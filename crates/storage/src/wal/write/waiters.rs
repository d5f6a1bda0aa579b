//! Keeps the waiters for an LSN to become durable, in groups of one thread each.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::sync::{Instant, OrderedMutex, Rank, thread};

/// Groups of waiters; a thread's waiters share one. More than threads that usually serve.
///
/// A model checker gets few: every commit takes the locks of all, and each is a step.
const GROUPS: usize = if cfg!(feature = "shuttle") { 2 } else { 32 };

/// Waiters, and the LSNs that they wait for.
///
/// Waking a task of another thread costs a system call, waking one of the own thread next to nothing.
/// So a thread's waiters form a group in LSN order: the log writer wakes only the first, the group's
/// leader, and the leader, on its own thread, wakes the others ([`wake_group`](Self::wake_group)).
pub(in crate::wal) struct Waiters {
    groups: [OrderedMutex<WaiterGroup>; GROUPS],
}

/// The waiters of a thread, or of some.
#[derive(Default)]
struct WaiterGroup {
    by_lsn: BTreeMap<(u64, u64), Waker>,
    /// The moment at which the leader was called; `None` once it, or another of the group, has run.
    leader_called_at: Option<Instant>,
    next_id: u64,
}

/// A place among the waiters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    group: usize,
    lsn: u64,
    id: u64,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self { groups: std::array::from_fn(|_| OrderedMutex::new(Rank::Waiters, WaiterGroup::default())) }
    }

    /// Adds a waiter for `lsn`, unless `is_reached` says, with the group locked, that it need not wait.
    pub(super) fn register(
        &self,
        lsn: u64,
        waker: &Waker,
        is_reached: impl FnOnce() -> bool,
    ) -> Option<Ticket> {
        let group_index = group_of_this_thread();
        let mut group = self.groups[group_index].lock();
        if is_reached() {
            return None;
        }
        let id = group.next_id;
        group.next_id += 1;
        group.by_lsn.insert((lsn, id), waker.clone());
        Some(Ticket { group: group_index, lsn, id })
    }

    /// Puts a new waker in the place of the ticket's. `false`: the ticket was called already.
    pub(super) fn update(&self, ticket: Ticket, waker: &Waker) -> bool {
        let mut group = self.groups[ticket.group].lock();
        let Some(old) = group.by_lsn.get_mut(&(ticket.lsn, ticket.id)) else { return false };
        old.clone_from(waker);
        true
    }

    /// Gives the ticket back. `false`: it was called already, maybe as the leader of its group.
    pub(super) fn remove(&self, ticket: Ticket) -> bool {
        self.groups[ticket.group].lock().by_lsn.remove(&(ticket.lsn, ticket.id)).is_some()
    }

    /// Wakes the leader of every group that has somebody waiting for `lsn` or less.
    pub(in crate::wal) fn wake_leaders(&self, lsn: u64) {
        for group in &self.groups {
            let leader = {
                let mut group = group.lock();
                match group.by_lsn.first_entry() {
                    Some(first) if first.key().0 <= lsn => {
                        let leader = first.remove();
                        // An earlier leader may not have run yet.
                        group.leader_called_at.get_or_insert_with(Instant::now);
                        Some(leader)
                    }
                    _ => None,
                }
            };
            if let Some(leader) = leader {
                leader.wake();
            }
        }
    }

    /// Wakes everybody in the ticket's group who waits for `lsn` or less: the duty of the one that was called. Returns the
    /// moment at which the group's leader was called, to the first caller alone.
    pub(super) fn wake_group(&self, ticket: Ticket, lsn: u64) -> Option<Instant> {
        self.groups[ticket.group].wake_up_to(lsn)
    }

    /// Wakes everybody who waits for `lsn` or less.
    pub(super) fn wake_all(&self, lsn: u64) {
        for group in &self.groups {
            group.wake_up_to(lsn);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.lock().by_lsn.is_empty())
    }
}

trait WakeUpTo {
    /// Wakes everybody who waits for `lsn` or less, and takes the moment at which the leader was called.
    fn wake_up_to(&self, lsn: u64) -> Option<Instant>;
}

impl WakeUpTo for OrderedMutex<WaiterGroup> {
    fn wake_up_to(&self, lsn: u64) -> Option<Instant> {
        let (due, leader_called_at) = {
            let mut group = self.lock();
            let leader_called_at = group.leader_called_at.take();
            if group.by_lsn.is_empty() {
                return leader_called_at;
            }
            let later =
                lsn.checked_add(1).map(|after| group.by_lsn.split_off(&(after, 0))).unwrap_or_default();
            (std::mem::replace(&mut group.by_lsn, later), leader_called_at)
        };
        due.into_values().for_each(Waker::wake);
        leader_called_at
    }
}

fn group_of_this_thread() -> usize {
    thread::number() % GROUPS
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_does_not_run_has_waited_since_its_own_call() {
        let (waiters, waker) = (Waiters::new(), Waker::noop());
        let leader = waiters.register(1, waker, || false).unwrap();
        waiters.register(2, waker, || false).unwrap();
        waiters.wake_leaders(1);
        let after = Instant::now();
        while Instant::now() == after {}
        // The next commit, before the leader has run.
        waiters.wake_leaders(2);
        assert!(waiters.wake_group(leader, 2).unwrap() <= after);
    }
}
