//! Which threads serve which connections.
//!
//! Connections are served by as few threads as keep up with them: threads that share them wake more often,
//! each for less, and on few cores take time from the clients (redis-benchmark on 2 cores: GET in pipelines
//! of 16 1.39 times Redis's throughput with one thread, 1.17 with two). It is the more so with writes: each
//! sync is then shared by half as many of them (50 connections: 19 with one thread, 11 with two, and 1.4
//! times the throughput). Connections move between two batches, towards threads that have less to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::affinity::Placement;
use super::occupancy::{BlockedThread, BlockingPermits, Occupancy};
use super::procfs::{idle_us, thread_cpu_us};
use super::worker::Admitted;
use crate::Error;

/// How long a thread's load is measured before anything is made of it.
const WINDOW: Duration = Duration::from_millis(60);

/// A measurement this old says that the thread has been idle since.
const STALE: Duration = Duration::from_millis(200);

/// Batches between two looks at the clock.
const BATCHES_PER_LOOK: u32 = 64;

/// A thread that takes more of a core than this, in thousandths, does not keep up.
const SATURATED: u32 = 920;

/// What threads may take of a core on average, in thousandths, after one of them has been given up.
const RELAXED: u32 = 600;

/// Loads that differ by less, in thousandths of a core, are alike.
const ALIKE: u32 = 100;

/// Idle time of all cores together, in thousandths of a core, in which a further thread finds room.
const IDLE_CORE: u64 = 400;

/// Connections that write at one time, from which on a commit waits for [a part](COMMITS_IN_A_ROUND) of them.
/// Fewer do without: their clients would only wait longer.
const MANY_CONNECTIONS: u32 = 32;

/// Commits in which many connections take part one after the other: while one is synced, others are
/// gathered, and others yet are on their way from their clients.
const COMMITS_IN_A_ROUND: u32 = 4;

/// All threads that serve.
#[derive(Debug)]
pub(crate) struct Balance {
    threads: Box<[Load]>,
    /// The threads from the first up to here take connections.
    in_use: AtomicUsize,
    blocking: BlockingPermits,
    started: Instant,
}

/// What one thread has to do. Only that thread changes what it measures of itself.
#[derive(Debug)]
struct Load {
    // Bounded by the permits that the connections hold.
    inbox: UnboundedSender<Admitted>,
    occupancy: Occupancy,
    /// Counts the windows.
    window: AtomicU32,
    window_began_us: AtomicU64,
    cpu_us: AtomicU64,
    batches: AtomicU32,
    /// Connections that had a batch in this window, and in the one before.
    active: AtomicU32,
    lately_active: AtomicU32,
    /// What the machine's cores had idled when this thread was last saturated, and when that was.
    idle_us: AtomicU64,
    idle_at_us: AtomicU64,
    /// What the thread took of a core in the last window, in thousandths.
    share: AtomicU32,
    /// Connections that are to move to `shed_to`.
    shed: AtomicU32,
    shed_to: AtomicUsize,
    /// Has the first thread run beside the log's writer.
    placement: Mutex<Option<Placement>>,
}

/// A connection's place on a thread.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    balance: Arc<Balance>,
    thread: usize,
    /// The last window in which the connection had a batch.
    window: u32,
}

impl Balance {
    /// Threads that take connections from these inboxes.
    pub(crate) fn new(inboxes: impl Iterator<Item = UnboundedSender<Admitted>>) -> Arc<Self> {
        let threads: Box<[Load]> = inboxes.map(Load::new).collect();
        Arc::new(Self {
            blocking: BlockingPermits::new(threads.len()),
            threads,
            in_use: AtomicUsize::new(1),
            started: Instant::now(),
        })
    }

    /// Assigns a new connection to the thread in use that has the fewest, but to none that is blocked.
    pub(crate) fn assign(&self, admitted: Admitted) -> Result<(), Error> {
        if self.threads.iter().all(|load| self.share_now(load) == 0) {
            self.in_use.store(1, Ordering::Relaxed);
        }
        let load = self.add_to_best().ok_or(Error::ThreadDied)?;
        load.send(admitted).map_err(|_| Error::ThreadDied)
    }

