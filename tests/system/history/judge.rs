//! The judgement of what the end of a daemon has left.

use std::time::Instant;

use rustvault_tests::{Daemon, Wire};

use super::{
    Answer, BALLAST_PREFIX, History, OWN_KEYS, SHARED_KEYS, Stamp, State, WRITERS, Write, own_key, shared_key,
};

impl History {
    /// Checks that the daemon has every write that it acknowledged or showed, in order, and none that nobody made.
    pub(crate) fn judge(&mut self, daemon: &Daemon) {
        let found = read_all(daemon.wire());
        for (key, stamp) in &found {
            assert!(self.has_written(key, *stamp), "nobody wrote {stamp} to {key}");
        }
        let has_gaps = self.has_gaps();
        for writer in 0..WRITERS {
            if has_gaps {
                self.judge_keys_of(writer, &found);
            } else {
                self.judge_writer(writer, &found);
            }
        }
        for key in (0..SHARED_KEYS).map(shared_key) {
            self.judge_shared_key(&key, found.get(&key).copied());
        }
        for (count, writes) in self.counts.iter_mut().zip(&mut self.recent) {
            *count += writes.drain(..).len() as u64;
        }
        self.state = found;
    }

    fn has_written(&self, key: &str, stamp: Stamp) -> bool {
        let is_known = |write: &Write| {
            write.stamp == stamp && write.key == key && write.is_set && write.answer != Answer::Refused
        };
        self.state.get(key) == Some(&stamp) || self.recent.iter().flatten().any(is_known)
    }

    /// The keys that only this writer writes are as some prefix of its writes leaves them, which has all
    /// that are known to be kept, and those that other keys show.
    fn judge_writer(&self, writer: usize, found: &State) {
        let writes = &self.recent[writer];
        let kept = writes.iter().rposition(|write| write.kept.is_some()).map_or(0, |last| last + 1);
        let shown = writes.iter().rposition(|write| found.get(&write.key) == Some(&write.stamp));
        let at_least = kept.max(shown.map_or(0, |last| last + 1));
        let prefix = own_key(writer, "");
        let own = |state: &State| -> State {
            let own = state.iter().filter(|(key, _)| key.starts_with(&prefix));
            own.map(|(key, stamp)| (key.clone(), *stamp)).collect()
        };
        let (mut state, expected) = (own(&self.state), own(found));
        let mut is_prefix = at_least == 0 && state == expected;
        for (index, write) in writes.iter().enumerate() {
            if write.key.starts_with(&prefix) {
                apply(&mut state, write);
            }
            is_prefix |= index + 1 >= at_least && state == expected;
        }
        assert!(
            is_prefix,
            "writer {writer} sent {} writes, {kept} of them are promised; no prefix of that length leaves {expected:#?}",
            writes.len(),
        );
    }

    /// Each key that only this writer writes is as its last write that is kept left it, or a later one of
    /// which nobody knows.
    fn judge_keys_of(&self, writer: usize, found: &State) {
        for key in (0..OWN_KEYS).map(|key| own_key(writer, key)) {
            let writes = self.recent[writer].iter().filter(|write| write.key == key);
            let writes: Vec<_> = writes.filter(|write| write.answer != Answer::Refused).collect();
            let last_kept = writes.iter().rposition(|write| write.kept.is_some());
            let may_have_left = |write: &&Write| write.is_set.then_some(write.stamp);
            let mut possible: Vec<_> = writes[last_kept.unwrap_or(0)..].iter().map(may_have_left).collect();
            if last_kept.is_none() {
                possible.push(self.state.get(&key).copied());
            }
            let found = found.get(&key).copied();
            assert!(possible.contains(&found), "{key} holds {found:?}, not one of {possible:?}");
        }
    }

    /// A key that all write holds what some write left that was not overwritten for certain.
    fn judge_shared_key(&self, key: &str, found: Option<Stamp>) {
        let is_about_it = |write: &&Write| write.key == key && write.answer != Answer::Refused;
        let writes: Vec<_> = self.recent.iter().flatten().filter(is_about_it).collect();
        let is_untouched =
            self.state.get(key).copied() == found && writes.iter().all(|write| write.kept.is_none());
        let leaves_it = |write: &Write| write.is_set.then_some(write.stamp) == found;
        let is_current = |write: &Write| !writes.iter().any(|later| overwrites(later, write));
        assert!(
            is_untouched || writes.iter().any(|write| leaves_it(write) && is_current(write)),
            "{key} holds {found:?}, which was overwritten by an acknowledged write"
        );
    }

    /// Whether a write was refused, or its outcome unknown: what was not answered may then be missing although
    /// later writes are there.
    fn has_gaps(&self) -> bool {
        let is_gap = |write: &Write| matches!(write.answer, Answer::Refused | Answer::Failed);
        self.recent.iter().flatten().any(is_gap)
    }

    /// Who reads a value may rely on it, and on all that its writer wrote before.
    pub(super) fn believe_what_was_seen(&mut self, seen: &[(Stamp, Instant)]) {
        let has_gaps = self.has_gaps();
        let mut first_seen = self.recent.each_ref().map(|writes| vec![None; writes.len()]);
        for (stamp, at) in seen {
            let Some(index) = stamp.number.checked_sub(self.counts[stamp.writer]) else { continue };
            assert!(self.recent[stamp.writer][index as usize].answer != Answer::Refused, "{stamp} is there");
            let first = &mut first_seen[stamp.writer][index as usize];
            *first = earlier(*first, Some(*at));
        }
        for (writes, first_seen) in self.recent.iter_mut().zip(first_seen) {
            let mut at = None;
            for (write, seen) in writes.iter_mut().zip(first_seen).rev() {
                at = if has_gaps { seen } else { earlier(at, seen) };
                write.kept = earlier(write.kept, at);
            }
        }
    }
}

/// Whether `later` certainly came after `write`, and is kept.
fn overwrites(later: &Write, write: &Write) -> bool {
    let is_next_of_writer =
        later.stamp.writer == write.stamp.writer && later.stamp.number > write.stamp.number;
    later.kept.is_some() && (is_next_of_writer || write.kept.is_some_and(|kept| kept < later.sent))
}

fn apply(state: &mut State, write: &Write) {
    if write.is_set {
        state.insert(write.key.clone(), write.stamp);
    } else {
        state.remove(&write.key);
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    [a, b].into_iter().flatten().min()
}

/// All keys, by `SCAN`, with their values, by `GET`; `COUNT` says the same.
fn read_all(mut wire: Wire) -> State {
    wire.send("SCAN 0 LIMIT 10000\r\n");
    let mut keys = wire.list();
    assert_eq!(keys.remove(0), "0", "one page takes them all");
    wire.ask("COUNT\r\n", format!("VALUE {}\r\n", keys.len()));
    keys.retain(|key| !key.starts_with(BALLAST_PREFIX));
    wire.send(keys.iter().map(|key| format!("GET {key}\r\n")).collect::<String>());
    let mut state = State::new();
    for key in keys {
        let answer = wire.line();
        let value = answer
            .strip_prefix("VALUE ")
            .unwrap_or_else(|| panic!("{key} is in the scan, GET says {answer}"));
        state.insert(key, Stamp::of(value));
    }
    state
}
