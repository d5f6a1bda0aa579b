//! Assigns clients to servers: the threads of a history's clients wait here for the server to connect to.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard};

use rustvault_tests::PATIENCE;

use crate::history::Clock;

/// The state that the clients of a history share with the thread that starts and ends the servers.
pub(crate) struct Coordinator {
    pub(crate) clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The server; `None` while there is none.
    server: Option<Server>,
    clients: Vec<usize>,
    answered: usize,
    /// The number of answers that the thread of the servers waits for.
    target: usize,
    is_over: bool,
    has_failed: bool,
}

/// A server that clients may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) run: usize,
}

impl Coordinator {
    pub(crate) fn new() -> Self {
        Self { clock: Clock::start(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Assigns these clients, and no others, to a server.
    pub(crate) fn assign(&self, server: Server, clients: &[usize]) {
        self.change(|state| {
            state.server = Some(server);
            state.clients = clients.to_vec();
        });
    }

    /// Leaves all clients without a server.
    pub(crate) fn withdraw(&self) {
        self.change(|state| state.server = None);
    }

    /// Ends the history for all clients.
    pub(crate) fn end(&self) {
        self.change(|state| state.is_over = true);
    }

    /// Waits until so many more operations have been answered.
    ///
    /// # Panics
    /// A client has failed, or the answers do not come.
    pub(crate) fn wait_for_answers(&self, operations: usize) {
        let mut state = self.lock();
        state.target = state.answered + operations;
        let is_waiting = |state: &mut State| state.answered < state.target && !state.has_failed;
        let (state, timeout) = self.changed.wait_timeout_while(state, PATIENCE, is_waiting).unwrap();
        let has_failed = state.has_failed;
        // A lock that is held in a panic is unusable afterwards.
        drop(state);
        assert!(!has_failed, "a client has failed");
        assert!(!timeout.timed_out(), "the clients are not answered");
    }

    /// Waits until a client is assigned to a server other than one that it has lost; `None`: the history is over.
    pub(crate) fn next_server(&self, client: usize, lost: Option<Server>) -> Option<Server> {
        let mut state = self.lock();
        while !state.is_over {
            let server =
                state.server.filter(|server| Some(*server) != lost && state.clients.contains(&client));
            if server.is_some() {
                return server;
            }
            state = self.changed.wait(state).unwrap();
        }
        None
    }

    /// Returns whether a client is still assigned to a server.
    pub(crate) fn is_assigned(&self, client: usize, server: Server) -> bool {
        let state = self.lock();
        !state.is_over && state.server == Some(server) && state.clients.contains(&client)
    }

    /// Counts operations that were answered.
    pub(crate) fn count(&self, operations: usize) {
        let mut state = self.lock();
        let was_waited_for = state.answered < state.target;
        state.answered += operations;
        if was_waited_for && state.answered >= state.target {
            self.changed.notify_all();
        }
    }

    /// Returns a guard that ends the history for all threads if it is dropped in a panic.
    pub(crate) fn guard(&self) -> Guard<'_> {
        Guard(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Ends the history when a thread panics: the others would wait for it until their time limit.
pub(crate) struct Guard<'s>(&'s Coordinator);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.change(|state| {
                state.is_over = true;
                state.has_failed = true;
            });
        }
    }
}
