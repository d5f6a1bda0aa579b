//! What a crash leaves of a store, on a simulated disk that loses what was not synced.
//!
//! The file system records every operation of a store. A crash may come after any of them, and then any
//! subset of what was not synced has reached the disk: of 512-byte sectors, of sizes, of directory entries;
//! of each, any version since its last sync. Every state is recovered, and has to be the one after some
//! prefix of the batches that contains everything acknowledged. A recovery that crashes gives the same.
//!
//! A log of JSON lines promises less. Its state is one after some prefix of the records that contains everything
//! acknowledged. Only where a sector was lost and a later one of the same file was not, the log may be refused
//! instead; everything acknowledged then stands before the place that the error names.
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
use rustvault_storage::LogFormat::{self, Binary, Json};
use rustvault_storage::{Lsn, SyncPolicy};
use rustvault_testkit::number_in;

use crate::content::Image;
use crate::explore::{Counts, Explorer};
use crate::oracle::Oracle;
use crate::workload::{Ending, Session, State};

/// Distinct crash states of each sync policy, unless the environment says otherwise.
const STATES: usize = 70_000;

/// The same of lives in which the log is one of lines, or becomes one.
const STATES_WITH_LINES: usize = 15_000;

/// What the sessions of a life are told about the format: each of them compacts the log.
type Formats = [Option<LogFormat>; 4];

/// The log is and stays a binary one.
const ALL_BINARY: Formats = [None; 4];

/// A new log of lines; it becomes a binary one, and one of lines again.
const WITH_LINES: Formats = [Some(Json), Some(Binary), Some(Json), None];

/// Most states that are looked at after one operation.
const STATES_OF_A_CRASH: usize = 256;

#[test]
fn every_crash_keeps_what_was_acknowledged_under_always() {
    explore(SyncPolicy::Always, ALL_BINARY, STATES);
}

#[test]
fn every_crash_keeps_what_was_synced_under_interval() {
    explore(SyncPolicy::Interval(Duration::from_millis(1)), ALL_BINARY, STATES);
}

#[test]
fn every_crash_keeps_what_was_synced_under_never() {
    explore(SyncPolicy::Never, ALL_BINARY, STATES);
}

#[test]
fn every_crash_of_a_log_of_lines_keeps_what_was_acknowledged_under_always() {
    explore(SyncPolicy::Always, WITH_LINES, STATES_WITH_LINES);
}

#[test]
fn every_crash_of_a_log_of_lines_keeps_what_was_synced_under_interval() {
    explore(SyncPolicy::Interval(Duration::from_millis(1)), WITH_LINES, STATES_WITH_LINES);
}

#[test]
fn every_crash_of_a_log_of_lines_keeps_what_was_synced_under_never() {
    explore(SyncPolicy::Never, WITH_LINES, STATES_WITH_LINES);
}

#[expect(clippy::explicit_write, reason = "what the print macros print is shown for failed tests only")]
fn explore(policy: SyncPolicy, formats: Formats, states: usize) {
    let began = Instant::now();
    let in_all = 3 * (STATES + STATES_WITH_LINES);
    let wanted = number_in("RUSTVAULT_CRASH_STATES").map_or(states, |all: usize| states * all / in_all);
    let mut seed = number_in("RUSTVAULT_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let oracle = Oracle::new(policy);
    let mut counts = Counts::default();
    while counts.states.len() < wanted {
        println!("{policy}: RUSTVAULT_CRASH_SEED={seed}");
        life(&oracle, formats, &mut Rng::with_seed(seed), &mut counts);
        seed += 1;
    }
    let what = if formats == ALL_BINARY { policy.to_string() } else { format!("{policy}, with lines") };
    writeln!(std::io::stderr(), "{}", report(&what, &counts, began.elapsed())).unwrap();
    assert!(counts.compactions >= 3 && counts.replacing > 0, "compactions were crashed at");
    assert!(counts.reopenings >= 2 && counts.reopened_torn > 0, "logs were reopened, with a torn tail too");
    assert!(counts.extensions > 0, "zeros were put ahead of the log's end");
}

fn report(what: &str, counts: &Counts, elapsed: Duration) -> String {
    let Counts { torn, refused, operations, sessions, exhausted, extensions, .. } = counts;
    let Counts { compactions, replacing, reopenings, reopened_torn, .. } = counts;
    let states = counts.states.len();
    let recovery_states = counts.recovery_states.difference(&counts.states).count();
    format!(
        "{what}: {states} distinct disk images after a crash, {torn} with a torn tail, {refused} refused, and \
         {recovery_states} after a crash of recovery; {operations} operations in {sessions} sessions, all crashed \
         at, {exhausted} of them in every possible way; in them {extensions} extensions by zeros, {compactions} \
         compactions ({replacing} crashes while two files were the log), {reopenings} reopenings \
         ({reopened_torn} with a torn tail); {elapsed:.1?}"
    )
}

/// A log from its making on: a torn tail, a clean stop, a crash of the process, another torn tail.
fn life(oracle: &Oracle, formats: Formats, rng: &mut Rng, counts: &mut Counts) {
    let (mut image, mut state, mut highest) = (Image::default(), State::new(), Lsn::ZERO);
    let endings =
        [(Ending::Crash, true), (Ending::Close, false), (Ending::Crash, false), (Ending::Crash, true)];
    for ((ending, tears), format) in endings.into_iter().zip(formats) {
        let options = workload::options(oracle.policy, format);
        let has_lines = formats != ALL_BINARY;
        let running = Session::run(image, state, highest, options, has_lines, ending, rng);
        let session = oracle.runtime.block_on(running);
        let (torn, whole) = Explorer::new(&session, oracle, rng, counts).run(STATES_OF_A_CRASH);
        let left = torn.filter(|_| tears).unwrap_or(whole);
        state = session.state(left.number).clone();
        // Lines have no LSNs: they are counted anew.
        highest = if left.image.is_binary() { session.highest_lsn(left.operations) } else { Lsn::ZERO };
        image = left.image;
    }
}
