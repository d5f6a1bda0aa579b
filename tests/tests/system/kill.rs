//! kill -9 under load, again and again: what was acknowledged or read is there afterwards.

use fastrand::Rng;
use rustix::process::Signal;
use rustvault_tests::Launch;

use crate::history::{History, WRITERS};

/// `RUSTVAULT_KILL_CYCLES` says otherwise.
const CYCLES: u32 = 50;

/// Acknowledged writes before a kill; the next may come at any time from then on.
const MAX_TARGET: u64 = 1500;

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_under_always() {
    let cycles = std::env::var("RUSTVAULT_KILL_CYCLES").map_or(CYCLES, |cycles| cycles.parse().unwrap());
    kill_again_and_again("--fsync always", cycles);
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_under_interval() {
    kill_again_and_again("--fsync interval:20ms", 5);
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_under_never() {
    kill_again_and_again("--fsync never", 5);
}

fn kill_again_and_again(policy: &str, cycles: u32) {
    let seed = fastrand::u64(..);
    println!("{policy}: seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let launch = Launch::new().with_args(policy);
    let mut history = History::default();
    let mut torn_tails = 0;
    for _ in 0..cycles {
        let daemon = launch.start();
        let target = rng.u64(1..=MAX_TARGET);
        history.write(&daemon, &mut rng, target, || daemon.signal(Signal::KILL));
        daemon.kill();
        let daemon = launch.start();
        history.judge(&daemon);
        torn_tails += u64::from(daemon.wire().info_number("torn_bytes_dropped") > 0);
        // A crash that follows on a recovery at once must not hurt either.
        daemon.kill();
    }
    println!(
        "{policy}: {cycles} kills under {WRITERS} writers, {} writes sent, {} acknowledged, none lost, {torn_tails} torn tails",
        history.sent, history.acknowledged
    );
}