    /// Counts a connection on the thread that is best for it; `None` if there are no threads.
    fn add_to_best(&self) -> Option<&Load> {
        let in_use = self.in_use.load(Ordering::Relaxed);
        let rank = |&(index, load): &(usize, &Load)| {
            (load.occupancy.is_blocked(), index >= in_use, load.occupancy.connections())
        };
        loop {
            let (_, load) = self.threads.iter().enumerate().min_by_key(rank)?;
            // It may have been blocked since it was looked at. Some other thread is not, at any moment.
            if load.occupancy.try_add() {
                return Some(load);
            }
        }
    }

    fn share_now(&self, load: &Load) -> u32 {
        let age = self.now_us().saturating_sub(load.window_began_us.load(Ordering::Relaxed));
        if age > micros(STALE) { 0 } else { load.share.load(Ordering::Relaxed) }
    }

    fn now_us(&self) -> u64 {
        micros(self.started.elapsed())
    }

    /// How many threads the load asks for, be they there or not.
    fn wanted_threads(&self, load: &Load, in_use: usize) -> usize {
        let shares: u32 = self.threads.iter().map(|load| self.share_now(load)).sum();
        if load.share.load(Ordering::Relaxed) > SATURATED {
            in_use + usize::from(load.finds_idle_core(self.now_us()))
        } else if in_use > 1 && shares < RELAXED * (in_use as u32 - 1) {
            in_use - 1
        } else {
            in_use
        }
    }
}

impl Load {
    fn new(inbox: UnboundedSender<Admitted>) -> Self {
        Self {
            inbox,
            occupancy: Occupancy::default(),
            window: AtomicU32::new(1),
            window_began_us: AtomicU64::new(0),
            cpu_us: AtomicU64::new(0),
            batches: AtomicU32::new(0),
            active: AtomicU32::new(0),
            lately_active: AtomicU32::new(0),
            idle_us: AtomicU64::new(0),
            idle_at_us: AtomicU64::new(0),
            share: AtomicU32::new(0),
            shed: AtomicU32::new(0),
            shed_to: AtomicUsize::new(0),
            placement: Mutex::new(None),
        }
    }
}

impl Load {
    /// Sends the thread a connection that is counted there; if the thread has ended, gives it back and counts
    /// it no more.
    fn send(&self, admitted: Admitted) -> Result<(), Admitted> {
        self.inbox.send(admitted).map_err(|error| {
            self.occupancy.remove();
            error.0
        })
    }

    /// Whether some core has been idle since this thread was last saturated: a further thread that had to
    /// share its core with the clients, say, would only slow them down.
    fn finds_idle_core(&self, now_us: u64) -> bool {
        let Some(idle_us) = idle_us() else { return true };
        let idle_us = idle_us - self.idle_us.swap(idle_us, Ordering::Relaxed).min(idle_us);
        let elapsed_us = now_us - self.idle_at_us.swap(now_us, Ordering::Relaxed);
        elapsed_us < micros(STALE) && idle_us * 1000 > elapsed_us * IDLE_CORE
    }

    /// What the log's writer took of this thread's core in the window that ends now, in thousandths.
    fn writer_beside(&self, window_us: u64) -> u32 {
        let mut placement = self.placement.lock();
        let share = placement.as_mut().and_then(|placement| placement.measure(window_us));
        placement.take_if(|_| share.is_none());
        share.unwrap_or(0)
    }

    /// Has this thread run beside the log's writer, or not, whatever is better.
    fn settle(&self, is_one_enough: bool, now_us: u64) {
        // Where the system does not let it be, it is not tried again.
        self.placement.lock().take_if(|placement| placement.settle(is_one_enough, now_us).is_err());
    }
}

impl Seat {
    /// A place for a connection that was dealt or moved to this thread.
    pub(crate) fn new(balance: &Arc<Balance>, thread: usize) -> Self {
        Self { balance: Arc::clone(balance), thread, window: 0 }
    }

