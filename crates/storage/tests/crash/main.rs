//! What a crash leaves of a store, on a simulated disk that loses what was not synced.
//!
//! The file system records every operation of a store. A crash may come after any of them, and then any
//! subset of what was not synced has reached the disk: of 512-byte sectors, of sizes, of directory entries;
//! of each, any version since its last sync. Every state is recovered, and has to be the one after some
//! prefix of the batches that contains everything acknowledged. A recovery that crashes gives the same.
//!
//! More than CI does, with new workloads:
//! `RUSTVAULT_CRASH_STATES=5000000 cargo test -p rustvault-storage --test crash`.
//! A failure tells a seed; `RUSTVAULT_CRASH_SEED` runs its workload again. When threads take turns in another
//! order, batches are cut in another way: it may take a few runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod content;
mod disk;
mod explore;
mod oracle;
mod sim;
mod workload;

use std::io::Write as _;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustvault_storage::{Lsn, SyncPolicy};

use crate::content::Image;
use crate::explore::{Counts, Explorer};
use crate::oracle::Oracle;
use crate::workload::{Ending, Session, State};

/// Distinct crash states of each sync policy, unless the environment says otherwise.
const STATES: usize = 70_000;

/// Most states that are looked at after one operation.
const STATES_OF_A_CRASH: usize = 256;

#[test]
fn every_crash_keeps_what_was_acknowledged_under_always() {
    explore(SyncPolicy::Always);
}

#[test]
fn every_crash_keeps_what_was_synced_under_interval() {
    explore(SyncPolicy::Interval(Duration::from_millis(1)));
}

#[test]
fn every_crash_keeps_what_was_synced_under_never() {
    explore(SyncPolicy::Never);
}

#[expect(clippy::explicit_write, reason = "what the print macros print is shown for failed tests only")]
fn explore(policy: SyncPolicy) {
    let began = Instant::now();
    let wanted = from_environment("RUSTVAULT_CRASH_STATES").map_or(STATES, |all| all as usize / 3);
    let mut seed = from_environment("RUSTVAULT_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let oracle = Oracle::new(policy);
    let mut counts = Counts::default();
    while counts.states.len() < wanted {
        println!("{policy}: RUSTVAULT_CRASH_SEED={seed}");
        life(&oracle, &mut Rng::with_seed(seed), &mut counts);
        seed += 1;
    }
    let report = format!(
        "{policy}: {} distinct disk images after a crash, {} with a torn tail, and {} after a crash of \
         recovery; {} operations in {} sessions, all crashed at, {} of them in every possible way; {:.1?}",
        counts.states.len(),
        counts.torn,
        counts.recovery_states.difference(&counts.states).count(),
        counts.operations,
        counts.sessions,
        counts.exhausted,
        began.elapsed(),
    );
    writeln!(std::io::stderr(), "{report}").unwrap();
}

/// A log from its making on: a torn tail, a clean stop, a crash of the process, another torn tail.
fn life(oracle: &Oracle, rng: &mut Rng, counts: &mut Counts) {
    let (mut image, mut state, mut highest) = (Image::default(), State::new(), Lsn::ZERO);
    for (ending, tears) in
        [(Ending::Crash, true), (Ending::Close, false), (Ending::Crash, false), (Ending::Crash, true)]
    {
        let running = Session::run(image, state, highest, oracle.policy, ending, rng);
        let session = oracle.runtime.block_on(running);
        let (torn, whole) = Explorer::new(&session, oracle, rng, counts).run(STATES_OF_A_CRASH);
        let left = torn.filter(|_| tears).unwrap_or(whole);
        state = session.state(left.number).clone();
        highest = session.highest_lsn(left.operations);
        image = left.image;
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}
