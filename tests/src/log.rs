//! What a daemon says on standard error.

use std::io::{BufRead, BufReader};
use std::process::ChildStderr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::PATIENCE;

/// Collects the lines on a thread of its own, so that the daemon never waits for a reader.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    has_ended: bool,
}

impl Log {
    pub(crate) fn collect(stderr: ChildStderr) -> Self {
        let log = Self { shared: Arc::default() };
        let shared = Arc::clone(&log.shared);
        thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                shared.change(|state| state.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            shared.change(|state| state.has_ended = true);
        });
        log
    }

    /// The first line that `wanted` is true for, once it is there; `None` if the log ended without one.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let find = |state: &State| state.lines.iter().find(|line| wanted(line)).cloned();
        let state = self.shared.state.lock().unwrap();
        let waiting = |state: &mut State| !state.has_ended && find(state).is_none();
        let (state, timeout) = self.shared.changed.wait_timeout_while(state, PATIENCE, waiting).unwrap();
        assert!(!timeout.timed_out(), "the daemon did not say it; it said: {:#?}", state.lines);
        find(&state)
    }

    /// All lines, once the process has ended.
    pub(crate) fn whole(&self) -> Vec<String> {
        self.wait_for(|_| false);
        self.so_far()
    }

    pub(crate) fn so_far(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().lines.clone()
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}