    /// Has this thread run beside the log's writer when that is better.
    pub(crate) fn place(&self, placement: Option<Placement>) {
        *self.load().placement.lock() = placement;
    }

    /// Marks this thread as blocked, if it serves one connection only and another thread remains for new ones.
    pub(crate) fn try_block(&self) -> Option<BlockedThread<'_>> {
        self.load().occupancy.try_block(&self.balance.blocking)
    }

    /// How many connections are enough to share a commit.
    pub(crate) fn enough_to_commit(&self) -> u32 {
        let active = self.load().lately_active.load(Ordering::Relaxed);
        if active < MANY_CONNECTIONS { 1 } else { active / COMMITS_IN_A_ROUND }
    }

    /// Counts a batch; `true`: the connection is to [move](Self::migrate).
    pub(crate) fn note_batch(&mut self) -> bool {
        let load = &self.balance.threads[self.thread];
        let window = load.window.load(Ordering::Relaxed);
        if self.window != window {
            self.window = window;
            load.active.fetch_add(1, Ordering::Relaxed);
        }
        let batches = load.batches.fetch_add(1, Ordering::Relaxed) + 1;
        if batches.is_multiple_of(BATCHES_PER_LOOK) {
            self.look();
        }
        load.shed.load(Ordering::Relaxed) > 0
    }

    /// Hands a connection over to the thread that has less to do; gives it back if that has ended or is blocked.
    pub(crate) fn migrate(&self, admitted: Admitted) -> Result<(), Admitted> {
        let load = self.load();
        load.shed.fetch_sub(1, Ordering::Relaxed);
        let target = &self.balance.threads[load.shed_to.load(Ordering::Relaxed)];
        // On a blocked thread it would wait for a sync that is nothing to it.
        if target.occupancy.try_add() { target.send(admitted) } else { Err(admitted) }
    }

    /// Counts the connection on this thread no more.
    pub(crate) fn leave(&self) {
        self.load().occupancy.remove();
    }

    fn load(&self) -> &Load {
        &self.balance.threads[self.thread]
    }

    /// Ends the window, if it is time, and makes something of what it tells.
    fn look(&self) {
        let (balance, load) = (&*self.balance, self.load());
        let now_us = balance.now_us();
        let elapsed_us = now_us - load.window_began_us.load(Ordering::Relaxed);
        if elapsed_us < micros(WINDOW) {
            return;
        }
        let cpu_us = thread_cpu_us();
        let used_us = cpu_us - load.cpu_us.swap(cpu_us, Ordering::Relaxed);
        // What the log's writer takes of its core this thread cannot have.
        let used = used_us * 1000 / elapsed_us + u64::from(load.writer_beside(elapsed_us));
        let share = used.min(1000) as u32;
        load.share.store(share, Ordering::Relaxed);
        load.window_began_us.store(now_us, Ordering::Relaxed);
        let in_use = balance.in_use.load(Ordering::Relaxed);
        let wanted = balance.wanted_threads(load, in_use);
        let in_use = wanted.min(balance.threads.len());
        balance.in_use.store(in_use, Ordering::Relaxed);
        self.plan_moves(share, in_use);
        load.settle(wanted == 1, now_us);
        load.window.fetch_add(1, Ordering::Relaxed);
        load.lately_active.store(load.active.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        load.batches.store(0, Ordering::Relaxed);
    }

    /// Decides how many connections are to move, and where.
    fn plan_moves(&self, share: u32, in_use: usize) {
        let (balance, load) = (&*self.balance, self.load());
        let others =
            balance.threads.iter().enumerate().take(in_use).filter(|&(index, _)| index != self.thread);
        let target = others
            .filter(|(_, other)| !other.occupancy.is_blocked())
            .map(|(index, other)| (balance.share_now(other), index))
            .min();
        let active = load.active.load(Ordering::Relaxed);
        let shed = match target {
            Some(_) if self.thread >= in_use => active,
            Some((least, _)) if share > least + ALIKE => active * (share - least) / (2 * share),
            _ => 0,
        };
        load.shed_to.store(target.map_or(self.thread, |(_, index)| index), Ordering::Relaxed);
        load.shed.store(shed, Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use tokio::sync::Semaphore;
    use tokio::sync::mpsc::{self, UnboundedReceiver};

    use super::*;
    use crate::shared::OpenConnection;

    /// Three threads, the first two in use, whose last window has just ended with these loads.
    fn balance(shares: [u32; 3]) -> Arc<Balance> {
        let balance = Balance::new((0..3).map(|_| mpsc::unbounded_channel().0));
        balance.in_use.store(2, Ordering::Relaxed);
        for (load, share) in balance.threads.iter().zip(shares) {
            load.share.store(share, Ordering::Relaxed);
            load.window_began_us.store(balance.now_us(), Ordering::Relaxed);
            load.batches.store(1000, Ordering::Relaxed);
            load.active.store(40, Ordering::Relaxed);
        }
        balance
    }

    fn wanted(balance: &Balance) -> usize {
        balance.wanted_threads(&balance.threads[0], 2)
    }

    fn shed(balance: &Arc<Balance>, thread: usize, in_use: usize) -> (u32, usize) {
        let seat = Seat::new(balance, thread);
        seat.plan_moves(seat.load().share.load(Ordering::Relaxed), in_use);
        (seat.load().shed.load(Ordering::Relaxed), seat.load().shed_to.load(Ordering::Relaxed))
    }

    #[test]
    fn what_one_thread_could_serve_gives_the_other_up() {
        assert_eq!(wanted(&balance([300, 250, 0])), 1);
        assert_eq!(wanted(&balance([500, 450, 0])), 2);
    }

    #[test]
    fn a_thread_that_does_much_more_sheds_half_of_the_difference() {
        assert_eq!(shed(&balance([800, 400, 0]), 0, 2), (10, 1));
        assert_eq!(shed(&balance([450, 400, 0]), 0, 2).0, 0);
        assert_eq!(shed(&balance([800, 400, 0]), 1, 2).0, 0);
    }

    #[test]
    fn nothing_moves_to_a_thread_that_waits_for_a_disk() {
        let balance = balance([0, 800, 0]);
        assert!(balance.threads[0].occupancy.try_add());
        let seat = Seat::new(&balance, 0);
        let _blocked = seat.try_block().unwrap();
        assert_eq!(shed(&balance, 1, 1).0, 0);
        assert_eq!(shed(&balance, 1, 2).0, 0);
    }

    /// A connection as the listener gives it.
    fn connection() -> Admitted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let open = OpenConnection::new(&Arc::default(), permit);
        Admitted { peer: stream.local_addr().unwrap(), stream, open, start_permit: None, session: None }
    }

    #[test]
    fn a_new_connection_goes_past_a_blocked_thread_and_no_connection_moves_there() {
        let (inboxes, outboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::unbounded_channel()).unzip();
        let balance = Balance::new(inboxes.into_iter());
        let seats = [0, 1].map(|thread| Seat::new(&balance, thread));
        balance.assign(connection()).unwrap();
        let blocked = seats[0].try_block().unwrap();
        for _ in 0..3 {
            balance.assign(connection()).unwrap();
        }
        assert_eq!(outboxes.iter().map(UnboundedReceiver::len).collect::<Vec<_>>(), [1, 3]);
        assert!(seats[1].migrate(connection()).is_err());
        drop(blocked);
        assert!(seats[1].migrate(connection()).is_ok());
    }

    #[test]
    fn a_connection_that_cannot_be_delivered_is_not_counted() {
        let balance = balance([0, 0, 0]);
        assert!(balance.assign(connection()).is_err());
        assert!(Seat::new(&balance, 1).migrate(connection()).is_err());
        assert!(balance.threads.iter().all(|load| load.occupancy.connections() == 0));
    }

    #[test]
    fn a_thread_that_was_given_up_sheds_all() {
        assert_eq!(shed(&balance([800, 400, 0]), 1, 1), (40, 0));
    }
}
